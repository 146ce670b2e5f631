/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/meta.h"

#include "format/crc32c.h"
#include "scratch.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char store_file[128], lane_file[128];

static void make_directory(void)
{
	CU_ASSERT_FATAL(sl_fixture_make_directory(directory));
	snprintf(store_file, sizeof(store_file), "%s/" SL_STORE_META_NAME, directory);
	snprintf(lane_file, sizeof(lane_file), "%s/" SL_LANE_META_NAME, directory);
}

static void remove_directory(void)
{
	sl_fixture_remove_directory(directory);
}

static void flip(const char *path, off_t position)
{
	int fd = open(path, O_RDWR);
	char byte = 0;

	CU_ASSERT_EQUAL_FATAL(pread(fd, &byte, 1, position), 1);
	byte ^= 0x10;
	CU_ASSERT_EQUAL_FATAL(pwrite(fd, &byte, 1, position), 1);
	close(fd);
}

static void make_store_meta(struct sl_store_meta *meta)
{
	*meta = (struct sl_store_meta){0};
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_resize(meta, 1, 2, 3, 1000), 0);
	memset(meta->header.salt, 7, SL_SALT_BYTES);
	meta->header.segment_bytes = 1 << 24;
	strcpy(meta->classes[0].name, "default");
	meta->classes[0].durability = SL_DURABILITY_DURABLE;
	strcpy(meta->streams[1].name, "plays");
	meta->streams[1].partition_count = 16;
	meta->lanes[2].worker_index = SL_LANE_NONE;
	meta->partitions[999].term = 4;
	meta->partitions[999].term_start = 1ull << 40;
}

static void a_store_meta_comes_back_as_written(void)
{
	struct sl_store_meta meta, back;
	struct sl_err err = {0};

	make_directory();
	make_store_meta(&meta);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&meta, directory, &err), 0);
	CU_ASSERT_EQUAL(meta.header.generation, 1);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&back, directory, &err), 0);
	CU_ASSERT_EQUAL(memcmp(&back.header, &meta.header, sizeof(meta.header)), 0);
	CU_ASSERT_STRING_EQUAL(back.classes[0].name, "default");
	CU_ASSERT_STRING_EQUAL(back.streams[1].name, "plays");
	CU_ASSERT_EQUAL(back.streams[1].partition_count, 16);
	CU_ASSERT_EQUAL(back.lanes[2].worker_index, SL_LANE_NONE);
	CU_ASSERT_EQUAL(back.partitions[998].term, 0);
	CU_ASSERT_EQUAL(back.partitions[999].term, 4);
	CU_ASSERT_EQUAL(back.partitions[999].term_start, 1ull << 40);
	sl_store_meta_free(&back);
	sl_store_meta_free(&meta);
	remove_directory();
}

// The second block of a slot of make_store_meta(): zeros. Punched out it reads as before, and is
// there again only where the slot has been written again.
#define ZERO_POSITION SL_BLOCK_BYTES

static void punch(void)
{
	int fd = open(store_file, O_RDWR);

	CU_ASSERT_EQUAL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, ZERO_POSITION,
				SL_BLOCK_BYTES),
		0);
	CU_ASSERT_EQUAL(lseek(fd, ZERO_POSITION, SEEK_HOLE), ZERO_POSITION);
	close(fd);
}

static bool is_written_again(void)
{
	int fd = open(store_file, O_RDONLY);
	off_t data = lseek(fd, ZERO_POSITION, SEEK_DATA);

	close(fd);
	return data == ZERO_POSITION;
}

static void the_newest_slot_is_written_again_before_it_is_built_on(void)
{
	struct sl_store_meta meta, back;
	struct sl_err err = {0};

	make_directory();
	make_store_meta(&meta);
	CU_ASSERT_EQUAL(sl_store_meta_settle(directory, &err), -ENOENT);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&meta, directory, &err), 0);
	punch();
	CU_ASSERT_EQUAL(sl_store_meta_settle(directory, &err), 0);
	CU_ASSERT(is_written_again());
	punch();
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&meta, directory, &err), 0); // the other slot
	CU_ASSERT(is_written_again());
	punch(); // not the newest any more
	CU_ASSERT_EQUAL(sl_store_meta_settle(directory, &err), 0);
	CU_ASSERT_FALSE(is_written_again());
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&back, directory, &err), 0);
	CU_ASSERT_EQUAL(back.header.generation, 2);
	CU_ASSERT_EQUAL(memcmp(&back.header, &meta.header, sizeof(meta.header)), 0);
	sl_store_meta_free(&back);
	sl_store_meta_free(&meta);
	remove_directory();
}

