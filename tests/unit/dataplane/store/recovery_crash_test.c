/* SPDX-License-Identifier: BSD-3-Clause */
// A writer as the data plane's lanes are, and crashes at random moments: several batches under way,
// completing in any order, landing, torn or lost at the crash; segments that roll, with checkpoints
// of two batches, footers that are late, and spares. After each crash the lane recovers, and what
// was acknowledged must be there; at the end all of it is read back. The seed is in the assertion.
#include "store/recovery.h"

#include "format/segment_file.h"
#include "format/store_reader.h"
#include "store_maker.h"
#include "suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CYCLE_COUNT 40
#define DEPTH 8
#define OFFSET_COUNT_MAX 65536

// A batch under way.
struct flight {
	uint64_t segment, position, number;
	uint64_t next_offset; // of partition 0, behind it
	size_t bytes;
	bool is_complete;
	char *image;
};

struct model {
	struct sl_test_store made;
	uint64_t random;
	unsigned cycle;
	struct flight flights[DEPTH];
	unsigned flight_count;
	uint64_t next_offset; // assigned
	uint64_t acked_offset; // everything below was acknowledged
	uint64_t acked_number;
	uint64_t full_segment; // waits for its footer, 0: none
	uint64_t full_last_number;
	uint32_t values[OFFSET_COUNT_MAX]; // of each offset: the cycle that assigned it last
	unsigned read_count, wrong_count;
};

static uint32_t draw(struct model *model, uint32_t bound)
{
	model->random = model->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(model->random >> 33) % bound;
}

static struct sl_test_lane *lane_of(struct model *model)
{
	return &model->made.lanes[0];
}

static void land(struct model *model, const struct flight *flight, size_t bytes)
{
	if (bytes > 0)
		sl_test_segment_poke(
			&model->made, 0, flight->segment, flight->position, flight->image, bytes);
}

// Completed batches at the front move the watermark, as sl_lane_complete does.
static void retire(struct model *model)
{
	while (model->flight_count > 0 && model->flights[0].is_complete) {
		model->acked_number = model->flights[0].number;
		model->acked_offset = model->flights[0].next_offset;
		free(model->flights[0].image);
		model->flight_count--;
		memmove(model->flights, model->flights + 1,
			model->flight_count * sizeof(model->flights[0]));
	}
}

static void complete_one(struct model *model)
{
	struct flight *flight = &model->flights[draw(model, model->flight_count)];

	if (!flight->is_complete)
		land(model, flight, flight->bytes);
	flight->is_complete = true;
	retire(model);
}

// Sends the batch that was made; waits for room first.
static void submit(struct model *model)
{
	struct sl_test_lane *lane = lane_of(model);
	struct flight *flight;

	while (model->flight_count == DEPTH)
		complete_one(model);
	flight = &model->flights[model->flight_count++];
	lane->durable_mark = model->acked_number;
	*flight = (struct flight){.segment = lane->segment,
		.number = lane->number,
		.next_offset = model->next_offset};
	flight->position = sl_test_batch_lose(&model->made, 0);
	flight->bytes = (size_t)(lane->position - flight->position);
	flight->image = malloc(flight->bytes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flight->image);
	memcpy(flight->image, model->made.batch.bytes, flight->bytes);
}

// Partition 0 in the first batch, an idle one in the second: both must be there.
static void submit_states(struct model *model, enum sl_batch_kind kind)
{
	const struct sl_partition_state states[2] = {
		{.partition = 0, .term = 1, .next_offset = model->next_offset},
		{.partition = 1, .term = 1},
	};

	for (int i = 0; i < 2; i++) {
		sl_test_batch_init(&model->made.batch, kind);
		model->made.batch.header.flags = i == 1 ? SL_BATCH_FLAG_CHECKPOINT_END : 0;
		sl_test_batch_run(&model->made.batch, SL_RUN_PARTITION_STATE, 0, 0, &states[i],
			sizeof(states[i]));
		submit(model);
	}
}

// Some are several blocks long, so that a crash can tear them.
static void submit_events(struct model *model)
{
	static char value[3 * SL_BLOCK_BYTES];
	unsigned count = 1 + draw(model, 4);

	sl_test_batch_init(&model->made.batch, SL_BATCH_EVENTS);
	for (unsigned i = 0; i < count; i++) {
		size_t bytes = sizeof(uint32_t) + draw(model, sizeof(value) - sizeof(uint32_t));
		uint32_t stamp = model->cycle;

		memset(value, (int)stamp, sizeof(value));
		memcpy(value, &stamp, sizeof(stamp));
		CU_ASSERT_FATAL(model->next_offset < OFFSET_COUNT_MAX);
		model->values[model->next_offset] = stamp;
		sl_test_batch_event(&model->made.batch, 0, 1, model->next_offset++, value, bytes);
	}
	submit(model);
}

