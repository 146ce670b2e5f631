/* SPDX-License-Identifier: BSD-3-Clause */
// The control socket over a real socket; the test plays the polling lcores and the tick.
#include "control_internal.h"
#include "ctl_proto.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST "{\"command\":\"snapshot\"}\n"

static struct sl_dataplane dataplane;
static struct sl_control control;
static struct sl_shm_header header;
static struct sl_shm_lcore lcores[2];
static struct sl_shm_ring rings[2];
static char runtime_dir[64];
static char socket_path[128];
static uint32_t calloc_failures; // still to come

// -Wl,--wrap=calloc: our code's.
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
	if (calloc_failures > 0) {
		calloc_failures--;
		return NULL;
	}
	return __real_calloc(count, bytes);
}

static void open_server(void)
{
	struct sl_err err = {0};

	memset(&dataplane, 0, sizeof(dataplane));
	memset(&control, 0, sizeof(control));
	memset(&header, 0, sizeof(header));
	memset(lcores, 0, sizeof(lcores));
	memset(rings, 0, sizeof(rings));
	strcpy(runtime_dir, "/tmp/sluice-ctl-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(runtime_dir));
	snprintf(socket_path, sizeof(socket_path), "%s/%s", runtime_dir, SL_SHM_SOCKET_NAME);
	dataplane.config.runtime_dir = runtime_dir;
	dataplane.layout.lcore_count = 2;
	dataplane.shm.header = &header;
	dataplane.shm.lcores = lcores;
	dataplane.shm.rings = rings;
	header.ring_count = 2;
	rings[0].entry_count = 64; // the other one is none
	control.dataplane = &dataplane;
	CU_ASSERT_EQUAL_FATAL(uv_loop_init(&control.loop), 0);
	// A dead one's socket does not matter.
	fclose(fopen(socket_path, "w"));
	control.server = sl_ctl_server_create(&control, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(control.server);
}

static void close_server(void)
{
	sl_ctl_server_close(control.server);
	CU_ASSERT_EQUAL(uv_loop_close(&control.loop), 0); // no handle is left
	CU_ASSERT_NOT_EQUAL(access(socket_path, F_OK), 0);
	CU_ASSERT_EQUAL(rmdir(runtime_dir), 0);
}

// What the main lcore does in a tick.
static void tick(void)
{
	uv_run(&control.loop, UV_RUN_NOWAIT);
	sl_ctl_server_step(control.server);
}

static int connect_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const void *any = &address; // the compiler's aliasing rules do not know sockets
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, socket_path, strlen(socket_path));
	while (connect(client, any, sizeof(address)) != 0) {
		CU_ASSERT_EQUAL_FATAL(errno, EAGAIN); // the backlog is full
		tick();
	}
	return client;
}

static void say(int client, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t sent = send(client, text, bytes, MSG_NOSIGNAL);

		if (sent > 0) {
			text += sent;
			bytes -= (size_t)sent;
		} else if (errno != EAGAIN) {
			return; // hung up on
		}
		tick();
	}
}

static void ask(int client)
{
	say(client, REQUEST, strlen(REQUEST));
	for (int i = 0; i < 3; i++)
		tick();
}

// The next answer; "" when the server has hung up. Ticks as long as it takes.
static const char *hear(int client)
{
	static char line[2048];
	size_t bytes = 0;

	for (;;) {
		ssize_t received = recv(client, line + bytes, 1, 0);

		if (received == 1) {
			if (line[bytes++] != '\n')
				continue;
			line[bytes] = '\0';
			return line;
		}
		if (received == 0 || errno != EAGAIN)
			return "";
		tick();
	}
}

static bool has_answer(int client)
{
	char byte;

	for (int i = 0; i < 5; i++)
		tick();
	return recv(client, &byte, 1, MSG_PEEK) >= 0;
}

static void take_snapshot(uint64_t id)
{
	for (int i = 0; i < 2; i++) {
		lcores[i].rx_snapshot_id = id;
		lcores[i].worker_snapshot_id = id;
	}
	rings[0].marker_received = id;
}

static void a_snapshot_is_answered_when_every_part_of_it_is_there(void)
{
	uint64_t *parts[] = {&lcores[0].rx_snapshot_id, &lcores[0].worker_snapshot_id,
		&lcores[1].rx_snapshot_id, &lcores[1].worker_snapshot_id,
		&rings[0].marker_received};
	int client;

	open_server();
	client = connect_client();
	ask(client);
	CU_ASSERT_EQUAL(header.snapshot_request, 1);
	for (size_t i = 0; i < SL_ARRAY_COUNT(parts); i++) {
		CU_ASSERT_FALSE(has_answer(client));
		*parts[i] = 1;
	}
	CU_ASSERT_STRING_EQUAL(hear(client), "{\"ok\":true,\"snapshot\":1}\n");
	// The same connection may ask again.
	ask(client);
	CU_ASSERT_EQUAL(header.snapshot_request, 2);
	take_snapshot(2);
	CU_ASSERT_STRING_EQUAL(hear(client), "{\"ok\":true,\"snapshot\":2}\n");
	close(client);
	close_server();
}

