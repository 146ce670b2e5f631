/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/verify.h"

#include "suite.h"

#include <string.h>

#define COUNT 1000u
#define PARTITION_COUNT 4u
#define SENT_NS 1772354504123456789ull

// A store in memory: what each partition holds, in offset order. Tests spoil it, then feed it.
static struct stored {
	uint32_t partition;
	char payload[SL_PAYLOAD_PLAY_BYTES];
	uint32_t bytes;
} stored[COUNT + 10];
static uint32_t stored_count;

static const struct sl_verify_config binary = {
	.payload =
		{
			.kind = SL_PAYLOAD_BINARY,
			.run_id = 77,
			.bytes = 40,
			.key_count = 50,
			.flow_count = 4,
			.seed = 3,
		},
	.whole = true,
	.sent_count = COUNT,
};

static void store_all(const struct sl_payload_config *payload)
{
	for (uint64_t i = 0; i < COUNT; i++) {
		stored[i].partition = sl_payload_key(payload, i) % PARTITION_COUNT;
		stored[i].bytes = payload->bytes;
		sl_payload_build(payload, i, SENT_NS + i, stored[i].payload);
	}
	stored_count = COUNT;
}

static void remove_at(uint32_t at)
{
	memmove(&stored[at], &stored[at + 1], (stored_count - at - 1) * sizeof(stored[0]));
	stored_count--;
}

// Feeds the store with dense offsets from 100 on. The caller calls sl_verify_fini.
static void verify_stored(struct sl_verify *verify, const struct sl_verify_config *config)
{
	uint64_t offsets[PARTITION_COUNT] = {100, 100, 100, 100};
	struct sl_err err;

	CU_ASSERT_EQUAL_FATAL(sl_verify_init(verify, config, &err), 0);
	for (uint32_t i = 0; i < stored_count; i++) {
		struct sl_verify_event event = {
			.partition = stored[i].partition,
			.offset = offsets[stored[i].partition]++,
			.receive_ns = SENT_NS + 5000,
			.data = stored[i].payload,
			.bytes = stored[i].bytes,
		};

		sl_verify_event(verify, &event);
	}
	sl_verify_finish(verify);
}

// All faults but one are zero, and the verdict follows.
static void assert_only(const struct sl_verify *verify, enum sl_verify_fault fault, uint64_t count)
{
	for (int i = 0; i < SL_VERIFY_FAULT_COUNT; i++)
		CU_ASSERT_EQUAL(verify->fault_counts[i], i == (int)fault ? count : 0);
	CU_ASSERT_EQUAL(sl_verify_is_good(verify), count == 0);
}

static void a_store_that_holds_all_is_good(void)
{
	struct sl_verify_config play = binary;
	struct sl_verify verify;

	play.payload.kind = SL_PAYLOAD_PLAY;
	play.payload.bytes = SL_PAYLOAD_PLAY_BYTES;
	for (int i = 0; i < 2; i++) {
		const struct sl_verify_config *config = i == 0 ? &binary : &play;

		store_all(&config->payload);
		verify_stored(&verify, config);
		assert_only(&verify, SL_VERIFY_MISSING, 0);
		CU_ASSERT_EQUAL(verify.stored_count, COUNT);
		CU_ASSERT_EQUAL(verify.distinct_count, COUNT);
		CU_ASSERT_EQUAL(verify.partition_count, PARTITION_COUNT);
		CU_ASSERT_EQUAL(verify.age_ns_max, 5000);
		CU_ASSERT_EQUAL(verify.age_ns_min, 5000 - (COUNT - 1));
		sl_verify_fini(&verify);
	}
}

static void a_lost_event_is_named(void)
{
	struct sl_verify verify;

	store_all(&binary.payload);
	uint32_t partition = stored[333].partition;
	remove_at(333);
	verify_stored(&verify, &binary);
	assert_only(&verify, SL_VERIFY_MISSING, 1);
	const struct sl_verify_example *example = &verify.examples[SL_VERIFY_MISSING][0];
	CU_ASSERT_EQUAL(example->sequence, 333);
	CU_ASSERT_EQUAL(example->count, 1);
	CU_ASSERT_EQUAL(example->partition, partition);
	CU_ASSERT_EQUAL(example->key, sl_payload_key(&binary.payload, 333));
	sl_verify_fini(&verify);
}

static void lost_events_in_a_row_are_one_example_and_the_last_ones_are_found(void)
{
	struct sl_verify verify;

	store_all(&binary.payload);
	for (int i = 0; i < 300; i++)
		remove_at(100);
	stored_count -= 2;
	remove_at(0);
	verify_stored(&verify, &binary);
	assert_only(&verify, SL_VERIFY_MISSING, 303);
	const struct sl_verify_example *examples = verify.examples[SL_VERIFY_MISSING];
	CU_ASSERT_EQUAL(verify.example_counts[SL_VERIFY_MISSING], 3);
	CU_ASSERT(examples[0].sequence == 0 && examples[0].count == 1);
	CU_ASSERT(examples[1].sequence == 100 && examples[1].count == 300);
	CU_ASSERT(examples[2].sequence == COUNT - 2 && examples[2].count == 2);
	sl_verify_fini(&verify);
}

