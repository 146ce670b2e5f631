/* SPDX-License-Identifier: BSD-3-Clause */
// `sluice-blast send` as a user meets it: what it prints, what it leaves, how it exits.
#include "load/commands.h"

#include "command.h"
#include "load/sent_file.h"
#include "sink.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sl_sink sink;
static char json_path[64];

static int run_send(char *const *arguments, char *output, size_t output_bytes)
{
	return sl_test_command_run(sl_blast_send, arguments, output, output_bytes);
}

static const struct sl_payload_config sent = {
	.kind = SL_PAYLOAD_PLAY,
	.run_id = 5,
	.bytes = 140,
	.key_count = 20,
	.flow_count = 2,
	.seed = 6,
};

static void setup(void)
{
	strcpy(json_path, "/tmp/sluice-send-XXXXXX");
	int fd = mkstemp(json_path);

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	CU_ASSERT_FATAL(sl_sink_open(&sink, "127.0.0.1", &sent));
}

static void teardown(void)
{
	unlink(json_path);
	sl_sink_close(&sink);
}

static void send_sends_what_the_options_say_and_tells_verify(void)
{
	char *arguments[] = {"send", "--to", sink.to, "--payload", "play", "--size", "140",
		"--keys", "20", "--flows", "2", "--seed", "6", "--run-id", "5", "--count", "100",
		"--rate", "100000", "--json", json_path, NULL};
	struct sl_verify_config read = {0};
	struct sl_err err = {0};
	char output[4096];

	setup();
	CU_ASSERT_EQUAL(run_send(arguments, output, sizeof(output)), 0);
	CU_ASSERT(sl_sink_drain(&sink, 100));
	CU_ASSERT_EQUAL(sink.bad_count, 0);
	CU_ASSERT_EQUAL(sink.source_port_count, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "run 5: sent 100 play events of 140 bytes"));
	CU_ASSERT_EQUAL_FATAL(sl_sent_read(&read, json_path, &err), 0);
	CU_ASSERT_EQUAL(read.sent_count, 100);
	CU_ASSERT_EQUAL(memcmp(&read.payload, &sent, sizeof(sent)), 0);
	teardown();
}

static void without_wishes_it_sends_small_binary_events_of_a_random_run(void)
{
	char *arguments[] = {"send", "--to", sink.to, "--count", "10", "--json", json_path, NULL};
	struct sl_verify_config first = {0}, second = {0};
	struct sl_err err = {0};
	char output[4096];

	setup();
	CU_ASSERT_EQUAL(run_send(arguments, output, sizeof(output)), 0);
	CU_ASSERT_EQUAL_FATAL(sl_sent_read(&first, json_path, &err), 0);
	CU_ASSERT_EQUAL(first.payload.kind, SL_PAYLOAD_BINARY);
	CU_ASSERT_EQUAL(first.payload.bytes, 18);
	CU_ASSERT_EQUAL(first.payload.flow_count, 8);
	CU_ASSERT_EQUAL(first.payload.key_count, 1000);
	for (int i = 0; i < 3; i++) { // one equal pair in 16 million is chance, three are not
		run_send(arguments, output, sizeof(output));
		CU_ASSERT_EQUAL_FATAL(sl_sent_read(&second, json_path, &err), 0);
		if (second.payload.run_id != first.payload.run_id)
			break;
	}
	CU_ASSERT_NOT_EQUAL(second.payload.run_id, first.payload.run_id);
	teardown();
}

static void a_record_that_cannot_be_written_fails_and_leaves_doubt(void)
{
	char *arguments[] = {"send", "--to", sink.to, "--size", "1400", "--count", "2000",
		"--record", "/dev/full", "--json", json_path, NULL};
	struct sl_verify_config read = {0};
	struct sl_err err = {0};
	char output[4096];

	setup();
	CU_ASSERT_EQUAL(run_send(arguments, output, sizeof(output)), SL_BLAST_EXIT_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "--record: No space left on device"));
	CU_ASSERT_EQUAL_FATAL(sl_sent_read(&read, json_path, &err), 0);
	CU_ASSERT(read.sent_count < 2000);
	CU_ASSERT(read.doubt_count > 0);
	teardown();
}

