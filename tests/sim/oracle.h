/* SPDX-License-Identifier: BSD-3-Clause */
// What must be true, kept outside of the appliance: which events were appended where, which of them
// it said were durable, which epochs were written. Everything else is judged by reading the store
// with the product's readers (judge.h).
#pragma once

#include "base.h"

#include <stdio.h>

#define SIM_PARTITION_COUNT_MAX 512

struct sim_inode;
struct sl_shm_partition;
struct sl_store;

// ---- events: a payload says which one it is, and follows from it

#define SIM_EVENT_BYTES_MIN 8
void sim_event_fill(char *payload, uint32_t bytes, uint64_t id);
uint64_t sim_event_id(const void *payload);

// ---- the model

void sim_oracle_begin(uint32_t partition_count, const bool *is_durable, bool may_expire);
void sim_oracle_end(void);

uint32_t sim_oracle_partition_count(void);

// An event was appended to a partition: it has the next offset.
void sim_oracle_append(uint16_t partition, uint64_t id, uint32_t bytes);

// Offsets assigned so far, those of events that may be lost included.
uint64_t sim_oracle_count(uint16_t partition);

// Offsets below it must be there now, whatever happened.
uint64_t sim_oracle_acknowledged(uint16_t partition);

// True when old events may be gone.
bool sim_oracle_may_expire(void);

// All that was appended and not lost: a line "PARTITION OFFSET ID BYTES" each.
void sim_oracle_print(FILE *file);

// An event that a reader found. Fails the seed when it is not the one appended there.
void sim_oracle_check_event(
	uint16_t partition, uint64_t offset, const void *value, uint32_t bytes, const char *reader);

// Once the appliance is ready: where it goes on. What was appended behind that is gone for good.
void sim_oracle_started(const struct sl_store *store);

// A partition goes on in another lane while the appliance runs. is_doubtful: what the old lane had
// stored may not have been flushed.
void sim_oracle_rehomed(uint16_t partition, uint32_t term, bool is_doubtful);
// True when a power cut may have left a hole in front of a new term, in a class that is not
// durable.
bool sim_oracle_may_have_hole(void);

// After each step: what the appliance says is stored.
void sim_oracle_watch(const struct sl_shm_partition *partitions);

// A clean stop: all that is stored is on the drive, at whatever level.
void sim_oracle_stopped(void);

// The power was cut: only what was promised for that must be there.
void sim_oracle_power_cut(void);

// ---- epochs

void sim_oracle_next_life(void);

// Anything that goes to the drive: batches are looked at, but for those that stand there already,
// to the last byte.
void sim_oracle_see_write(
	const struct sim_inode *inode, uint64_t position, const void *data, uint64_t bytes);