static void resizing_keeps_old_records_and_zeroes_new_ones(void)
{
	struct sl_store_meta meta;

	make_store_meta(&meta);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_resize(&meta, 2, 2, 3, 2000), 0);
	CU_ASSERT_EQUAL(meta.header.class_count, 2);
	CU_ASSERT_STRING_EQUAL(meta.classes[0].name, "default");
	CU_ASSERT_STRING_EQUAL(meta.classes[1].name, "");
	CU_ASSERT_EQUAL(meta.partitions[999].term, 4);
	CU_ASSERT_EQUAL(meta.partitions[1999].term, 0);
	sl_store_meta_free(&meta);
	CU_ASSERT_PTR_NULL(meta.partitions);
}

static void writes_alternate_and_the_higher_generation_wins(void)
{
	struct sl_lane_meta meta = {.epoch = 0, .lane = 9}, back;
	struct sl_err err = {0};

	make_directory();
	for (uint64_t epoch = 1; epoch <= 5; epoch++) {
		meta.epoch = epoch;
		CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0);
		CU_ASSERT_EQUAL_FATAL(sl_lane_meta_read(&back, directory, &err), 0);
		CU_ASSERT_EQUAL(back.epoch, epoch);
		CU_ASSERT_EQUAL(back.generation, epoch);
		CU_ASSERT_EQUAL(back.lane, 9);
	}
	remove_directory();
}

static void a_torn_slot_leaves_the_older_one(void)
{
	struct sl_lane_meta meta = {.epoch = 1}, back;
	struct sl_err err = {0};

	make_directory();
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0); // slot 0
	meta.epoch = 2;
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0); // slot 1
	flip(lane_file, SL_BLOCK_BYTES + offsetof(struct sl_lane_meta, epoch));
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_read(&back, directory, &err), 0);
	CU_ASSERT_EQUAL(back.epoch, 1);
	// The damaged slot is the one that is written next, whoever asks.
	back.epoch = 3;
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&back, directory, &err), 0);
	flip(lane_file, SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_read(&back, directory, &err), 0);
	CU_ASSERT_EQUAL(back.epoch, 1);
	remove_directory();
}

static void every_flipped_bit_of_a_lane_meta_is_detected(void)
{
	struct sl_lane_meta meta = {.epoch = 5}, back;
	struct sl_err err = {0};

	make_directory();
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0);
	for (size_t i = 0; i < sizeof(meta); i++) {
		flip(lane_file, (off_t)i);
		CU_ASSERT_NOT_EQUAL(sl_lane_meta_read(&back, directory, &err), 0);
		flip(lane_file, (off_t)i);
	}
	CU_ASSERT_EQUAL(sl_lane_meta_read(&back, directory, &err), 0);
	remove_directory();
}

static void no_valid_slot_is_an_error_that_names_the_file(void)
{
	struct sl_store_meta meta, back;
	struct sl_err err = {0};

	make_directory();
	CU_ASSERT_EQUAL(sl_store_meta_read(&back, directory, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, store_file));
	make_store_meta(&meta);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&meta, directory, &err), 0);
	flip(store_file, 200);
	CU_ASSERT_EQUAL(sl_store_meta_read(&back, directory, &err), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, directory));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, SL_STORE_META_NAME));
	sl_store_meta_free(&meta);
	remove_directory();
}

static void a_read_that_fails_is_an_error_for_who_wants_no_text_too(void)
{
	struct sl_store_meta meta;
	struct sl_err err = {0};

	make_directory();
	// A directory opens, and cannot be read.
	CU_ASSERT_EQUAL_FATAL(mkdir(store_file, 0700), 0);
	CU_ASSERT_EQUAL(sl_store_meta_read(&meta, directory, &err), -EISDIR);
	CU_ASSERT_EQUAL(sl_store_meta_read(&meta, directory, NULL), -EISDIR);
	CU_ASSERT_EQUAL(rmdir(store_file), 0);
	remove_directory();
}

// Of the first slot of lane_file, under a right checksum.
static void set_version(uint32_t version)
{
	struct sl_lane_meta slot;
	int fd = open(lane_file, O_RDWR);

	CU_ASSERT_EQUAL_FATAL(pread(fd, &slot, sizeof(slot), 0), sizeof(slot));
	slot.version = version;
	slot.crc = 0;
	slot.crc = sl_crc32c(0, &slot, sizeof(slot));
	CU_ASSERT_EQUAL_FATAL(pwrite(fd, &slot, sizeof(slot), 0), sizeof(slot));
	close(fd);
}

static void a_version_that_rot_made_up_costs_its_slot_only(void)
{
	struct sl_lane_meta meta = {.epoch = 1}, back;
	enum sl_meta_slot_state states[2];
	struct sl_err err = {0};

	make_directory();
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0);
	flip(lane_file, SL_BLOCK_BYTES + offsetof(struct sl_lane_meta, version));
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_slots(states, directory, &err), 0);
	CU_ASSERT_EQUAL(states[1], SL_META_SLOT_DAMAGED);
	CU_ASSERT_EQUAL(sl_lane_meta_read(&back, directory, &err), 0);
	CU_ASSERT_EQUAL(back.generation, 1);
	remove_directory();
}

