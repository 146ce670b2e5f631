/* SPDX-License-Identifier: BSD-3-Clause */
#include "store_maker.h"

#include "format/batch_scan.h"
#include "format/crc32c.h"
#include "scratch.h"

#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_meta(struct sl_test_store *store, uint32_t partition_count)
{
	struct sl_store_meta *meta = &store->meta;

	CU_ASSERT_EQUAL_FATAL(
		sl_store_meta_resize(meta, 1, 1, SL_TEST_LANE_COUNT, partition_count), 0);
	memcpy(meta->header.salt, "a salt of tests!", SL_SALT_BYTES);
	meta->header.segment_bytes = SL_TEST_SEGMENT_BYTES;
	strcpy(meta->classes[0].name, "default");
	meta->classes[0].durability = SL_DURABILITY_DURABLE;
	strcpy(meta->streams[0].name, "plays");
	meta->streams[0].partition_count = partition_count;
	for (uint16_t i = 0; i < SL_TEST_LANE_COUNT; i++)
		meta->lanes[i] = (struct sl_store_meta_lane){.lane = i, .worker_index = i};
	for (uint32_t i = 0; i < partition_count; i++)
		meta->partitions[i] = (struct sl_store_meta_partition){.term = 1};
}

void sl_test_store_write_meta(struct sl_test_store *store)
{
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&store->meta, store->path, NULL), 0);
}

void sl_test_store_create(struct sl_test_store *store, uint32_t partition_count)
{
	memset(store, 0, sizeof(*store));
	CU_ASSERT_FATAL(sl_fixture_make_directory(store->path));
	make_meta(store, partition_count);
	store->salt_crc = sl_batch_salt_crc(store->meta.header.salt);
	sl_test_store_write_meta(store);
	for (uint16_t i = 0; i < SL_TEST_LANE_COUNT; i++) {
		struct sl_test_lane *lane = &store->lanes[i];
		struct sl_lane_meta meta = {.epoch = 1, .lane = i};

		snprintf(lane->path, sizeof(lane->path), "%s/" SL_LANE_DIR_FORMAT, store->path,
			(unsigned)i);
		CU_ASSERT_EQUAL_FATAL(mkdir(lane->path, 0750), 0);
		CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, lane->path, NULL), 0);
		lane->fd = -1;
		lane->epoch = lane->number = 1;
	}
}

void sl_test_store_destroy(struct sl_test_store *store)
{
	for (unsigned i = 0; i < SL_TEST_LANE_COUNT; i++)
		if (store->lanes[i].fd >= 0)
			close(store->lanes[i].fd);
	sl_store_meta_free(&store->meta);
	sl_fixture_remove_directory(store->path);
}

const char *sl_test_segment_path(const struct sl_test_store *store, unsigned lane, uint64_t segment)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/" SL_SEGMENT_NAME_FORMAT, store->lanes[lane].path,
		(unsigned long long)segment);
	return path;
}

void sl_test_segment_open(struct sl_test_store *store, unsigned index)
{
	struct sl_test_lane *lane = &store->lanes[index];
	char temp_path[256];

	if (lane->fd >= 0)
		close(lane->fd);
	lane->segment++;
	lane->position = 0;
	lane->first_number = lane->number;
	lane->event_count = lane->time_first_ns = lane->time_last_ns = 0;
	// Under a temporary name until it has its length: a reader may be looking.
	snprintf(temp_path, sizeof(temp_path), "%s/birth", lane->path);
	lane->fd = open(temp_path, O_RDWR | O_CREAT | O_EXCL, 0640);
	CU_ASSERT_FATAL(lane->fd >= 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(lane->fd, SL_TEST_SEGMENT_BYTES), 0);
	CU_ASSERT_EQUAL_FATAL(
		rename(temp_path, sl_test_segment_path(store, index, lane->segment)), 0);
}

void sl_test_segment_seal(struct sl_test_store *store, unsigned index)
{
	struct sl_test_lane *lane = &store->lanes[index];
	struct sl_segment_footer footer = {
		.magic = SL_FOOTER_MAGIC,
		.version = SL_FORMAT_VERSION,
		.footer_bytes = sizeof(footer),
		.last_body_crc = lane->prev_body_crc,
		.lane = (uint16_t)index,
		.segment = lane->segment,
		.epoch = lane->epoch,
		.first_number = lane->first_number,
		.last_number = lane->number - 1,
		.end_position = lane->position,
		.event_count = lane->event_count,
		.time_first_ns = lane->time_first_ns,
		.time_last_ns = lane->time_last_ns,
	};

	footer.footer_crc = sl_crc32c(store->salt_crc, &footer, sizeof(footer));
	CU_ASSERT_EQUAL_FATAL(
		pwrite(lane->fd, &footer, sizeof(footer), SL_TEST_SEGMENT_BYTES - SL_BLOCK_BYTES),
		sizeof(footer));
}

