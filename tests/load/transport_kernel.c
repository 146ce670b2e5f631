/* SPDX-License-Identifier: BSD-3-Clause */
// Kernel sockets: one connected UDP socket a flow, sendmmsg, and UDP_SEGMENT, with which one
// message of many equal payloads becomes as many datagrams (3 to 4 times as fast).
#include "load/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Linux: UDP_MAX_SEGMENTS was 64 until 6.9 and is 128 since.
#define GSO_SEGMENT_COUNT_MAX 64u
// An IP packet of 65,535 bytes less the IPv6 and UDP headers.
#define GSO_MESSAGE_BYTES_MAX 65487u
#define MESSAGE_COUNT_MAX 1024u // UIO_MAXIOV
#define BUFFER_BYTES (16 * SL_MIB) // of all flows

struct flow {
	int fd;
	uint32_t payload_count; // reserved, not sent
	char *buffer;
};

struct sl_transport {
	uint32_t flow_count;
	uint32_t payload_bytes;
	uint32_t flow_capacity; // payloads
	uint32_t message_payload_count; // payloads of one message: 1 without GSO
	char *buffers;
	struct sl_transport_report report;
	struct mmsghdr messages[MESSAGE_COUNT_MAX];
	struct iovec vectors[MESSAGE_COUNT_MAX];
	struct flow flows[];
};

// Splits "HOST:PORT" or "[HOST]:PORT"; host may be NULL-terminated in place.
static int split_address(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0')
		return -EINVAL;
	*colon = '\0';
	*port = colon + 1;
	*host = text;
	if (text[0] == '[') {
		if (colon[-1] != ']')
			return -EINVAL;
		colon[-1] = '\0';
		*host = text + 1;
	} else if (strchr(text, ':') != NULL) {
		return -EINVAL; // an IPv6 address without brackets: where does the port begin?
	}
	return 0;
}

static int resolve(const char *to, struct addrinfo **info, struct sl_err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	char text[512], *host, *port;

	if (strlen(to) >= sizeof(text))
		return sl_err_set(err, -EINVAL, "--to: address too long");
	strcpy(text, to);
	if (split_address(text, &host, &port) != 0)
		return sl_err_set(err, -EINVAL,
			"--to %s: must be HOST:PORT, with an IPv6 address as [ADDRESS]:PORT", to);
	int rc = getaddrinfo(host, port, &hints, info);
	if (rc != 0)
		return sl_err_set(err, -EINVAL, "--to %s: %s", to, gai_strerror(rc));
	return 0;
}

static int bind_source(int fd, int family, const char *address, struct sl_err *err)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_DGRAM,
		.ai_family = family,
		.ai_flags = AI_NUMERICHOST | AI_PASSIVE,
	};
	struct addrinfo *info;

	int rc = getaddrinfo(address, "0", &hints, &info);
	if (rc != 0)
		return sl_err_set(err, -EINVAL, "--bind %s: %s", address, gai_strerror(rc));
	rc = bind(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : -errno;
	freeaddrinfo(info);
	if (rc != 0)
		return sl_err_set(err, rc, "--bind %s: %s; it must be an address of this host",
			address, strerror(-rc));
	return 0;
}

static int open_flow(
	struct flow *flow, const struct addrinfo *to, const char *source, struct sl_err *err)
{
	flow->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (flow->fd < 0)
		return sl_err_set(err, -errno, "socket: %s; with many --flows raise ulimit -n",
			strerror(errno));
	if (source != NULL && bind_source(flow->fd, to->ai_family, source, err) != 0)
		return err->code;
	// Connected: the route is looked up once, and a refusal by the peer is seen.
	if (connect(flow->fd, to->ai_addr, to->ai_addrlen) != 0)
		return sl_err_set(
			err, -errno, "connect: %s; is there a route to --to?", strerror(errno));
	return 0;
}

// Sets the segment size of every socket; 0 turns segmentation off.
static int set_segment(struct sl_transport *transport, int bytes)
{
	for (uint32_t i = 0; i < transport->flow_count; i++) {
		if (setsockopt(transport->flows[i].fd, IPPROTO_UDP, UDP_SEGMENT, &bytes,
			    sizeof(bytes)) != 0)
			return -errno;
	}
	return 0;
}

static void gso_off(struct sl_transport *transport, const char *why)
{
	set_segment(transport, 0);
	transport->message_payload_count = 1;
	transport->report.gso = false;
	snprintf(transport->report.gso_reason, sizeof(transport->report.gso_reason), "%s", why);
}

static void gso_refused(struct sl_transport *transport, int code)
{
	char why[sizeof(transport->report.gso_reason)];

	snprintf(why, sizeof(why), "the kernel refused segments of %u bytes: %s",
		transport->payload_bytes, strerror(-code));
	gso_off(transport, why);
}

static void gso_init(struct sl_transport *transport, bool wanted)
{
	uint32_t fit_count = GSO_MESSAGE_BYTES_MAX / transport->payload_bytes;

	transport->report.gso = true;
	transport->message_payload_count = SL_MIN(fit_count, GSO_SEGMENT_COUNT_MAX);
	if (!wanted) {
		gso_off(transport, "not wanted");
	} else if (fit_count < 2) {
		gso_off(transport, "no two payloads of this size fit into a message");
	} else {
		int rc = set_segment(transport, (int)transport->payload_bytes);

		if (rc != 0)
			gso_refused(transport, rc);
	}
}

