/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/run_events.h"

#include "format/run_write.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_COUNT 4
#define MEMORY_BYTES 512

static const struct sl_run_rich_session session = {
	.session = 0x0123456789abcdefull, .first_sequence = 41};
static const struct sl_run_event written[EVENT_COUNT] = {
	{.value = "plain", .value_bytes = 5, .weight = 1},
	{.operation = SL_OPERATION_PUT,
		.has_key = true,
		.has_event_time = true,
		.has_weight = true,
		.key = "key",
		.key_bytes = 3,
		.value = "v",
		.value_bytes = 1,
		.event_time_ns = -5,
		.weight = 9},
	{.operation = SL_OPERATION_REMOVE,
		.has_key = true,
		.key = "gone",
		.key_bytes = 4,
		.value = "",
		.weight = 1},
	{.has_key = true, .key = "", .value = "", .weight = 1},
};

static char memory[MEMORY_BYTES];

static size_t write_run(size_t room, const struct sl_run_rich_session *of)
{
	struct sl_run_writer writer;

	memset(memory, 0x55, sizeof(memory));
	if (!sl_run_write_begin(&writer, memory, room, 7, 2, 33, of))
		return 0;
	for (size_t i = 0; i < EVENT_COUNT; i++)
		if (!sl_run_write_event(&writer, &written[i]))
			break;
	return sl_run_write_end(&writer);
}

// As sl_run_next() would fill it.
static struct sl_run run_of(size_t bytes)
{
	const struct sl_run_header *header = (const struct sl_run_header *)memory;

	CU_ASSERT_EQUAL(SL_RUN_LENGTH(header->length_type), bytes - sizeof(*header));
	return (struct sl_run){
		.type = SL_RUN_TYPE(header->length_type),
		.partition = header->partition,
		.bytes = SL_RUN_LENGTH(header->length_type),
		.data = header + 1,
	};
}

static bool is_same(const struct sl_run_event *a, const struct sl_run_event *b)
{
	return a->operation == b->operation && a->has_key == b->has_key &&
		a->has_event_time == b->has_event_time && a->has_weight == b->has_weight &&
		a->key_bytes == b->key_bytes && a->value_bytes == b->value_bytes &&
		a->event_time_ns == b->event_time_ns && a->weight == b->weight &&
		(a->key_bytes == 0 || memcmp(a->key, b->key, a->key_bytes) == 0) &&
		memcmp(a->value, b->value, a->value_bytes) == 0;
}

static void what_was_written_comes_back(void)
{
	for (int has_session = 0; has_session < 2; has_session++) {
		size_t bytes = write_run(sizeof(memory), has_session ? &session : NULL);
		struct sl_run run = run_of(bytes);
		struct sl_run_rich_session found = {0};
		struct sl_run_events events;
		struct sl_run_event event;
		size_t count = 0;

		CU_ASSERT_EQUAL(run.type, SL_RUN_RICH);
		CU_ASSERT_EQUAL(run.partition, 7);
		CU_ASSERT_EQUAL_FATAL(sl_run_rich_check(run.data, run.bytes), EVENT_COUNT);
		CU_ASSERT_EQUAL(sl_run_event_count(&run), EVENT_COUNT);
		CU_ASSERT_EQUAL(sl_run_session(&run, &found), has_session);
		CU_ASSERT_EQUAL(found.session, has_session ? session.session : 0);
		sl_run_events_init(&events, &run);
		for (; sl_run_events_next(&events, &event); count++) {
			CU_ASSERT(is_same(&event, &written[count]));
			CU_ASSERT_EQUAL(event.has_sequence, has_session);
			CU_ASSERT_EQUAL(event.sequence, has_session ? 41 + count : count);
		}
		CU_ASSERT_EQUAL(count, EVENT_COUNT);
	}
}

static void what_an_event_does_not_use_takes_no_room(void)
{
	struct sl_run_writer writer;

	CU_ASSERT_EQUAL(sl_run_write_event_bytes(&written[0]), 3 + 5);
	CU_ASSERT_EQUAL(sl_run_write_event_bytes(&written[1]), 3 + 2 + 8 + 4 + 3 + 1);
	CU_ASSERT(sl_run_write_begin(&writer, memory, sizeof(memory), 0, 0, 0, NULL));
	CU_ASSERT(sl_run_write_event(&writer, &written[0]));
	CU_ASSERT_EQUAL(sl_run_write_end(&writer), 12 + 4 + 3 + 5);
}

static void an_anonymous_event_is_seen_the_same_way(void)
{
	const struct sl_run run = {.type = SL_RUN_EVENT, .bytes = 5, .data = "hello"};
	const struct sl_run states = {.type = SL_RUN_SESSION_STATE, .bytes = 0, .data = "    "};
	struct sl_run_events events;
	struct sl_run_event event;

	CU_ASSERT_EQUAL(sl_run_event_count(&run), 1);
	sl_run_events_init(&events, &run);
	CU_ASSERT_FATAL(sl_run_events_next(&events, &event));
	CU_ASSERT_EQUAL(event.value_bytes, 5);
	CU_ASSERT_PTR_EQUAL(event.value, run.data);
	CU_ASSERT_FALSE(event.has_key || event.has_sequence || event.has_weight);
	CU_ASSERT_EQUAL(event.weight, 1);
	CU_ASSERT_FALSE(sl_run_events_next(&events, &event));
	CU_ASSERT_EQUAL(sl_run_event_count(&states), 0);
	sl_run_events_init(&events, &states);
	CU_ASSERT_FALSE(sl_run_events_next(&events, &event));
}

