/* SPDX-License-Identifier: BSD-3-Clause */
// A lane: one append-only log on one drive, with one writing worker. Holds the open batch that
// events are appended to, the batches under way, and the segment they go to.
//
// A batch's life: free -> open (worker/append) -> sealed and written (sl_lane_seal) -> complete, in
// any order (sl_lane_complete) -> retired in order (watermarks move) -> free.
//
// Thread rule: the worker that owns the lane calls everything here, except what lane_setup.h
// declares. Words shared with the keeper thread are grouped and say so.
#pragma once

#include "base.h"
#include "counters.h"
#include "format/log_format.h"
#include "format/run_ledger.h"
#include "partition.h"
#include "shm.h"
#include "store/batch_ages.h"
#include "store/gap_table.h"
#include "store/io_ops.h"

// With nothing under way and this much waiting, a batch goes at once instead of lingering: a write
// this long costs the drive hardly more than a block does (16 files of 36 KiB: 0.84 GB/s;
// docs/architecture.md, "Why partitions share a lane"). It costs the lcore as much as a long one
// does, so an lcore that has more events at hand lets it linger.
#define SL_LANE_EAGER_BYTES (128u * 1024)
#define SL_LANE_IDLE_MARK_NS SL_NS_PER_S // an idle durable lane states its mark after this
// Ages are no finer than this: a tenth of what the fastest durable write takes.
#define SL_LANE_AGE_STEP_NS 4096
// Batches of a lane in all: those under way, the open one, and a checkpoint's, at most.
#define SL_LANE_BATCH_COUNT_MAX 64

struct sl_breaker;
struct sl_segment;
struct sl_source_dictionary;

enum sl_batch_state {
	SL_BATCH_FREE,
	SL_BATCH_OPEN,
	SL_BATCH_WRITING,
	SL_BATCH_RETRY,
	SL_BATCH_FAILED,
	SL_BATCH_WRITTEN
};

// A lane whose drive fails leaves its partitions to a lane of another drive (lane_leave.c,
// rehome.c). Who may move the word on stands behind each.
enum sl_leaving {
	SL_LEAVING_NONE, // worker
	SL_LEAVING_WANTED, // keeper, or the worker, which withdraws: both by comparing
	SL_LEAVING_PLANNED, // keeper, which writes store.meta; the worker leaves the lane alone
	SL_LEAVING_GRANTED, // worker: store.meta names the target
	SL_LEAVING_UNDER_WAY, // worker: the target owns the partitions and takes what is not stored
	SL_LEAVING_DENIED, // worker: there is nowhere to go, and the lane cannot go on either
};

// A partition that goes on in another lane, in a new term.
struct sl_lane_move {
	uint64_t term_start; // the first offset that is not stored
	uint32_t term; // above its present one
	uint16_t partition;
	uint16_t lane; // number
};

struct sl_batch {
	char *data; // batch_bytes, block-aligned, in the registered region
	struct sl_io_request request;
	struct sl_segment *segment;
	uint64_t number;
	uint64_t event_bytes;
	uint64_t submit_ns; // when it was handed to the kernel
	uint32_t event_count;
	uint32_t attempt_count; // EAGAIN and EINTR that it has met
	uint32_t room_attempt_count; // ENOSPC and EDQUOT
	enum sl_batch_state state;
	struct sl_batch_ages ages; // of its events
};

// A ledger on its way into a lane's log: one at a time.
struct sl_lane_ledger {
	uint32_t bytes; // 0: none; set by the main lcore, cleared by who has written it
	char data[SL_LEDGER_BYTES_MAX];
};

struct sl_lane {
	// The open batch: written by the worker for every event. cursor is NULL without one, and
	// then limit is too.
	char *cursor; // where the next run goes
	char *limit; // a run may end here: behind it is room for the table, a source run, a time
		     // run and copies in 16-byte steps
	struct sl_batch_table_entry
		*table; // of the open batch, copied behind its runs when it is sealed
	struct sl_batch *open_batch;
	uint64_t batch_number; // tells open batches apart: at least the number it will have
	uint64_t time_base_ns, time_last_ns;
	uint64_t run_time_base_ns; // in force: the batch's base, or the last time run's
	uint32_t table_count, run_count;
	uint32_t ledger_run_count; // of run_count
	uint32_t event_count; // 0 without an open batch
	enum sl_drop_reason refusal; // why there is no room, when there is none
	uint64_t event_bytes;
	uint64_t open_since_ns;
	uint64_t burst_ns; // receive time of the oldest event in the burst that is being appended
	uint32_t aged_count; // events of the open batch whose ages are noted

