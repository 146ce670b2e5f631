/* SPDX-License-Identifier: BSD-3-Clause */
// The device transport over a ring of this process: what goes in is received at once, and every
// frame is checked.
#include "load/frame_check.h"
#include "load/pcap_file.h"
#include "load/transport.h"

#include "suite.h"

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string.h>

#define SENT_NS 1772354504123456789ull
#define EVENT_COUNT 5000u
#define BURST_COUNT 64

static volatile sig_atomic_t stop;
static char name[32];
static unsigned name_count;
static struct sl_payload_config payload;
static struct sl_device_config device;
static struct sl_transport_config config;
static struct sl_transport *transport;
static struct sl_frame_check check;
static uint64_t sent_count;

// Sets everything to its default; tests change it before open_both().
static void setup(void)
{
	stop = 0;
	sent_count = 0;
	snprintf(name, sizeof(name), "net_ring_blast%u", name_count++);
	CU_ASSERT_EQUAL_FATAL(rte_eal_hotplug_add("vdev", name, ""), 0);
	payload = (struct sl_payload_config){
		.kind = SL_PAYLOAD_BINARY,
		.run_id = 0xabcdef,
		.bytes = SL_PAYLOAD_BINARY_BYTES,
		.key_count = 100,
		.flow_count = 7,
		.seed = 7,
	};
	device = (struct sl_device_config){
		.device = name, .source_port = 10000, .payload = &payload};
	config = (struct sl_transport_config){.to = "10.0.0.1:5000",
		.flow_count = 7,
		.payload_bytes = 18,
		.device = &device,
		.stop = &stop};
}

static void open_both(void)
{
	struct sl_fill_config expected = {0};
	struct sl_err err = {0};

	if (device.replay == NULL)
		CU_ASSERT_EQUAL_FATAL(sl_fill_config_make(&expected, &config, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_frame_check_init(&check, &expected, device.replay, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_transport_dpdk.open(&transport, &config, &err), 0);
}

static void teardown(void)
{
	sl_transport_dpdk.close(transport);
	transport = NULL;
	sl_frame_check_fini(&check);
	sl_payload_free_zipf(&payload);
	CU_ASSERT_EQUAL(rte_eal_hotplug_remove("vdev", name), 0);
}

static uint16_t port_id(void)
{
	uint16_t id = UINT16_MAX;

	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_get_port_by_name(name, &id), 0);
	return id;
}

static void receive(void)
{
	struct rte_mbuf *mbufs[BURST_COUNT];
	uint16_t count;

	do {
		count = rte_eth_rx_burst(port_id(), 0, mbufs, BURST_COUNT);
		for (uint16_t i = 0; i < count; i++)
			sl_frame_check_take(&check, mbufs[i]);
		rte_pktmbuf_free_bulk(mbufs, count);
	} while (count > 0);
}

static uint32_t send_some(uint32_t count)
{
	struct sl_err err = {0};
	int sent = sl_transport_dpdk.send(transport, sent_count, SENT_NS, count, &err);

	CU_ASSERT_FATAL(sent >= 0);
	sent_count += (uint32_t)sent;
	return (uint32_t)sent;
}

// In calls of changing size, so that bursts begin anywhere in a cycle and a block of keys.
static void send_and_receive(uint32_t count)
{
	uint32_t step = 1;

	while (sent_count < count) {
		send_some(SL_MIN(count - (uint32_t)sent_count, step));
		receive();
		step = step % SL_TRANSPORT_SEND_COUNT_MAX + 17;
		step = SL_MIN(step, SL_TRANSPORT_SEND_COUNT_MAX);
	}
}

static void every_frame_arrives_whole_once_and_in_order(void)
{
	static const struct {
		enum sl_payload_kind kind;
		uint32_t bytes, key_count, flow_count, zipf_per_mille;
		bool udp_checksum;
		const char *imix;
	} cases[] = {
		{SL_PAYLOAD_BINARY, 18, 100, 7, 0, false, NULL},
		{SL_PAYLOAD_BINARY, 18, 1, 1, 0, false, NULL},
		{SL_PAYLOAD_BINARY, 18, SL_KEY_COUNT_MAX, SL_FLOW_COUNT_MAX, 0, true, NULL},
		{SL_PAYLOAD_BINARY, 19, 3, 2, 0, true, NULL},
		{SL_PAYLOAD_BINARY, 1400, 100, 8, 0, true, NULL},
		{SL_PAYLOAD_BINARY, 1472, 100, 8, 0, false, NULL},
		{SL_PAYLOAD_BINARY, 18, 100, 8, 990, false, NULL},
		{SL_PAYLOAD_BINARY, 18, 100, 8, 0, false, "simple"},
		{SL_PAYLOAD_BINARY, 18, 1000, 8, 1200, true, "7:64,4:570,1:1518"},
		{SL_PAYLOAD_PLAY, 132, 100, 8, 0, true, NULL},
		{SL_PAYLOAD_PLAY, 401, 100, 8, 0, false, NULL},
	};
	struct sl_err err = {0};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		setup();
		payload.kind = cases[i].kind;
		payload.bytes = cases[i].bytes;
		payload.key_count = cases[i].key_count;
		payload.flow_count = cases[i].flow_count;
		device.udp_checksum = cases[i].udp_checksum;
		if (cases[i].imix != NULL)
			CU_ASSERT_EQUAL(sl_payload_cycle_parse(&payload, cases[i].imix, &err), 0);
		CU_ASSERT_EQUAL(sl_payload_config_check(&payload, &err), 0);
		CU_ASSERT_EQUAL(sl_payload_set_zipf(&payload, cases[i].zipf_per_mille, &err), 0);
		open_both();
		send_and_receive(EVENT_COUNT);
		CU_ASSERT_EQUAL(check.frame_count, EVENT_COUNT);
		CU_ASSERT(sl_frame_check_is_good(&check));
		teardown();
	}
}

