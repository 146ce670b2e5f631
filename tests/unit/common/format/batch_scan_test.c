/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/batch_scan.h"

#include "batch_maker.h"
#include "format/crc32c.h"
#include "format/run_events.h"
#include "suite.h"

#include <string.h>

static const uint8_t salt[SL_SALT_BYTES] = "0123456789abcdef";
static const struct sl_batch_place place = {.lane = 3, .segment = 7, .position = 8192};
static struct sl_test_batch batch;

// Two partitions, one event with a source, one after a new time base, a run of unknown type.
static void make(void)
{
	static const struct sl_run_source source = {.family = 4, .port = 514, .address = {10, 1}};
	const uint64_t new_base = 1800000000000000000ull;

	sl_test_batch_init(&batch, SL_BATCH_EVENTS);
	batch.header.lane = place.lane;
	batch.header.segment = place.segment;
	batch.header.position = place.position;
	batch.header.epoch = 2;
	batch.header.number = 41;
	batch.header.durable_mark = 33;
	sl_test_batch_event(&batch, 5, 1, 100, "first", 5);
	sl_test_batch_run(&batch, SL_RUN_SOURCE, 0, 0, &source, sizeof(source));
	sl_test_batch_event(&batch, 6, 2, 0, "", 0);
	sl_test_batch_run(&batch, 200, 0, 0, "from the future", 15);
	sl_test_batch_run(&batch, SL_RUN_TIME, 0, 0, &new_base, sizeof(new_base));
	sl_test_batch_event(&batch, 5, 1, 101, "third", 5);
	// The last event names the source: its run header is the last 12 bytes before its data.
	((struct sl_run_header *)(batch.bytes + batch.used_bytes - 17))->source = 1;
	sl_test_batch_seal(&batch, sl_batch_salt_crc(salt));
}

static enum sl_batch_verdict check_header(void)
{
	return sl_batch_check_header(&batch.header, sl_batch_salt_crc(salt), &place, 1024 * 1024);
}

static enum sl_batch_verdict check(void)
{
	enum sl_batch_verdict verdict = check_header();

	return verdict == SL_BATCH_OK ? sl_batch_check_body(&batch, sl_batch_salt_crc(salt))
				      : verdict;
}

static void a_whole_batch_is_whole(void)
{
	make();
	CU_ASSERT_EQUAL(check(), SL_BATCH_OK);
	CU_ASSERT_EQUAL(sl_batch_block_bytes(&batch.header), SL_BLOCK_BYTES);
}