static void an_unknown_version_is_refused_and_never_overwritten(void)
{
	struct sl_lane_meta meta = {.epoch = 1}, back;
	struct sl_err err = {0};

	make_directory();
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0);
	set_version(SL_FORMAT_VERSION + 1);
	CU_ASSERT_EQUAL(sl_lane_meta_read(&back, directory, &err), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "version"));
	CU_ASSERT_EQUAL(sl_lane_meta_write(&meta, directory, &err), -EPROTO);
	set_version(SL_FORMAT_VERSION);
	CU_ASSERT_EQUAL(sl_lane_meta_read(&back, directory, &err), 0);
	CU_ASSERT_EQUAL(back.generation, 2);
	remove_directory();
}

static void version_0_had_a_magic_of_its_own(void)
{
	struct sl_lane_meta preview = {
		.magic = SL_LANE_META_MAGIC - (1ull << 56), .version = 0, .epoch = 1};
	struct sl_lane_meta meta = {.epoch = 1}, back;
	struct sl_err err = {0};
	FILE *file;

	make_directory();
	preview.crc = sl_crc32c(0, &preview, sizeof(preview));
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, directory, &err), 0);
	file = fopen(lane_file, "r+");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(&preview, sizeof(preview), 1, file), 1);
	fclose(file);
	CU_ASSERT_EQUAL(sl_lane_meta_read(&back, directory, &err), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "format version 0, this program knows version 1"));
	CU_ASSERT_EQUAL(sl_lane_meta_write(&meta, directory, &err), -EPROTO);
	remove_directory();
}

static void counts_beyond_the_limits_are_damage(void)
{
	struct sl_store_meta meta, back;
	struct sl_err err = {0};

	make_directory();
	make_store_meta(&meta);
	meta.header.lane_count = 3;
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&meta, directory, &err), 0);
	flip(store_file, offsetof(struct sl_store_meta_header, lane_count) + 3);
	CU_ASSERT_EQUAL(sl_store_meta_read(&back, directory, &err), -EBADMSG);
	sl_store_meta_free(&meta);
	remove_directory();
}

// A write that reports an error may have landed all the same.
static void the_generation_of_a_write_that_failed_is_not_used_again(void)
{
	char other[sizeof(directory)];
	const struct sl_store_meta_place places[] = {{directory, 0}, {other, 0}};
	struct sl_store_meta meta, back;
	struct sl_err err = {0};

	CU_ASSERT_FATAL(sl_fixture_make_directory(other));
	make_directory();
	make_store_meta(&meta);
	CU_ASSERT_EQUAL_FATAL(mkdir(store_file, 0750), 0); // in the place of the file
	CU_ASSERT_EQUAL(sl_store_meta_write_all(&meta, places, 2, &err), -EISDIR);
	CU_ASSERT_EQUAL(meta.header.generation, 1);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write_all(&meta, &places[1], 1, &err), 0);
	CU_ASSERT_EQUAL(meta.header.generation, 2);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&back, other, &err), 0);
	CU_ASSERT_EQUAL(back.header.generation, 2);
	sl_store_meta_free(&back);
	// Nor that of one that failed behind another.
	CU_ASSERT_EQUAL(sl_store_meta_write_all(&meta,
				(struct sl_store_meta_place[]){places[1], places[0]}, 2, &err),
		-EISDIR);
	CU_ASSERT_EQUAL(meta.header.generation, 3);
	sl_store_meta_free(&meta);
	sl_fixture_remove_directory(other);
	remove_directory();
}

static const struct sl_test tests[] = {
	SL_TEST(a_store_meta_comes_back_as_written),
	SL_TEST(the_newest_slot_is_written_again_before_it_is_built_on),
	SL_TEST(resizing_keeps_old_records_and_zeroes_new_ones),
	SL_TEST(writes_alternate_and_the_higher_generation_wins),
	SL_TEST(a_torn_slot_leaves_the_older_one),
	SL_TEST(every_flipped_bit_of_a_lane_meta_is_detected),
	SL_TEST(no_valid_slot_is_an_error_that_names_the_file),
	SL_TEST(a_read_that_fails_is_an_error_for_who_wants_no_text_too),
	SL_TEST(a_version_that_rot_made_up_costs_its_slot_only),
	SL_TEST(an_unknown_version_is_refused_and_never_overwritten),
	SL_TEST(version_0_had_a_magic_of_its_own),
	SL_TEST(counts_beyond_the_limits_are_damage),
	SL_TEST(the_generation_of_a_write_that_failed_is_not_used_again),
};
SL_SUITE(common_format_meta);
