/* SPDX-License-Identifier: BSD-3-Clause */
// The generator over real sockets: sender and sink in one thread, burst by burst, so that nothing
// can overflow and every datagram can be demanded.
#include "load/generator.h"

#include "sink.h"
#include "suite.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENT_COUNT 100000u
#define BURST_COUNT 100u // small enough for any socket's receive buffer

static struct sl_sink sink;

static struct sl_generator_config make_config(enum sl_payload_kind kind)
{
	return (struct sl_generator_config){
		.payload =
			{
				.kind = kind,
				.run_id = 4711,
				.bytes = sl_payload_bytes_min(kind),
				.key_count = 1000,
				.flow_count = 8,
				.seed = 1,
			},
	};
}

static int open_transport(struct sl_transport **transport, const char *to,
	const struct sl_generator_config *config, bool gso, struct sl_err *err)
{
	struct sl_transport_config transport_config = {
		.to = to,
		.flow_count = config->payload.flow_count,
		.payload_bytes = config->payload.bytes,
		.gso = gso,
	};

	return sl_transport_kernel.open(transport, &transport_config, err);
}

// Sends EVENT_COUNT events to the sink and holds each against what it must be.
static void send_and_check(const char *host, const struct sl_generator_config *config, bool gso)
{
	struct sl_generator generator = {.config = config, .ops = &sl_transport_kernel};
	struct sl_transport_report report;
	struct sl_err err = {0};

	if (!sl_sink_open(&sink, host, &config->payload)) {
		CU_FAIL("no loopback address");
		return;
	}
	CU_ASSERT_EQUAL_FATAL(open_transport(&generator.transport, sink.to, config, gso, &err), 0);
	while (generator.sent_count < EVENT_COUNT) {
		CU_ASSERT_EQUAL_FATAL(sl_generator_burst(&generator, BURST_COUNT, &err), 0);
		CU_ASSERT_FATAL(sl_sink_drain(&sink, generator.sent_count));
	}
	sl_transport_kernel.report(generator.transport, &report);
	CU_ASSERT_EQUAL(report.gso, gso);
	CU_ASSERT_EQUAL(gso ? strlen(report.gso_reason) : 0, 0);
	CU_ASSERT_EQUAL(sink.received_count, EVENT_COUNT);
	CU_ASSERT_EQUAL(sink.bad_count, 0);
	CU_ASSERT_EQUAL(sink.reordered_count, 0);
	CU_ASSERT_EQUAL(sink.moved_count, 0);
	CU_ASSERT_EQUAL(sink.source_port_count, config->payload.flow_count);
	CU_ASSERT_EQUAL(sink.sequence_sum, (uint64_t)EVENT_COUNT * (EVENT_COUNT - 1) / 2);
	sl_transport_kernel.close(generator.transport);
	sl_sink_close(&sink);
}

static void every_datagram_arrives_as_built_with_segmentation(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_BINARY);

	send_and_check("127.0.0.1", &config, true);
}

static void every_datagram_arrives_as_built_without_segmentation(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_BINARY);

	send_and_check("127.0.0.1", &config, false);
}

static void every_play_event_arrives_over_ipv6(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_PLAY);

	config.payload.flow_count = 1;
	send_and_check("::1", &config, true);
}

