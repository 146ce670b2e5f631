/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink.h"

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_COUNT 64u
#define DATAGRAM_BYTES 2048u

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t make_address(union address *address, const char *host)
{
	memset(address, 0, sizeof(*address));
	if (strchr(host, ':') != NULL) {
		address->v6.sin6_family = AF_INET6;
		inet_pton(AF_INET6, host, &address->v6.sin6_addr);
		return sizeof(address->v6);
	}
	address->v4.sin_family = AF_INET;
	inet_pton(AF_INET, host, &address->v4.sin_addr);
	return sizeof(address->v4);
}

static uint16_t port_of(const union address *address)
{
	return ntohs(
		address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

bool sl_sink_open(struct sl_sink *sink, const char *host, const struct sl_payload_config *payload)
{
	union address address;
	socklen_t length = make_address(&address, host);

	memset(sink, 0, sizeof(*sink));
	sink->payload = payload;
	sink->fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sink->fd < 0)
		return false;
	if (bind(sink->fd, &address.any, length) != 0 ||
		getsockname(sink->fd, &address.any, &length) != 0) {
		close(sink->fd);
		return false;
	}
	snprintf(sink->to, sizeof(sink->to),
		address.any.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port_of(&address));
	sink->last_sequences = calloc(payload->key_count, sizeof(*sink->last_sequences));
	sink->key_ports = calloc(payload->key_count, sizeof(*sink->key_ports));
	return true;
}

static void take(struct sl_sink *sink, const char *data, uint32_t bytes, uint16_t port)
{
	struct sl_payload_id id;

	sink->received_count++;
	if (sl_payload_check(sink->payload, true, data, bytes, &id) != SL_PAYLOAD_OK) {
		sink->bad_count++;
		return;
	}
	sink->reordered_count += id.sequence < sink->last_sequences[id.key];
	sink->last_sequences[id.key] = id.sequence + 1;
	sink->moved_count += sink->key_ports[id.key] != 0 && sink->key_ports[id.key] != port;
	sink->key_ports[id.key] = port;
	sink->source_port_count += !sink->ports[port];
	sink->ports[port] = true;
	sink->sequence_sum += id.sequence;
}

static void receive(struct sl_sink *sink)
{
	static char data[MESSAGE_COUNT][DATAGRAM_BYTES];
	union address sources[MESSAGE_COUNT];
	struct mmsghdr messages[MESSAGE_COUNT] = {0};
	struct iovec vectors[MESSAGE_COUNT];

	for (unsigned i = 0; i < MESSAGE_COUNT; i++) {
		vectors[i] = (struct iovec){.iov_base = data[i], .iov_len = DATAGRAM_BYTES};
		messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &vectors[i],
			.msg_iovlen = 1,
			.msg_name = &sources[i],
			.msg_namelen = sizeof(sources[i]),
		};
	}
	int count = recvmmsg(sink->fd, messages, MESSAGE_COUNT, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		take(sink, data[i], messages[i].msg_len, port_of(&sources[i]));
}

static bool has_dropped(const struct sl_sink *sink)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t length = sizeof(info);

	getsockopt(sink->fd, SOL_SOCKET, SO_MEMINFO, info, &length);
	return info[SK_MEMINFO_DROPS] != 0;
}

bool sl_sink_drain(struct sl_sink *sink, uint64_t count)
{
	while (sink->received_count < count) {
		struct pollfd readable = {.fd = sink->fd, .events = POLLIN};

		// What is on its way comes; what was dropped is counted by the kernel.
		if (poll(&readable, 1, 1000) > 0)
			receive(sink);
		else if (has_dropped(sink))
			return false;
	}
	return true;
}

void sl_sink_close(struct sl_sink *sink)
{
	close(sink->fd);
	free(sink->last_sequences);
	free(sink->key_ports);
}