static void wrong_options_are_refused_by_name(void)
{
	static const struct {
		char *arguments[8];
		int code;
		const char *text;
	} cases[] = {
		{{"send"}, SL_EXIT_USAGE, "--to HOST:PORT is missing"},
		{{"send", "--to", "127.0.0.1"}, SL_EXIT_USAGE, "must be HOST:PORT"},
		{{"send", "--to", "127.0.0.1:1", "--size", "17"}, SL_EXIT_USAGE, "--size 17"},
		{{"send", "--to", "127.0.0.1:1", "--rate", "x"}, SL_EXIT_USAGE,
			"--rate: value 'x'"},
		{{"send", "--to", "127.0.0.1:1", "--catch-up", "60001"}, SL_EXIT_USAGE,
			"--catch-up: value '60001'"},
		{{"send", "--to", "127.0.0.1:1", "--imix", "simple"}, SL_EXIT_USAGE,
			"--imix goes with --device"},
		{{"send", "--to", "127.0.0.1:1", "--replay", "x.pcap"}, SL_EXIT_USAGE,
			"--replay goes with --device"},
		{{"send", "--to", "127.0.0.1:1", "--zipf", "9"}, SL_EXIT_USAGE,
			"must be 0.001 to 4"},
		{{"send", "--to", "127.0.0.1:1", "--frame-size", "63"}, SL_EXIT_USAGE, "--size 17"},
		{{"send", "--to", "127.0.0.1:1", "--device", "net_null0", "--no-gso"},
			SL_EXIT_USAGE, "--no-gso is for sockets"},
		{{"send", "--to", "127.0.0.1:1", "--device", "net_null0", "--loop", "2"},
			SL_EXIT_USAGE, "--loop goes with --replay"},
		{{"send", "--device", "net_null0", "--replay", "x.pcap", "--keys", "2"},
			SL_EXIT_USAGE, "--keys: the frames of --replay"},
		{{"send", "--device", "net_null0", "--replay", "/nonexistent/x.pcap"},
			SL_EXIT_USAGE, "--replay /nonexistent/x.pcap"},
		{{"send", "--to", "127.0.0.1:1", "--device", "net_null0", "--size", "9000"},
			SL_EXIT_USAGE, "takes payloads up to 8972"},
		{{"send", "--to", "127.0.0.1:1", "--device", "net_null0", "--count", "1"},
			SL_EXIT_USAGE, "built without DPDK"},
		{{"send", "--to", "127.0.0.1:1", "--payload", "wav"}, SL_EXIT_USAGE,
			"must be binary or play"},
		{{"send", "--to", "127.0.0.1:1", "--duration", "x"}, SL_EXIT_USAGE,
			"--duration: value 'x'"},
		{{"send", "--to", "127.0.0.1:1", "--duration", "0"}, SL_EXIT_USAGE,
			"must be seconds"},
		{{"send", "--to", "127.0.0.1:1", "--keys", "2", "--flows", "3"}, SL_EXIT_USAGE,
			"at most 2 flows"},
		{{"send", "--to", "127.0.0.1:1", "--bind", "192.0.2.1"}, SL_BLAST_EXIT_FAILED,
			"must be an address of this host"},
		{{"send", "--to", "127.0.0.1:1", "--count", "1", "--record", "/nonexistent/x"},
			SL_BLAST_EXIT_FAILED, "--record /nonexistent/x"},
		{{"send", "--to", "127.0.0.1:1", "--count", "1", "--json", "/nonexistent/x"},
			SL_BLAST_EXIT_FAILED, "/nonexistent/x"},
	};
	char output[4096];

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		CU_ASSERT_EQUAL(
			run_send(cases[i].arguments, output, sizeof(output)), cases[i].code);
		CU_ASSERT_PTR_NOT_NULL(strstr(output, cases[i].text));
	}
}

static const struct sl_test tests[] = {
	SL_TEST(send_sends_what_the_options_say_and_tells_verify),
	SL_TEST(without_wishes_it_sends_small_binary_events_of_a_random_run),
	SL_TEST(a_record_that_cannot_be_written_fails_and_leaves_doubt),
	SL_TEST(wrong_options_are_refused_by_name),
};
SL_SUITE(load_send_command);
