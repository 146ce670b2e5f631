/* SPDX-License-Identifier: BSD-3-Clause */
// The other end of the device transport: takes whole frames, holds headers, checksums and flow
// against what the sender was told, and the payload against the run (verify.h); or a replay against
// its file. Thread rule: one thread.
#pragma once

#include "load/dpdk_fill.h"
#include "load/verify.h"

struct rte_mbuf;
struct sl_pcap_file;

struct sl_frame_check {
	struct sl_fill_config expected;
	const struct sl_pcap_file *replay; // or NULL
	struct sl_verify verify; // of events
	uint64_t frame_count, frame_bytes; // FCS included
	uint64_t bad_count; // headers, checksums, flow; frames of a replay
	const char *bad_example; // what was wrong with the first, or NULL
	uint64_t sequence_end; // the highest seen, plus one
	uint64_t size_counts[SL_PAYLOAD_CYCLE_COUNT_MAX]; // events of each turn of the cycle
};

// expected and what it points to outlive the check; with replay the payload is not looked at.
// Returns 0 or a negative errno with err.
int sl_frame_check_init(struct sl_frame_check *check, const struct sl_fill_config *expected,
	const struct sl_pcap_file *replay, struct sl_err *err);

// The next frame, without FCS.
void sl_frame_check_take(struct sl_frame_check *check, const struct rte_mbuf *mbuf);

// Every frame was right, and the sequences are 0 to frame_count - 1, each once, ordered by key.
bool sl_frame_check_is_good(const struct sl_frame_check *check);

// Legal on a zeroed struct.
void sl_frame_check_fini(struct sl_frame_check *check);
