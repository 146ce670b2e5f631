/* SPDX-License-Identifier: BSD-3-Clause */
// What all parts of the simulation share: the seed's random numbers, its verdict, its counts.
// Thread rule: the whole simulation is one thread.
#pragma once

#include "base.h"

// ---- random numbers: everything that happens follows from the seed

void sim_random_seed(uint64_t seed);
uint64_t sim_random(void);
uint64_t sim_below(uint64_t bound); // 0 .. bound - 1; bound at least 1
uint64_t sim_between(uint64_t first, uint64_t last); // both included
bool sim_chance(uint32_t permille);

// ---- the verdict on the seed at hand

// Notes the first thing that must not be; later ones are consequences.
void sim_fail(const char *format, ...) SL_PRINTF(1, 2);
bool sim_has_failed(void);
const char *sim_failure(void); // "" without one
void sim_forget_failure(void);

// ---- what was tried, over all seeds

struct sim_counts {
	uint64_t cycles; // ends that were no clean stop: power cuts and kills
	uint64_t power_cuts;
	uint64_t starts, failed_starts;
	uint64_t injected; // power cuts, kills, and errors that the disk was told to give
	uint64_t at_stake; // sectors written and not flushed when the power went
	uint64_t lost; // acknowledged events that were gone
	uint64_t events, acknowledged; // appended, and below a watermark
	uint64_t rolls, recycled, expired, moves;
	uint64_t rehomes; // of partitions, while the appliance ran
	uint64_t live_reads; // whole partitions read beside the appliance at work
	uint64_t calls; // of the file system and the ring
	uint64_t digest; // equal for the same seeds, however they are dealt
};
extern struct sim_counts sim_counts;

// ---- the log of the appliance, kept for a seed that fails

void sim_log_begin(bool is_verbose); // verbose: each line at once on stderr
void sim_log_note(const char *format, ...) SL_PRINTF(1, 2);
void sim_log_show(void); // the last lines, on stderr
