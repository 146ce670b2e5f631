/* SPDX-License-Identifier: BSD-3-Clause */
// For tests that read a made store again and again: what the reads saw, and what the last one
// reported and said. Thread rule: one test at a time.
#pragma once

#include "reader_fixture.h"

static struct seen
	seen; // of all reads since the test began or zeroed it; stop_after and limit hold
static struct sl_store_report report;
static struct sl_err err;

static inline int read_part(uint16_t partition, uint64_t from)
{
	err = (struct sl_err){0};
	return read_partition(partition, from, &seen, &report, &err);
}

static inline int read_all(void)
{
	err = (struct sl_err){0};
	return read_stream(&seen, &report, &err);
}

static inline void end_test(void)
{
	sl_test_store_destroy(&made);
	seen = (struct seen){0};
}