	// The chain: written by the worker for every batch.
	uint64_t next_number;
	uint64_t watermark_number; // last retired
	uint64_t durable_mark;
	uint64_t position; // in the current segment, of the next batch
	uint64_t last_seal_ns;
	uint64_t retry_ns; // earliest time for batches in SL_BATCH_RETRY; 0 none
	uint32_t prev_body_crc;
	uint32_t unretired; // batches sealed and not retired
	uint32_t under_way; // writes handed to io and not back: their buffers belong to the kernel
	uint32_t free_count;
	uint8_t last_kind; // of the last sealed batch
	bool is_disk_full; // a write met ENOSPC or EDQUOT, and none has succeeded since
	bool failed;
	bool is_stuck; // full, and its next segment cannot be made, or not be entered yet
	bool is_hurried; // more events are at hand than its lcore takes in a turn: no eager batches

	// A write has failed (lane_mend.c): written by the worker when one does.
	bool is_halted; // none is started, until the next segment goes on at the failed batch
	bool is_settling; // at start and stop, without a keeper: a failed write fails the lane
	bool is_failure_noted; // of this halt
	bool is_probing; // one write at a time, for the breaker
	int32_t halt_error; // of the first write that failed, or of a segment that cannot be made;
			    // main reads it
	enum sl_drop_reason halt_refusal;
	uint32_t failure_count; // halts since the lane was last whole
	uint64_t mend_ns; // not before
	uint64_t mend_until_number; // retired: the lane is whole
	struct sl_segment *segment; // current; NULL while a halted lane has none
	struct sl_segment *full_segment; // the one before, until all its batches are retired
	uint64_t segment_since_ns; // receive time of the current segment's first event; 0 none
	uint64_t previous_segment; // its number, which stays; 0: the current one is the first of
				   // this start
	struct sl_batch *free_batches[SL_LANE_BATCH_COUNT_MAX];
	struct sl_batch *by_number[SL_LANE_BATCH_COUNT_MAX]; // sealed ones, by number modulo

	// Const after start.
	struct sl_io *io;
	struct sl_partition *partitions; // store-wide array
	uint16_t *owned; // partitions that live in this lane; written by the worker when some leave
	struct sl_source_dictionary *sources; // NULL when no stream of the class keeps sources
	struct sl_worker_counters *counters; // of the worker
	struct sl_lcore_cycles *cycles; // of the worker's lcore; NULL: stages are not measured
	struct sl_gap_table *gaps; // of the worker's lcore: what the lane loses; NULL: nobody asks
	struct sl_shm_lane *shm;
	struct sl_shm_partition *shm_partitions; // store-wide array
	uint64_t epoch;
	uint64_t linger_ns;
	uint64_t segment_age_ns; // a segment with events is left at this age; 0 never
	struct sl_breaker *breaker; // of the drive
	uint64_t backoff_ns_min, backoff_ns_max;
	uint32_t retry_limit;
	uint32_t owned_count;
	uint32_t salt_crc;
	uint32_t batch_bytes;
	uint32_t batch_count; // of batches
	uint32_t in_flight_max;
	uint32_t checkpoint_batch_count; // batches a checkpoint of this lane takes at most
	uint16_t lane;
	uint16_t class_index;
	uint16_t buffer_index; // of the lane's memory among the ring's registered regions
	uint8_t slot; // of its worker's lanes
	bool may_leave; // its worker has another lane of its class
	enum sl_durability durability;
	struct sl_batch *batches;

