/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/sent_file.h"

#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void make_path(void)
{
	strcpy(path, "/tmp/sluice-sent-XXXXXX");
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
}

static void what_send_writes_verify_reads(void)
{
	const struct sl_generator_config config = {
		.payload =
			{
				.kind = SL_PAYLOAD_PLAY,
				.run_id = 12,
				.bytes = 200,
				.key_count = 30,
				.flow_count = 4,
				.seed = 99,
			},
	};
	const struct sl_generator generator = {.config = &config, .sent_count = 5000};
	const struct sl_generator_result result = {.failed = true, .doubt_count = 7};
	const struct sl_transport_report report = {.gso = true};
	const struct sl_sent sent = {
		.config = &config,
		.generator = &generator,
		.result = &result,
		.transport = &report,
		.to = "127.0.0.1:1",
	};
	struct sl_verify_config verify = {0};
	struct sl_err err = {0};

	make_path();
	CU_ASSERT_EQUAL_FATAL(sl_sent_write(&sent, path, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_sent_read(&verify, path, &err), 0);
	CU_ASSERT_EQUAL(verify.payload.kind, SL_PAYLOAD_PLAY);
	CU_ASSERT_EQUAL(verify.payload.run_id, 12);
	CU_ASSERT_EQUAL(verify.payload.bytes, 200);
	CU_ASSERT_EQUAL(verify.payload.key_count, 30);
	CU_ASSERT_EQUAL(verify.payload.flow_count, 4);
	CU_ASSERT_EQUAL(verify.payload.seed, 99);
	CU_ASSERT_EQUAL(verify.sent_count, 5000);
	CU_ASSERT_EQUAL(verify.doubt_count, 7);
	CU_ASSERT(verify.whole);
	unlink(path);
	CU_ASSERT(sl_sent_write(&sent, "/nonexistent/sent.json", &err) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/sent.json"));
}

#define GOOD_TAIL "\"keys\":3,\"flows\":1,\"seed\":1,\"sent\":9,\"in_doubt\":0}"

static void a_file_that_send_did_not_write_is_refused_by_its_key(void)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"{", "line 1"},
		{"[]", "\"payload\" must be"},
		{"{\"payload\":\"wav\"}", "\"payload\" must be"},
		{"{\"payload\":\"binary\"}", "\"run_id\" must be"},
		{"{\"payload\":\"binary\",\"run_id\":-1}", "\"run_id\" must be"},
		{"{\"payload\":\"binary\",\"run_id\":1,\"size\":\"18\"}", "\"size\" must be"},
		{"{\"payload\":\"binary\",\"run_id\":1,\"size\":18,\"keys\":3}",
			"\"flows\" must be"},
		{"{\"payload\":\"binary\",\"run_id\":1,\"size\":17," GOOD_TAIL, "--size 17"},
	};
	static const char good[] = "{\"payload\":\"binary\",\"run_id\":1,\"size\":18," GOOD_TAIL;
	struct sl_verify_config verify = {0};
	struct sl_err err = {0};

	make_path();
	for (size_t i = 0; i <= SL_ARRAY_COUNT(cases); i++) {
		bool last = i == SL_ARRAY_COUNT(cases);
		FILE *file = fopen(path, "w");

		fputs(last ? good : cases[i].text, file);
		fclose(file);
		int rc = sl_sent_read(&verify, path, &err);
		CU_ASSERT_EQUAL(rc, last ? 0 : -EINVAL);
		if (!last) {
			CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].error));
			CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
		}
	}
	unlink(path);
	CU_ASSERT(sl_sent_read(&verify, path, &err) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
}

static const struct sl_test tests[] = {
	SL_TEST(what_send_writes_verify_reads),
	SL_TEST(a_file_that_send_did_not_write_is_refused_by_its_key),
};
SL_SUITE(load_sent_file);
