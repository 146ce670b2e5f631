/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/check.h"

#include "ctl/ctl.h"
#include "ctl_proto.h"
#include "ledger.h"
#include "made_segment.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// The data plane's side: answers each request on a connection of its own, and takes the snapshot by
// moving all numbers of the made segment.
struct server {
	struct sl_made_segment made;
	char path[108];
	int fd;
	pthread_t thread;
	uint32_t request_count;
	// What goes wrong, at which request (counted from 1; 0: never).
	uint32_t foreign_snapshot_until; // somebody else asks right after ours
	uint32_t sample_early_at; // the driver counts a frame late
	uint32_t refuse_at;
	bool is_event_lost;
};

static void take_snapshot(struct server *server, uint64_t snapshot)
{
	struct sl_shm *shm = &server->made.shm;

	shm->header->snapshot_request = snapshot;
	for (uint32_t i = 0; i < shm->header->lcore_count; i++) {
		shm->lcores[i].rx_snapshot_id = snapshot;
		shm->lcores[i].worker_snapshot_id = snapshot;
	}
	for (uint32_t i = 0; i < shm->header->ring_count; i++) {
		shm->rings[i].marker_sent = snapshot;
		shm->rings[i].marker_received = snapshot;
	}
	if (server->request_count == server->sample_early_at)
		shm->ports[0].ipackets--;
	else if (server->sample_early_at != 0 &&
		server->request_count == server->sample_early_at + 1)
		shm->ports[0].ipackets++;
	if (server->request_count <= server->foreign_snapshot_until)
		shm->header->snapshot_request++;
}

static void *serve(void *arg)
{
	struct server *server = arg;
	enum sl_ctl_command command;
	char line[256];

	for (;;) {
		int fd = accept(server->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		ssize_t bytes = recv(fd, line, sizeof(line), 0);
		if (bytes > 0 && sl_ctl_request_parse(line, (size_t)bytes, &command, NULL) == 0) {
			server->request_count++;
			uint64_t snapshot = server->made.shm.header->snapshot_request + 1;
			take_snapshot(server, snapshot);
			size_t length = server->request_count == server->refuse_at
				? sl_ctl_answer_error(line, sizeof(line), "stopping")
				: sl_ctl_answer_snapshot(line, sizeof(line), snapshot);
			send(fd, line, length, MSG_NOSIGNAL);
		}
		close(fd);
	}
}

static void start(struct server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&server->made), 0);
	if (server->is_event_lost)
		server->made.shm.lcores[1].worker_snapshot.stored--;
	snprintf(server->path, sizeof(server->path), "%s/%s", server->made.runtime_dir,
		SL_SHM_SOCKET_NAME);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(server->fd, &address, sizeof(address)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(server->fd, 8), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	unlink(server->path);
	sl_made_segment_destroy(&server->made);
}

// Runs one check. Returns its code; *holds and the count of requests that it took.
static int check_with(struct server *server, bool *holds, struct sl_err *err)
{
	struct sl_ledger ledger = {0};

	start(server);
	int code = sl_check_run(&ledger, &server->made.shm, server->made.runtime_dir, err);
	*holds = code == SL_CTL_OK && sl_ledger_holds(&ledger);
	sl_ledger_free(&ledger);
	stop(server);
	return code;
}

static void an_honest_data_plane_passes_at_the_first_look(void)
{
	struct server server = {0};
	struct sl_err err;
	bool holds;

	CU_ASSERT_EQUAL(check_with(&server, &holds, &err), SL_CTL_OK);
	CU_ASSERT(holds);
	CU_ASSERT_EQUAL(server.request_count, 2);
}

static void a_lost_event_is_found_and_not_looked_at_again(void)
{
	struct server server = {.is_event_lost = true};
	struct sl_err err;
	bool holds;

	CU_ASSERT_EQUAL(check_with(&server, &holds, &err), SL_CTL_OK);
	CU_ASSERT_FALSE(holds);
	CU_ASSERT_EQUAL(server.request_count, 2);
}

static void a_frame_that_the_driver_counts_late_gets_a_second_look(void)
{
	struct server server = {.sample_early_at = 2};
	struct sl_err err;
	bool holds;

	CU_ASSERT_EQUAL(check_with(&server, &holds, &err), SL_CTL_OK);
	CU_ASSERT(holds);
	CU_ASSERT_EQUAL(server.request_count, 4);
}

static void a_snapshot_that_was_overtaken_is_taken_again(void)
{
	struct server server = {.foreign_snapshot_until = 4};
	struct sl_err err;
	bool holds;

	CU_ASSERT_EQUAL(check_with(&server, &holds, &err), SL_CTL_OK);
	CU_ASSERT(holds);
	CU_ASSERT_EQUAL(server.request_count, 5);
}

static void endless_other_snapshots_end_in_an_error(void)
{
	struct server server = {.foreign_snapshot_until = 1000};
	struct sl_err err;
	bool holds;

	CU_ASSERT_EQUAL(check_with(&server, &holds, &err), SL_CTL_NO_DATAPLANE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "other snapshots"));
}

static void a_refusal_is_reported_in_the_data_planes_words(void)
{
	struct server server = {.refuse_at = 2};
	struct sl_err err;
	bool holds;

	CU_ASSERT_EQUAL(check_with(&server, &holds, &err), SL_CTL_NO_DATAPLANE);
	CU_ASSERT_STRING_EQUAL(err.text, "data plane refuses: stopping");
}

static const struct sl_test tests[] = {
	SL_TEST(an_honest_data_plane_passes_at_the_first_look),
	SL_TEST(a_lost_event_is_found_and_not_looked_at_again),
	SL_TEST(a_frame_that_the_driver_counts_late_gets_a_second_look),
	SL_TEST(a_snapshot_that_was_overtaken_is_taken_again),
	SL_TEST(endless_other_snapshots_end_in_an_error),
	SL_TEST(a_refusal_is_reported_in_the_data_planes_words),
};
SL_SUITE(control_ctl_check);
