/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl_client.h"

#include "shm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct connection {
	int fd;
	uint64_t deadline_ns; // CLOCK_MONOTONIC
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

// Waits until events are there or the deadline has passed. 0, -ETIMEDOUT or another errno.
static int wait_for(const struct connection *connection, short events)
{
	struct pollfd pollfd = {.fd = connection->fd, .events = events};

	for (;;) {
		uint64_t now_ns = monotonic_ns();
		if (now_ns >= connection->deadline_ns)
			return -ETIMEDOUT;
		// Rounded up: a wait of 0 ms would spin through the last millisecond.
		uint64_t left_ms = (connection->deadline_ns - now_ns) / SL_NS_PER_MS + 1;
		int ready = poll(&pollfd, 1, (int)SL_MIN(left_ms, 1000ull * 3600));
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

static int connect_to(struct connection *connection, const char *runtime_dir, struct sl_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	int written = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", runtime_dir,
		SL_SHM_SOCKET_NAME);
	if (written < 0 || (size_t)written >= sizeof(address.sun_path))
		return sl_err_set(err, -ENAMETOOLONG,
			"%s: runtime directory's name is too long for a Unix socket; at most %zu bytes",
			runtime_dir, sizeof(address.sun_path) - sizeof(SL_SHM_SOCKET_NAME) - 1);
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		return sl_err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	// A Unix stream connects at once, or its backlog is full: EAGAIN, and poll would not tell.
	if (connect(connection->fd, &address, sizeof(address)) == 0)
		return 0;
	int code = -errno;
	close(connection->fd);
	return sl_err_set(err, code, "%s: %s; is sluice-dataplane running with this runtime_dir?",
		address.sun_path, strerror(-code));
}

static int send_all(const struct connection *connection, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t sent = send(connection->fd, bytes, count, MSG_NOSIGNAL);
		if (sent > 0) {
			bytes += sent;
			count -= (size_t)sent;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int rc = wait_for(connection, POLLOUT);
		if (rc != 0)
			return rc;
	}
	return 0;
}

// Reads up to and with a newline. Returns the count of bytes or a negative errno.
static ssize_t receive_line(const struct connection *connection, char *line)
{
	size_t count = 0;

	while (count < SL_CTL_LINE_BYTES_MAX) {
		ssize_t received =
			recv(connection->fd, line + count, SL_CTL_LINE_BYTES_MAX - count, 0);
		if (received == 0)
			return -ECONNRESET;
		if (received > 0) {
			count += (size_t)received;
			if (line[count - 1] == '\n')
				return (ssize_t)count;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int rc = wait_for(connection, POLLIN);
		if (rc != 0)
			return rc;
	}
	return -EMSGSIZE;
}

static int answer_check(json_t *answer, struct sl_err *err)
{
	const json_t *ok = json_object_get(answer, "ok");

	if (json_is_true(ok))
		return 0;
	const char *text = json_string_value(json_object_get(answer, "error"));
	if (json_is_false(ok) && text != NULL)
		return sl_err_set(err, -EREMOTEIO, "data plane refuses: %s", text);
	return sl_err_set(err, -EPROTO, "data plane's answer is not one of this version");
}

static int exchange(const struct connection *connection, enum sl_ctl_command command, char *line,
	json_t **answer, struct sl_err *err)
{
	int bytes = snprintf(line, SL_CTL_LINE_BYTES_MAX, "{\"command\":\"%s\"}\n",
		sl_ctl_command_names[command]);
	int rc = send_all(connection, line, (size_t)bytes);
	ssize_t received = rc != 0 ? rc : receive_line(connection, line);

	if (received == -ETIMEDOUT)
		return sl_err_set(err, -ETIMEDOUT,
			"data plane has not answered \"%s\" in time; `sluicectl status` shows whether its "
			"lcores still turn",
			sl_ctl_command_names[command]);
	if (received < 0)
		return sl_err_set(
			err, (int)received, "control socket: %s", strerror((int)-received));
	*answer = json_loadb(line, (size_t)received, JSON_REJECT_DUPLICATES, NULL);
	return answer_check(*answer, err);
}

int sl_ctl_request(const char *runtime_dir, enum sl_ctl_command command, uint32_t deadline_ms,
	json_t **answer, struct sl_err *err)
{
	struct connection connection = {
		.deadline_ns = monotonic_ns() + deadline_ms * SL_NS_PER_MS,
	};

	*answer = NULL;
	char *line = malloc(SL_CTL_LINE_BYTES_MAX);
	if (line == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for an answer");
	int rc = connect_to(&connection, runtime_dir, err);
	if (rc == 0) {
		rc = exchange(&connection, command, line, answer, err);
		close(connection.fd);
	}
	free(line);
	if (rc != 0) {
		json_decref(*answer);
		*answer = NULL;
	}
	return rc;
}

int sl_ctl_snapshot(
	const char *runtime_dir, uint32_t deadline_ms, uint64_t *snapshot, struct sl_err *err)
{
	json_t *answer;

	int rc = sl_ctl_request(runtime_dir, SL_CTL_SNAPSHOT, deadline_ms, &answer, err);
	if (rc != 0)
		return rc;
	const json_t *number = json_object_get(answer, "snapshot");
	if (json_is_integer(number) && json_integer_value(number) > 0)
		*snapshot = (uint64_t)json_integer_value(number);
	else
		rc = sl_err_set(err, -EPROTO, "data plane's answer has no snapshot number");
	json_decref(answer);
	return rc;
}