static void every_flipped_bit_of_header_and_body_is_detected(void)
{
	uint32_t undetected_count = 0;

	make();
	for (uint32_t bit = 0; bit < batch.header.byte_length * 8; bit++) {
		batch.bytes[bit / 8] ^= (char)(1 << bit % 8);
		undetected_count += check() == SL_BATCH_OK;
		// A length must not be believed before the CRC: nothing past the magic says more.
		if (bit >= 32 && bit < SL_BATCH_HEADER_BYTES * 8)
			undetected_count += check_header() != SL_BATCH_BAD_HEADER;
		batch.bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	CU_ASSERT_EQUAL(undetected_count, 0);
}

static void a_block_without_magic_is_no_batch(void)
{
	memset(&batch, 0, sizeof(batch));
	CU_ASSERT_EQUAL(check_header(), SL_BATCH_NO_MAGIC);
	memset(&batch, 0xff, sizeof(batch));
	CU_ASSERT_EQUAL(check_header(), SL_BATCH_NO_MAGIC);
}

static void another_version_is_told_from_a_flipped_bit(void)
{
	static const uint16_t versions[] = {0, SL_FORMAT_VERSION + 1, 99};

	for (size_t i = 0; i < SL_ARRAY_COUNT(versions); i++) {
		make();
		batch.header.version = versions[i];
		CU_ASSERT_EQUAL(check_header(), SL_BATCH_BAD_HEADER);
		sl_batch_header_seal(&batch.header, sl_batch_salt_crc(salt));
		CU_ASSERT_EQUAL(check_header(), SL_BATCH_BAD_VERSION);
		// Its magic may end in another byte.
		batch.header.magic ^= 0x55u << 24;
		sl_batch_header_seal(&batch.header, sl_batch_salt_crc(salt));
		CU_ASSERT_EQUAL(check_header(), SL_BATCH_BAD_VERSION);
	}
	batch.header.version = SL_FORMAT_VERSION;
	sl_batch_header_seal(&batch.header, sl_batch_salt_crc(salt));
	CU_ASSERT_EQUAL(check_header(), SL_BATCH_BAD_HEADER);
}

static void a_batch_of_another_place_is_misplaced(void)
{
	static const struct sl_batch_place others[] = {
		{.lane = 2, .segment = 7, .position = 8192},
		{.lane = 3, .segment = 8, .position = 8192},
		{.lane = 3, .segment = 7, .position = 4096},
	};

	make();
	for (size_t i = 0; i < SL_ARRAY_COUNT(others); i++)
		CU_ASSERT_EQUAL(sl_batch_check_header(&batch.header, sl_batch_salt_crc(salt),
					&others[i], 1024 * 1024),
			SL_BATCH_MISPLACED);
}

static void a_batch_of_another_store_is_damaged(void)
{
	static const uint8_t other_salt[SL_SALT_BYTES] = "0123456789abcdeX";

	make();
	CU_ASSERT_EQUAL(sl_batch_check_header(
				&batch.header, sl_batch_salt_crc(other_salt), &place, 1024 * 1024),
		SL_BATCH_BAD_HEADER);
	CU_ASSERT_EQUAL(
		sl_batch_check_body(&batch, sl_batch_salt_crc(other_salt)), SL_BATCH_BAD_BODY);
}

static void a_payload_that_is_a_batch_image_is_no_batch(void)
{
	// A producer knows the format, the place and the numbers, but not the salt.
	make();
	batch.header.header_crc = 0;
	batch.header.header_crc = sl_crc32c(0, &batch.header, sizeof(batch.header));
	CU_ASSERT_EQUAL(check_header(), SL_BATCH_BAD_HEADER);
}

static void a_batch_that_reaches_over_the_end_is_damaged(void)
{
	make();
	CU_ASSERT_EQUAL(sl_batch_check_header(
				&batch.header, sl_batch_salt_crc(salt), &place, SL_BLOCK_BYTES),
		SL_BATCH_OK);
	CU_ASSERT_EQUAL(sl_batch_check_header(
				&batch.header, sl_batch_salt_crc(salt), &place, SL_BLOCK_BYTES - 1),
		SL_BATCH_BAD_HEADER);
}

static void header_fields_that_contradict_each_other_are_damage(void)
{
#define SET(field, value) \
	do { \
		make(); \
		batch.header.field = (value); \
		sl_batch_header_seal(&batch.header, sl_batch_salt_crc(salt)); \
		CU_ASSERT_EQUAL(check_header(), SL_BATCH_BAD_HEADER); \
	} while (0)
	SET(header_bytes, 64);
	SET(byte_length, 0);
	SET(byte_length, SL_BATCH_RUNS_OFFSET - 1);
	SET(byte_length, SL_BATCH_BYTES_MAX + 1);
	SET(byte_length, UINT32_MAX);
	SET(table_offset, 0);
	SET(table_offset, UINT32_MAX);
	SET(table_count, UINT32_MAX);
	SET(table_count, 3);
	SET(event_count, SL_BATCH_EVENT_COUNT_MAX + 1);
	SET(number, 0);
	SET(epoch, 0);
	SET(durable_mark, 41);
#undef SET
}

// Seals again after a test has bent the body.
static enum sl_batch_verdict check_bent_body(void)
{
	uint32_t salt_crc = sl_batch_salt_crc(salt);

	batch.header.body_crc = sl_crc32c(salt_crc, batch.bytes + SL_BATCH_HEADER_BYTES,
		batch.header.byte_length - SL_BATCH_HEADER_BYTES);
	sl_batch_header_seal(&batch.header, salt_crc);
	return check();
}

static void runs_that_do_not_add_up_are_damage(void)
{
	struct sl_run_header *first = (struct sl_run_header *)(batch.bytes + SL_BATCH_RUNS_OFFSET);
	struct sl_batch_table_entry *table;

	make();
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_OK);
	batch.header.event_count = 2;
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
	make();
	batch.header.run_count++;
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
	make();
	batch.header.run_count = UINT32_MAX;
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
	make();
	first->length_type = SL_RUN_LENGTH_TYPE(SL_RUN_LENGTH_MAX, SL_RUN_EVENT);
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
	make();
	first->source = 1; // before the dictionary has an entry
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
	make();
	first->partition = 6; // the table says two of 5 and one of 6
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
	make();
	table = (struct sl_batch_table_entry *)(batch.bytes + batch.header.table_offset);
	table[0].event_count++;
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
	make();
	((uint64_t *)(batch.bytes + SL_BATCH_HEADER_BYTES))[1]++; // the body of another number
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_BAD_BODY);
}

