/* SPDX-License-Identifier: BSD-3-Clause */
#include "udp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#define WAIT_US 100000
#define DATAGRAM_BYTES_MAX 9216u // a jumbo frame's
#define TRAIN_BYTES_MAX 65536u
#define CONTROL_BYTES CMSG_SPACE(sizeof(int))

struct sl_udp_socket {
	int fd;
	bool gro;
	uint32_t batch_count;
	uint32_t slot_bytes;
	struct mmsghdr *messages;
	struct iovec *vectors;
	uint8_t *slots;
	uint8_t *controls;
	struct sl_udp_socket_counters counters;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int set_options(const struct sl_udp_socket *udp, uint32_t buffer_bytes, struct sl_err *err)
{
	struct timeval wait = {.tv_usec = WAIT_US};
	int on = 1;

	if (setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) !=
			0 &&
		setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes)) !=
			0)
		return sl_err_set(err, -errno, "receive buffer of %u bytes: %s", buffer_bytes,
			strerror(errno));
	if (setsockopt(udp->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0)
		return sl_err_set(err, -errno, "SO_RCVTIMEO: %s", strerror(errno));
	if (udp->gro && setsockopt(udp->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) != 0)
		return sl_err_set(err, -errno, "UDP_GRO: %s", strerror(errno));
	return 0;
}

static int bind_socket(
	const struct sl_udp_socket *udp, const char *address, uint16_t port, struct sl_err *err)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		return sl_err_set(err, -EINVAL, "address '%s' is wrong: must be IPv4", address);
	if (bind(udp->fd, &name, sizeof(name)) != 0)
		return sl_err_set(err, -errno, "bind to %s:%u: %s", address, port, strerror(errno));
	return 0;
}

// Room for what one call brings. Messages are filled in again before every call.
static int alloc_slots(struct sl_udp_socket *udp)
{
	udp->messages = calloc(udp->batch_count, sizeof(*udp->messages));
	udp->vectors = calloc(udp->batch_count, sizeof(*udp->vectors));
	udp->slots = malloc((size_t)udp->batch_count * udp->slot_bytes);
	udp->controls = malloc((size_t)udp->batch_count * CONTROL_BYTES);
	if (udp->messages == NULL || udp->vectors == NULL || udp->slots == NULL ||
		udp->controls == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < udp->batch_count; i++) {
		udp->vectors[i] =
			(struct iovec){udp->slots + (size_t)i * udp->slot_bytes, udp->slot_bytes};
		udp->messages[i].msg_hdr.msg_iov = &udp->vectors[i];
		udp->messages[i].msg_hdr.msg_iovlen = 1;
		if (udp->gro)
			udp->messages[i].msg_hdr.msg_control =
				udp->controls + (size_t)i * CONTROL_BYTES;
	}
	return 0;
}

int sl_udp_socket_open(struct sl_udp_socket **udp_out, const struct sl_udp_socket_config *config,
	struct sl_err *err)
{
	struct sl_udp_socket *udp = calloc(1, sizeof(*udp));
	int rc = 0;

	if (udp == NULL)
		return sl_err_set(err, -ENOMEM, "socket: no memory");
	udp->batch_count = config->batch_count;
	udp->gro = config->gro;
	udp->slot_bytes = config->gro ? TRAIN_BYTES_MAX : DATAGRAM_BYTES_MAX;
	udp->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp->fd < 0)
		rc = sl_err_set(err, -errno, "socket: %s", strerror(errno));
	if (rc == 0 && alloc_slots(udp) != 0)
		rc = sl_err_set(
			err, -ENOMEM, "socket: no memory for %u datagrams", udp->batch_count);
	if (rc == 0)
		rc = set_options(udp, config->buffer_bytes, err);
	if (rc == 0)
		rc = bind_socket(udp, config->address, config->port, err);
	if (rc != 0) {
		sl_udp_socket_close(udp);
		return rc;
	}
	*udp_out = udp;
	return 0;
}

// The datagrams' size within a train; the last one may be shorter.
static uint32_t segment_bytes(struct msghdr *message, uint32_t bytes)
{
	int segment = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
		part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level == IPPROTO_UDP && part->cmsg_type == UDP_GRO)
			memcpy(&segment, CMSG_DATA(part), sizeof(segment));
	}
	return segment > 0 ? (uint32_t)segment : bytes;
}

static int hand_over(struct sl_udp_socket *udp, struct mmsghdr *message, sl_udp_handler handler,
	void *context, struct sl_err *err)
{
	const uint8_t *payload = message->msg_hdr.msg_iov->iov_base;
	uint32_t bytes = message->msg_len;
	uint32_t segment = udp->gro ? segment_bytes(&message->msg_hdr, bytes) : bytes;
	int count = 0;

	if (message->msg_hdr.msg_flags & MSG_TRUNC) {
		udp->counters.truncated_count++;
		return 0;
	}
	do { // an empty datagram is one too
		uint32_t part = SL_MIN(segment, bytes);
		int rc = handler(context, payload, part, err);

		if (rc != 0)
			return rc;
		udp->counters.datagram_count++;
		udp->counters.datagram_bytes += part;
		payload += part;
		bytes -= part;
		count++;
	} while (bytes > 0);
	return count;
}

int sl_udp_socket_read(
	struct sl_udp_socket *udp, sl_udp_handler handler, void *context, struct sl_err *err)
{
	int total = 0;

	for (uint32_t i = 0; udp->gro && i < udp->batch_count; i++)
		udp->messages[i].msg_hdr.msg_controllen = CONTROL_BYTES;
	int count = recvmmsg(udp->fd, udp->messages, udp->batch_count, MSG_WAITFORONE, NULL);
	if (count < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		return sl_err_set(err, -errno, "recvmmsg: %s", strerror(errno));
	}
	udp->counters.last_ns = now_ns();
	if (udp->counters.call_count++ == 0)
		udp->counters.first_ns = udp->counters.last_ns;
	for (int i = 0; i < count; i++) {
		int rc = hand_over(udp, &udp->messages[i], handler, context, err);

		if (rc < 0)
			return rc;
		total += rc;
	}
	return total;
}

uint16_t sl_udp_socket_port(const struct sl_udp_socket *udp)
{
	struct sockaddr_in name = {0};
	socklen_t bytes = sizeof(name);

	getsockname(udp->fd, &name, &bytes);
	return ntohs(name.sin_port);
}

uint32_t sl_udp_socket_buffer_bytes(const struct sl_udp_socket *udp)
{
	uint32_t granted = 0;
	socklen_t bytes = sizeof(granted);

	getsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &granted, &bytes);
	return granted;
}

uint32_t sl_udp_socket_drop_count(const struct sl_udp_socket *udp)
{
	uint32_t figures[SK_MEMINFO_VARS] = {0};
	socklen_t bytes = sizeof(figures);

	getsockopt(udp->fd, SOL_SOCKET, SO_MEMINFO, figures, &bytes);
	return figures[SK_MEMINFO_DROPS];
}

const struct sl_udp_socket_counters *sl_udp_socket_counters(const struct sl_udp_socket *udp)
{
	return &udp->counters;
}

void sl_udp_socket_close(struct sl_udp_socket *udp)
{
	if (udp == NULL)
		return;
	if (udp->fd >= 0)
		close(udp->fd);
	free(udp->messages);
	free(udp->vectors);
	free(udp->slots);
	free(udp->controls);
	free(udp);
}