static void a_writer_never_writes_behind_its_room(void)
{
	size_t whole = write_run(sizeof(memory), &session);

	for (size_t room = 0; room < whole; room++) {
		size_t bytes = write_run(room, &session);

		CU_ASSERT(bytes <= room);
		for (size_t i = room; i < sizeof(memory); i++)
			CU_ASSERT_EQUAL_FATAL(memory[i], 0x55);
		if (bytes > 0)
			CU_ASSERT(sl_run_rich_check(memory + sizeof(struct sl_run_header),
					  (uint32_t)bytes - 12) > 0);
	}
}

static void a_run_cut_anywhere_is_damage(void)
{
	size_t bytes = write_run(sizeof(memory), &session) - sizeof(struct sl_run_header);

	for (size_t cut = 0; cut < bytes; cut++) {
		// A copy of its own, so that a sanitizer sees a look behind the end.
		char *copy = malloc(SL_MAX(cut, (size_t)1));

		memcpy(copy, memory + sizeof(struct sl_run_header), cut);
		CU_ASSERT_EQUAL(sl_run_rich_check(copy, (uint32_t)cut), 0);
		free(copy);
	}
	CU_ASSERT_EQUAL(
		sl_run_rich_check(memory + sizeof(struct sl_run_header), (uint32_t)bytes + 1), 0);
}

static void what_no_writer_writes_is_damage(void)
{
	static const struct {
		uint8_t bytes[16];
		uint32_t count;
		uint32_t events;
	} cases[] = {
		{{1, 0, 0, 0, 0x00, 0, 0}, 7, 1}, // an empty APPEND
		{{0, 0, 0, 0}, 4, 0}, // no event
		{{1, 0, 2, 0, 0x00, 0, 0}, 7, 0}, // an unknown flag of the run
		{{1, 0, 0, 0, 0x80, 0, 0}, 7, 0}, // an unknown flag of the event
		{{1, 0, 0, 0, 0x03, 0, 0}, 7, 0}, // no operation
		{{1, 0, 0, 0, 0x01, 0, 0}, 7, 0}, // PUT without a key
		{{1, 0, 0, 0, 0x05, 0, 0, 0, 0}, 9, 1}, // PUT with an empty key
		{{1, 0, 0, 0, 0x02, 0, 0}, 7, 0}, // REMOVE without a key
		{{1, 0, 0, 0, 0x06, 1, 0, 0, 0, 'v'}, 10, 0}, // REMOVE with a value
		{{1, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0}, 11, 0}, // weight 0
		{{1, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0}, 11, 1},
		{{1, 0, 0, 0, 0x20, 1, 0, 0, 0, 'v'}, 10, 1}, // a long length of a short value
		{{1, 0, 0, 0, 0x20, 1, 0, 0, 0xff, 'v'}, 10, 0}, // a length over everything
		{{1, 0, 0, 0, 0x40, 1, 0, 2, 0, 'f', 'f', 'v'}, 12, 1}, // further attributes
		{{1, 0, 0, 0, 0x40, 1, 0, 3, 0, 'f', 'f', 'v'}, 12, 0},
		{{2, 0, 0, 0, 0x00, 0, 0}, 7, 0}, // fewer events than said
		{{1, 0, 0, 0, 0x00, 0, 0, 0}, 8, 0}, // something behind the last event
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++)
		CU_ASSERT_EQUAL(sl_run_rich_check(cases[i].bytes, cases[i].count), cases[i].events);
}

static void sessions_that_cannot_be_are_damage(void)
{
	struct sl_run_rich_session wrong = {.session = 0, .first_sequence = 1};
	size_t bytes = write_run(sizeof(memory), &wrong);

	CU_ASSERT_EQUAL(sl_run_rich_check(memory + 12, (uint32_t)bytes - 12), 0);
	wrong = (struct sl_run_rich_session){
		.session = 1, .first_sequence = UINT64_MAX - EVENT_COUNT};
	bytes = write_run(sizeof(memory), &wrong);
	CU_ASSERT_EQUAL(sl_run_rich_check(memory + 12, (uint32_t)bytes - 12), EVENT_COUNT);
	wrong.first_sequence++;
	bytes = write_run(sizeof(memory), &wrong);
	CU_ASSERT_EQUAL(sl_run_rich_check(memory + 12, (uint32_t)bytes - 12), 0);
}

static void a_long_value_has_a_long_length(void)
{
	static char value[UINT16_MAX + 1], room[UINT16_MAX + 100];
	const struct sl_run_event event = {.value = value, .value_bytes = sizeof(value)};
	struct sl_run_writer writer;
	size_t bytes;

	CU_ASSERT(sl_run_write_begin(&writer, room, sizeof(room), 0, 0, 0, NULL));
	CU_ASSERT(sl_run_write_event(&writer, &event));
	bytes = sl_run_write_end(&writer);
	CU_ASSERT_EQUAL(bytes, 12 + 4 + 5 + sizeof(value));
	CU_ASSERT_EQUAL(sl_run_rich_check(room + 12, (uint32_t)bytes - 12), 1);
}

static const struct sl_test tests[] = {
	SL_TEST(what_was_written_comes_back),
	SL_TEST(what_an_event_does_not_use_takes_no_room),
	SL_TEST(an_anonymous_event_is_seen_the_same_way),
	SL_TEST(a_writer_never_writes_behind_its_room),
	SL_TEST(a_run_cut_anywhere_is_damage),
	SL_TEST(what_no_writer_writes_is_damage),
	SL_TEST(sessions_that_cannot_be_are_damage),
	SL_TEST(a_long_value_has_a_long_length),
};
SL_SUITE(common_format_run_events);