static uint64_t finish(struct sl_test_store *store, unsigned index, bool lands)
{
	struct sl_test_lane *lane = &store->lanes[index];
	struct sl_batch_header *header = &store->batch.header;
	uint64_t position = lane->position;
	size_t bytes;

	header->lane = (uint16_t)index;
	header->segment = lane->segment;
	header->position = position;
	header->epoch = lane->epoch;
	header->number = lane->number;
	header->prev_body_crc = lane->prev_body_crc;
	header->durable_mark = lane->durable_mark;
	bytes = sl_test_batch_seal(&store->batch, store->salt_crc);
	CU_ASSERT_FATAL(position + bytes <= SL_TEST_SEGMENT_BYTES - SL_BLOCK_BYTES);
	if (lands)
		CU_ASSERT_EQUAL_FATAL(pwrite(lane->fd, store->batch.bytes, bytes, (off_t)position),
			(ssize_t)bytes);
	if (position == 0)
		lane->time_first_ns = header->time_base_ns;
	lane->time_last_ns = header->time_last_ns;
	lane->event_count += header->kind == SL_BATCH_EVENTS ? header->event_count : 0;
	lane->position += bytes;
	lane->number++;
	lane->prev_body_crc = header->body_crc;
	return position;
}

uint64_t sl_test_batch_write(struct sl_test_store *store, unsigned lane)
{
	return finish(store, lane, true);
}

uint64_t sl_test_batch_lose(struct sl_test_store *store, unsigned lane)
{
	return finish(store, lane, false);
}

uint64_t sl_test_events_write(struct sl_test_store *store, unsigned lane, uint16_t partition,
	uint32_t term, uint64_t offset, unsigned count)
{
	char value[64];

	sl_test_batch_init(&store->batch, SL_BATCH_EVENTS);
	for (unsigned i = 0; i < count; i++) {
		int bytes = snprintf(value, sizeof(value), "%u:%llu", (unsigned)partition,
			(unsigned long long)(offset + i));

		sl_test_batch_event(
			&store->batch, partition, term, offset + i, value, (size_t)bytes);
	}
	return sl_test_batch_write(store, lane);
}

uint64_t sl_test_states_write(struct sl_test_store *store, unsigned lane, enum sl_batch_kind kind,
	const struct sl_partition_state *states, unsigned count)
{
	sl_test_batch_init(&store->batch, kind);
	store->batch.header.flags = SL_BATCH_FLAG_CHECKPOINT_END;
	sl_test_batch_run(
		&store->batch, SL_RUN_PARTITION_STATE, 0, 0, states, count * sizeof(*states));
	return sl_test_batch_write(store, lane);
}

static int open_segment(const struct sl_test_store *store, unsigned lane, uint64_t segment)
{
	int fd = open(sl_test_segment_path(store, lane, segment), O_RDWR);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

void sl_test_segment_peek(const struct sl_test_store *store, unsigned lane, uint64_t segment,
	uint64_t position, void *data, size_t bytes)
{
	int fd = open_segment(store, lane, segment);

	CU_ASSERT_EQUAL_FATAL(pread(fd, data, bytes, (off_t)position), (ssize_t)bytes);
	close(fd);
}

void sl_test_segment_poke(const struct sl_test_store *store, unsigned lane, uint64_t segment,
	uint64_t position, const void *data, size_t bytes)
{
	int fd = open_segment(store, lane, segment);

	CU_ASSERT_EQUAL_FATAL(pwrite(fd, data, bytes, (off_t)position), (ssize_t)bytes);
	close(fd);
}

void sl_test_segment_flip(
	const struct sl_test_store *store, unsigned lane, uint64_t segment, uint64_t position)
{
	char byte;

	sl_test_segment_peek(store, lane, segment, position, &byte, 1);
	byte ^= 0x08;
	sl_test_segment_poke(store, lane, segment, position, &byte, 1);
}
