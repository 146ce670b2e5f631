/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/verify_report.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

static const struct sl_verify_config config = {
	.payload =
		{
			.kind = SL_PAYLOAD_BINARY,
			.run_id = 31,
			.bytes = 18,
			.key_count = 1,
			.flow_count = 1,
		},
	.whole = true,
	.sent_count = 100,
};

static void feed(struct sl_verify *verify, uint64_t sequence, uint64_t offset, uint32_t partition)
{
	char payload[18];
	struct sl_verify_event event = {
		.partition = partition,
		.offset = offset,
		.receive_ns = 2000,
		.data = payload,
		.bytes = sizeof(payload),
	};

	sl_payload_build(&config.payload, sequence, 1000, payload);
	if (sequence == 50)
		payload[0] ^= 1;
	sl_verify_event(verify, &event);
}

// Everything that can go wrong, once.
static void make_findings(struct sl_verify *verify)
{
	struct sl_err err;

	CU_ASSERT_EQUAL_FATAL(sl_verify_init(verify, &config, &err), 0);
	for (uint64_t i = 0; i < 90; i++) {
		if (i != 7)
			feed(verify, i, i < 7 ? i : i - 1, 2);
	}
	feed(verify, 3, 89, 2); // doubled
	feed(verify, 7, 91, 2); // reordered, and offset 90 is left out
	feed(verify, 90, 0, 5); // strayed
	feed(verify, 200, 92, 2); // never sent
	sl_verify_finish(verify);
}

static void every_fault_is_printed_with_its_place(void)
{
	static const char *const lines[] = {
		"run 31: 90 of 100 events found, in 2 partitions; 93 events read\n",
		"missing 10, doubled 1, reordered 1, corrupt 1, strayed 1, offset 1, foreign 1; of",
		"; of other runs 0\n",
		"  missing: sequence 50, of key 0, whose partition is 2\n",
		"  missing: sequence 91 to 99, of key 0, whose partition is 2\n",
		"  doubled: sequence 3, key 0, partition 2, offset 89\n",
		"  reordered: sequence 7, key 0, partition 2, offset 91\n",
		"  corrupt: sequence 200, key 0, partition 2, offset 92\n",
		"  strayed: sequence 90, key 0, partition 5, offset 0\n",
		"  offset: partition 2, offset 91 where 90 comes next\n",
		"  foreign: partition 2, offset 49\n",
		"from send to receive: 1.0 to 1.0 us, 1.0 on average\n",
		"NOT WELL\n",
	};
	struct sl_verify verify;
	size_t bytes;
	char *text;

	make_findings(&verify);
	FILE *out = open_memstream(&text, &bytes);
	sl_verify_print(&verify, out);
	fclose(out);
	for (size_t i = 0; i < SL_ARRAY_COUNT(lines); i++) {
		if (strstr(text, lines[i]) == NULL)
			printf("not there: %sin:\n%s", lines[i], text);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, lines[i]));
	}
	free(text);
	sl_verify_fini(&verify);
}

static json_int_t example_of(
	const json_t *document, const char *fault, size_t index, const char *key)
{
	const json_t *examples = json_object_get(document, "examples");
	const json_t *list = json_object_get(examples, fault);

	return json_integer_value(json_object_get(json_array_get(list, index), key));
}

static void the_json_has_the_same_findings(void)
{
	static const char *const faults[] = {
		"doubled", "reordered", "corrupt", "strayed", "offset", "foreign"};
	struct sl_verify verify;

	make_findings(&verify);
	json_t *document = sl_verify_json(&verify);
	CU_ASSERT_PTR_NOT_NULL_FATAL(document);
	CU_ASSERT(json_is_false(json_object_get(document, "ok")));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, "run_id")), 31);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, "distinct")), 90);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, "missing")), 10);
	for (size_t i = 0; i < SL_ARRAY_COUNT(faults); i++)
		CU_ASSERT_EQUAL(json_integer_value(json_object_get(document, faults[i])), 1);
	CU_ASSERT_EQUAL(example_of(document, "missing", 1, "sequence"), 91);
	CU_ASSERT_EQUAL(example_of(document, "missing", 1, "count"), 9);
	CU_ASSERT_EQUAL(example_of(document, "offset", 0, "expected"), 90);
	CU_ASSERT_EQUAL(example_of(document, "strayed", 0, "partition"), 5);
	CU_ASSERT_EQUAL(example_of(document, "doubled", 0, "offset"), 89);
	CU_ASSERT_EQUAL(example_of(document, "foreign", 0, "offset"), 49);
	json_decref(document);
	sl_verify_fini(&verify);
}

static void faults_beyond_the_examples_are_said_to_be_more(void)
{
	struct sl_verify verify;
	struct sl_err err;
	size_t bytes;
	char *text;

	CU_ASSERT_EQUAL_FATAL(sl_verify_init(&verify, &config, &err), 0);
	for (uint64_t i = 0; i < 100; i += 2)
		feed(&verify, i, i / 2, 0);
	sl_verify_finish(&verify);
	FILE *out = open_memstream(&text, &bytes);
	sl_verify_print(&verify, out);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "  missing: sequence 19,"));
	CU_ASSERT_PTR_NULL(strstr(text, "  missing: sequence 21,"));
	// 50 odd ones and the corrupt one; ten are named.
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "  missing: and 41 more\n"));
	free(text);
	sl_verify_fini(&verify);
}

static void a_good_store_is_said_to_be_well(void)
{
	struct sl_verify_config small = config;
	struct sl_verify verify;
	struct sl_err err;
	size_t bytes;
	char *text;

	small.sent_count = 3;
	CU_ASSERT_EQUAL_FATAL(sl_verify_init(&verify, &small, &err), 0);
	for (uint64_t i = 0; i < 3; i++)
		feed(&verify, i, i, 0);
	sl_verify_finish(&verify);
	FILE *out = open_memstream(&text, &bytes);
	sl_verify_print(&verify, out);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "all is well\n"));
	json_t *document = sl_verify_json(&verify);
	CU_ASSERT(json_is_true(json_object_get(document, "ok")));
	json_decref(document);
	free(text);
	sl_verify_fini(&verify);
}

static const struct sl_test tests[] = {
	SL_TEST(every_fault_is_printed_with_its_place),
	SL_TEST(the_json_has_the_same_findings),
	SL_TEST(faults_beyond_the_examples_are_said_to_be_more),
	SL_TEST(a_good_store_is_said_to_be_well),
};
SL_SUITE(load_verify_report);
