/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_gaps.h"

#include "format/run_gap.h"
#include "store_maker.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

static struct sl_test_store made;

static const struct sl_run_gap ring_full = {
	.count = 3,
	.first_ns = 100,
	.last_ns = 200,
	.stream = 0,
	.sources = SL_GAP_SOURCES_ONE,
	.family = 4,
	.address = {198, 18, 0, 1},
	.reason = "ring_full",
};

struct seen {
	struct sl_run_gap last;
	uint64_t sum;
	uint16_t lane;
	int answer;
};

static int on_gap(void *context, uint16_t lane, const struct sl_run_gap *gap)
{
	struct seen *seen = context;

	seen->last = *gap;
	seen->sum += gap->count;
	seen->lane = lane;
	return seen->answer;
}

// Gaps between events, in a batch without events, and one with fields of later programs.
static void make(const struct sl_run_gap *gap)
{
	const struct sl_partition_state state = {.term = 1};
	struct sl_run_gap longer[2] = {ring_full, ring_full};

	sl_test_store_create(&made, 1);
	sl_test_store_write_meta(&made);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &state, 1);
	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_event(&made.batch, 0, 1, 0, "0:0", 3);
	sl_test_batch_run(&made.batch, SL_RUN_GAP, 0, 0, &ring_full, sizeof(ring_full));
	sl_test_batch_event(&made.batch, 0, 1, 1, "0:1", 3);
	sl_test_batch_run(&made.batch, SL_RUN_GAP, 0, 0, longer, sizeof(longer));
	sl_test_batch_write(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_run(&made.batch, SL_RUN_GAP, 0, 0, gap, sizeof(*gap));
	sl_test_batch_write(&made, 0);
}

static int read_gaps(struct seen *seen, struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_store_gap_visitor visitor = {.context = seen, .on_gap = on_gap};
	struct sl_store_reader *store;

	*report = (struct sl_store_report){0};
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, err), 0);
	int result = sl_store_read_gaps(store, &visitor, report, err);
	sl_store_reader_close(store);
	return result;
}

static void gaps_are_read_wherever_they_stand(void)
{
	struct sl_run_gap missed = ring_full;
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	missed.count = 500;
	missed.stream = SL_GAP_STREAM_NONE;
	missed.unit = SL_GAP_FRAMES;
	missed.sources = SL_GAP_SOURCES_UNKNOWN;
	missed.family = 0;
	make(&missed);
	CU_ASSERT_EQUAL(read_gaps(&seen, &report, &err), 0);
	CU_ASSERT_EQUAL(report.gap_count, 3);
	CU_ASSERT_EQUAL(report.unknown_run_count, 0);
	CU_ASSERT_EQUAL(seen.sum, 506);
	CU_ASSERT_EQUAL(seen.lane, 0);
	CU_ASSERT_EQUAL(memcmp(&seen.last, &missed, sizeof(missed)), 0);
	seen = (struct seen){.answer = -ENOMEM};
	CU_ASSERT_EQUAL(read_gaps(&seen, &report, &err), -ENOMEM);
	CU_ASSERT_EQUAL(seen.sum, 3);
	sl_test_store_destroy(&made);
}

static int count_event(void *context, const struct sl_store_event *event)
{
	*(uint32_t *)context += event->value_bytes;
	return 0;
}

static void who_reads_events_passes_gaps_over(void)
{
	struct sl_store_reader *store;
	struct sl_store_report report = {0};
	struct sl_err err = {0};
	uint32_t bytes = 0;
	const struct sl_store_visitor visitor = {.context = &bytes, .on_event = count_event};

	make(&ring_full);
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	CU_ASSERT_EQUAL(sl_store_read_stream(store, 0, &visitor, &report, &err), 0);
	CU_ASSERT_EQUAL(report.event_count, 2);
	CU_ASSERT_EQUAL(report.unknown_run_count, 0);
	CU_ASSERT_EQUAL(bytes, 6);
	sl_store_reader_close(store);
	sl_test_store_destroy(&made);
}

static void a_gap_that_contradicts_itself_is_damage(void)
{
	struct sl_run_gap bad = ring_full;
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	bad.count = 0;
	make(&bad);
	CU_ASSERT_EQUAL(read_gaps(&seen, &report, &err), -EBADMSG);
	CU_ASSERT_EQUAL(seen.sum, 6);
	sl_test_store_destroy(&made);
}

static void every_field_of_a_gap_is_checked(void)
{
	struct sl_run_gap gap = ring_full;

	CU_ASSERT_TRUE(sl_run_gap_check(&gap, sizeof(gap)));
	CU_ASSERT_TRUE(sl_run_gap_check(&gap, sizeof(gap) + 100));
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap) - 1));
	gap.first_ns = gap.last_ns + 1;
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
	gap = ring_full;
	gap.unit = 2;
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
	gap = ring_full;
	gap.sources = 3;
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
	gap = ring_full;
	gap.family = 0;
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
	gap.sources = SL_GAP_SOURCES_MANY;
	CU_ASSERT_TRUE(sl_run_gap_check(&gap, sizeof(gap)));
	gap.family = 4;
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
	gap = ring_full;
	memset(gap.reason, 0, sizeof(gap.reason));
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
	memset(gap.reason, 'a', sizeof(gap.reason));
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
	strcpy(gap.reason, "\033[2J");
	CU_ASSERT_FALSE(sl_run_gap_check(&gap, sizeof(gap)));
}

static const struct sl_test tests[] = {
	SL_TEST(gaps_are_read_wherever_they_stand),
	SL_TEST(who_reads_events_passes_gaps_over),
	SL_TEST(a_gap_that_contradicts_itself_is_damage),
	SL_TEST(every_field_of_a_gap_is_checked),
};
SL_SUITE(common_format_store_gaps);
