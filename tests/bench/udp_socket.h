/* SPDX-License-Identifier: BSD-3-Clause */
// Datagrams from one kernel socket, as many a system call as there are. Thread rule: one thread.
#pragma once

#include "base.h"
#include "err.h"

struct sl_udp_socket_config {
	const char *address; // IPv4
	uint16_t port; // 0: the kernel chooses
	uint32_t batch_count; // datagrams, or with gro trains of them, a system call
	uint32_t buffer_bytes; // of the socket, wanted
	bool gro; // UDP_GRO: the kernel hands a train of equal datagrams of one flow over as one
};

struct sl_udp_socket_counters {
	uint64_t datagram_count, datagram_bytes; // payload
	uint64_t truncated_count; // longer than the buffers; not handed on
	uint64_t call_count; // that brought something
	uint64_t first_ns, last_ns; // CLOCK_MONOTONIC, of those calls
};

struct sl_udp_socket;

// Returns 0, or a negative errno with err filled, which ends the reading.
typedef int (*sl_udp_handler)(
	void *context, const void *payload, uint32_t bytes, struct sl_err *err);

// Returns 0 and *udp_socket, or a negative errno with err filled.
int sl_udp_socket_open(struct sl_udp_socket **udp_socket, const struct sl_udp_socket_config *config,
	struct sl_err *err);

// Waits up to a tenth of a second for datagrams, hands all of one call to the handler. Returns how
// many those were, 0 after the time or a signal, or a negative errno with err filled.
int sl_udp_socket_read(struct sl_udp_socket *udp_socket, sl_udp_handler handler, void *context,
	struct sl_err *err);

uint16_t sl_udp_socket_port(const struct sl_udp_socket *udp_socket);

// What the kernel granted: twice what was wanted, as it counts its own structures.
uint32_t sl_udp_socket_buffer_bytes(const struct sl_udp_socket *udp_socket);

// Datagrams that the kernel dropped because the socket's buffer was full.
uint32_t sl_udp_socket_drop_count(const struct sl_udp_socket *udp_socket);

const struct sl_udp_socket_counters *sl_udp_socket_counters(const struct sl_udp_socket *udp_socket);

// NULL is legal.
void sl_udp_socket_close(struct sl_udp_socket *udp_socket);
