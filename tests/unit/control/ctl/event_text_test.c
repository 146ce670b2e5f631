/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/event_text.h"

#include "format/store_reader.h"
#include "suite.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct sl_run_source source_v4 = {
	.family = 4, .port = 4000, .address = {192, 0, 2, 1}};
static const struct sl_run_source source_v6 = {
	.family = 6, .port = 65535, .address = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};

static struct sl_store_event event_of(const void *value, size_t bytes)
{
	return (struct sl_store_event){.value = value,
		.value_bytes = (uint32_t)bytes,
		.offset = 18446744073709551615ull,
		.receive_ns = 1700000000123456789,
		.partition = 17};
}

// What a writer makes of an event; the caller frees it.
static char *written(sl_event_writer *write, const struct sl_store_event *event, size_t *bytes)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, bytes);

	CU_ASSERT_EQUAL(write(out, event, 3), 0);
	fclose(out);
	return text;
}

static void raw_is_the_payload_and_lines_adds_a_newline(void)
{
	static const struct {
		const char *value;
		size_t bytes;
	} cases[] = {{"", 0}, {"a", 1}, {"a\nb", 3}, {"\0\xff\r", 3}};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		struct sl_store_event event = event_of(cases[i].value, cases[i].bytes);
		size_t bytes;
		char *text = written(sl_event_write_raw, &event, &bytes);
		CU_ASSERT_EQUAL(bytes, cases[i].bytes);
		CU_ASSERT_EQUAL(memcmp(text, cases[i].value, cases[i].bytes), 0);
		free(text);
		text = written(sl_event_write_lines, &event, &bytes);
		CU_ASSERT_EQUAL_FATAL(bytes, cases[i].bytes + 1);
		CU_ASSERT_EQUAL(memcmp(text, cases[i].value, cases[i].bytes), 0);
		CU_ASSERT_EQUAL(text[cases[i].bytes], '\n');
		free(text);
	}
}

static void json_states_place_time_and_source(void)
{
	struct sl_store_event event = event_of("x", 1);
	size_t bytes;

	char *text = written(sl_event_write_json, &event, &bytes);
	CU_ASSERT_STRING_EQUAL(text,
		"{\"partition\":3,\"offset\":18446744073709551615,"
		"\"receive_ns\":1700000000123456789,\"value\":\"x\"}\n");
	free(text);
	event.source = &source_v4;
	text = written(sl_event_write_json, &event, &bytes);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, ",\"source\":\"192.0.2.1:4000\",\"value\""));
	free(text);
	event.source = &source_v6;
	text = written(sl_event_write_json, &event, &bytes);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, ",\"source\":\"[2001:db8::1]:65535\",\"value\""));
	free(text);
}

static void text_payloads_come_back_byte_for_byte(void)
{
	static const char *const values[] = {"", "plain",
		"with \"quotes\" and \\ and / and \n\r\t\b\f\x01\x1f\x7f", "\xc3\xa9",
		"\xe2\x82\xac \xf0\x9f\x8e\xb5"};

	for (size_t i = 0; i < SL_ARRAY_COUNT(values); i++) {
		struct sl_store_event event = event_of(values[i], strlen(values[i]));
		size_t bytes;
		event.offset = 5;
		char *text = written(sl_event_write_json, &event, &bytes);
		CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + bytes - 1);
		json_t *object = json_loads(text, 0, NULL);
		const json_t *value = json_object_get(object, "value");
		CU_ASSERT_PTR_NOT_NULL_FATAL(value);
		CU_ASSERT_STRING_EQUAL(json_string_value(value), values[i]);
		json_decref(object);
		free(text);
	}
	// A zero byte is text too.
	struct sl_store_event event = event_of("a\0b", 3);
	size_t bytes;
	char *text = written(sl_event_write_json, &event, &bytes);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"value\":\"a\\u0000b\""));
	free(text);
}

