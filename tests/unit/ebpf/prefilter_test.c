/* SPDX-License-Identifier: BSD-3-Clause */
// The pre-filter in the kernel (bpf_prog_test_run_opts), fed with the parser's own frames. An
// AF_XDP socket stands in its map, so that a redirect is a redirect. Needs root.
#include "dataplane/rx/frames.h"
#include "loader.h"
#include "prefilter_shared.h"

#include "suite.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_BYTES_MIN 14 // below, no driver and no test run hands a frame to XDP
#define FRAME_BYTES_MAX 3000 // above, XDP needs a program that takes fragments

static struct {
	struct bpf_object *object;
	int program_fd, xsks_fd, ports_fd, control_fd, verdicts_fd;
	int socket_fd;
} filter;

static int map_fd(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(filter.object, name);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static void admit_port(uint16_t port)
{
	uint32_t key = port / 64;
	uint64_t word;

	CU_ASSERT_FATAL(bpf_map_lookup_elem(filter.ports_fd, &key, &word) == 0);
	word |= 1ull << (port % 64);
	CU_ASSERT_FATAL(bpf_map_update_elem(filter.ports_fd, &key, &word, BPF_ANY) == 0);
}

static void set_redirect(bool on)
{
	const struct sl_prefilter_control control = {.redirect = on};
	uint32_t key = 0;

	CU_ASSERT_FATAL(bpf_map_update_elem(filter.control_fd, &key, &control, BPF_ANY) == 0);
}

static void set_socket(bool on)
{
	uint32_t key = 0;

	int rc = on ? bpf_map_update_elem(filter.xsks_fd, &key, &filter.socket_fd, BPF_ANY)
		    : bpf_map_delete_elem(filter.xsks_fd, &key);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
}

static int load(void)
{
	char path[4096];
	struct sl_err err;

	if (sl_xdp_object_path(path, sizeof(path), &err) != 0)
		return -1;
	filter.object = bpf_object__open_file(path, NULL);
	if (filter.object == NULL || bpf_object__load(filter.object) != 0)
		return -1;
	struct bpf_program *program =
		bpf_object__find_program_by_name(filter.object, SL_PREFILTER_PROGRAM);
	filter.program_fd = program == NULL ? -1 : bpf_program__fd(program);
	filter.socket_fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	return filter.program_fd < 0 || filter.socket_fd < 0 ? -1 : 0;
}

// Loaded once; each test starts with the streams' ports, a socket and the redirect on.
static void set_up(void)
{
	if (filter.object == NULL) {
		CU_ASSERT_EQUAL_FATAL(load(), 0);
		filter.xsks_fd = map_fd(SL_PREFILTER_MAP_XSKS);
		filter.ports_fd = map_fd(SL_PREFILTER_MAP_PORTS);
		filter.control_fd = map_fd(SL_PREFILTER_MAP_CONTROL);
		filter.verdicts_fd = map_fd(SL_PREFILTER_MAP_VERDICTS);
		admit_port(FRAMES_STREAM_0_PORT);
		admit_port(FRAMES_STREAM_1_PORT);
	}
	set_socket(true);
	set_redirect(true);
}

static uint64_t verdict_count(enum sl_prefilter_verdict verdict)
{
	static uint64_t values[1024];
	uint32_t key = verdict;
	uint64_t sum = 0;
	int cpu_count = libbpf_num_possible_cpus();

	CU_ASSERT_FATAL(cpu_count > 0 && cpu_count <= (int)SL_ARRAY_COUNT(values));
	CU_ASSERT_FATAL(bpf_map_lookup_elem(filter.verdicts_fd, &key, values) == 0);
	for (int i = 0; i < cpu_count; i++)
		sum += values[i];
	return sum;
}

// The verdict that the program counted for the frame; its action must be the verdict's.
static enum sl_prefilter_verdict run(const struct frame *frame)
{
	uint64_t before[SL_PREFILTER_VERDICT_COUNT];
	int found = -1;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame_bytes(frame),
		.data_size_in = frame->bytes, .repeat = 1);

	for (int i = 0; i < SL_PREFILTER_VERDICT_COUNT; i++)
		before[i] = verdict_count((enum sl_prefilter_verdict)i);
	CU_ASSERT_FATAL(bpf_prog_test_run_opts(filter.program_fd, &options) == 0);
	for (int i = 0; i < SL_PREFILTER_VERDICT_COUNT; i++) {
		uint64_t count = verdict_count((enum sl_prefilter_verdict)i) - before[i];

		CU_ASSERT(count == 0 || (count == 1 && found < 0));
		if (count != 0)
			found = i;
	}
	CU_ASSERT_FATAL(found >= 0);
	CU_ASSERT_EQUAL(options.retval, found == SL_PREFILTER_REDIRECT ? XDP_REDIRECT : XDP_PASS);
	return (enum sl_prefilter_verdict)found;
}