static void loss_is_no_fault_where_it_is_allowed(void)
{
	struct sl_verify_config config = binary;
	struct sl_verify verify;

	config.allow_missing = true;
	store_all(&config.payload);
	remove_at(7);
	verify_stored(&verify, &config);
	CU_ASSERT_EQUAL(verify.fault_counts[SL_VERIFY_MISSING], 1);
	CU_ASSERT(sl_verify_is_good(&verify));
	sl_verify_fini(&verify);
}

static void a_doubled_event_is_named_with_its_place(void)
{
	struct sl_verify verify;

	store_all(&binary.payload);
	stored[stored_count++] = stored[12];
	verify_stored(&verify, &binary);
	assert_only(&verify, SL_VERIFY_DOUBLED, 1);
	const struct sl_verify_example *example = &verify.examples[SL_VERIFY_DOUBLED][0];
	CU_ASSERT_EQUAL(example->sequence, 12);
	CU_ASSERT_EQUAL(example->partition, stored[12].partition);
	CU_ASSERT(example->offset > 100);
	CU_ASSERT_EQUAL(verify.stored_count, COUNT + 1);
	CU_ASSERT_EQUAL(verify.distinct_count, COUNT);
	sl_verify_fini(&verify);
}

// The second event of a key that comes after from, searching in sequence order.
static uint32_t next_of_key(uint32_t from)
{
	uint32_t key = sl_payload_key(&binary.payload, from);
	uint32_t i = from + 1;

	while (sl_payload_key(&binary.payload, i) != key)
		i++;
	return i;
}

static void events_of_a_key_that_changed_places_are_named(void)
{
	struct sl_verify verify;
	struct stored swap;

	store_all(&binary.payload);
	uint32_t later = next_of_key(20);
	swap = stored[20];
	stored[20] = stored[later];
	stored[later] = swap;
	verify_stored(&verify, &binary);
	assert_only(&verify, SL_VERIFY_REORDERED, 1);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_REORDERED][0].sequence, 20);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_REORDERED][0].partition, swap.partition);
	sl_verify_fini(&verify);
}

static void events_of_different_keys_may_change_places(void)
{
	struct sl_verify verify;
	struct stored swap;

	store_all(&binary.payload);
	swap = stored[20];
	stored[20] = stored[21];
	stored[21] = swap;
	verify_stored(&verify, &binary);
	assert_only(&verify, SL_VERIFY_MISSING, 0);
	sl_verify_fini(&verify);
}

static void a_corrupt_event_is_named_and_missing(void)
{
	struct sl_verify verify;

	store_all(&binary.payload);
	stored[500].payload[30] ^= 0x10; // behind the head
	verify_stored(&verify, &binary);
	CU_ASSERT_EQUAL(verify.fault_counts[SL_VERIFY_CORRUPT], 1);
	CU_ASSERT_EQUAL(verify.fault_counts[SL_VERIFY_MISSING], 1);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_CORRUPT][0].sequence, 500);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_CORRUPT][0].partition, stored[500].partition);
	CU_ASSERT(!sl_verify_is_good(&verify));
	sl_verify_fini(&verify);
}

static void an_event_that_was_never_sent_is_corrupt(void)
{
	struct sl_verify verify;

	store_all(&binary.payload);
	stored[stored_count].partition = sl_payload_key(&binary.payload, COUNT) % PARTITION_COUNT;
	stored[stored_count].bytes = binary.payload.bytes;
	sl_payload_build(&binary.payload, COUNT, SENT_NS, stored[stored_count].payload);
	stored_count++;
	verify_stored(&verify, &binary);
	assert_only(&verify, SL_VERIFY_CORRUPT, 1);
	sl_verify_fini(&verify);
}

static void an_event_in_another_partition_than_its_key_is_named(void)
{
	struct sl_verify verify;

	store_all(&binary.payload);
	uint32_t home = stored[900].partition;
	stored[900].partition = (home + 1) % PARTITION_COUNT;
	verify_stored(&verify, &binary);
	assert_only(&verify, SL_VERIFY_STRAYED, 1);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_STRAYED][0].sequence, 900);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_STRAYED][0].partition, stored[900].partition);
	sl_verify_fini(&verify);
}

static void another_run_is_counted_and_foreign_bytes_are_a_fault_unless_allowed(void)
{
	struct sl_verify_config config = binary;
	struct sl_payload_config other = binary.payload;
	struct sl_verify verify;

	other.run_id = 78;
	store_all(&config.payload);
	sl_payload_build(&other, 5, SENT_NS, stored[stored_count].payload);
	stored[stored_count].partition = 1;
	stored[stored_count++].bytes = other.bytes;
	verify_stored(&verify, &config);
	assert_only(&verify, SL_VERIFY_MISSING, 0);
	CU_ASSERT_EQUAL(verify.other_run_count, 1);
	sl_verify_fini(&verify);

	strcpy(stored[stored_count].payload, "hello");
	stored[stored_count].partition = 2;
	stored[stored_count++].bytes = 5;
	verify_stored(&verify, &config);
	assert_only(&verify, SL_VERIFY_FOREIGN, 1);
	sl_verify_fini(&verify);

	config.allow_foreign = true;
	verify_stored(&verify, &config);
	CU_ASSERT_EQUAL(verify.fault_counts[SL_VERIFY_FOREIGN], 1);
	CU_ASSERT(sl_verify_is_good(&verify));
	sl_verify_fini(&verify);
}

