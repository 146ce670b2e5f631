/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl_client.h"

#include "shm.h"
#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_MS 30000 // far away: a test that waits for it has failed already

// A listener that takes one connection, reads one request and says what it was told to say.
struct listener {
	char runtime_dir[64];
	char path[108];
	int fd;
	pthread_t thread;
	const char *answer; // NULL: closes without one
	size_t answer_bytes;
	char request[256];
};

static void *serve_one(void *arg)
{
	struct listener *listener = arg;
	size_t count = 0;

	int fd = accept(listener->fd, NULL, NULL);
	while (count < sizeof(listener->request) - 1 &&
		memchr(listener->request, '\n', count) == NULL) {
		ssize_t received = recv(
			fd, listener->request + count, sizeof(listener->request) - 1 - count, 0);
		if (received <= 0)
			break;
		count += (size_t)received;
	}
	for (size_t sent = 0; listener->answer != NULL && sent < listener->answer_bytes;) {
		ssize_t bytes = send(
			fd, listener->answer + sent, listener->answer_bytes - sent, MSG_NOSIGNAL);
		if (bytes <= 0)
			break;
		sent += (size_t)bytes;
	}
	close(fd);
	return NULL;
}

static void listen_in(struct listener *listener)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*listener = (struct listener){.runtime_dir = "/tmp/sluice-ctl-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(listener->runtime_dir));
	snprintf(listener->path, sizeof(listener->path), "%s/%s", listener->runtime_dir,
		SL_SHM_SOCKET_NAME);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", listener->path);
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(listener->fd, &address, sizeof(address)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listener->fd, 1), 0);
}

static void stop_listening(struct listener *listener)
{
	close(listener->fd);
	unlink(listener->path);
	rmdir(listener->runtime_dir);
}

// Runs one request against a listener that says answer.
static int snapshot_against(
	const char *answer, size_t answer_bytes, uint64_t *snapshot, struct sl_err *err)
{
	struct listener listener;

	listen_in(&listener);
	listener.answer = answer;
	listener.answer_bytes = answer_bytes;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&listener.thread, NULL, serve_one, &listener), 0);
	int rc = sl_ctl_snapshot(listener.runtime_dir, DEADLINE_MS, snapshot, err);
	pthread_join(listener.thread, NULL);
	CU_ASSERT_STRING_EQUAL(listener.request, "{\"command\":\"snapshot\"}\n");
	stop_listening(&listener);
	return rc;
}

static void a_snapshot_answer_gives_its_number(void)
{
	const char *answer = "{\"ok\":true,\"snapshot\":17}\n";
	uint64_t snapshot = 0;
	struct sl_err err;

	CU_ASSERT_EQUAL(snapshot_against(answer, strlen(answer), &snapshot, &err), 0);
	CU_ASSERT_EQUAL(snapshot, 17);
}

static void a_refusal_is_handed_on_in_the_servers_words(void)
{
	const char *answer = "{\"ok\":false,\"error\":\"stopping\"}\n";
	uint64_t snapshot;
	struct sl_err err;

	CU_ASSERT_EQUAL(snapshot_against(answer, strlen(answer), &snapshot, &err), -EREMOTEIO);
	CU_ASSERT_STRING_EQUAL(err.text, "data plane refuses: stopping");
}

static void an_answer_that_is_none_is_a_protocol_error(void)
{
	static const char *const answers[] = {
		"hello\n",
		"{}\n",
		"[]\n",
		"{\"ok\":false}\n",
		"{\"ok\":true}\n",
		"{\"ok\":true,\"snapshot\":\"7\"}\n",
		"{\"ok\":true,\"snapshot\":-7}\n",
	};
	uint64_t snapshot;
	struct sl_err err;

	for (size_t i = 0; i < SL_ARRAY_COUNT(answers); i++)
		CU_ASSERT_EQUAL(
			snapshot_against(answers[i], strlen(answers[i]), &snapshot, &err), -EPROTO);
}

static void a_connection_closed_without_an_answer_is_an_error(void)
{
	uint64_t snapshot;
	struct sl_err err;

	CU_ASSERT_EQUAL(snapshot_against(NULL, 0, &snapshot, &err), -ECONNRESET);
	CU_ASSERT_EQUAL(snapshot_against("{\"ok\":", 6, &snapshot, &err), -ECONNRESET);
}

static void an_endless_answer_is_cut_off_at_the_bound(void)
{
	char *answer = malloc(2 * SL_CTL_LINE_BYTES_MAX);
	uint64_t snapshot;
	struct sl_err err;

	memset(answer, 'x', 2 * SL_CTL_LINE_BYTES_MAX);
	CU_ASSERT_EQUAL(
		snapshot_against(answer, 2 * SL_CTL_LINE_BYTES_MAX, &snapshot, &err), -EMSGSIZE);
	free(answer);
}

static void a_silent_server_ends_in_a_timeout(void)
{
	struct listener listener;
	uint64_t snapshot;
	struct sl_err err;

	// Nobody accepts: the connection waits in the backlog.
	listen_in(&listener);
	CU_ASSERT_EQUAL(sl_ctl_snapshot(listener.runtime_dir, 20, &snapshot, &err), -ETIMEDOUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "sluicectl status"));
	stop_listening(&listener);
}

static void nobody_listening_is_told_apart_from_a_missing_socket(void)
{
	struct listener listener;
	char long_dir[256];
	uint64_t snapshot;
	struct sl_err err;

	listen_in(&listener);
	close(listener.fd);
	CU_ASSERT_EQUAL(
		sl_ctl_snapshot(listener.runtime_dir, DEADLINE_MS, &snapshot, &err), -ECONNREFUSED);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, listener.path));
	unlink(listener.path);
	CU_ASSERT_EQUAL(
		sl_ctl_snapshot(listener.runtime_dir, DEADLINE_MS, &snapshot, &err), -ENOENT);
	rmdir(listener.runtime_dir);
	memset(long_dir, 'x', sizeof(long_dir));
	long_dir[sizeof(long_dir) - 1] = '\0';
	CU_ASSERT_EQUAL(sl_ctl_snapshot(long_dir, DEADLINE_MS, &snapshot, &err), -ENAMETOOLONG);
}

static const struct sl_test tests[] = {
	SL_TEST(a_snapshot_answer_gives_its_number),
	SL_TEST(a_refusal_is_handed_on_in_the_servers_words),
	SL_TEST(an_answer_that_is_none_is_a_protocol_error),
	SL_TEST(a_connection_closed_without_an_answer_is_an_error),
	SL_TEST(an_endless_answer_is_cut_off_at_the_bound),
	SL_TEST(a_silent_server_ends_in_a_timeout),
	SL_TEST(nobody_listening_is_told_apart_from_a_missing_socket),
};
SL_SUITE(common_ctl_client);
