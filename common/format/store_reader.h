/* SPDX-License-Identifier: BSD-3-Clause */
// Reads a store, live or stopped: sluicectl read, sluice-blast verify. Never takes a lock that the
// writer waits for, never maps a file, never writes. Follows the format's rules: chain, terms, void
// runs, end of the log. Thread rule: one struct sl_store_reader belongs to one thread; several may
// be open on the same directory, in any process.
#pragma once

#include "base.h"
#include "err.h"
#include "format/meta.h"
#include "format/run_events.h"
#include "format/store_paths.h"

// One term of a partition: it owns offsets from start on, and lives in one lane.
struct sl_store_term {
	uint64_t start;
	uint64_t end; // behind its last offset that is known of; 0: none is
	uint64_t last_segment; // of its lane, that is known to name it
	uint32_t term;
	uint16_t lane;
};

// Ascending by term. count is 0 for a partition that was never used.
struct sl_store_terms {
	struct sl_store_term *terms;
	uint32_t count;
	// Everything below has expired, whatever lanes still hold of it: the first retained offset
	// or one below, 0 when nothing has.
	uint64_t floor;
};

struct sl_store_reader {
	char path[SL_PATH_BYTES_MAX]; // the first that was given
	struct sl_store_paths paths;
	bool is_degraded; // lanes on paths that are not here are left out
	struct sl_store_meta meta; // streams, lanes, partitions: as store.meta had them at open
	uint32_t salt_crc;
	struct sl_store_terms *partitions; // meta.header.partition_count
	bool has_expired; // in some lane, as far as it was looked for: when a partition has moved
};

// Opens STORE (a directory with store.meta; of a store on several paths any of them) and learns the
// terms of all partitions. Returns 0 and *store, which the caller closes; else a negative errno
// with err filled: -ENOENT no store, -EPROTO unknown version, -EBADMSG damage, -ENODEV a path that
// is not here, -EACCES and others from the file system.
int sl_store_reader_open(struct sl_store_reader **store, const char *path, struct sl_err *err);

// The same where the paths of the store are not where its metadata says: some or all of them.
// Moreover -EXDEV and -EEXIST, see sl_store_paths_find().
// is_degraded: a path that is not here is no error; its lanes are taken for empty.
int sl_store_reader_open_paths(struct sl_store_reader **store, const char *const *paths,
	uint32_t path_count, bool is_degraded, struct sl_err *err);

void sl_store_reader_close(struct sl_store_reader *store); // NULL is legal

// Index of a stream in meta.streams, or -ENOENT with err naming the streams that exist.
int sl_store_find_stream(const struct sl_store_reader *store, const char *name, struct sl_err *err);

// True while an appliance holds STORE/store.lock.
bool sl_store_path_is_live(const char *store_path);

struct sl_store_event {
	const void *value; // in the reader's buffer: valid during the callback only
	uint32_t value_bytes;
	uint32_t term;
	uint64_t offset;
	uint64_t receive_ns; // CLOCK_REALTIME
	const struct sl_run_source *source; // address and port of the sender, NULL when not kept
	uint16_t partition; // store-wide number
	uint16_t lane; // where it was read, for messages
	uint64_t segment, position; // of the batch
	struct sl_run_event attributes; // operation, key, event time, weight, sequence
};

// What to call, and where to stop.
struct sl_store_visitor {
	void *context;
	// Returns 0 to go on, a positive number to stop (the read then returns it), or a negative
	// errno to fail.
	int (*on_event)(void *context, const struct sl_store_event *event);
	// Watermark of a partition (store-wide number): events at and behind it are left out, as
	// they are not stored yet. NULL: everything that is valid on disk. Asked again while
	// reading.
	uint64_t (*limit)(void *context, uint16_t partition);
	// sl_store_read_stream alone: each lane is read from its first segment that has at least
	// this number on. 0: from the oldest.
	uint64_t segment_from;
	// Offsets that nobody can read any more, as a repair has written into the log: in their
	// place in the order. May be NULL.
	void (*on_lost)(void *context, const struct sl_lost_offsets *lost);
};

// What a read or count met on its way; all zero before.
struct sl_store_report {
	uint64_t event_count; // handed out
	uint64_t void_event_count; // of lower terms, left out
	uint64_t batch_count; // checked
	uint64_t skipped_batch_count; // not looked at, by the index of their segment
	uint64_t byte_count; // of segments, read
	uint64_t unknown_run_count, unknown_batch_count; // of later programs, skipped by length
	uint64_t gap_count; // runs of gaps; of sl_store_read_gaps() only
	uint64_t further_attribute_count; // events with attributes of later programs
	uint64_t expired_segment_count; // vanished between listing and opening
	uint64_t lost_event_count; // which a repair has fenced, left out
	uint64_t torn_tail_count; // lanes whose log ends before blocks that hold something
	// Of sl_store_read_partition() only, where offsets ascend.
	bool has_first; // first_offset is set
	uint64_t first_offset; // the first event handed out
	uint64_t next_offset; // one behind the last event handed out
};

// Reads one partition in order of offsets, term by term, from the first event with offset >= from.
// When retention has taken that offset, the read starts with the first retained one:
// report->first_offset says which. Returns 0 at the end (or at the limit), what on_event returned
// when not 0, or a negative errno with err filled: -EBADMSG is damage, and err names file, position
// and meaning; everything handed out before is right.
int sl_store_read_partition(struct sl_store_reader *store, uint16_t partition, uint64_t from,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err);

// Reads a whole stream (index in meta.streams) lane by lane, in order of arrival within each lane:
// the offsets of each partition ascend, partitions are mixed. Returns as above.
int sl_store_read_stream(struct sl_store_reader *store, uint32_t stream,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err);

// One partition's side of the offline identity: event_count + lost_count + jumped_count +
// expired_count == last_offset + 1 - first_offset, and nothing twice.
struct sl_store_count {
	uint64_t first_offset; // first retained; meaningless when event_count and lost_count are 0
	uint64_t last_offset;
	uint64_t event_count; // live ones, of all lanes; void runs left out
	uint64_t lost_count; // fenced by a repair: among the offsets from first to last
	uint64_t jumped_count; // left out where a term begins with a jump
	uint64_t expired_count; // between terms, where the older segments of a lane have expired
	uint64_t double_count; // live ones whose (term, offset) was seen before: damage
};

// Counts all partitions of all lanes; counts has meta.header.partition_count entries. Every batch
// is checked, no run is handed out. visitor may be NULL; of it only limit is used. Returns 0 or a
// negative errno as above.
int sl_store_count(struct sl_store_reader *store, struct sl_store_count *counts,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err);