static void kernel_close(struct sl_transport *transport)
{
	if (transport == NULL)
		return;
	for (uint32_t i = 0; i < transport->flow_count; i++) {
		if (transport->flows[i].fd >= 0)
			close(transport->flows[i].fd);
	}
	free(transport->buffers);
	free(transport);
}

static int alloc_buffers(struct sl_transport *transport)
{
	size_t share = BUFFER_BYTES / transport->flow_count / transport->payload_bytes;
	size_t flow_bytes;

	transport->flow_capacity =
		(uint32_t)SL_MIN(SL_MAX(share, GSO_SEGMENT_COUNT_MAX), MESSAGE_COUNT_MAX);
	flow_bytes = (size_t)transport->flow_capacity * transport->payload_bytes;
	transport->buffers = malloc(flow_bytes * transport->flow_count);
	if (transport->buffers == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < transport->flow_count; i++)
		transport->flows[i].buffer = transport->buffers + flow_bytes * i;
	return 0;
}

static int kernel_open(struct sl_transport **transport_out,
	const struct sl_transport_config *config, struct sl_err *err)
{
	size_t flows_bytes = config->flow_count * sizeof(struct flow);
	struct sl_transport *transport = calloc(1, sizeof(*transport) + flows_bytes);
	struct addrinfo *info = NULL;
	int rc = 0;

	if (transport == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for %u flows", config->flow_count);
	transport->flow_count = config->flow_count;
	transport->payload_bytes = config->payload_bytes;
	for (uint32_t i = 0; i < config->flow_count; i++)
		transport->flows[i].fd = -1;
	if (alloc_buffers(transport) != 0)
		rc = sl_err_set(err, -ENOMEM, "no memory for %u flows", config->flow_count);
	if (rc == 0)
		rc = resolve(config->to, &info, err);
	for (uint32_t i = 0; rc == 0 && i < config->flow_count; i++)
		rc = open_flow(&transport->flows[i], info, config->bind, err);
	if (info != NULL)
		freeaddrinfo(info);
	if (rc != 0) {
		kernel_close(transport);
		return rc;
	}
	gso_init(transport, config->gso);
	*transport_out = transport;
	return 0;
}

static uint32_t kernel_reserve(
	struct sl_transport *transport, const uint32_t *flows, void **payloads, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct flow *flow = &transport->flows[flows[i]];

		if (flow->payload_count == transport->flow_capacity)
			break;
		payloads[i] = flow->buffer + (size_t)flow->payload_count * transport->payload_bytes;
		flow->payload_count++;
	}
	return i;
}

// Lays messages over the payloads from first_payload on. Returns their number.
static unsigned make_messages(
	struct sl_transport *transport, const struct flow *flow, uint32_t first_payload)
{
	uint32_t bytes = transport->payload_bytes;
	unsigned count = 0;

	for (uint32_t i = first_payload; i < flow->payload_count && count < MESSAGE_COUNT_MAX;
		count++) {
		uint32_t payload_count =
			SL_MIN(flow->payload_count - i, transport->message_payload_count);

		transport->vectors[count] = (struct iovec){
			.iov_base = flow->buffer + (size_t)i * bytes,
			.iov_len = (size_t)payload_count * bytes,
		};
		transport->messages[count].msg_hdr = (struct msghdr){
			.msg_iov = &transport->vectors[count],
			.msg_iovlen = 1,
		};
		i += payload_count;
	}
	return count;
}

// What a refused send means: 0 to try again, or the error.
static int on_send_error(struct sl_transport *transport, int fd, int code)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};

	switch (code) {
	case -EINTR:
		return 0;
	case -ECONNREFUSED: // nobody listened when an earlier datagram arrived; reading it clears
		transport->report.retry_count++;
		return 0;
	case -EAGAIN:
	case -ENOBUFS:
	case -ENOMEM:
		transport->report.retry_count++;
		poll(&writable, 1, 1);
		return 0;
	case -EINVAL:
	case -EIO:
	case -EMSGSIZE:
	case -EOPNOTSUPP:
		if (!transport->report.gso)
			return code;
		gso_refused(transport, code);
		return 0;
	default:
		return code;
	}
}

static int flush_flow(struct sl_transport *transport, struct flow *flow, struct sl_err *err)
{
	uint32_t sent_payloads = 0;

	while (sent_payloads < flow->payload_count) {
		unsigned count = make_messages(transport, flow, sent_payloads);
		int sent = sendmmsg(flow->fd, transport->messages, count, 0);

		transport->report.call_count++;
		if (sent < 0) {
			int rc = on_send_error(transport, flow->fd, -errno);

			if (rc != 0)
				return sl_err_set(err, rc, "send of %u bytes: %s",
					transport->payload_bytes, strerror(-rc));
			continue;
		}
		for (int i = 0; i < sent; i++)
			sent_payloads += (uint32_t)(transport->vectors[i].iov_len /
				transport->payload_bytes);
	}
	flow->payload_count = 0;
	return 0;
}

static int kernel_flush(struct sl_transport *transport, struct sl_err *err)
{
	for (uint32_t i = 0; i < transport->flow_count; i++) {
		int rc = flush_flow(transport, &transport->flows[i], err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static void kernel_report(const struct sl_transport *transport, struct sl_transport_report *report)
{
	*report = transport->report;
}

const struct sl_transport_ops sl_transport_kernel = {
	.name = "kernel",
	.open = kernel_open,
	.reserve = kernel_reserve,
	.flush = kernel_flush,
	.report = kernel_report,
	.close = kernel_close,
};
