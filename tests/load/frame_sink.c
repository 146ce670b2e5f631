/* SPDX-License-Identifier: BSD-3-Clause */
// For tests of `sluice-blast send --device`: receives what it sends through the other end of the
// device, checks every frame, and says on SIGTERM as JSON what it found. Takes the same options as
// the sender, with --device naming its own end, so that it knows every byte beforehand.
#include "load/dpdk_device.h"
#include "load/frame_check.h"
#include "load/send_settings.h"

#include <inttypes.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#define BURST_COUNT 32

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

// Until told to stop and nothing more comes.
static void receive(const struct sl_dpdk_device *device, struct sl_frame_check *check)
{
	struct rte_mbuf *mbufs[BURST_COUNT];
	bool stopping = false, idle = false;

	while (!stopping || !idle) {
		stopping = stop;
		uint16_t count = rte_eth_rx_burst(device->port_id, 0, mbufs, BURST_COUNT);

		for (uint16_t i = 0; i < count; i++)
			sl_frame_check_take(check, mbufs[i]);
		rte_pktmbuf_free_bulk(mbufs, count);
		idle = count == 0;
		if (idle)
			rte_pause();
	}
}

static void print(const struct sl_frame_check *check)
{
	printf("{\"good\":%s,\"frames\":%" PRIu64 ",\"frame_bytes\":%" PRIu64 ",\"bad\":%" PRIu64
	       ",\"bad_example\":\"%s\",\"distinct\":%" PRIu64 ",\"sequence_end\":%" PRIu64,
		sl_frame_check_is_good(check) ? "true" : "false", check->frame_count,
		check->frame_bytes, check->bad_count,
		check->bad_example == NULL ? "" : check->bad_example, check->verify.distinct_count,
		check->sequence_end);
	for (int fault = 0; fault < SL_VERIFY_FAULT_COUNT; fault++)
		printf(",\"%s\":%" PRIu64, sl_verify_fault_name((enum sl_verify_fault)fault),
			check->verify.fault_counts[fault]);
	printf("}\n");
}

static int run(struct sl_send_settings *settings, struct sl_err *err)
{
	uint32_t bytes_max = settings->replay != NULL
		? settings->pcap.frame_bytes_max
		: SL_FRAME_HEADER_BYTES + settings->generator.payload.bytes;
	struct sl_fill_config expected = {0};
	struct sl_dpdk_device device;
	struct sl_frame_check check;

	if (settings->replay == NULL &&
		sl_fill_config_make(&expected, &settings->transport, err) != 0)
		return err->code;
	int rc = sl_frame_check_init(
		&check, &expected, settings->replay != NULL ? &settings->pcap : NULL, err);
	if (rc == 0)
		rc = sl_dpdk_device_open(&device, &settings->device, bytes_max, &stop, err);
	if (rc == 0) {
		receive(&device, &check);
		print(&check);
		rc = sl_frame_check_is_good(&check)
			? 0
			: sl_err_set(err, -EBADMSG, "not what was sent");
		sl_dpdk_device_close(&device);
	}
	sl_frame_check_fini(&check);
	return rc;
}

int main(int argc, char **argv)
{
	struct sigaction on_stop = {.sa_handler = on_signal};
	struct sl_send_settings settings;
	struct sl_err err = {0};

	int rc = sl_send_settings_parse(&settings, argc, argv);
	if (rc != SL_OPTIONS_GO_ON)
		return rc;
	if (settings.device.device == NULL)
		return sl_options_usage_error(&sl_blast_send_command, "--device is missing");
	sigaction(SIGTERM, &on_stop, NULL);
	sigaction(SIGINT, &on_stop, NULL);
	rc = run(&settings, &err);
	sl_send_settings_fini(&settings);
	if (rc == 0)
		return 0;
	fprintf(stderr, "frame_sink: %s\n", err.text);
	return 1;
}
