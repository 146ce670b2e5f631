/* SPDX-License-Identifier: BSD-3-Clause */
// Counters of one lcore, generated from the .def files: the structs, the enums, and tables of
// names. Thread rule: plain uint64_t with one writer (the lcore); anyone reads with SL_LOAD().
#pragma once

#include "base.h"
#include "bounds.h"

enum sl_drop_stage { SL_DROP_STAGE_PARSE, SL_DROP_STAGE_STEER, SL_DROP_STAGE_APPEND };
enum sl_drop_unit { SL_DROP_UNIT_FRAME, SL_DROP_UNIT_EVENT };

enum sl_drop_reason {
#define SL_DROP(id, name, stage, unit, help) SL_DROP_##id,
#include "drop_reasons.def"
#undef SL_DROP
	SL_DROP_REASON_COUNT
};

enum sl_stage {
#define SL_STAGE(id, name, help) SL_STAGE_##id,
#include "stages.def"
#undef SL_STAGE
	SL_STAGE_COUNT
};

enum sl_timed_stage {
#define SL_TIMED_STAGE(id, name, unit, help) SL_TIMED_##id,
#include "timed_stages.def"
#undef SL_TIMED_STAGE
	SL_TIMED_STAGE_COUNT
};

struct sl_drop_info {
	const char *name;
	const char *help;
	enum sl_drop_stage stage;
	enum sl_drop_unit unit;
};

struct sl_timed_stage_info {
	const char *name;
	const char *unit;
	const char *help;
};

struct sl_counter_info {
	const char *name;
	const char *unit;
	const char *help;
	size_t byte_offset; // in its struct
};

// Index by enum; lifetime of the program.
extern const struct sl_drop_info sl_drop_infos[SL_DROP_REASON_COUNT];
extern const char *const sl_stage_names[SL_STAGE_COUNT];
extern const struct sl_timed_stage_info sl_timed_stage_infos[SL_TIMED_STAGE_COUNT];

// Written by one RX lcore.
struct sl_rx_counters {
#define SL_COUNTER(field, unit, help) uint64_t field;
#include "rx_counters.def"
#undef SL_COUNTER
	uint64_t drops[SL_DROP_REASON_COUNT]; // stages PARSE and STEER
	uint64_t port_frames[SL_PORT_COUNT_MAX]; // of `frames`, by port: what a port's own count is
						 // held against
};

// Written by one worker lcore.
struct sl_worker_counters {
#define SL_COUNTER(field, unit, help) uint64_t field;
#include "worker_counters.def"
#undef SL_COUNTER
	uint64_t drops[SL_DROP_REASON_COUNT]; // stage APPEND
	// Gauges: what is in flight is counted, never computed by subtraction.
	uint64_t open_events; // in open batches
	uint64_t in_flight_events; // in sealed batches that are not below the watermark
};

struct sl_stage_cycles {
	uint64_t cycles; // of the TSC, without those of a stage within this one
	uint64_t count; // of the stage's unit
	uint64_t calls;
	uint64_t cycles_max; // of one call
};

// Written by one polling lcore, when lcores.stage_cycles is on; else all zero.
struct sl_lcore_cycles {
	uint64_t start_tsc; // when its loop began
	uint64_t elapsed; // cycles from then to the end of the last turn
	uint64_t nested; // the lcore's own: of the lap under way, spent in a stage within it
	struct sl_stage_cycles stages[SL_TIMED_STAGE_COUNT];
};

extern const struct sl_counter_info sl_rx_counter_infos[];
extern const size_t sl_rx_counter_count;
extern const struct sl_counter_info sl_worker_counter_infos[];
extern const size_t sl_worker_counter_count;