static void runs_come_in_order_with_time_and_source(void)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	uint64_t unknown_count = 0;

	make();
	CU_ASSERT_EQUAL_FATAL(check(), SL_BATCH_OK);
	sl_run_iterator_init(&iterator, &batch);
	CU_ASSERT_FATAL(sl_run_next(&iterator, &run, &unknown_count));
	CU_ASSERT_EQUAL(run.partition, 5);
	CU_ASSERT_EQUAL(run.bytes, 5);
	CU_ASSERT_NSTRING_EQUAL(run.data, "first", 5);
	CU_ASSERT_EQUAL(run.receive_ns, batch.header.time_base_ns);
	CU_ASSERT_PTR_NULL(run.source);
	CU_ASSERT_FATAL(sl_run_next(&iterator, &run, &unknown_count));
	CU_ASSERT_EQUAL(run.partition, 6);
	CU_ASSERT_EQUAL(run.bytes, 0);
	CU_ASSERT_EQUAL(run.receive_ns, batch.header.time_base_ns + 2);
	CU_ASSERT_FATAL(sl_run_next(&iterator, &run, &unknown_count));
	CU_ASSERT_NSTRING_EQUAL(run.data, "third", 5);
	CU_ASSERT_EQUAL(run.receive_ns, 1800000000000000000ull + 5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(run.source);
	CU_ASSERT_EQUAL(run.source->port, 514);
	CU_ASSERT_FALSE(sl_run_next(&iterator, &run, &unknown_count));
	CU_ASSERT_EQUAL(unknown_count, 1);
	sl_run_iterator_fini(&iterator);
}

// A run of three events with attributes, its data one byte shorter or longer, or of another count.
static void make_rich(const char *data, size_t bytes)
{
	sl_test_batch_init(&batch, SL_BATCH_EVENTS);
	batch.header.lane = place.lane;
	batch.header.segment = place.segment;
	batch.header.position = place.position;
	batch.header.epoch = batch.header.number = 1;
	sl_test_batch_event(&batch, 5, 1, 100, "first", 5);
	sl_test_batch_run(&batch, SL_RUN_RICH, 5, 0, data, bytes);
	batch.table[0].event_count += 3;
	batch.header.event_count += 3;
	sl_test_batch_seal(&batch, sl_batch_salt_crc(salt));
}