static void who_asks_while_one_is_taken_gets_the_next(void)
{
	int first, second, third;

	open_server();
	first = connect_client();
	second = connect_client();
	third = connect_client();
	ask(first);
	ask(second);
	ask(third);
	CU_ASSERT_EQUAL(header.snapshot_request, 1);
	take_snapshot(1);
	CU_ASSERT_STRING_EQUAL(hear(first), "{\"ok\":true,\"snapshot\":1}\n");
	CU_ASSERT_FALSE(has_answer(second)); // it began before they asked
	CU_ASSERT_EQUAL(header.snapshot_request, 2);
	take_snapshot(2);
	CU_ASSERT_STRING_EQUAL(hear(second), "{\"ok\":true,\"snapshot\":2}\n");
	CU_ASSERT_STRING_EQUAL(hear(third), "{\"ok\":true,\"snapshot\":2}\n");
	close(first);
	close(second);
	close(third);
	close_server();
}

static void garbage_is_answered_and_harms_nobody(void)
{
	static const char *const garbage[] = {
		"\n", "hello\n", "{}\n", "{\"command\":\"reboot\"}\n", "[1,2\n", "\x01\xff\x02\n"};
	int client;

	open_server();
	client = connect_client();
	for (size_t i = 0; i < SL_ARRAY_COUNT(garbage); i++) {
		say(client, garbage[i], strlen(garbage[i]));
		CU_ASSERT_EQUAL(strncmp(hear(client), "{\"ok\":false,\"error\":\"", 21), 0);
	}
	say(client, "a\0b\n", 4);
	CU_ASSERT_EQUAL(strncmp(hear(client), "{\"ok\":false,", 12), 0);
	// A request in pieces, and two at once.
	for (size_t i = 0; i < strlen(REQUEST); i++)
		say(client, &REQUEST[i], 1);
	tick();
	take_snapshot(1);
	CU_ASSERT_STRING_EQUAL(hear(client), "{\"ok\":true,\"snapshot\":1}\n");
	say(client, REQUEST REQUEST, 2 * strlen(REQUEST));
	tick();
	take_snapshot(2);
	CU_ASSERT_STRING_EQUAL(hear(client), "{\"ok\":true,\"snapshot\":2}\n");
	tick();
	take_snapshot(3);
	CU_ASSERT_STRING_EQUAL(hear(client), "{\"ok\":true,\"snapshot\":3}\n");
	close(client);
	close_server();
}

static void a_line_that_does_not_end_is_answered_and_hung_up_on(void)
{
	static char line[SL_CTL_LINE_BYTES_MAX + 10];
	int client;

	open_server();
	client = connect_client();
	memset(line, ' ', sizeof(line));
	// The longest line there may be is a request like any other.
	memcpy(line, "{\"command\":\"snapshot\"}", 22);
	line[SL_CTL_LINE_BYTES_MAX - 1] = '\n';
	say(client, line, SL_CTL_LINE_BYTES_MAX);
	tick();
	tick();
	take_snapshot(1);
	CU_ASSERT_STRING_EQUAL(hear(client), "{\"ok\":true,\"snapshot\":1}\n");
	line[SL_CTL_LINE_BYTES_MAX - 1] = ' ';
	say(client, line, sizeof(line));
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(client), "one line of at most 65536 bytes"));
	CU_ASSERT_STRING_EQUAL(hear(client), "");
	close(client);
	close_server();
}

static void more_connections_than_there_may_be_are_told_so(void)
{
	int clients[SL_CTL_CLIENT_COUNT_MAX], late;

	open_server();
	for (int i = 0; i < SL_CTL_CLIENT_COUNT_MAX; i++) {
		clients[i] = connect_client();
		ask(clients[i]);
	}
	late = connect_client();
	CU_ASSERT_PTR_NOT_NULL(strstr(hear(late), "too many connections"));
	CU_ASSERT_STRING_EQUAL(hear(late), "");
	close(late);
	// One leaves, one may come.
	close(clients[0]);
	tick();
	tick();
	clients[0] = connect_client();
	ask(clients[0]);
	take_snapshot(1);
	CU_ASSERT_FALSE(has_answer(clients[0])); // as the others: it began with who has left
	take_snapshot(2);
	CU_ASSERT_STRING_EQUAL(hear(clients[0]), "{\"ok\":true,\"snapshot\":2}\n");
	for (int i = 0; i < SL_CTL_CLIENT_COUNT_MAX; i++)
		close(clients[i]);
	close_server();
}

static void the_one_that_is_idle_for_longest_makes_room(void)
{
	int clients[SL_CTL_CLIENT_COUNT_MAX], late;

	open_server();
	for (int i = 0; i < SL_CTL_CLIENT_COUNT_MAX; i++) {
		clients[i] = connect_client();
		tick();
	}
	ask(clients[0]); // waits for an answer
	late = connect_client();
	ask(late);
	CU_ASSERT_FATAL(has_answer(clients[1]));
	CU_ASSERT_STRING_EQUAL(hear(clients[1]), "");
	take_snapshot(1);
	CU_ASSERT_STRING_EQUAL(hear(clients[0]), "{\"ok\":true,\"snapshot\":1}\n");
	take_snapshot(2);
	CU_ASSERT_STRING_EQUAL(hear(late), "{\"ok\":true,\"snapshot\":2}\n");
	CU_ASSERT_FALSE(has_answer(clients[2])); // it is still there
	close(late);
	for (int i = 0; i < SL_CTL_CLIENT_COUNT_MAX; i++)
		close(clients[i]);
	close_server();
}

