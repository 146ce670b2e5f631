/* SPDX-License-Identifier: BSD-3-Clause */
// A plain UDP receiver on the loopback for tests of the generator: counts, and checks every
// datagram's content and order. Thread rule: one thread, in step with the sender.
#pragma once

#include "base.h"
#include "load/payload.h"

struct sl_sink {
	int fd;
	char to[64]; // "HOST:PORT" for the sender
	const struct sl_payload_config *payload;
	uint64_t received_count, bad_count;
	uint64_t reordered_count; // behind a later sequence of its key
	uint64_t moved_count; // a key that came from another source port than before
	uint32_t source_port_count;
	uint64_t sequence_sum; // of all that was good: equal sums and counts, equal sets in order
	uint64_t *last_sequences; // by key, plus one
	uint16_t *key_ports; // by key
	bool ports[65536];
};

// host is "127.0.0.1" or "::1". Returns false where there is no such address.
bool sl_sink_open(struct sl_sink *sink, const char *host, const struct sl_payload_config *payload);

// Receives until received_count is count. Returns false when the kernel dropped something.
bool sl_sink_drain(struct sl_sink *sink, uint64_t count);

void sl_sink_close(struct sl_sink *sink);
