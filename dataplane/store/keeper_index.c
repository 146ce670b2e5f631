/* SPDX-License-Identifier: BSD-3-Clause */
// Indexes of sealed segments: built in the background, a few batches a turn, the newest segments
// first. Nothing waits for one, and nothing is lost with one.
#include "format/segment_index_build.h"
#include "format/segment_list.h"
#include "log.h"
#include "store/keeper_internal.h"

#include <errno.h>
#include <unistd.h>

// A header and a table each, some 0.1 ms on the drives that matter: a turn stays a matter of
// milliseconds. Measured against the rate at which a lane fills segments there is room enough.
#define BATCHES_A_TURN 16u
// An index that could not be written, for want of room as a rule, is written again after this.
#define WRITE_RETRY_TURNS (SL_NS_PER_S / SL_KEEPER_TURN_NS)

static void remove_index(const struct sl_kept_lane *kept, uint64_t segment)
{
	char path[SL_PATH_BYTES_MAX];

	// What stays behind is not believed, and is looked at again at the next start.
	if (sl_segment_index_path(path, kept->config.path, segment, NULL) == 0)
		unlink(path);
}

static struct sl_segment_entry *find_sealed(const struct sl_kept_lane *kept, uint64_t segment)
{
	for (uint32_t i = 0; i < kept->sealed_count; i++)
		if (kept->sealed[i].number == segment)
			return &kept->sealed[i];
	return NULL;
}

void sl_keeper_index_begin(struct sl_kept_lane *kept)
{
	struct sl_segment_list list;

	if (sl_segment_list_read_indexes(&list, kept->config.path, NULL) < 0)
		return;
	for (size_t i = 0; i < list.count; i++)
		if (find_sealed(kept, list.numbers[i]) == NULL)
			remove_index(kept, list.numbers[i]);
	sl_segment_list_free(&list);
}

void sl_keeper_index_drop(struct sl_kept_lane *kept, uint64_t segment)
{
	if (kept->index_builder == NULL || sl_index_builder_segment(kept->index_builder) != segment)
		return;
	sl_index_builder_destroy(kept->index_builder);
	kept->index_builder = NULL;
}

void sl_keeper_index_forget(struct sl_kept_lane *kept, uint64_t segment)
{
	sl_keeper_index_drop(kept, segment);
	remove_index(kept, segment);
}

static void note_error(struct sl_kept_lane *kept, const struct sl_err *err)
{
	// A segment that has gone meanwhile needs none.
	if (err->code == -ENOENT || kept->index_failed)
		return;
	sl_log_warning("store", "lane %u: a segment has no index, readers scan it: %s",
		kept->config.number, err->text);
	kept->index_failed = true;
}

static void give_up(
	struct sl_kept_lane *kept, struct sl_segment_entry *entry, const struct sl_err *err)
{
	note_error(kept, err);
	entry->index_state = SL_INDEX_FAILED;
}

// True when there is an index already, from before this start.
static bool has_index(const struct sl_keeper *keeper, const struct sl_kept_lane *kept,
	const struct sl_segment_entry *entry)
{
	struct sl_segment_index index;
	struct sl_segment_file *file;
	struct sl_err err;
	bool is_good;

	if (sl_segment_file_open(&file, kept->config.path, kept->config.number, entry->number,
		    keeper->config.salt_crc, &err) < 0)
		return false;
	is_good = file->is_sealed &&
		sl_segment_index_read(&index, kept->config.path, file, &err) == 0;
	if (is_good)
		sl_segment_index_free(&index);
	sl_segment_file_close(file);
	return is_good;
}

static void take_up(
	const struct sl_keeper *keeper, struct sl_kept_lane *kept, struct sl_segment_entry *entry)
{
	struct sl_err err = {0};

	if (has_index(keeper, kept, entry)) {
		entry->index_state = SL_INDEX_THERE;
		return;
	}
	if (sl_index_builder_create(&kept->index_builder, kept->config.path, kept->config.number,
		    entry->number, keeper->config.salt_crc, &err) < 0)
		give_up(kept, entry, &err);
}

static void go_on(struct sl_kept_lane *kept)
{
	uint64_t segment = sl_index_builder_segment(kept->index_builder);
	struct sl_segment_entry *entry = find_sealed(kept, segment);
	struct sl_err err = {0};
	int result = sl_index_builder_step(kept->index_builder, BATCHES_A_TURN, &err);

	if (result > 0)
		return;
	if (result == 0 && sl_index_builder_write(kept->index_builder, &err) != 0) {
		note_error(kept, &err);
		kept->index_wait_turns = WRITE_RETRY_TURNS;
		return;
	}
	sl_keeper_index_drop(kept, segment);
	if (entry == NULL)
		return;
	if (result < 0) {
		give_up(kept, entry, &err);
		return;
	}
	entry->index_state = SL_INDEX_THERE;
	kept->index_failed = false;
	SL_STORE(kept->config.shm->indexes_built, kept->config.shm->indexes_built + 1);
}

void sl_keeper_index(struct sl_keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		struct sl_kept_lane *kept = &keeper->lanes[i];
		uint32_t newest = kept->sealed_count;

		if (kept->index_wait_turns > 0) {
			kept->index_wait_turns--;
			continue;
		}
		if (kept->index_builder != NULL) {
			go_on(kept);
			return;
		}
		while (newest > 0 && kept->sealed[newest - 1].index_state != SL_INDEX_UNKNOWN)
			newest--;
		if (newest > 0) {
			take_up(keeper, kept, &kept->sealed[newest - 1]);
			return;
		}
	}
}