// What the parser does with a frame, and so what the pre-filter must do. Reasons that are not here
// may go either way: the rows of `exact` say which.
static const struct {
	enum sl_drop_reason reason;
	enum sl_prefilter_verdict verdict;
} by_reason[] = {
	{SL_PARSE_ACCEPT, SL_PREFILTER_REDIRECT},
	{SL_DROP_IP_CHECKSUM, SL_PREFILTER_REDIRECT},
	{SL_DROP_IP_OPTIONS, SL_PREFILTER_REDIRECT},
	{SL_DROP_BAD_SOURCE, SL_PREFILTER_REDIRECT},
	{SL_DROP_UDP_LENGTH, SL_PREFILTER_REDIRECT},
	{SL_DROP_UDP_CHECKSUM, SL_PREFILTER_REDIRECT},
	{SL_DROP_UDP_CHECKSUM_ZERO, SL_PREFILTER_REDIRECT},
	{SL_DROP_NOT_OURS, SL_PREFILTER_PASS},
	{SL_DROP_NO_STREAM, SL_PREFILTER_PASS},
	{SL_DROP_VLAN_DEPTH, SL_PREFILTER_PASS},
};

static void every_frame_goes_where_the_parser_counts_it(void)
{
	uint32_t run_counts[SL_ARRAY_COUNT(by_reason)] = {0};

	set_up();
	for (size_t i = 0; i < frame_count; i++) {
		const struct frame *frame = &frames[i];

		if (frame->bytes < FRAME_BYTES_MIN || frame->bytes > FRAME_BYTES_MAX)
			continue;
		for (size_t j = 0; j < SL_ARRAY_COUNT(by_reason); j++) {
			if (by_reason[j].reason != frame->reason)
				continue;
			enum sl_prefilter_verdict verdict = run(frame);
			if (verdict != by_reason[j].verdict)
				printf("     frame %s: verdict %d\n", frame->name, verdict);
			CU_ASSERT_EQUAL(verdict, by_reason[j].verdict);
			run_counts[j]++;
		}
	}
	for (size_t j = 0; j < SL_ARRAY_COUNT(by_reason); j++)
		CU_ASSERT(run_counts[j] > 0);
}