static void seal_full(struct model *model)
{
	struct sl_segment *segment;
	struct sl_segment_file *file;

	if (model->full_segment == 0 || model->acked_number < model->full_last_number)
		return;
	// The maker seals the open segment only: borrow the store's own seal for the one before.
	segment = sl_segment_open(lane_of(model)->path, model->full_segment, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_EQUAL_FATAL(sl_segment_file_open(&file, lane_of(model)->path, 0,
				      model->full_segment, model->made.salt_crc, NULL),
		0);
	segment->end_position = 0;
	for (;;) {
		const struct sl_batch_header *batch;
		enum sl_batch_verdict verdict;

		CU_ASSERT_EQUAL_FATAL(sl_segment_file_batch(file, segment->end_position, false,
					      &batch, &verdict, NULL),
			0);
		if (verdict != SL_BATCH_OK || batch->number > model->full_last_number ||
			(segment->last_number != 0 && batch->number != segment->last_number + 1))
			break;
		if (segment->first_number == 0)
			segment->first_number = batch->number;
		segment->last_number = batch->number;
		segment->last_body_crc = batch->body_crc;
		segment->end_position += sl_batch_block_bytes(batch);
	}
	sl_segment_file_close(file);
	CU_ASSERT_EQUAL_FATAL(segment->last_number, model->full_last_number);
	CU_ASSERT_EQUAL_FATAL(
		sl_segment_seal(segment, 0, lane_of(model)->epoch, model->made.salt_crc, NULL), 0);
	sl_segment_close(segment);
	model->full_segment = 0;
}

// Never a third unsealed one.
static void roll(struct model *model)
{
	struct sl_test_lane *lane = lane_of(model);

	if (model->full_segment != 0)
		return;
	model->full_segment = lane->segment;
	model->full_last_number = lane->number - 1;
	sl_test_segment_open(&model->made, 0);
	submit_states(model, SL_BATCH_CHECKPOINT);
}

static void run(struct model *model)
{
	for (unsigned step = draw(model, 60); step > 0; step--) {
		switch (draw(model, 8)) {
		case 0:
			roll(model);
			break;
		case 1:
			seal_full(model);
			break;
		case 2:
		case 3:
			if (model->flight_count > 0)
				complete_one(model);
			break;
		default:
			submit_events(model);
		}
	}
}

// What is under way lands, is torn between blocks, or is lost.
static void crash(struct model *model)
{
	for (unsigned i = 0; i < model->flight_count; i++) {
		struct flight *flight = &model->flights[i];
		uint32_t blocks = (uint32_t)(flight->bytes / SL_BLOCK_BYTES);

		if (!flight->is_complete && draw(model, 2) == 0)
			land(model, flight, draw(model, blocks + 1) * (size_t)SL_BLOCK_BYTES);
		free(flight->image);
	}
	model->flight_count = 0;
}

static void recover(struct model *model, uint64_t seed)
{
	struct sl_test_lane *lane = lane_of(model);
	struct sl_lane_recovery recovery;
	struct sl_err err = {0};
	uint64_t next_offset = 0;
	int result = sl_lane_recover(&recovery, lane->path, 0, 0, model->made.salt_crc, &err);

	if (result != 0)
		printf("seed %" PRIu64 ", cycle %u: %s\n", seed, model->cycle, err.text);
	CU_ASSERT_EQUAL_FATAL(result, 0);
	for (uint32_t i = 0; i < recovery.state_count; i++)
		if (recovery.states[i].partition == 0)
			next_offset = recovery.states[i].next_offset;
	CU_ASSERT(next_offset >= model->acked_offset);
	CU_ASSERT(next_offset <= model->next_offset);
	CU_ASSERT(recovery.epoch > lane->epoch);
	model->next_offset = model->acked_offset = next_offset;
	model->full_segment = 0;
	lane->epoch = recovery.epoch;
	lane->number = recovery.chain.next_number;
	lane->prev_body_crc = recovery.chain.prev_body_crc;
	model->acked_number = recovery.chain.durable_mark;
	if (recovery.segment != NULL) {
		lane->segment = recovery.segment->number;
		lane->position = recovery.chain.position;
		submit_states(model, SL_BATCH_EPOCH_START);
	} else {
		lane->segment = recovery.next_segment - 1;
		sl_test_segment_open(&model->made, 0);
		submit_states(model, SL_BATCH_CHECKPOINT);
	}
	sl_lane_recovery_free(&recovery);
}

static int check_value(void *context, const struct sl_store_event *event)
{
	struct model *model = context;
	uint32_t stamp;

	memcpy(&stamp, event->value, sizeof(stamp));
	model->wrong_count +=
		event->offset != model->read_count || stamp != model->values[event->offset];
	model->read_count++;
	return 0;
}

static void read_back(struct model *model)
{
	const struct sl_store_visitor visitor = {.context = model, .on_event = check_value};
	struct sl_store_report report = {0};
	struct sl_store_count counts[2];
	struct sl_store_reader *store;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, model->made.path, &err), 0);
	model->read_count = model->wrong_count = 0;
	CU_ASSERT_EQUAL(sl_store_read_partition(store, 0, 0, &visitor, &report, &err), 0);
	CU_ASSERT_EQUAL(model->read_count, model->next_offset);
	CU_ASSERT_EQUAL(model->wrong_count, 0);
	report = (struct sl_store_report){0};
	CU_ASSERT_EQUAL(sl_store_count(store, counts, NULL, &report, &err), 0);
	CU_ASSERT_EQUAL(counts[0].event_count, model->next_offset);
	CU_ASSERT_EQUAL(counts[0].double_count, 0);
	sl_store_reader_close(store);
}

static void crash_again_and_again(uint64_t seed)
{
	struct model *model = calloc(1, sizeof(*model));

	CU_ASSERT_PTR_NOT_NULL_FATAL(model);
	model->random = seed;
	sl_test_store_create(&model->made, 2);
	lane_of(model)->epoch = 0;
	for (model->cycle = 0; model->cycle < CYCLE_COUNT; model->cycle++) {
		recover(model, seed);
		run(model);
		crash(model);
	}
	recover(model, seed);
	while (model->flight_count > 0)
		complete_one(model);
	read_back(model);
	CU_ASSERT(model->next_offset > 0);
	sl_test_store_destroy(&model->made);
	free(model);
}

static void what_was_acknowledged_survives_every_crash(void)
{
	for (uint64_t seed = 1; seed <= 2; seed++)
		crash_again_and_again(seed);
}

static const struct sl_test tests[] = {
	SL_TEST(what_was_acknowledged_survives_every_crash),
};
SL_SUITE(dataplane_store_recovery_crash);