static void who_is_idle_for_too_long_is_hung_up_on(void)
{
	int idle, waiting, talking;

	open_server();
	idle = connect_client();
	waiting = connect_client();
	talking = connect_client();
	ask(waiting);
	control.tick_count += SL_CTL_IDLE_TICKS - 1;
	say(talking, "hello\n", 6);
	CU_ASSERT_EQUAL(strncmp(hear(talking), "{\"ok\":false,", 12), 0);
	CU_ASSERT_FALSE(has_answer(idle));
	control.tick_count += SL_CTL_IDLE_TICKS - 1;
	CU_ASSERT_FATAL(has_answer(idle));
	CU_ASSERT_STRING_EQUAL(hear(idle), "");
	CU_ASSERT_FALSE(has_answer(talking));
	take_snapshot(1);
	CU_ASSERT_STRING_EQUAL(hear(waiting), "{\"ok\":true,\"snapshot\":1}\n");
	CU_ASSERT_FALSE(has_answer(waiting)); // its time begins with the answer
	close(idle);
	close(waiting);
	close(talking);
	close_server();
}

static void a_client_that_leaves_while_it_waits_is_forgotten(void)
{
	int leaver, stayer;

	open_server();
	leaver = connect_client();
	stayer = connect_client();
	say(leaver, REQUEST, strlen(REQUEST));
	say(stayer, REQUEST, strlen(REQUEST));
	close(leaver);
	while (header.snapshot_request == 0)
		tick();
	take_snapshot(header.snapshot_request);
	for (int i = 0; i < 3; i++)
		tick();
	take_snapshot(header.snapshot_request);
	CU_ASSERT_EQUAL(strncmp(hear(stayer), "{\"ok\":true,", 11), 0);
	// Closing hangs up on those who still wait.
	ask(stayer);
	close_server();
	CU_ASSERT_EQUAL(recv(stayer, (char[1]){0}, 1, 0), 0);
	close(stayer);
}

static void who_comes_when_there_is_no_memory_is_served_when_there_is(void)
{
	int first, second;

	open_server();
	calloc_failures = 2;
	first = connect_client();
	ask(first);
	CU_ASSERT_EQUAL(calloc_failures, 0);
	CU_ASSERT_EQUAL_FATAL(header.snapshot_request, 1);
	second = connect_client();
	ask(second);
	take_snapshot(1);
	CU_ASSERT_STRING_EQUAL(hear(first), "{\"ok\":true,\"snapshot\":1}\n");
	CU_ASSERT_EQUAL_FATAL(header.snapshot_request, 2);
	take_snapshot(2);
	CU_ASSERT_STRING_EQUAL(hear(second), "{\"ok\":true,\"snapshot\":2}\n");
	close(first);
	close(second);
	close_server();
}

static void the_socket_is_for_owner_and_group(void)
{
	struct stat status;

	open_server();
	CU_ASSERT_EQUAL(stat(socket_path, &status), 0);
	CU_ASSERT(S_ISSOCK(status.st_mode));
	CU_ASSERT_EQUAL(status.st_mode & 0777, 0660);
	close_server();
}

static void a_path_that_takes_no_socket_is_an_error_with_its_remedy(void)
{
	struct sl_err err = {0};

	memset(&control, 0, sizeof(control));
	memset(&dataplane, 0, sizeof(dataplane));
	dataplane.config.runtime_dir = "/nonexistent/run";
	control.dataplane = &dataplane;
	CU_ASSERT_EQUAL_FATAL(uv_loop_init(&control.loop), 0);
	CU_ASSERT_PTR_NULL(sl_ctl_server_create(&control, &err));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "cannot listen on /nonexistent/run/dataplane.sock: "));
	CU_ASSERT_EQUAL(uv_loop_close(&control.loop), 0);
}

static const struct sl_test tests[] = {
	SL_TEST(a_snapshot_is_answered_when_every_part_of_it_is_there),
	SL_TEST(who_asks_while_one_is_taken_gets_the_next),
	SL_TEST(garbage_is_answered_and_harms_nobody),
	SL_TEST(a_line_that_does_not_end_is_answered_and_hung_up_on),
	SL_TEST(more_connections_than_there_may_be_are_told_so),
	SL_TEST(the_one_that_is_idle_for_longest_makes_room),
	SL_TEST(who_is_idle_for_too_long_is_hung_up_on),
	SL_TEST(a_client_that_leaves_while_it_waits_is_forgotten),
	SL_TEST(who_comes_when_there_is_no_memory_is_served_when_there_is),
	SL_TEST(the_socket_is_for_owner_and_group),
	SL_TEST(a_path_that_takes_no_socket_is_an_error_with_its_remedy),
};
SL_SUITE(dataplane_ctl_server);