static void a_run_sends_its_count_and_records_what_it_sent(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_PLAY);
	struct sl_generator generator = {.config = &config, .ops = &sl_transport_kernel};
	struct sl_generator_result result;
	volatile sig_atomic_t stop = 0;
	struct sl_err err = {0};
	char line[256], *recorded;
	size_t recorded_bytes;

	config.count = 150;
	config.rate = 100000;
	CU_ASSERT_FATAL(sl_sink_open(&sink, "127.0.0.1", &config.payload));
	CU_ASSERT_EQUAL_FATAL(
		open_transport(&generator.transport, sink.to, &config, true, &err), 0);
	generator.record = open_memstream(&recorded, &recorded_bytes);
	CU_ASSERT_EQUAL(sl_generator_run(&generator, &stop, &result, &err), 0);
	fclose(generator.record);
	CU_ASSERT(sl_sink_drain(&sink, config.count));
	CU_ASSERT_EQUAL(sink.bad_count, 0);
	CU_ASSERT_EQUAL(generator.sent_count, config.count);
	CU_ASSERT_EQUAL(result.pacer.sent_count, config.count);
	CU_ASSERT(!result.interrupted && !result.failed);
	CU_ASSERT(generator.last_sent_ns >= generator.first_sent_ns);

	// One line an event, in the order of sequences.
	FILE *lines = fmemopen(recorded, recorded_bytes, "r");
	uint64_t line_count = 0;
	while (fgets(line, sizeof(line), lines) != NULL) {
		struct sl_payload_id id = {0};

		line[strcspn(line, "\n")] = '\0';
		CU_ASSERT_EQUAL(
			sl_payload_check(&config.payload, true, line, (uint32_t)strlen(line), &id),
			SL_PAYLOAD_OK);
		CU_ASSERT_EQUAL(id.sequence, line_count++);
	}
	CU_ASSERT_EQUAL(line_count, config.count);
	fclose(lines);
	free(recorded);
	sl_transport_kernel.close(generator.transport);
	sl_sink_close(&sink);
}

static void a_run_that_is_told_to_stop_says_that_it_was_interrupted(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_BINARY);
	struct sl_generator generator = {.config = &config, .ops = &sl_transport_kernel};
	struct sl_generator_result result;
	volatile sig_atomic_t stop = 1;
	struct sl_err err = {0};

	CU_ASSERT_FATAL(sl_sink_open(&sink, "127.0.0.1", &config.payload));
	CU_ASSERT_EQUAL_FATAL(
		open_transport(&generator.transport, sink.to, &config, true, &err), 0);
	CU_ASSERT_EQUAL(sl_generator_run(&generator, &stop, &result, &err), 0);
	CU_ASSERT(result.interrupted);
	CU_ASSERT_EQUAL(generator.sent_count, 0);
	sl_transport_kernel.close(generator.transport);
	sl_sink_close(&sink);
}

static void a_record_that_cannot_be_written_fails_the_run(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_BINARY);
	struct sl_generator generator = {.config = &config, .ops = &sl_transport_kernel};
	struct sl_generator_result result;
	volatile sig_atomic_t stop = 0;
	struct sl_err err = {0};

	config.count = 10;
	CU_ASSERT_FATAL(sl_sink_open(&sink, "127.0.0.1", &config.payload));
	CU_ASSERT_EQUAL_FATAL(
		open_transport(&generator.transport, sink.to, &config, true, &err), 0);
	generator.record = fopen("/dev/full", "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(generator.record);
	setvbuf(generator.record, NULL, _IONBF, 0);
	CU_ASSERT_EQUAL(sl_generator_run(&generator, &stop, &result, &err), -ENOSPC);
	CU_ASSERT(result.failed);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--record"));
	fclose(generator.record);
	sl_transport_kernel.close(generator.transport);
	sl_sink_close(&sink);
}

static void a_peer_that_does_not_listen_is_no_error(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_BINARY);
	struct sl_generator generator = {.config = &config, .ops = &sl_transport_kernel};
	struct sl_transport_report report;
	struct sl_err err = {0};

	CU_ASSERT_FATAL(sl_sink_open(&sink, "127.0.0.1", &config.payload));
	CU_ASSERT_EQUAL_FATAL(
		open_transport(&generator.transport, sink.to, &config, false, &err), 0);
	sl_sink_close(&sink); // from here on the kernel refuses
	CU_ASSERT_EQUAL(sl_generator_burst(&generator, 2000, &err), 0);
	CU_ASSERT_EQUAL(generator.sent_count, 2000);
	sl_transport_kernel.report(generator.transport, &report);
	CU_ASSERT(report.retry_count > 0);
	sl_transport_kernel.close(generator.transport);
}

static void a_size_of_which_no_two_fit_a_message_goes_without_segmentation(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_BINARY);
	struct sl_generator generator = {.config = &config, .ops = &sl_transport_kernel};
	struct sl_transport_report report;
	struct sl_err err = {0};

	config.payload.bytes = 40000;
	CU_ASSERT_FATAL(sl_sink_open(&sink, "127.0.0.1", &config.payload));
	CU_ASSERT_EQUAL_FATAL(
		open_transport(&generator.transport, sink.to, &config, true, &err), 0);
	sl_transport_kernel.report(generator.transport, &report);
	CU_ASSERT(!report.gso);
	CU_ASSERT_PTR_NOT_NULL(strstr(report.gso_reason, "no two payloads"));
	CU_ASSERT_EQUAL(sl_generator_burst(&generator, 3, &err), 0);
	CU_ASSERT_EQUAL(generator.sent_count, 3);
	sl_transport_kernel.close(generator.transport);
	sl_sink_close(&sink);
}

