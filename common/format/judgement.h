/* SPDX-License-Identifier: BSD-3-Clause */
// What was found wrong in a store, in words for people and in figures for repair. Thread rule: a
// judgement belongs to who asked for it.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
#include "format/log_format.h"

enum sl_finding_grade {
	SL_FINDING_REMARK, // a crash, a running writer or an earlier repair leaves this: sound
	SL_FINDING_ROT, // wrong on the disk, but everything that was stored is still there
	SL_FINDING_LOSS, // something that was stored is gone or wrong
};

enum sl_finding_kind {
	SL_FINDING_META_SLOT, // one slot of store.meta or lane.meta
	SL_FINDING_LANE_META, // no slot of lane.meta
	SL_FINDING_LANE_GONE, // its folder
	SL_FINDING_LANE_UNNAMED, // a folder with segments that store.meta does not name
	SL_FINDING_HOLE, // batches that do not check, within a segment
	SL_FINDING_SEGMENT_GONE, // batches whose segment is not there
	SL_FINDING_LENGTH, // of a file
	SL_FINDING_UNREADABLE, // the drive says so
	SL_FINDING_FOOTER, // one that does not check, or does not fit its segment
	SL_FINDING_INDEX, // beside a segment
	SL_FINDING_UNSEALED, // no footer, and whole
	SL_FINDING_HEADLESS, // half a checkpoint at the end of the log, and sealed
	SL_FINDING_TORN_TAIL,
	SL_FINDING_LEFTOVER, // of an unfinished birth or repair
	SL_FINDING_CONTRADICTION, // right checksums, wrong content: a writer's error
	SL_FINDING_TERMS, // lanes that contradict each other or store.meta
	SL_FINDING_FENCED, // what an earlier repair has said to be lost
	SL_FINDING_KIND_COUNT
};

// Offsets of one partition that are gone.
struct sl_lost_range {
	uint64_t first, count;
	uint32_t term;
	uint16_t partition;
	bool is_bound; // not known to have been there: no more than these
};

// Where the chain of a lane is broken, and where it goes on. Numbers and checksums as a batch that
// fills the hole must have them.
struct sl_chain_hole {
	uint64_t position, end_position; // bytes of the segment that the batches took
	uint64_t first_number, last_number; // 0: where the chain goes on is not known
	uint32_t prev_body_crc; // of the batch in front
	uint32_t last_body_crc; // that the batch behind, or the footer, wants
	bool has_last_body_crc;
	bool is_in_head; // the segment's checkpoint is not whole in front of it
	bool is_head_end; // what follows is no checkpoint batch: this one must end it
	bool is_resumed; // a batch of the same segment goes on at end_position
	bool is_behind; // of a segment that is not part of the log
	bool is_in_order; // of the chain: false where nothing can be filled in
	uint64_t epoch, durable_mark, time_ns;
	uint64_t event_count_max; // lost at most
	bool is_event_count_exact;
};

struct sl_finding {
	enum sl_finding_kind kind;
	enum sl_finding_grade grade;
	uint16_t lane; // SL_LANE_NONE: of the whole store
	uint64_t segment, position; // segment 0: of no segment
	char path[SL_PATH_BYTES_MAX];
	char what[384]; // one line, no path, no full stop
	struct sl_chain_hole hole; // of a hole or a segment that is gone
	uint64_t tail_segment, tail_number; // of the lane: where its log ends, and its last batch
	struct sl_lost_range *lost;
	size_t lost_count, lost_capacity;
	// What the checkpoint said that was in the hole; by partition, term 0 where it is not
	// known.
	struct sl_partition_state *states;
};

#define SL_FINDING_COUNT_MAX 10000u // more are counted only

struct sl_judgement {
	struct sl_finding *findings;
	size_t count, capacity;
	uint64_t unlisted_count;
	uint64_t counts[3]; // by grade
	bool out_of_memory;
	// What was looked at.
	uint64_t lane_count, segment_count, batch_count, event_count, byte_count;
	uint64_t unknown_batch_count;
};

// A new finding, its text filled in; NULL when there are too many or no memory is left (the
// judgement says so). Good until the next one.
struct sl_finding *sl_judgement_add(struct sl_judgement *judgement, enum sl_finding_kind kind,
	enum sl_finding_grade grade, uint16_t lane, const char *path, const char *format, ...)
	SL_PRINTF(6, 7);

// -ENOMEM when there is no memory.
int sl_finding_add_lost(struct sl_finding *finding, const struct sl_lost_range *range);

// Events that are gone for certain, and those that may be.
uint64_t sl_finding_lost_events(const struct sl_finding *finding, uint64_t *events_max);

const char *sl_finding_kind_name(enum sl_finding_kind kind);
const char *sl_finding_grade_name(enum sl_finding_grade grade);
// What to do about it, one line.
const char *sl_finding_remedy(const struct sl_finding *finding);

void sl_judgement_free(struct sl_judgement *judgement);