static void runs_of_many_events_count_all_of_them(void)
{
	static const char data[] = "\x03\0\0\0"
				   "\0\0\0"
				   "\0\1\0a"
				   "\0\0\0";
	static const char two[] = "\x02\0\0\0"
				  "\0\0\0"
				  "\0\1\0a";
	struct sl_run_iterator iterator;
	struct sl_run run;

	make_rich(data, sizeof(data) - 1);
	CU_ASSERT_EQUAL_FATAL(check(), SL_BATCH_OK);
	sl_run_iterator_init(&iterator, &batch);
	CU_ASSERT_FATAL(sl_run_next(&iterator, &run, NULL));
	CU_ASSERT_FATAL(sl_run_next(&iterator, &run, NULL));
	CU_ASSERT_EQUAL(run.type, SL_RUN_RICH);
	CU_ASSERT_EQUAL(sl_run_event_count(&run), 3);
	CU_ASSERT_FALSE(sl_run_next(&iterator, &run, NULL));
	sl_run_iterator_fini(&iterator);
	make_rich(data, sizeof(data));
	CU_ASSERT_EQUAL(check(), SL_BATCH_BAD_BODY);
	make_rich(data, sizeof(data) - 2);
	CU_ASSERT_EQUAL(check(), SL_BATCH_BAD_BODY);
	make_rich(two, sizeof(two) - 1);
	CU_ASSERT_EQUAL(check(), SL_BATCH_BAD_BODY);
}

static void a_long_dictionary_is_kept_whole(void)
{
	struct sl_run_source source = {.family = 4};
	struct sl_run_iterator iterator;
	struct sl_run run = {0};

	make();
	sl_test_batch_init(&batch, SL_BATCH_EVENTS);
	batch.header.lane = place.lane;
	batch.header.segment = place.segment;
	batch.header.position = place.position;
	batch.header.epoch = batch.header.number = 1;
	for (uint16_t i = 1; i <= 1000; i++) {
		source.port = i;
		sl_test_batch_run(&batch, SL_RUN_SOURCE, 0, 0, &source, sizeof(source));
	}
	sl_test_batch_event(&batch, 1, 1, 0, "", 0);
	((struct sl_run_header *)(batch.bytes + batch.used_bytes - 12))->source = 1000;
	sl_test_batch_seal(&batch, sl_batch_salt_crc(salt));
	CU_ASSERT_EQUAL_FATAL(check(), SL_BATCH_OK);
	sl_run_iterator_init(&iterator, &batch);
	CU_ASSERT_FATAL(sl_run_next(&iterator, &run, NULL));
	CU_ASSERT_PTR_NOT_NULL_FATAL(run.source);
	CU_ASSERT_EQUAL(run.source->port, 1000);
	sl_run_iterator_fini(&iterator);
}

static void a_batch_of_unknown_kind_is_checked_but_not_walked(void)
{
	struct sl_run_iterator iterator;
	struct sl_run run;

	make();
	batch.header.kind = 77;
	batch.header.run_count = 12345;
	CU_ASSERT_EQUAL(check_bent_body(), SL_BATCH_OK);
	sl_run_iterator_init(&iterator, &batch);
	CU_ASSERT_FALSE(sl_run_next(&iterator, &run, NULL));
	sl_run_iterator_fini(&iterator);
}

static const struct sl_test tests[] = {
	SL_TEST(a_whole_batch_is_whole),
	SL_TEST(every_flipped_bit_of_header_and_body_is_detected),
	SL_TEST(a_block_without_magic_is_no_batch),
	SL_TEST(another_version_is_told_from_a_flipped_bit),
	SL_TEST(a_batch_of_another_place_is_misplaced),
	SL_TEST(a_batch_of_another_store_is_damaged),
	SL_TEST(a_payload_that_is_a_batch_image_is_no_batch),
	SL_TEST(a_batch_that_reaches_over_the_end_is_damaged),
	SL_TEST(header_fields_that_contradict_each_other_are_damage),
	SL_TEST(runs_that_do_not_add_up_are_damage),
	SL_TEST(runs_come_in_order_with_time_and_source),
	SL_TEST(runs_of_many_events_count_all_of_them),
	SL_TEST(a_long_dictionary_is_kept_whole),
	SL_TEST(a_batch_of_unknown_kind_is_checked_but_not_walked),
};
SL_SUITE(common_format_batch_scan);
