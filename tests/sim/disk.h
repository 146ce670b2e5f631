/* SPDX-License-Identifier: BSD-3-Clause */
// The virtual drive and what a journalling file system keeps on it: files whose written sectors are
// safe only once they are flushed, names that are safe only once their directory is. A power cut
// leaves any of the rest, sector by sector of 512 bytes. Writes of the ring land later, in any
// order, and go on landing when the process is dead.
#pragma once

#include "base.h"
#include "store/io_ops.h"

#define SIM_ROOT "/sim"
#define SIM_NAME_BYTES_MAX 64
#define SIM_DRIVE_COUNT_MAX 16

struct sim_block;
struct sim_lock;

struct sim_entry {
	char name[SIM_NAME_BYTES_MAX];
	struct sim_inode *inode;
};

struct sim_inode {
	uint64_t number;
	bool is_directory;
	uint8_t drive; // each directory in SIM_ROOT is a drive of its own, with its own journal
	uint64_t bytes, stable_bytes; // length now, and after a power cut
	struct sim_block **blocks; // NULL: never written
	uint64_t block_count; // of the table
	uint32_t link_count, open_count;
	struct sim_lock *locks; // OFD locks
	// Of directories.
	struct sim_entry *entries;
	uint32_t entry_count;
	struct sim_entry *stable_entries; // without the changes that stand in the journal
	uint32_t stable_entry_count;
	struct sim_inode *next;
};

// An open file description.
struct sim_file {
	struct sim_inode *inode;
	uint64_t position; // of write()
	uint32_t reference_count; // descriptors, and writes under way
};

// A large drive with nothing on it but an empty, durable directory SIM_ROOT.
void sim_disk_create(void);
void sim_disk_destroy(void);
void sim_disk_set_capacity(uint64_t bytes);
void sim_disk_make_room(void); // all that anybody could want
uint64_t sim_disk_capacity_bytes(void);
uint64_t sim_disk_free_bytes(void);

// ---- content

struct sim_inode *sim_inode_create(bool is_directory);
void sim_inode_write(struct sim_inode *inode, uint64_t position, const void *data, uint64_t bytes);
// Returns the bytes read: fewer at the end of the file.
uint64_t sim_inode_read(
	const struct sim_inode *inode, uint64_t position, void *data, uint64_t bytes);
void sim_inode_resize(struct sim_inode *inode, uint64_t bytes);
// Gives whole blocks of the range back: they read as zeros.
void sim_inode_punch(struct sim_inode *inode, uint64_t position, uint64_t bytes);
// The first written block at or behind position; UINT64_MAX when there is none.
uint64_t sim_inode_next_data(const struct sim_inode *inode, uint64_t position);
// What is written in the range, and the length, survive from now on; what a failed flush has left
// in doubt does not.
void sim_inode_flush(struct sim_inode *inode, uint64_t position, uint64_t bytes);
// A flush has failed: what is not flushed stays so, whatever later flushes say.
void sim_inode_doubt(struct sim_inode *inode);

// ---- names (directory.c)

extern struct sim_inode *sim_root;

struct sim_entry *sim_directory_find(const struct sim_inode *directory, const char *name);
void sim_directory_link(struct sim_inode *directory, const char *name, struct sim_inode *inode);
void sim_directory_unlink(struct sim_inode *directory, const char *name);
// Replaces what has the name.
void sim_directory_move(
	struct sim_inode *from, const char *from_name, struct sim_inode *to, const char *to_name);
void sim_directory_flush(struct sim_inode *directory);
// The journal is cut at a point drawn by the seed; what directories were flushed for survives.
void sim_directories_cut(void);
void sim_directories_forget(void);

// ---- open files

struct sim_file *sim_file_get(struct sim_inode *inode);
void sim_file_put(struct sim_file *file); // drops its locks with the last reference

// ---- writes of the ring

struct sim_write;

// Takes bytes of data from now on; file must have a reference for it, which it gives back.
// Completes at some later time: then *result is set and, with sync, what was written is durable.
struct sim_write *sim_write_begin(
	struct sim_file *file, uint64_t position, const void *data, uint32_t bytes, bool sync);
bool sim_write_is_complete(const struct sim_write *write);
// Frees it. Returns what the ring reports: bytes or a negative errno.
int32_t sim_write_end(struct sim_write *write);

// Lets land and complete what is due.
void sim_disk_progress(void);
// When the next write lands or completes; UINT64_MAX: none is under way.
uint64_t sim_disk_next_ns(void);

// The process is dead: its writes go on landing, nobody waits for them.
void sim_disk_abandon_writes(void);
// The power is gone: those that were under way have landed, in part, or not; none is flushed.
void sim_disk_drop_writes(void);
// Lets all land and complete.
void sim_disk_settle(void);

// Nothing that was not flushed is sure to be there afterwards. No file may be open.
void sim_disk_cut_power(void);
