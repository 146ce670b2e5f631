/* SPDX-License-Identifier: BSD-3-Clause */
// The command line of `sluice-blast send`: one table, and what it means. Thread rule: main thread.
#pragma once

#include "load/commands.h"
#include "load/generator.h"
#include "load/pcap_file.h"

struct sl_send_settings {
	struct sl_generator_config generator;
	struct sl_transport_config transport; // .device points to device, or is NULL: sockets
	struct sl_device_config device;
	struct sl_pcap_file pcap;
	const char *record, *json, *replay;
	uint64_t run_id, seed, loop_count;
	uint32_t zipf_per_mille;
	bool has_run_id, has_seed, has_loop, has_imix, hold, begin_on_input;
	const char *device_option; // the last one that needs --device
	const char *socket_option; // the last one that excludes it
	const char *event_option; // the last one that says how events look: not with --replay
};

// Parses and completes. Returns SL_OPTIONS_GO_ON, or the exit code after one line on stderr (as
// sl_options_parse). settings point into argv and into each other: they stay where they are.
int sl_send_settings_parse(struct sl_send_settings *settings, int argc, char **argv);

// Legal on a zeroed struct.
void sl_send_settings_fini(struct sl_send_settings *settings);
