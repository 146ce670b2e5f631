/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"

#include "store/io_sync.h"
#include "store/uring.h"
#include "suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void apply_defaults(struct sl_fixture_options *options)
{
	if (options->partition_count == 0)
		options->partition_count = 4;
	if (options->batch_bytes == 0)
		options->batch_bytes = 64 * 1024;
	if (options->in_flight_max == 0)
		options->in_flight_max = 4;
	if (options->linger_us == 0)
		options->linger_us = 1000;
	if (options->segment_bytes == 0)
		options->segment_bytes = 4 * SL_MIB;
}

static void make_partitions(struct sl_fixture *fixture)
{
	uint32_t count = fixture->options.partition_count;

	fixture->partitions = aligned_alloc(
		SL_CACHE_LINE, SL_ALIGN_UP(count * sizeof(struct sl_partition), SL_CACHE_LINE));
	fixture->owned = calloc(count, sizeof(*fixture->owned));
	fixture->shm_partitions = calloc(count, sizeof(*fixture->shm_partitions));
	for (uint32_t i = 0; i < count; i++) {
		fixture->partitions[i] = (struct sl_partition){
			.next_offset = i * 100ull, .term = 1 + i % 3, .term_start = i};
		fixture->owned[i] = (uint16_t)i;
	}
}

void sl_fixture_init(struct sl_fixture *fixture, const struct sl_fixture_options *options)
{
	struct sl_err err = {0};
	uint64_t memory_bytes;

	memset(fixture, 0, sizeof(*fixture));
	fixture->options = *options;
	apply_defaults(&fixture->options);
	options = &fixture->options;
	CU_ASSERT_FATAL(sl_fixture_make_directory(fixture->path));
	make_partitions(fixture);
	memory_bytes = sl_lane_memory_bytes(&(struct sl_lane_size){
		.in_flight_max = options->in_flight_max,
		.owned_count = options->partition_count,
		.batch_bytes = options->batch_bytes,
	});
	fixture->memory = aligned_alloc(SL_BLOCK_BYTES, memory_bytes);
	fixture->next_segment = 1;
	sl_breaker_init(&fixture->breaker, SL_FIXTURE_BACKOFF_NS_MIN, SL_FIXTURE_BACKOFF_NS_MAX);
	struct sl_lane_setup setup = {
		.lane = SL_FIXTURE_LANE,
		.durability = options->durability,
		.batch_bytes = options->batch_bytes,
		.linger_us = options->linger_us,
		.segment_age_s = options->segment_age_s,
		.in_flight_max = options->in_flight_max,
		.retry_limit = options->retry_limit,
		.backoff_ns_min = SL_FIXTURE_BACKOFF_NS_MIN,
		.backoff_ns_max = SL_FIXTURE_BACKOFF_NS_MAX,
		.breaker = &fixture->breaker,
		.salt_crc = SL_FIXTURE_SALT_CRC,
		.epoch = SL_FIXTURE_EPOCH,
		.keep_source = options->keep_source,
		.partitions = fixture->partitions,
		.owned = fixture->owned,
		.owned_count = options->partition_count,
		.memory = fixture->memory,
		.counters = &fixture->counters,
		.shm = &fixture->shm,
		.shm_partitions = fixture->shm_partitions,
	};
	CU_ASSERT_EQUAL_FATAL(sl_lane_init(&fixture->lane, &setup, &err), 0);
	if (options->sync) {
		fixture->io = sl_io_sync_create();
	} else {
		struct iovec region = {.iov_base = fixture->memory, .iov_len = memory_bytes};

		fixture->io = sl_uring_create(fixture->lane.batch_count, &region, 1, &err);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->io);
	fixture->io = sl_io_fault_create(fixture->io, &options->fault);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->io);
}

static struct sl_segment *make_segment(struct sl_fixture *fixture)
{
	struct sl_err err = {0};
	struct sl_segment *segment = sl_segment_create(
		fixture->path, fixture->next_segment++, fixture->options.segment_bytes, &err);

	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	return segment;
}

void sl_fixture_open(struct sl_fixture *fixture, const struct sl_fixture_options *options)
{
	const struct sl_lane_chain chain = {.next_number = 1, .time_last_ns = SL_FIXTURE_START_NS};
	struct sl_err err = {0};

	sl_fixture_init(fixture, options);
	CU_ASSERT_EQUAL_FATAL(
		sl_lane_begin(&fixture->lane, make_segment(fixture), &chain, &err), 0);
	fixture->lane.io = fixture->io;
}