static void a_mix_of_sizes_comes_in_its_proportions_and_the_report_counts_its_bytes(void)
{
	struct sl_transport_report report;
	struct sl_err err = {0};

	setup();
	CU_ASSERT_EQUAL(sl_payload_cycle_parse(&payload, "7:64,4:570,1:1518", &err), 0);
	open_both();
	send_and_receive(1200);
	sl_transport_dpdk.report(transport, &report);
	CU_ASSERT_EQUAL(report.frame_bytes, 700 * 64 + 400 * 570 + 100 * 1518);
	CU_ASSERT_EQUAL(check.frame_bytes, report.frame_bytes);
	for (uint32_t i = 0; i < 12; i++)
		CU_ASSERT_EQUAL(check.size_counts[i], 100);
	CU_ASSERT(sl_frame_check_is_good(&check));
	teardown();
}

// The ring holds fewer than the pool has: first it is full, then, emptied, goes on.
static void what_the_device_does_not_take_is_sent_later_with_its_sequence(void)
{
	struct sl_transport_report report;

	setup();
	open_both();
	for (int round = 0; round < 5; round++) {
		while (send_some(200) == 200)
			;
		CU_ASSERT(check.frame_count < sent_count);
		receive();
		CU_ASSERT_EQUAL(check.frame_count, sent_count);
	}
	CU_ASSERT(sl_frame_check_is_good(&check));
	sl_transport_dpdk.report(transport, &report);
	CU_ASSERT(report.retry_count > 0);
	CU_ASSERT_EQUAL(report.frame_bytes, sent_count * 64);
	teardown();
}

static void a_stop_ends_the_wait_for_room_and_what_was_taken_counts(void)
{
	setup();
	open_both();
	while (send_some(200) == 200)
		;
	stop = 1;
	CU_ASSERT_EQUAL(send_some(200), 0);
	receive();
	CU_ASSERT(sl_frame_check_is_good(&check));
	teardown();
}

static void a_replay_sends_the_frames_of_the_file_over_and_over(void)
{
	uint8_t bytes[2000];
	struct sl_pcap_frame frames[] = {
		{bytes, 14}, {bytes + 1, 60}, {bytes + 2, 1514}, {bytes + 3, 77}, {bytes + 4, 60}};
	struct sl_pcap_file pcap = {.frames = frames, .frame_count = 5, .frame_bytes_max = 1514};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	setup();
	device.replay = &pcap;
	open_both();
	send_and_receive(2003);
	CU_ASSERT_EQUAL(check.frame_count, 2003);
	CU_ASSERT(sl_frame_check_is_good(&check));
	bytes[5] ^= 1; // the check compares with what is there now
	send_some(1);
	bytes[5] ^= 1;
	receive();
	CU_ASSERT_FALSE(sl_frame_check_is_good(&check));
	teardown();
}