static void offsets_that_jump_or_repeat_are_named(void)
{
	static const uint64_t offsets[] = {5, 6, 8, 9, 9};
	struct sl_verify_config config = binary;
	struct sl_verify verify;
	char payload[40];
	struct sl_err err;

	config.sent_count = SL_ARRAY_COUNT(offsets);
	CU_ASSERT_EQUAL_FATAL(sl_verify_init(&verify, &config, &err), 0);
	for (uint64_t i = 0; i < SL_ARRAY_COUNT(offsets); i++) {
		struct sl_verify_event event = {.partition = 3,
			.offset = offsets[i],
			.receive_ns = SENT_NS,
			.data = payload,
			.bytes = sizeof(payload)};

		sl_payload_build(&config.payload, i, SENT_NS, payload);
		sl_verify_event(&verify, &event);
	}
	sl_verify_finish(&verify);
	assert_only(&verify, SL_VERIFY_OFFSET, 2);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_OFFSET][0].sequence, 7); // expected
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_OFFSET][0].offset, 8);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_OFFSET][1].offset, 9);
	sl_verify_fini(&verify);
}

static void more_faults_than_examples_are_all_counted(void)
{
	struct sl_verify_config config = binary;
	struct sl_verify verify;

	config.sent_count = 2 * COUNT; // every sequence from COUNT on
	store_all(&config.payload);
	for (uint32_t i = 0; i < 40; i++)
		remove_at(10 + i); // every other one
	verify_stored(&verify, &config);
	CU_ASSERT_EQUAL(verify.fault_counts[SL_VERIFY_MISSING], COUNT + 40);
	CU_ASSERT_EQUAL(verify.example_counts[SL_VERIFY_MISSING], SL_VERIFY_EXAMPLE_COUNT_MAX);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_MISSING][9].sequence, 10 + 2 * 9);
	sl_verify_fini(&verify);
}

static void without_keys_and_size_order_and_content_are_still_held(void)
{
	struct sl_verify_config config = binary;
	struct sl_verify verify;

	config.whole = false;
	config.payload.bytes = config.payload.key_count = config.payload.flow_count = 0;
	store_all(&binary.payload);
	verify_stored(&verify, &config);
	assert_only(&verify, SL_VERIFY_MISSING, 0);
	sl_verify_fini(&verify);

	stored[40].payload[39] ^= 1;
	verify_stored(&verify, &config);
	CU_ASSERT_EQUAL(verify.fault_counts[SL_VERIFY_CORRUPT], 1);
	CU_ASSERT_EQUAL(verify.fault_counts[SL_VERIFY_MISSING], 1);
	CU_ASSERT_EQUAL(verify.examples[SL_VERIFY_MISSING][0].partition, SL_VERIFY_NOWHERE);
	sl_verify_fini(&verify);
}

static void a_run_longer_than_sequences_can_count_is_refused(void)
{
	struct sl_verify_config config = binary;
	struct sl_verify verify;
	struct sl_err err;

	config.sent_count = SL_SEQUENCE_COUNT_MAX + 1;
	CU_ASSERT(sl_verify_init(&verify, &config, &err) < 0);
	sl_verify_fini(&verify);
	config = binary;
	config.payload.bytes = 3;
	CU_ASSERT(sl_verify_init(&verify, &config, &err) < 0);
	sl_verify_fini(&verify);
}

static const struct sl_test tests[] = {
	SL_TEST(a_store_that_holds_all_is_good),
	SL_TEST(a_lost_event_is_named),
	SL_TEST(lost_events_in_a_row_are_one_example_and_the_last_ones_are_found),
	SL_TEST(loss_is_no_fault_where_it_is_allowed),
	SL_TEST(a_doubled_event_is_named_with_its_place),
	SL_TEST(events_of_a_key_that_changed_places_are_named),
	SL_TEST(events_of_different_keys_may_change_places),
	SL_TEST(a_corrupt_event_is_named_and_missing),
	SL_TEST(an_event_that_was_never_sent_is_corrupt),
	SL_TEST(an_event_in_another_partition_than_its_key_is_named),
	SL_TEST(another_run_is_counted_and_foreign_bytes_are_a_fault_unless_allowed),
	SL_TEST(offsets_that_jump_or_repeat_are_named),
	SL_TEST(more_faults_than_examples_are_all_counted),
	SL_TEST(without_keys_and_size_order_and_content_are_still_held),
	SL_TEST(a_run_longer_than_sequences_can_count_is_refused),
};
SL_SUITE(load_verify);
