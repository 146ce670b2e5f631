/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger_offline.h"

#include "format/store_maker.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

static struct sl_test_store made;
static struct sl_ledger_offline result;

struct record {
	struct sl_run_ledger header;
	struct sl_run_ledger_port port;
	struct sl_run_ledger_drop drop;
} SL_PACKED;

// Of a start that has received so many frames, dropped so many of their events and stored the rest.
static struct record record_of(uint64_t boot, uint64_t sequence, uint64_t frames, uint64_t dropped)
{
	struct record record = {
		.header = {.boot = boot,
			.sequence = sequence,
			.start_ns = boot * 1000,
			.time_ns = boot * 1000 + sequence,
			.header_bytes = sizeof(struct sl_run_ledger),
			.port_bytes = sizeof(struct sl_run_ledger_port),
			.drop_bytes = sizeof(struct sl_run_ledger_drop),
			.port_count = 1,
			.drop_count = dropped > 0,
			.lane_count = 1,
			.frames = frames,
			.datagrams = frames,
			.events = frames,
			.direct_given = frames,
			.direct_taken = frames,
			.stored = frames - dropped},
		.port = {.device = "pcap:/f",
			.frames = frames,
			.received_before = frames,
			.received_after = frames},
		.drop = {.reason = "lane_full", .stage = SL_LEDGER_APPEND, .count = dropped},
	};

	return record;
}

static void put(const struct record *record)
{
	size_t bytes =
		sizeof(*record) - (record->header.drop_count == 0 ? sizeof(record->drop) : 0);

	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_run(&made.batch, SL_RUN_LEDGER, 0, 0, record, bytes);
	sl_test_batch_write(&made, 0);
}

static void put_gap(uint64_t count)
{
	const struct sl_run_gap gap = {
		.count = count, .first_ns = 1, .last_ns = 2, .reason = "lane_full"};

	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_run(&made.batch, SL_RUN_GAP, 0, 0, &gap, sizeof(gap));
	sl_test_batch_write(&made, 0);
}

static void begin(uint64_t boot)
{
	const struct sl_partition_state state = {.term = 1};
	struct record first = record_of(boot, 0, 0, 0);

	sl_test_store_create(&made, 1);
	sl_test_store_write_meta(&made);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &state, 1);
	put(&first);
}

static int check(bool is_live)
{
	struct sl_store_reader *store;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	int rc = sl_ledger_check_offline(&result, store, is_live, &err);
	sl_store_reader_close(store);
	return rc;
}

static void end(void)
{
	sl_ledger_offline_free(&result);
	sl_test_store_destroy(&made);
}

static const struct sl_ledger_line *boot_line(size_t boot, const char *name)
{
	for (size_t i = 0; i < result.boots[boot].lines.line_count; i++) {
		if (strcmp(result.boots[boot].lines.lines[i].name, name) == 0)
			return &result.boots[boot].lines.lines[i];
	}
	return NULL;
}

static struct record last_of(uint64_t boot, uint64_t frames, uint64_t dropped)
{
	struct record last = record_of(boot, 9, frames, dropped);

	last.header.flags = SL_LEDGER_LAST;
	return last;
}

static void a_clean_stop_is_exact(void)
{
	struct record middle = record_of(7, 1, 3, 0), last = last_of(7, 9, 4);

	begin(7);
	sl_test_events_write(&made, 0, 0, 1, 0, 5);
	put(&middle);
	put_gap(4);
	put(&last);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT(sl_ledger_offline_holds(&result));
	CU_ASSERT_EQUAL(result.record_count, 3);
	CU_ASSERT_EQUAL_FATAL(result.boot_count, 1);
	CU_ASSERT_EQUAL(result.boots[0].end, SL_LEDGER_END_CLEAN);
	CU_ASSERT(result.boots[0].is_whole);
	CU_ASSERT_EQUAL(result.boots[0].event_count, 5);
	CU_ASSERT_EQUAL(boot_line(0, "log")->right.low, 5);
	CU_ASSERT_EQUAL(boot_line(0, "log")->right.high, 5);
	CU_ASSERT_EQUAL(boot_line(0, "lane_full")->left.low, 4);
	CU_ASSERT_EQUAL_FATAL(result.epoch_count, 1);
	CU_ASSERT(result.epochs[0].has_first && result.epochs[0].has_last);
	CU_ASSERT_EQUAL(result.partitions[0].event_count, 5);
	end();
}

static void an_event_that_is_gone_or_too_many_is_found(void)
{
	for (uint64_t stored = 4; stored <= 6; stored += 2) {
		struct record last = last_of(7, stored, 0);

		begin(7);
		sl_test_events_write(&made, 0, 0, 1, 0, 5);
		put(&last);
		CU_ASSERT_EQUAL_FATAL(check(false), 0);
		CU_ASSERT_FALSE(sl_ledger_offline_holds(&result));
		CU_ASSERT_FALSE(boot_line(0, "log")->ok);
		CU_ASSERT_EQUAL(result.failures_in_all, 0);
		end();
	}
}

static void gaps_that_do_not_add_up_to_the_drops_are_found(void)
{
	struct record last = last_of(7, 4, 4);

	begin(7);
	put_gap(3);
	put(&last);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT_FALSE(boot_line(0, "lane_full")->ok);
	end();
	// The appliance itself says that it could not write one of them.
	last.drop.not_in_gaps = 1;
	begin(7);
	put_gap(3);
	put(&last);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT(sl_ledger_offline_holds(&result));
	end();
	// A gap of what no counter knows.
	last = last_of(7, 0, 0);
	begin(7);
	put_gap(3);
	put(&last);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT_FALSE(boot_line(0, "lane_full")->ok);
	end();
}