// All but the source MAC, which the sender may choose.
static void a_flipped_bit_anywhere_in_a_frame_is_found(void)
{
	struct rte_mbuf *mbuf;
	unsigned unseen_count = 0;

	setup();
	device.udp_checksum = true;
	open_both();
	CU_ASSERT_EQUAL(send_some(1), 1);
	CU_ASSERT_EQUAL_FATAL(rte_eth_rx_burst(port_id(), 0, &mbuf, 1), 1);
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	for (uint32_t at = 0; at < mbuf->data_len; at++) {
		struct sl_frame_check fresh;
		struct sl_err err = {0};

		if (at >= 6 && at < 12)
			continue;
		CU_ASSERT_EQUAL(sl_frame_check_init(&fresh, &check.expected, NULL, &err), 0);
		frame[at] ^= 0x10;
		sl_frame_check_take(&fresh, mbuf);
		frame[at] ^= 0x10;
		unseen_count += sl_frame_check_is_good(&fresh);
		sl_frame_check_fini(&fresh);
	}
	CU_ASSERT_EQUAL(unseen_count, 0);
	sl_frame_check_take(&check, mbuf);
	CU_ASSERT(sl_frame_check_is_good(&check)); // unharmed again
	sl_frame_check_take(&check, mbuf);
	CU_ASSERT_FALSE(sl_frame_check_is_good(&check)); // doubled
	rte_pktmbuf_free(mbuf);
	teardown();
}

static void a_gap_in_the_sequences_is_found(void)
{
	setup();
	open_both();
	send_some(10);
	sent_count += 1;
	send_some(10);
	receive();
	CU_ASSERT_EQUAL(check.bad_count, 0);
	CU_ASSERT_FALSE(sl_frame_check_is_good(&check));
	teardown();
}

static void addresses_that_cannot_be_are_refused_by_their_option(void)
{
	static const struct {
		const char *to, *source_address, *source_mac, *destination_mac;
		uint16_t source_port;
		const char *text;
	} cases[] = {
		{"10.0.0.1", NULL, NULL, NULL, 1, "--to 10.0.0.1: with --device it must be"},
		{"10.0.0.1:0", NULL, NULL, NULL, 1, "--to 10.0.0.1:0"},
		{"10.0.0.1:65536", NULL, NULL, NULL, 1, "--to 10.0.0.1:65536"},
		{"[fd99::1]:5000", NULL, NULL, NULL, 1, "must be an IPv4 address"},
		{"host:5000", NULL, NULL, NULL, 1, "--to host: with --device"},
		{"10.0.0.1:5", "10.0.0", NULL, NULL, 1, "--source-address 10.0.0:"},
		{"10.0.0.1:5", NULL, "02:00", NULL, 1, "--source-mac 02:00: must be six bytes"},
		{"10.0.0.1:5", NULL, NULL, "x", 1, "--destination-mac x: must be six bytes"},
		{"10.0.0.1:5", NULL, NULL, NULL, 65530, "--source-port 65530: 7 flows"},
	};
	struct sl_fill_config fill;

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		struct sl_payload_config events = {.flow_count = 7};
		struct sl_device_config refused = {
			.payload = &events,
			.source_address = cases[i].source_address,
			.source_mac = cases[i].source_mac,
			.destination_mac = cases[i].destination_mac,
			.source_port = cases[i].source_port,
		};
		struct sl_transport_config wrong = {.to = cases[i].to, .device = &refused};
		struct sl_err err = {0};

		CU_ASSERT_EQUAL(sl_fill_config_make(&fill, &wrong, &err), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].text));
	}
}

static const struct sl_test tests[] = {
	SL_TEST(every_frame_arrives_whole_once_and_in_order),
	SL_TEST(a_mix_of_sizes_comes_in_its_proportions_and_the_report_counts_its_bytes),
	SL_TEST(what_the_device_does_not_take_is_sent_later_with_its_sequence),
	SL_TEST(a_stop_ends_the_wait_for_room_and_what_was_taken_counts),
	SL_TEST(a_replay_sends_the_frames_of_the_file_over_and_over),
	SL_TEST(a_flipped_bit_anywhere_in_a_frame_is_found),
	SL_TEST(a_gap_in_the_sequences_is_found),
	SL_TEST(addresses_that_cannot_be_are_refused_by_their_option),
};
SL_SUITE(load_device);
