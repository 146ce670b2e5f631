/* SPDX-License-Identifier: BSD-3-Clause */
// How events leave the machine: one file a transport, behind this ops table. The generator asks for
// room, writes payloads into it, and flushes; where the room lies (a socket's buffer, a packet's)
// and how it is sent is the transport's affair.
// Thread rule: a transport belongs to one thread.
#pragma once

#include "base.h"
#include "err.h"

struct sl_transport_config {
	const char *to; // "HOST:PORT", "[IPV6]:PORT"
	const char *bind; // source address, or NULL
	uint32_t flow_count;
	uint32_t payload_bytes;
	bool gso; // segmentation by the kernel, when it is willing
};

struct sl_transport_report {
	bool gso; // in use at the end
	char gso_reason[160]; // why not, "" when it is
	uint64_t call_count; // system calls, or bursts
	uint64_t retry_count; // refused at first (ECONNREFUSED, ENOBUFS), sent again
};

struct sl_transport; // each transport's own

struct sl_transport_ops {
	const char *name;

	// Opens the flows. Returns 0 and *transport, or a negative errno with err filled.
	int (*open)(struct sl_transport **transport, const struct sl_transport_config *config,
		struct sl_err *err);

	// Makes room for the next events in order, event i on flows[i]; payloads[i] is where its
	// payload_bytes go, valid until the next reserve after flush. Returns how many fit (all,
	// or fewer: flush, then go on with the rest). At least one fits after a flush.
	uint32_t (*reserve)(struct sl_transport *transport, const uint32_t *flows, void **payloads,
		uint32_t count);

	// Sends everything reserved; waits for room. The order of a flow is kept. Returns 0, or a
	// negative errno with err filled: then how much of it left is unknown.
	int (*flush)(struct sl_transport *transport, struct sl_err *err);

	void (*report)(const struct sl_transport *transport, struct sl_transport_report *report);

	// NULL is legal.
	void (*close)(struct sl_transport *transport);
};

extern const struct sl_transport_ops sl_transport_kernel;