static const struct {
	const char *frame;
	enum sl_prefilter_verdict verdict;
} exact[] = {
	// A first fragment has the port, a later one has none.
	{"ipv4_fragment_first", SL_PREFILTER_REDIRECT},
	{"ipv4_fragment_first_tagged", SL_PREFILTER_REDIRECT},
	{"ipv4_fragment_middle", SL_PREFILTER_PASS},
	{"ipv4_fragment_last", SL_PREFILTER_PASS},
	{"ipv4_fragment_last_of_nothing", SL_PREFILTER_PASS},
	{"ipv4_fragment_whole_but_more", SL_PREFILTER_REDIRECT},
	{"ipv4_fragment_whole_but_offset_1", SL_PREFILTER_PASS},
	{"ipv4_fragment_whole_but_offset_4096", SL_PREFILTER_PASS},
	{"ipv4_fragment_of_a_foreign_port", SL_PREFILTER_PASS},
	{"ipv6_fragment_first", SL_PREFILTER_REDIRECT},
	{"ipv6_fragment_first_behind_hop_by_hop", SL_PREFILTER_REDIRECT},
	{"ipv6_fragment_atomic", SL_PREFILTER_REDIRECT},
	{"ipv6_fragment_twice", SL_PREFILTER_REDIRECT},
	{"ipv6_fragment_middle", SL_PREFILTER_PASS},
	{"ipv6_fragment_last", SL_PREFILTER_PASS},
	{"ipv6_fragment_of_nothing", SL_PREFILTER_PASS},
	{"ipv6_fragment_of_a_foreign_port", SL_PREFILTER_PASS},
	// Extension chains, up to SL_PREFILTER_IPV6_CHAIN_MAX headers.
	{"ipv6_chain_hop_by_hop", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_hop_by_hop_of_2048_bytes", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_routing", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_destination", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_authentication", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_authentication_of_three_words", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_mobility", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_hip", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_shim6", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_all_in_order", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_eight_headers", SL_PREFILTER_REDIRECT},
	{"ipv6_chain_nine_headers", SL_PREFILTER_PASS},
	{"ipv6_chain_a_hundred_headers", SL_PREFILTER_PASS},
	{"ipv6_broken_chain_length_255_beyond_the_packet", SL_PREFILTER_PASS},
	{"ipv6_broken_chain_header_of_seven_bytes", SL_PREFILTER_PASS},
	// The port decides, not the lengths: the parser counts what is cut behind it.
	{"ipv4_cut_to_37", SL_PREFILTER_PASS},
	{"ipv4_cut_to_38", SL_PREFILTER_REDIRECT},
	{"ipv4_one_tag_cut_to_41", SL_PREFILTER_PASS},
	{"ipv4_one_tag_cut_to_42", SL_PREFILTER_REDIRECT},
	{"ipv6_two_tags_cut_to_65", SL_PREFILTER_PASS},
	{"ipv6_two_tags_cut_to_66", SL_PREFILTER_REDIRECT},
	{"ipv4_options_cut_to_49", SL_PREFILTER_PASS},
	{"ipv4_options_cut_to_50", SL_PREFILTER_REDIRECT},
	{"ipv4_total_length_0", SL_PREFILTER_REDIRECT},
	// Not IP of the version that the ethertype says.
	{"ipv4_version_6", SL_PREFILTER_PASS},
	{"ipv4_ihl_4", SL_PREFILTER_PASS},
	{"ipv6_version_4", SL_PREFILTER_PASS},
};

static void the_port_alone_decides(void)
{
	set_up();
	for (size_t i = 0; i < SL_ARRAY_COUNT(exact); i++) {
		enum sl_prefilter_verdict verdict = run(frame_find(exact[i].frame));

		if (verdict != exact[i].verdict)
			printf("     frame %s: verdict %d\n", exact[i].frame, verdict);
		CU_ASSERT_EQUAL(verdict, exact[i].verdict);
	}
}

static void everything_passes_while_the_redirect_is_off(void)
{
	set_up();
	set_redirect(false);
	CU_ASSERT_EQUAL(run(frame_find("plain_ipv4")), SL_PREFILTER_PASS_OFF);
	CU_ASSERT_EQUAL(run(frame_find("plain_ipv6")), SL_PREFILTER_PASS_OFF);
	CU_ASSERT_EQUAL(run(frame_find("arp")), SL_PREFILTER_PASS);
	set_redirect(true);
	CU_ASSERT_EQUAL(run(frame_find("plain_ipv4")), SL_PREFILTER_REDIRECT);
}

static void a_queue_without_a_socket_passes(void)
{
	set_up();
	set_socket(false);
	CU_ASSERT_EQUAL(run(frame_find("plain_ipv4")), SL_PREFILTER_PASS_NO_SOCKET);
	set_socket(true);
	CU_ASSERT_EQUAL(run(frame_find("plain_ipv4")), SL_PREFILTER_REDIRECT);
}

static const struct sl_test tests[] = {
	SL_TEST(every_frame_goes_where_the_parser_counts_it),
	SL_TEST(the_port_alone_decides),
	SL_TEST(everything_passes_while_the_redirect_is_off),
	SL_TEST(a_queue_without_a_socket_passes),
};
SL_SUITE(ebpf_prefilter);
