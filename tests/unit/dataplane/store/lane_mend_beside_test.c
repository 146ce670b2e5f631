/* SPDX-License-Identifier: BSD-3-Clause */
// Failed writes that meet something else: a checkpoint of several batches, a failed flush, a lane
// that was stuck.
#include "lane_fixture.h"

#include "format/meta.h"
#include "store/recovery.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define NOW SL_FIXTURE_START_NS

static char data[60000];

static bool append(struct sl_fixture *fixture, uint16_t partition, uint64_t now_ns)
{
	return sl_fixture_append(fixture, partition, data, sizeof(data), now_ns);
}

static bool exists(const struct sl_fixture *fixture, uint64_t segment)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/" SL_SEGMENT_NAME_FORMAT, fixture->path,
		(unsigned long long)segment);
	return stat(path, &status) == 0;
}

static void expect_recovery(const struct sl_fixture *fixture)
{
	struct sl_lane_meta meta = {.epoch = SL_FIXTURE_EPOCH, .lane = SL_FIXTURE_LANE};
	struct sl_lane_recovery recovery;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, fixture->path, &err), 0);
	if (sl_lane_recover(
		    &recovery, fixture->path, SL_FIXTURE_LANE, 0, SL_FIXTURE_SALT_CRC, &err) != 0)
		CU_FAIL_FATAL(err.text);
	CU_ASSERT_EQUAL(recovery.state_count, fixture->options.partition_count);
	CU_ASSERT_EQUAL(recovery.chain.next_number, fixture->lane.watermark_number + 1);
	sl_lane_recovery_free(&recovery);
}

// The lane is killed while it waits for its next segment: what the keeper has closed by then is
// what the next start finds.
static void half_a_checkpoint_is_not_sealed(void)
{
	for (uint32_t failed = 0; failed < 3; failed++) {
		struct sl_fixture fixture;
		struct sl_io_request *done[16];
		uint32_t count, checkpoint_count = 0;

		sl_fixture_open(&fixture,
			&(struct sl_fixture_options){.segment_bytes = 512 * 1024,
				.partition_count = 8000,
				.durability = SL_DURABILITY_DURABLE,
				.retry_limit = 1,
				.sync = true});
		sl_fixture_give_spare(&fixture);
		while (fixture.lane.segment->number == 1) {
			sl_fixture_settle(&fixture, NOW);
			CU_ASSERT_FATAL(append(&fixture, 0, NOW));
			sl_lane_seal(&fixture.lane, NOW);
			CU_ASSERT_FATAL(append(&fixture, 0, NOW));
		}
		count = fixture.io->ops->reap(fixture.io, done, SL_ARRAY_COUNT(done));
		for (uint32_t i = 0; i < count; i++) {
			const struct sl_batch_header *header = done[i]->data;

			if (header->kind == SL_BATCH_CHECKPOINT && checkpoint_count++ == failed)
				done[i]->result = -EIO;
			sl_lane_complete(&fixture.lane, done[i], NOW);
		}
		CU_ASSERT_EQUAL(checkpoint_count, 3);
		CU_ASSERT_FATAL(fixture.lane.is_halted);
		for (uint32_t i = 0; i < 8; i++) {
			if (fixture.lane.closing != NULL)
				sl_fixture_seal_closing(&fixture);
			sl_fixture_turn(&fixture, NOW);
		}
		CU_ASSERT_FALSE(exists(&fixture, 2));
		CU_ASSERT_EQUAL(fixture.lane.sealed_segment, 1);
		expect_recovery(&fixture);
		sl_fixture_mend(&fixture, NOW + SL_NS_PER_S);
		CU_ASSERT_FALSE(fixture.lane.is_halted);
		CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_ACTIVE);
		sl_fixture_close(&fixture);
	}
}

// The writes under way come back, the last of them with an error.
static void fail_last(struct sl_fixture *fixture, uint64_t now_ns)
{
	struct sl_io_request *done[16];
	uint32_t count = fixture->io->ops->reap(fixture->io, done, SL_ARRAY_COUNT(done));

	CU_ASSERT_FATAL(count > 0);
	done[count - 1]->result = -EIO;
	for (uint32_t i = 0; i < count; i++)
		sl_lane_complete(&fixture->lane, done[i], now_ns);
	CU_ASSERT_FATAL(fixture->lane.is_halted);
}

// Other lanes of the drive wait for the probe's outcome.
static void a_probe_that_fails_beside_a_failed_flush_opens_the_breaker(void)
{
	struct sl_fixture fixture;
	uint64_t now_ns;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.durability = SL_DURABILITY_WRITTEN,
			.sync = true,
			.fault = {.eio_number = 1, .eio_count = UINT64_MAX}});
	CU_ASSERT_FATAL(append(&fixture, 0, NOW));
	sl_lane_seal(&fixture.lane, NOW);
	now_ns = sl_fixture_turn_until(&fixture, SL_BREAKER_HALF_OPEN, NOW);
	SL_STORE_RELEASE(fixture.lane.seal_error, -EIO);
	fixture.lane.may_leave = true;
	sl_fixture_turn(&fixture, now_ns);
	sl_fixture_turn(&fixture, now_ns);
	CU_ASSERT_EQUAL(fixture.lane.under_way, 0);
	CU_ASSERT_EQUAL(fixture.breaker.state, SL_BREAKER_OPEN);
	CU_ASSERT_EQUAL(fixture.lane.leaving, SL_LEAVING_WANTED);
	while (append(&fixture, 1, now_ns))
		continue;
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DRIVE_FAILED], 1);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FULL], 0);
	sl_fixture_close(&fixture);
}

// What kept it from its next segment is over when it has one.
static void a_lane_that_was_stuck_is_not_behind_its_mending(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.segment_bytes = 512 * 1024,
			.durability = SL_DURABILITY_DURABLE,
			.retry_limit = 1,
			.sync = true});
	SL_STORE(fixture.lane.spare_error, -EIO);
	while (!fixture.lane.is_stuck) {
		sl_fixture_settle(&fixture, NOW);
		append(&fixture, 0, NOW);
		append(&fixture, 0, NOW);
	}
	CU_ASSERT_FATAL(fixture.lane.under_way > 0);
	fail_last(&fixture, NOW);
	SL_STORE(fixture.lane.spare_error, 0);
	sl_fixture_mend(&fixture, NOW);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
	CU_ASSERT_FALSE(fixture.lane.is_stuck);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(half_a_checkpoint_is_not_sealed),
	SL_TEST(a_probe_that_fails_beside_a_failed_flush_opens_the_breaker),
	SL_TEST(a_lane_that_was_stuck_is_not_behind_its_mending),
};
SL_SUITE(dataplane_store_lane_mend_beside);