// A network of our own, whose loopback takes packets of 1000 bytes: the kernel refuses larger
// segments, but fragments larger datagrams. Runs in a child; its exit code is 0, or the number of
// the step that failed.
static int send_past_small_mtu(void)
{
	struct sl_generator_config config = make_config(SL_PAYLOAD_BINARY);
	struct sl_generator generator = {.config = &config, .ops = &sl_transport_kernel};
	struct ifreq lo = {.ifr_name = "lo", .ifr_mtu = 1000};
	struct sl_transport_report report;
	struct sl_err err = {0};

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return 1;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFMTU, &lo) != 0)
		return 2;
	lo.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		return 3;
	close(fd);
	config.payload.bytes = 1400;
	config.payload.flow_count = 2;
	if (!sl_sink_open(&sink, "127.0.0.1", &config.payload) ||
		open_transport(&generator.transport, sink.to, &config, true, &err) != 0)
		return 4;
	if (sl_generator_burst(&generator, 20, &err) != 0)
		return 5;
	if (!sl_sink_drain(&sink, 20) || sink.bad_count != 0 || sink.reordered_count != 0)
		return 6;
	sl_transport_kernel.report(generator.transport, &report);
	if (report.gso || strstr(report.gso_reason, "refused segments of 1400 bytes") == NULL)
		return 7;
	sl_transport_kernel.close(generator.transport);
	sl_sink_close(&sink);
	return 0;
}

static void segmentation_that_the_kernel_refuses_is_given_up_and_nothing_is_lost(void)
{
	int status = -1;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		_exit(send_past_small_mtu());
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
}

static void an_address_that_cannot_be_used_is_an_error_that_names_it(void)
{
	static const struct {
		const char *to, *bind, *text;
	} cases[] = {
		{"127.0.0.1", NULL, "--to 127.0.0.1: must be HOST:PORT"},
		{"127.0.0.1:", NULL, "must be HOST:PORT"},
		{":9000", NULL, "must be HOST:PORT"},
		{"::1:9000", NULL, "as [ADDRESS]:PORT"},
		{"[::1:9000", NULL, "must be HOST:PORT"},
		{"127.0.0.1:notaport", NULL, "--to 127.0.0.1:notaport: "},
		{"127.0.0.1:9000", "nonsense", "--bind nonsense: "},
		{"127.0.0.1:9000", "192.0.2.1", "must be an address of this host"},
		{"127.0.0.1:9000", "::1", "--bind ::1: "},
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		struct sl_transport_config config = {
			.to = cases[i].to,
			.bind = cases[i].bind,
			.flow_count = 1,
			.payload_bytes = 18,
		};
		struct sl_transport *transport = NULL;
		struct sl_err err = {0};

		CU_ASSERT(sl_transport_kernel.open(&transport, &config, &err) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].text));
		CU_ASSERT_PTR_NULL(transport);
	}
	sl_transport_kernel.close(NULL);
}

static const struct sl_test tests[] = {
	SL_TEST(every_datagram_arrives_as_built_with_segmentation),
	SL_TEST(every_datagram_arrives_as_built_without_segmentation),
	SL_TEST(every_play_event_arrives_over_ipv6),
	SL_TEST(a_run_sends_its_count_and_records_what_it_sent),
	SL_TEST(a_run_that_is_told_to_stop_says_that_it_was_interrupted),
	SL_TEST(a_record_that_cannot_be_written_fails_the_run),
	SL_TEST(a_peer_that_does_not_listen_is_no_error),
	SL_TEST(a_size_of_which_no_two_fit_a_message_goes_without_segmentation),
	SL_TEST(segmentation_that_the_kernel_refuses_is_given_up_and_nothing_is_lost),
	SL_TEST(an_address_that_cannot_be_used_is_an_error_that_names_it),
};
SL_SUITE(load_generator);