void sl_fixture_close(struct sl_fixture *fixture)
{
	if (fixture->io != NULL)
		fixture->io->ops->destroy(fixture->io);
	sl_segment_close(fixture->lane.spare);
	sl_segment_close(fixture->lane.closing);
	sl_lane_fini(&fixture->lane);
	sl_fixture_remove_directory(fixture->path);
	free(fixture->memory);
	free(fixture->partitions);
	free(fixture->owned);
	free(fixture->shm_partitions);
}

bool sl_fixture_append_to(struct sl_lane *lane, struct sl_partition *partitions,
	uint16_t partition_number, const void *data, uint32_t bytes, uint64_t receive_ns)
{
	struct sl_partition *partition = &partitions[partition_number];
	struct sl_run_header run = {
		.length_type = SL_RUN_LENGTH_TYPE(bytes, SL_RUN_EVENT),
		.partition = partition_number,
	};

	if (lane->limit - lane->cursor < (ptrdiff_t)(sizeof(run) + bytes) ||
		lane->event_count == SL_BATCH_EVENT_COUNT_MAX) {
		if (!sl_lane_make_room(lane, (uint32_t)sizeof(run) + bytes, receive_ns)) {
			lane->counters->drops[lane->refusal]++;
			return false;
		}
	}
	lane->time_last_ns = SL_MAX(lane->time_last_ns, receive_ns);
	run.time_delta_ns = (uint32_t)(lane->time_last_ns - lane->run_time_base_ns);
	if (partition->batch_number != lane->batch_number) {
		partition->batch_number = lane->batch_number;
		partition->table_index = (uint16_t)lane->table_count;
		lane->table[lane->table_count++] = (struct sl_batch_table_entry){
			.first_offset = partition->next_offset,
			.term = partition->term,
			.partition = partition_number,
		};
		lane->limit -= sizeof(lane->table[0]);
	}
	lane->table[partition->table_index].event_count++;
	partition->next_offset++;
	memcpy(lane->cursor, &run, sizeof(run));
	memcpy(lane->cursor + sizeof(run), data, bytes);
	lane->cursor += sizeof(run) + bytes;
	lane->run_count++;
	lane->event_count++;
	lane->event_bytes += bytes;
	lane->counters->appended++;
	return true;
}

bool sl_fixture_append(struct sl_fixture *fixture, uint16_t partition, const void *data,
	uint32_t bytes, uint64_t receive_ns)
{
	return sl_fixture_append_to(
		&fixture->lane, fixture->partitions, partition, data, bytes, receive_ns);
}

uint32_t sl_fixture_turn(struct sl_fixture *fixture, uint64_t now_ns)
{
	struct sl_io_request *done[64];
	uint32_t count = fixture->io->ops->reap(fixture->io, done, SL_ARRAY_COUNT(done));

	for (uint32_t i = 0; i < count; i++)
		sl_lane_complete(done[i]->owner, done[i], now_ns);
	sl_lane_tick(&fixture->lane, now_ns);
	CU_ASSERT(fixture->io->ops->submit(fixture->io) >= 0);
	return count;
}

void sl_fixture_settle(struct sl_fixture *fixture, uint64_t now_ns)
{
	const struct sl_lane *lane = &fixture->lane;

	while (lane->unretired > 0 && !lane->failed && !(lane->is_halted && lane->under_way == 0)) {
		if (sl_fixture_turn(fixture, now_ns) == 0)
			sched_yield();
	}
	sl_lane_tick(&fixture->lane, now_ns);
}

void sl_fixture_give_spare(struct sl_fixture *fixture)
{
	CU_ASSERT_PTR_NULL_FATAL(fixture->lane.spare);
	fixture->lane.spare = make_segment(fixture);
}

