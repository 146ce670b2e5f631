/* SPDX-License-Identifier: BSD-3-Clause */
// Names, as a journalling file system keeps them: changes become durable in their order, at the
// latest when a directory that they touch is flushed.
#include "disk.h"
#include "memory.h"
#include "sim.h"

#include <stdio.h>
#include <string.h>

struct change {
	struct sim_inode *from, *to; // from NULL: a new name; to NULL: a name that goes
	char from_name[SIM_NAME_BYTES_MAX], to_name[SIM_NAME_BYTES_MAX];
	struct sim_inode *inode;
	bool is_durable;
};

struct sim_inode *sim_root;

static struct change *journal;
static uint32_t change_count, change_capacity;

static struct sim_entry *find(struct sim_entry *entries, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(entries[i].name, name) == 0)
			return &entries[i];
	}
	return NULL;
}

static void put(
	struct sim_entry **entries, uint32_t *count, const char *name, struct sim_inode *inode)
{
	struct sim_entry *entry = find(*entries, *count, name);

	if (entry == NULL) {
		*entries = sim_host_grow(*entries, (*count + 1) * sizeof(**entries));
		entry = &(*entries)[(*count)++];
		snprintf(entry->name, sizeof(entry->name), "%s", name);
	}
	entry->inode = inode;
}

static void take(struct sim_entry *entries, uint32_t *count, const char *name)
{
	struct sim_entry *entry = find(entries, *count, name);

	if (entry != NULL)
		*entry = entries[--*count];
}

struct sim_entry *sim_directory_find(const struct sim_inode *directory, const char *name)
{
	return find(directory->entries, directory->entry_count, name);
}

static void note(struct change change)
{
	if (change_count == change_capacity) {
		change_capacity = change_capacity * 2 + 64;
		journal = sim_host_grow(journal, change_capacity * sizeof(*journal));
	}
	journal[change_count++] = change;
}

static void copy_name(char *target, const char *name)
{
	snprintf(target, SIM_NAME_BYTES_MAX, "%s", name);
}

void sim_directory_link(struct sim_inode *directory, const char *name, struct sim_inode *inode)
{
	struct change change = {.to = directory, .inode = inode};

	copy_name(change.to_name, name);
	inode->drive = directory == sim_root ? (uint8_t)(inode->number % SIM_DRIVE_COUNT_MAX)
					     : directory->drive;
	put(&directory->entries, &directory->entry_count, name, inode);
	inode->link_count++;
	note(change);
}

void sim_directory_unlink(struct sim_inode *directory, const char *name)
{
	struct change change = {.from = directory};

	copy_name(change.from_name, name);
	sim_directory_find(directory, name)->inode->link_count--;
	take(directory->entries, &directory->entry_count, name);
	note(change);
}

void sim_directory_move(
	struct sim_inode *from, const char *from_name, struct sim_inode *to, const char *to_name)
{
	struct change change = {
		.from = from, .to = to, .inode = sim_directory_find(from, from_name)->inode};
	struct sim_entry *old = sim_directory_find(to, to_name);

	copy_name(change.from_name, from_name);
	copy_name(change.to_name, to_name);
	if (old != NULL)
		old->inode->link_count--;
	take(from->entries, &from->entry_count, from_name);
	put(&to->entries, &to->entry_count, to_name, change.inode);
	note(change);
}

static void apply(const struct change *change)
{
	struct sim_inode *from = change->from, *to = change->to;

	if (from != NULL)
		take(from->stable_entries, &from->stable_entry_count, change->from_name);
	if (to != NULL)
		put(&to->stable_entries, &to->stable_entry_count, change->to_name, change->inode);
}

// Changes of a directory, and what other directories have to do with them, backward in time.
static void mark_durable(struct sim_inode *directory)
{
	struct sim_inode *touched[32] = {directory};
	uint32_t touched_count = 1;

	for (uint32_t i = change_count; i-- > 0;) {
		struct change *change = &journal[i];

		for (uint32_t t = 0; t < touched_count; t++) {
			if (change->from != touched[t] && change->to != touched[t])
				continue;
			change->is_durable = true;
			if (change->from != NULL && change->to != NULL &&
				change->from != change->to &&
				touched_count < SL_ARRAY_COUNT(touched))
				touched[touched_count++] =
					change->from == touched[t] ? change->to : change->from;
			break;
		}
	}
}

void sim_directory_flush(struct sim_inode *directory)
{
	uint32_t applied_count = 0;

	mark_durable(directory);
	while (applied_count < change_count && journal[applied_count].is_durable)
		apply(&journal[applied_count++]);
	change_count -= applied_count;
	memmove(journal, journal + applied_count, change_count * sizeof(*journal));
}

static void restore(struct sim_inode *directory)
{
	for (uint32_t i = 0; i < directory->entry_count; i++)
		directory->entries[i].inode->link_count = 0;
	directory->entry_count = 0;
	for (uint32_t i = 0; i < directory->stable_entry_count; i++) {
		const struct sim_entry *entry = &directory->stable_entries[i];

		put(&directory->entries, &directory->entry_count, entry->name, entry->inode);
	}
	for (uint32_t i = 0; i < directory->entry_count; i++) {
		directory->entries[i].inode->link_count = 1;
		if (directory->entries[i].inode->is_directory)
			restore(directory->entries[i].inode);
	}
}

void sim_directories_cut(void)
{
	uint64_t kept_counts[SIM_DRIVE_COUNT_MAX];

	for (uint32_t i = 0; i < SIM_DRIVE_COUNT_MAX; i++)
		kept_counts[i] = sim_below(change_count + 1);
	for (uint32_t i = 0; i < change_count; i++) {
		const struct sim_inode *place =
			journal[i].to != NULL ? journal[i].to : journal[i].from;

		if (i < kept_counts[place->drive] || journal[i].is_durable)
			apply(&journal[i]);
	}
	change_count = 0;
	restore(sim_root);
}

void sim_directories_forget(void)
{
	change_count = 0;
}
