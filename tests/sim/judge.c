/* SPDX-License-Identifier: BSD-3-Clause */
#include "judge.h"

#include "format/store_reader.h"
#include "memory.h"
#include "oracle.h"
#include "shm.h"
#include "sim.h"
#include "weather.h"

#include <errno.h>
#include <string.h>

// What one reader has found in one partition.
struct found {
	uint64_t first, next, count;
	uint64_t sum; // of the offsets: equal for the same set in any order
	uint64_t last; // seen, plus one; 0 none
	uint16_t last_lane;
};

struct visit {
	const char *reader;
	struct found found[SIM_PARTITION_COUNT_MAX];
	const struct sl_shm_partition *partitions; // live
	bool is_by_lane;
};

static bool may_follow(
	const struct visit *visit, const struct found *found, const struct sl_store_event *event)
{
	// Streams are read lane by lane: a partition that has moved comes in pieces.
	if (visit->is_by_lane)
		return event->lane != found->last_lane || event->offset >= found->last;
	return event->offset == found->last;
}

static int see_event(void *context, const struct sl_store_event *event)
{
	struct visit *visit = context;
	struct found *found = &visit->found[event->partition % SIM_PARTITION_COUNT_MAX];

	sim_oracle_check_event(
		event->partition, event->offset, event->value, event->value_bytes, visit->reader);
	if (found->last > 0 && !may_follow(visit, found, event))
		sim_fail("%s: partition %u: offset %lu follows %lu", visit->reader,
			event->partition, event->offset, found->last - 1);
	found->last = event->offset + 1;
	found->last_lane = event->lane;
	found->first = found->count == 0 ? event->offset : SL_MIN(found->first, event->offset);
	found->next = SL_MAX(found->next, event->offset + 1);
	found->sum += event->offset;
	found->count++;
	return sim_has_failed();
}

// Offsets are dense from the first retained one to the last.
static void check_extent(
	const char *reader, uint16_t partition, const struct found *found, bool all)
{
	uint64_t wanted = all ? sim_oracle_count(partition) : sim_oracle_acknowledged(partition);

	if (found->count == 0) {
		if (wanted > 0 && !sim_oracle_may_expire())
			sim_fail("%s: partition %u is empty, and %lu events must be there", reader,
				partition, wanted);
		return;
	}
	if (found->next < wanted) {
		sim_counts.lost += wanted - found->next;
		sim_fail(
			"%s: partition %u ends before offset %lu, and events below %lu must be there",
			reader, partition, found->next, wanted);
	}
	if (found->first > 0 && !sim_oracle_may_expire())
		sim_fail("%s: partition %u begins at offset %lu, and nothing expires", reader,
			partition, found->first);
}

static void note_error(const char *reader, int result, const struct sl_err *err)
{
	if (!sim_has_failed())
		sim_fail("%s: %d: %s", reader, result, err->text);
}

static void judge_partitions(struct sl_store_reader *store, struct visit *visit, bool all)
{
	const struct sl_store_visitor visitor = {.context = visit, .on_event = see_event};

	visit->reader = "read by partition";
	for (uint16_t p = 0; p < store->meta.header.partition_count && !sim_has_failed(); p++) {
		struct sl_store_report report = {0};
		struct sl_err err = {0};
		int result = sl_store_read_partition(store, p, 0, &visitor, &report, &err);

		if (result != 0)
			note_error(visit->reader, result, &err);
		check_extent(visit->reader, p, &visit->found[p], all);
	}
}

static void judge_streams(
	struct sl_store_reader *store, struct visit *visit, const struct visit *by_partition)
{
	const struct sl_store_visitor visitor = {.context = visit, .on_event = see_event};

	visit->reader = "read by stream";
	visit->is_by_lane = true;
	for (uint32_t s = 0; s < store->meta.header.stream_count && !sim_has_failed(); s++) {
		struct sl_store_report report = {0};
		struct sl_err err = {0};
		int result = sl_store_read_stream(store, s, &visitor, &report, &err);

		if (result != 0)
			note_error(visit->reader, result, &err);
	}
	for (uint16_t p = 0; p < store->meta.header.partition_count && !sim_has_failed(); p++) {
		const struct found *one = &by_partition->found[p], *other = &visit->found[p];

		if (one->count != other->count || one->first != other->first ||
			one->next != other->next || one->sum != other->sum)
			sim_fail(
				"partition %u: by partition %lu events up to offset %lu, by stream %lu up to %lu",
				p, one->count, one->next, other->count, other->next);
	}
}