	// Handed over between worker and keeper; each side only moves its own direction.
	// spare: keeper fills, worker takes. closing: worker fills, keeper takes, seals (or
	// removes, when it is void) and closes.
	struct sl_segment *spare SL_CACHE_ALIGNED;
	struct sl_segment *closing;
	uint64_t sealed_segment; // written by the keeper: last segment with a footer
	uint64_t stuck_segment; // written by the keeper: the one in closing, whose footer, or whose
				// removal, failed and is tried again; 0 none
	uint64_t synced_number; // written by the keeper: last batch its fdatasync covered
	int32_t spare_error; // written by the keeper: negative errno of the last failed birth, 0
			     // none
	int32_t seal_error; // written by the keeper: negative errno of a failed footer
	uint64_t settled_segment; // written by the worker: last segment whose first checkpoint, or
				  // epoch start, is retired
	int32_t write_error; // written by the worker: negative errno that failed the lane
	bool wants_spare; // written by the worker: the lane cannot go on without its next segment
	struct sl_lane_ledger ledger;

	// Leaving for another drive. target and moves are the keeper's while it plans, then the
	// worker's until leaving is SL_LEAVING_NONE again.
	uint32_t leaving SL_CACHE_ALIGNED; // enum sl_leaving
	uint32_t move_count;
	const struct sl_lane_move *moves;
	struct sl_lane *target;
	bool is_promised; // written by the keeper: some store.meta may name another lane for its
			  // partitions, so that they may go on there only
	// Written by the worker.
	uint64_t leave_number; // the first batch that the target has not taken; 0: none leaves
	struct sl_lane *incoming; // the lane whose partitions come here, until all has come
} SL_CACHE_ALIGNED;

// Makes room for a run of run_bytes (header included) in the open batch, sealing the old one and
// opening another as needed. receive_ns becomes the time base of a new batch. Returns false when it
// cannot be, with lane->refusal set.
bool sl_lane_make_room(struct sl_lane *lane, uint32_t run_bytes, uint64_t receive_ns);

// Seals the open batch (table, checksums, header) and queues its write. There must be one.
void sl_lane_seal(struct sl_lane *lane, uint64_t now_ns);

// Writes a gap into the open batch, opening one as needed. False when there is no room for it now.
bool sl_lane_append_gap(struct sl_lane *lane, const struct sl_run_gap *gap, uint64_t now_ns);

// Gives the worker a ledger to write, bytes of them, SL_LEDGER_BYTES_MAX at most. The main lcore.
// False when it has not written the one before.
bool sl_lane_post_ledger(struct sl_lane *lane, const void *record, uint32_t bytes);

// The same while no worker runs, whatever was posted before: sl_lane_begin() and sl_lane_end()
// write it.
void sl_lane_set_ledger(struct sl_lane *lane, const void *record, uint32_t bytes);

// Writes what was posted into the open batch, opening one as needed. Returns whether there was one,
// and room for it.
bool sl_lane_take_ledger(struct sl_lane *lane, uint64_t now_ns);

// Notes the ages of what was appended since the last time. Once a burst, and before a batch is
// sealed.
static inline void sl_lane_note_ages(struct sl_lane *lane)
{
	// A batch that was sealed or given up takes its count with it.
	if (lane->event_count <= lane->aged_count)
		return;
	sl_batch_ages_add(
		&lane->open_batch->ages, lane->burst_ns, lane->event_count - lane->aged_count);
	lane->aged_count = lane->event_count;
}

// Takes a completed write of this lane: continues a short one, sends EAGAIN, EINTR, ENOSPC and
// EDQUOT again after a while, halts the lane on anything else (and on EAGAIN and EINTR when they
// last), and retires in order.
void sl_lane_complete(struct sl_lane *lane, struct sl_io_request *request, uint64_t now_ns);

// Once a turn: linger, eager batches, retries, idle marks, handing full segments to the keeper, and
// mending a halted lane. Returns the work done.
uint32_t sl_lane_tick(struct sl_lane *lane, uint64_t now_ns);

// Gives up everything that is not retired: counts it as reason and refuses from now on with the
// same reason.
void sl_lane_fail(struct sl_lane *lane, enum sl_drop_reason reason, int error);

// During the drain: a lane that waits for its drive, or for room, and keeps what is not stored,
// fails with the reason by which it refuses; one that is still within its retries goes on.
void sl_lane_stop_waiting(struct sl_lane *lane);

// True when nothing is open and nothing is under way. A lane that has failed waits for its writes
// too: they land from buffers that are ours to keep until then.
bool sl_lane_is_quiet(const struct sl_lane *lane);