static void other_payloads_are_base64(void)
{
	static const struct {
		const char *value;
		size_t bytes;
		const char *base64;
	} cases[] = {
		{"\xff", 1, "/w=="}, {"\xff\xfe", 2, "//4="}, {"\xff\xfe\xfd", 3, "//79"},
		{"\x80"
		 "foobar",
			7, "gGZvb2Jhcg=="},
		{"\xc3", 1, "ww=="}, // cut short
		{"\xed\xa0\x80", 3, "7aCA"}, // a surrogate
		{"\xf5\x80\x80\x80", 4, "9YCAgA=="}, // beyond Unicode
		{"\xc0\x80", 2, "wIA="}, // overlong
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		struct sl_store_event event = event_of(cases[i].value, cases[i].bytes);
		char expected[64];
		size_t bytes;
		char *text = written(sl_event_write_json, &event, &bytes);
		snprintf(
			expected, sizeof(expected), ",\"value_base64\":\"%s\"}\n", cases[i].base64);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, expected));
		free(text);
	}
}

static const struct sl_run_event all_attributes = {
	.operation = SL_OPERATION_PUT,
	.has_key = true,
	.has_event_time = true,
	.has_weight = true,
	.has_sequence = true,
	.key = "a\"b",
	.key_bytes = 3,
	.event_time_ns = -1,
	.weight = 7,
	.session = 0xab,
	.sequence = 5,
};

static void attributes_are_shown_where_there_are_any(void)
{
	struct sl_store_event event = event_of("x", 1);
	size_t bytes;

	event.attributes = all_attributes;
	event.offset = 5;
	event.source = &source_v4;
	char *text = written(sl_event_write_json, &event, &bytes);
	CU_ASSERT_STRING_EQUAL(text,
		"{\"partition\":3,\"offset\":5,\"receive_ns\":1700000000123456789,"
		"\"source\":\"192.0.2.1:4000\",\"op\":\"put\",\"event_ns\":-1,\"weight\":7,"
		"\"session\":\"00000000000000ab\",\"sequence\":5,\"key\":\"a\\\"b\","
		"\"value\":\"x\"}\n");
	free(text);
	text = written(sl_event_write_text, &event, &bytes);
	CU_ASSERT_STRING_EQUAL(text,
		"partition=3 offset=5 receive_ns=1700000000123456789 source=192.0.2.1:4000 op=put "
		"event_ns=-1 weight=7 session=00000000000000ab sequence=5 key=\"a\\\"b\" "
		"value=\"x\"\n");
	free(text);
	event = event_of("\xff", 1);
	event.attributes = (struct sl_run_event){
		.operation = SL_OPERATION_REMOVE, .has_key = true, .key = "\xfe", .key_bytes = 1};
	event.offset = 5;
	text = written(sl_event_write_text, &event, &bytes);
	CU_ASSERT_STRING_EQUAL(text,
		"partition=3 offset=5 receive_ns=1700000000123456789 op=remove "
		"key_base64=\"/g==\" value_base64=\"/w==\"\n");
	free(text);
}

static void a_stream_that_fails_is_reported(void)
{
	static sl_event_writer *const writers[] = {
		sl_event_write_raw, sl_event_write_lines, sl_event_write_text, sl_event_write_json};
	struct sl_store_event event = event_of("some payload", 12);

	for (size_t i = 0; i < SL_ARRAY_COUNT(writers); i++) {
		FILE *out = fopen("/dev/full", "w");
		CU_ASSERT_PTR_NOT_NULL_FATAL(out);
		setvbuf(out, NULL, _IONBF, 0);
		CU_ASSERT_EQUAL(writers[i](out, &event, 0), -ENOSPC);
		fclose(out);
	}
}

static const struct sl_test tests[] = {
	SL_TEST(raw_is_the_payload_and_lines_adds_a_newline),
	SL_TEST(json_states_place_time_and_source),
	SL_TEST(text_payloads_come_back_byte_for_byte),
	SL_TEST(other_payloads_are_base64),
	SL_TEST(attributes_are_shown_where_there_are_any),
	SL_TEST(a_stream_that_fails_is_reported),
};
SL_SUITE(control_ctl_event_text);