static void what_a_crash_leaves_is_said_and_no_failure(void)
{
	struct record middle = record_of(7, 1, 3, 0), next = record_of(8, 0, 0, 0);
	const struct sl_partition_state state = {.term = 1, .next_offset = 5};

	begin(7);
	sl_test_events_write(&made, 0, 0, 1, 0, 3);
	put(&middle);
	sl_test_events_write(&made, 0, 0, 1, 3, 2);
	made.lanes[0].epoch++;
	sl_test_states_write(&made, 0, SL_BATCH_EPOCH_START, &state, 1);
	put(&next);
	CU_ASSERT_EQUAL_FATAL(check(true), 0);
	CU_ASSERT(sl_ledger_offline_holds(&result));
	CU_ASSERT_EQUAL_FATAL(result.boot_count, 2);
	CU_ASSERT_EQUAL(result.boots[0].end, SL_LEDGER_END_NONE);
	CU_ASSERT_EQUAL(result.boots[1].end, SL_LEDGER_END_RUNNING);
	CU_ASSERT_EQUAL(result.boots[0].event_count, 5);
	CU_ASSERT_FALSE(result.epochs[0].has_last);
	end();
	// Less in the log than was stored at the newest ledger: a loss.
	middle = record_of(7, 1, 6, 0);
	begin(7);
	sl_test_events_write(&made, 0, 0, 1, 0, 5);
	put(&middle);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT_FALSE(boot_line(0, "log")->ok);
	end();
}

static void a_ledger_in_the_middle_that_is_wrong_is_named(void)
{
	struct record middle = record_of(7, 1, 3, 0), last = last_of(7, 5, 0);

	middle.header.datagrams++;
	begin(7);
	sl_test_events_write(&made, 0, 0, 1, 0, 5);
	put(&middle);
	put(&last);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT_FALSE(sl_ledger_offline_holds(&result));
	CU_ASSERT_EQUAL_FATAL(result.failure_count, 2);
	CU_ASSERT_EQUAL(result.failures[0].sequence, 1);
	CU_ASSERT_STRING_EQUAL(result.failures[0].line.name, "parse");
	CU_ASSERT_STRING_EQUAL(result.failures[1].line.name, "decode");
	end();
	// Adds up by itself, but counts less than the one before.
	middle = record_of(7, 1, 6, 0);
	begin(7);
	sl_test_events_write(&made, 0, 0, 1, 0, 5);
	put(&middle);
	put(&last);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT(result.failures_in_all > 0);
	end();
	// A copy of it that says something else.
	middle = last;
	middle.header.time_ns++;
	begin(7);
	sl_test_events_write(&made, 0, 0, 1, 0, 5);
	put(&last);
	put(&middle);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT(result.failures_in_all > 0);
	end();
}

static void a_log_without_ledgers_has_its_offsets_checked(void)
{
	const struct sl_partition_state state = {.term = 1};

	sl_test_store_create(&made, 1);
	sl_test_store_write_meta(&made);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &state, 1);
	sl_test_events_write(&made, 0, 0, 1, 0, 5);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT(sl_ledger_offline_holds(&result));
	CU_ASSERT_EQUAL(result.record_count, 0);
	CU_ASSERT_EQUAL(result.epoch_count, 1);
	CU_ASSERT_EQUAL(result.epochs[0].boot, 0);
	sl_ledger_offline_free(&result);
	// A hole in the offsets.
	sl_test_events_write(&made, 0, 0, 1, 7, 5);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT_FALSE(sl_ledger_offline_holds(&result));
	CU_ASSERT_FALSE(sl_ledger_partition_holds(&result, &result.partitions[0]));
	CU_ASSERT_EQUAL(sl_ledger_partition_unknown(&result.partitions[0]), 2);
	// They may lie on a path that is not here; what is there twice is wrong all the same.
	CU_ASSERT_FALSE(result.is_partial);
	result.is_partial = true;
	CU_ASSERT(sl_ledger_offline_holds(&result));
	result.partitions[0].double_count = 1;
	CU_ASSERT_FALSE(sl_ledger_offline_holds(&result));
	end();
}

// A fence says which offsets are gone: they are counted, and the start is not whole.
static void what_a_repair_has_fenced_is_counted(void)
{
	const struct sl_lost_offsets lost = {.first_offset = 5, .count = 3, .term = 1};
	struct record last = last_of(7, 10, 0);

	begin(7);
	sl_test_events_write(&made, 0, 0, 1, 0, 5);
	sl_test_batch_init(&made.batch, SL_BATCH_FENCE);
	sl_test_batch_run(&made.batch, SL_RUN_LOST, 0, 0, &lost, sizeof(lost));
	sl_test_batch_write(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 8, 2);
	put(&last);
	CU_ASSERT_EQUAL_FATAL(check(false), 0);
	CU_ASSERT(sl_ledger_offline_holds(&result));
	CU_ASSERT_EQUAL(result.partitions[0].lost_count, 3);
	CU_ASSERT_EQUAL(result.partitions[0].event_count, 7);
	CU_ASSERT_FALSE(result.boots[0].is_whole);
	end();
}

static const struct sl_test tests[] = {
	SL_TEST(a_clean_stop_is_exact),
	SL_TEST(an_event_that_is_gone_or_too_many_is_found),
	SL_TEST(gaps_that_do_not_add_up_to_the_drops_are_found),
	SL_TEST(what_a_crash_leaves_is_said_and_no_failure),
	SL_TEST(a_ledger_in_the_middle_that_is_wrong_is_named),
	SL_TEST(a_log_without_ledgers_has_its_offsets_checked),
	SL_TEST(what_a_repair_has_fenced_is_counted),
};
SL_SUITE(common_ledger_offline);
