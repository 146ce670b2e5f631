/* SPDX-License-Identifier: BSD-3-Clause */
// The frames of a capture file (classic pcap, either byte order, micro- or nanoseconds, Ethernet),
// all of them in memory. Thread rule: const once open.
#pragma once

#include "base.h"
#include "err.h"

struct sl_pcap_frame {
	const uint8_t *data;
	uint32_t bytes;
};

struct sl_pcap_file {
	struct sl_pcap_frame *frames;
	uint64_t frame_count; // at least 1
	uint32_t frame_bytes_max;
	uint8_t *contents; // of the file; frames point into it
};

// Reads a file. Returns 0, or a negative errno with err naming the file, the frame and what is
// wrong.
int sl_pcap_open(struct sl_pcap_file *pcap, const char *path, struct sl_err *err);

// Legal on a zeroed struct.
void sl_pcap_close(struct sl_pcap_file *pcap);