static void judge_counts(struct sl_store_reader *store, const struct visit *by_partition)
{
	uint32_t partition_count = store->meta.header.partition_count;
	struct sl_store_count *counts = sim_host_allocate((partition_count + 1) * sizeof(*counts));
	struct sl_store_report report = {0};
	struct sl_err err = {0};
	int result = sl_store_count(store, counts, NULL, &report, &err);

	if (result != 0)
		note_error("count", result, &err);
	for (uint32_t p = 0; p < partition_count && !sim_has_failed(); p++) {
		const struct found *found = &by_partition->found[p];

		if (counts[p].event_count != found->count || counts[p].double_count != 0 ||
			(found->count > 0 &&
				(counts[p].first_offset != found->first ||
					counts[p].last_offset + 1 != found->next)))
			sim_fail(
				"partition %u: read %lu events from %lu to %lu; counted %lu from %lu to %lu, %lu twice",
				p, found->count, found->first, found->next - 1,
				counts[p].event_count, counts[p].first_offset,
				counts[p].last_offset, counts[p].double_count);
	}
	sim_host_free(counts);
}

static bool nothing_is_acknowledged(void)
{
	for (uint32_t p = 0; p < sim_oracle_partition_count(); p++) {
		if (sim_oracle_acknowledged((uint16_t)p) > 0)
			return false;
	}
	return true;
}

void sim_judge_store(bool all)
{
	struct visit by_partition = {0}, by_stream = {0};
	struct sl_store_reader *store = NULL;
	struct sl_err err = {0};
	int result;

	// Readers rightly call it damage.
	if (sim_oracle_may_have_hole())
		return;
	result = sl_store_reader_open(&store, SIM_STORE_PATH, &err);
	// A first start that was cut off leaves no store, or one that is not made.
	if ((result == -ENOENT || result == -EBADMSG) && nothing_is_acknowledged())
		return;
	if (result != 0) {
		note_error("open", result, &err);
		return;
	}
	judge_partitions(store, &by_partition, all);
	judge_streams(store, &by_stream, &by_partition);
	if (!sim_has_failed())
		judge_counts(store, &by_partition);
	sl_store_reader_close(store);
}

// ---- beside the appliance

static int see_live_event(void *context, const struct sl_store_event *event)
{
	struct visit *visit = context;
	struct found *found = &visit->found[0];

	sim_oracle_check_event(
		event->partition, event->offset, event->value, event->value_bytes, visit->reader);
	// What expires in front of a slow reader is missed, and can be seen to be.
	if (found->count > 0 &&
		(event->offset < found->next ||
			(event->offset > found->next && !sim_oracle_may_expire())))
		sim_fail("%s: partition %u: offset %lu follows %lu", visit->reader,
			event->partition, event->offset, found->next - 1);
	found->count++;
	found->next = event->offset + 1;
	return sim_has_failed();
}

static uint64_t live_limit(void *context, uint16_t partition)
{
	const struct visit *visit = context;

	return SL_LOAD_ACQUIRE(visit->partitions[partition].watermark);
}

void sim_judge_live(uint16_t partition, const struct sl_shm_partition *partitions)
{
	struct visit *visit = sim_host_allocate(sizeof(*visit));
	const struct sl_store_visitor visitor = {
		.context = visit, .on_event = see_live_event, .limit = live_limit};
	uint64_t watermark = SL_LOAD_ACQUIRE(partitions[partition].watermark);
	struct sl_store_reader *store = NULL;
	struct sl_store_report report = {0};
	struct sl_err err = {0};
	int result;

	if (sim_oracle_may_have_hole()) {
		sim_host_free(visit);
		return;
	}
	visit->reader = "live reader";
	visit->partitions = partitions;
	result = sl_store_reader_open(&store, SIM_STORE_PATH, &err);
	if (result == 0)
		result = sl_store_read_partition(store, partition, 0, &visitor, &report, &err);
	// What the weather spoils for the reader is its own affair.
	if (result != 0 && sim_weather_strike_count() == 0)
		note_error(visit->reader, result, &err);
	if (result == 0 && visit->found[0].next < watermark && !sim_oracle_may_expire())
		sim_fail("%s: partition %u: read to offset %lu, the watermark was %lu before",
			visit->reader, partition, visit->found[0].next, watermark);
	sl_store_reader_close(store);
	sim_counts.live_reads++;
	sim_host_free(visit);
}
