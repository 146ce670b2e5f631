/* SPDX-License-Identifier: BSD-3-Clause */
// How events leave the machine: one file a transport, behind this ops table. The generator asks for
// room, writes payloads into it, and flushes; where the room lies (a socket's buffer, a packet's)
// and how it is sent is the transport's affair.
// Thread rule: a transport belongs to one thread.
#pragma once

#include "base.h"
#include "err.h"

#include <signal.h>

#define SL_TRANSPORT_SEND_COUNT_MAX 256u
// A jumbo frame's: 9000 bytes of IPv4.
#define SL_DEVICE_PAYLOAD_BYTES_MAX 8972u

struct sl_payload_config;
struct sl_pcap_file;

struct sl_transport_config {
	const char *to; // "HOST:PORT", "[IPV6]:PORT"
	const char *bind; // source address, or NULL
	uint32_t flow_count;
	uint32_t payload_bytes;
	bool gso; // segmentation by the kernel, when it is willing
	const struct sl_device_config *device; // device transports only
	const volatile sig_atomic_t *stop; // the same: ends every wait of theirs
};

// How a device sends. Strings are the caller's and outlive the transport.
struct sl_device_config {
	const char *device; // devargs of DPDK, or a PCI address
	uint32_t cpu;
	bool has_cpu; // else the lowest CPU that the process may use
	const char *source_address; // IPv4; NULL: 198.18.0.1 (RFC 2544)
	const char *source_mac; // NULL: the device's own
	const char *destination_mac; // NULL: 02:00:00:00:00:00
	uint16_t source_port; // of flow 0
	bool udp_checksum;
	const struct sl_payload_config *payload; // or
	const struct sl_pcap_file *replay; // frames of a file, as they are, instead
};

struct sl_transport_report {
	bool gso; // in use at the end
	char gso_reason[160]; // why not, "" when it is
	uint64_t call_count; // system calls, or bursts
	uint64_t retry_count; // refused at first (ECONNREFUSED, ENOBUFS, a full ring), sent again
	// Of devices alone.
	uint64_t frame_bytes; // of all that was sent, FCS included
	uint64_t undelivered_count; // at the end in a ring that the receiver no longer empties
	bool undelivered_unknown; // its driver does not say what a receiver has taken
	uint64_t fill_cycles, send_cycles; // of the TSC
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

	// Instead of reserve and flush, where the transport writes the events itself: sends
	// [first_sequence, first_sequence + count), count at most SL_TRANSPORT_SEND_COUNT_MAX.
	// Returns how many left, from the first on: fewer when there was no room for a while, or
	// *stop is set. Or returns a negative errno with err filled, and none left. NULL elsewhere.
	int (*send)(struct sl_transport *transport, uint64_t first_sequence, uint64_t sent_ns,
		uint32_t count, struct sl_err *err);

	// Waits until the receiver has taken what was sent, as far as that can be seen, and gives
	// up when nothing moves any more. NULL where nothing waits.
	void (*drain)(struct sl_transport *transport);

	void (*report)(const struct sl_transport *transport, struct sl_transport_report *report);

	// NULL is legal.
	void (*close)(struct sl_transport *transport);
};

extern const struct sl_transport_ops sl_transport_kernel;
extern const struct sl_transport_ops sl_transport_dpdk; // library load_dpdk