void sl_fixture_seal_closing(struct sl_fixture *fixture)
{
	struct sl_segment *segment = fixture->lane.closing;
	struct sl_err err = {0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	if (segment->is_void) {
		CU_ASSERT_EQUAL(sl_segment_discard(fixture->path, segment->number, &err), 0);
		fixture->lane.closing = NULL;
		sl_segment_close(segment);
		return;
	}
	CU_ASSERT_EQUAL(sl_segment_seal(segment, SL_FIXTURE_LANE, SL_FIXTURE_EPOCH,
				SL_FIXTURE_SALT_CRC, &err),
		0);
	fixture->lane.synced_number = segment->last_number;
	fixture->lane.sealed_segment = segment->number;
	fixture->lane.closing = NULL;
	sl_segment_close(segment);
}

uint64_t sl_fixture_turn_until(
	struct sl_fixture *fixture, enum sl_breaker_state state, uint64_t now_ns)
{
	for (int i = 0; i < 1000 && fixture->breaker.state != state; i++) {
		if (fixture->lane.closing != NULL)
			sl_fixture_seal_closing(fixture);
		if (fixture->lane.spare == NULL)
			sl_fixture_give_spare(fixture);
		sl_fixture_turn(fixture, now_ns);
		now_ns += SL_NS_PER_MS;
	}
	CU_ASSERT_EQUAL_FATAL(fixture->breaker.state, state);
	return now_ns;
}

uint64_t sl_fixture_mend(struct sl_fixture *fixture, uint64_t now_ns)
{
	const struct sl_lane *lane = &fixture->lane;

	for (int turns = 0; turns < 1000 && !lane->failed; turns += lane->under_way == 0) {
		if (lane->unretired == 0 && !lane->is_halted)
			return now_ns;
		if (lane->closing != NULL)
			sl_fixture_seal_closing(fixture);
		if (lane->spare == NULL)
			sl_fixture_give_spare(fixture);
		if (sl_fixture_turn(fixture, now_ns) == 0)
			sched_yield();
		now_ns += lane->under_way == 0 ? SL_NS_PER_MS : 0;
	}
	CU_ASSERT(lane->failed);
	return now_ns;
}

void sl_fixture_walk_init(struct sl_fixture_walk *walk, const struct sl_fixture *fixture)
{
	*walk = (struct sl_fixture_walk){.fixture = fixture};
	sl_fixture_walk_segment(walk, 1);
}

void sl_fixture_walk_segment(struct sl_fixture_walk *walk, uint64_t segment)
{
	char path[128];
	int fd;

	free(walk->bytes);
	walk->segment = segment;
	walk->position = 0;
	walk->file_bytes = walk->fixture->options.segment_bytes;
	walk->bytes = malloc(walk->file_bytes);
	snprintf(path, sizeof(path), "%s/" SL_SEGMENT_NAME_FORMAT, walk->fixture->path,
		(unsigned long long)segment);
	fd = open(path, O_RDONLY);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pread(fd, walk->bytes, walk->file_bytes, 0), (ssize_t)walk->file_bytes);
	close(fd);
}

const struct sl_batch_header *sl_fixture_walk_next(struct sl_fixture_walk *walk)
{
	const struct sl_batch_header *header = (const void *)(walk->bytes + walk->position);
	struct sl_batch_place place = {
		.lane = SL_FIXTURE_LANE, .segment = walk->segment, .position = walk->position};
	uint64_t usable_bytes = walk->file_bytes - SL_BLOCK_BYTES;
	enum sl_batch_verdict verdict;

	if (walk->position == usable_bytes)
		return NULL;
	verdict = sl_batch_check_header(
		header, SL_FIXTURE_SALT_CRC, &place, usable_bytes - walk->position);
	if (verdict == SL_BATCH_NO_MAGIC)
		return NULL;
	CU_ASSERT_EQUAL_FATAL(verdict, SL_BATCH_OK);
	CU_ASSERT_EQUAL(sl_batch_check_body(header, SL_FIXTURE_SALT_CRC), SL_BATCH_OK);
	CU_ASSERT_EQUAL(header->epoch, SL_FIXTURE_EPOCH);
	CU_ASSERT_EQUAL(header->number, walk->last_number + 1);
	CU_ASSERT_EQUAL(header->prev_body_crc, walk->last_body_crc);
	CU_ASSERT(header->durable_mark < header->number);
	walk->last_number = header->number;
	walk->last_body_crc = header->body_crc;
	walk->position += sl_batch_block_bytes(header);
	return header;
}

void sl_fixture_walk_fini(struct sl_fixture_walk *walk)
{
	free(walk->bytes);
	walk->bytes = NULL;
}

struct sl_keeper *sl_fixture_keeper(struct sl_fixture *fixture, struct sl_keeper_config config)
{
	struct sl_keeper_lane lane = {
		.lane = &fixture->lane,
		.number = SL_FIXTURE_LANE,
		.shm = &fixture->shm,
		.next_segment = fixture->next_segment,
	};
	struct sl_keeper *keeper;
	struct sl_err err = {0};

	config.segment_bytes = fixture->options.segment_bytes;
	config.salt_crc = SL_FIXTURE_SALT_CRC;
	snprintf(lane.path, sizeof(lane.path), "%s", fixture->path);
	keeper = sl_keeper_create(&config, &lane, 1, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(keeper);
	return keeper;
}
