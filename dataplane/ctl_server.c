/* SPDX-License-Identifier: BSD-3-Clause */
// The control socket, server side: runtime_dir/dataplane.sock (common/ctl_proto.h). One snapshot is
// taken at a time; who asks meanwhile gets the next.
#include "control_internal.h"
#include "ctl_proto.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct client {
	uv_pipe_t pipe;
	struct sl_ctl_server *server;
	struct client *next;
	char line[SL_CTL_LINE_BYTES_MAX];
	size_t line_bytes;
	uint64_t waits_for; // snapshot; 0 none
	uint64_t active_tick; // when it last said something or was answered
};

struct sl_ctl_server {
	struct sl_control *control;
	uv_pipe_t pipe;
	char path[SL_PATH_BYTES_MAX + sizeof(SL_SHM_SOCKET_NAME) + 1];
	struct client *clients;
	uint64_t running; // snapshot being taken; 0 none
	uint64_t wanted; // highest number promised to a client
	bool has_waiting; // who has come and not been taken yet; libuv hears nobody else until then
	bool is_closed;
};

static void on_client_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;
	struct client **link = &client->server->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	free(client);
}

static void hang_up(struct client *client)
{
	if (!uv_is_closing(sl_uv_handle(&client->pipe)))
		uv_close(sl_uv_handle(&client->pipe), on_client_closed);
}

// Answers are short and the peer reads them one by one: who does not take one at once is hung up on
// rather than waited for.
static void answer(struct client *client, const char *line, size_t bytes)
{
	uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)line, (unsigned int)bytes);

	if (bytes == 0 || uv_try_write(sl_uv_stream(&client->pipe), &buffer, 1) != (int)bytes)
		hang_up(client);
}

static bool is_idle(struct client *client)
{
	return client->waits_for == 0 && !uv_is_closing(sl_uv_handle(&client->pipe));
}

// The one that has been idle for longest; NULL when all wait for an answer.
static struct client *find_idlest(const struct sl_ctl_server *server)
{
	struct client *idlest = NULL;

	// The newest is the first of the list: of those that are equal, the oldest goes.
	for (struct client *client = server->clients; client != NULL; client = client->next) {
		if (is_idle(client) &&
			(idlest == NULL || client->active_tick <= idlest->active_tick))
			idlest = client;
	}
	return idlest;
}

static uint32_t count_open(const struct sl_ctl_server *server)
{
	uint32_t count = 0;

	for (struct client *client = server->clients; client != NULL; client = client->next)
		count += !uv_is_closing(sl_uv_handle(&client->pipe));
	return count;
}

static void hang_up_on_idle(struct sl_ctl_server *server)
{
	uint64_t now = server->control->tick_count;

	for (struct client *client = server->clients; client != NULL; client = client->next) {
		if (is_idle(client) && now - client->active_tick >= SL_CTL_IDLE_TICKS)
			hang_up(client);
	}
}

static void answer_error(struct client *client, const char *text)
{
	char line[SL_ERR_TEXT_BYTES_MAX + 128];

	answer(client, line, sl_ctl_answer_error(line, sizeof(line), text));
}

// A snapshot that is being taken has begun before who asks now: he takes the next.
static uint64_t next_snapshot(const struct sl_ctl_server *server)
{
	const struct sl_dataplane *dataplane = server->control->dataplane;

	return (server->running != 0 ? server->running
				     : SL_LOAD(dataplane->shm.header->snapshot_request)) +
		1;
}

void sl_ctl_server_want_ledger(struct sl_ctl_server *server)
{
	struct sl_ledgers *ledgers = &server->control->dataplane->ledgers;

	ledgers->snapshot = next_snapshot(server);
	server->wanted = SL_MAX(server->wanted, ledgers->snapshot);
}

static void serve(struct client *client, const char *line, size_t bytes)
{
	struct sl_ctl_server *server = client->server;
	enum sl_ctl_command command;
	struct sl_err err = {0};

	if (sl_ctl_request_parse(line, bytes, &command, &err) != 0) {
		answer_error(client, err.text);
		return;
	}
	// The only command there is.
	client->waits_for = next_snapshot(server);
	server->wanted = SL_MAX(server->wanted, client->waits_for);
}

static void take_lines(struct client *client)
{
	char *end;

	while (client->waits_for == 0 &&
		(end = memchr(client->line, '\n', client->line_bytes)) != NULL) {
		size_t bytes = (size_t)(end - client->line) + 1;

		serve(client, client->line, bytes);
		client->line_bytes -= bytes;
		memmove(client->line, client->line + bytes, client->line_bytes);
	}
	if (client->line_bytes == sizeof(client->line)) {
		answer_error(client, "a request is one line of at most 65536 bytes");
		hang_up(client);
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested_bytes SL_UNUSED, uv_buf_t *buffer)
{
	struct client *client = handle->data;

	*buffer = uv_buf_init(client->line + client->line_bytes,
		(unsigned int)(sizeof(client->line) - client->line_bytes));
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer SL_UNUSED)
{
	struct client *client = stream->data;

	if (bytes < 0) {
		hang_up(client);
		return;
	}
	client->active_tick = client->server->control->tick_count;
	client->line_bytes += (size_t)bytes;
	take_lines(client);
}

// So that idle ones do not shut others out.
static bool make_room(struct sl_ctl_server *server)
{
	struct client *idlest;

	if (count_open(server) < SL_CTL_CLIENT_COUNT_MAX)
		return true;
	idlest = find_idlest(server);
	if (idlest != NULL)
		hang_up(idlest);
	return idlest != NULL;
}

// Without memory for him, he waits for the next step.
static void take_client(struct sl_ctl_server *server)
{
	struct client *client = calloc(1, sizeof(*client));
	bool has_room;

	server->has_waiting = client == NULL;
	if (client == NULL)
		return;
	has_room = make_room(server);
	client->server = server;
	client->active_tick = server->control->tick_count;
	client->next = server->clients;
	server->clients = client;
	uv_pipe_init(server->pipe.loop, &client->pipe, 0);
	client->pipe.data = client;
	if (uv_accept(sl_uv_stream(&server->pipe), sl_uv_stream(&client->pipe)) != 0) {
		hang_up(client);
		return;
	}
	if (!has_room) {
		answer_error(client, "too many connections to the control socket");
		hang_up(client);
		return;
	}
	uv_read_start(sl_uv_stream(&client->pipe), on_alloc, on_read);
}

static void on_connection(uv_stream_t *stream, int status)
{
	if (status == 0)
		take_client(stream->data);
}

struct sl_ctl_server *sl_ctl_server_create(struct sl_control *control, struct sl_err *err)
{
	struct sl_ctl_server *server = calloc(1, sizeof(*server));
	int result;

	if (server == NULL) {
		sl_err_set(err, -ENOMEM, "control socket: out of memory");
		return NULL;
	}
	server->control = control;
	snprintf(server->path, sizeof(server->path), "%s/%s",
		control->dataplane->config.runtime_dir, SL_SHM_SOCKET_NAME);
	uv_pipe_init(&control->loop, &server->pipe, 0);
	server->pipe.data = server;
	// runtime_dir is locked by us: a socket that is there is a dead one's.
	unlink(server->path);
	result = uv_pipe_bind(&server->pipe, server->path);
	if (result == 0 && chmod(server->path, 0660) != 0)
		result = -errno;
	if (result == 0)
		result = uv_listen(sl_uv_stream(&server->pipe), 16, on_connection);
	if (result != 0) {
		sl_err_set(err, result,
			"cannot listen on %s: %s; a socket's path may have 107 bytes: choose a shorter runtime_dir if it is longer",
			server->path, uv_strerror(result));
		sl_ctl_server_close(server);
		return NULL;
	}
	return server;
}

static bool snapshot_is_whole(const struct sl_dataplane *dataplane, uint64_t id)
{
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		const struct sl_shm_lcore *lcore = &dataplane->shm.lcores[i];

		if (SL_LOAD_ACQUIRE(lcore->rx_snapshot_id) != id ||
			SL_LOAD_ACQUIRE(lcore->worker_snapshot_id) != id)
			return false;
	}
	for (uint32_t i = 0; i < dataplane->shm.header->ring_count; i++) {
		const struct sl_shm_ring *ring = &dataplane->shm.rings[i];

		// A ring without entries is none: its RX lcore and its worker are one.
		if (ring->entry_count > 0 && SL_LOAD_ACQUIRE(ring->marker_received) != id)
			return false;
	}
	return true;
}

static void answer_waiting(struct sl_ctl_server *server, uint64_t id)
{
	char line[128];
	size_t bytes = sl_ctl_answer_snapshot(line, sizeof(line), id);

	for (struct client *client = server->clients; client != NULL; client = client->next) {
		if (client->waits_for != id)
			continue;
		client->waits_for = 0;
		client->active_tick = server->control->tick_count;
		answer(client, line, bytes);
		take_lines(client);
	}
}

void sl_ctl_server_step(struct sl_ctl_server *server)
{
	struct sl_dataplane *dataplane = server->control->dataplane;

	hang_up_on_idle(server);
	if (server->has_waiting)
		take_client(server);
	if (server->running != 0 && snapshot_is_whole(dataplane, server->running)) {
		uint64_t id = server->running;

		server->running = 0;
		sl_dataplane_publish_ports(dataplane);
		if (id == dataplane->ledgers.snapshot && !sl_ledgers_on_snapshot(dataplane))
			sl_ctl_server_want_ledger(server);
		answer_waiting(server, id);
	}
	if (server->running == 0 &&
		server->wanted > SL_LOAD(dataplane->shm.header->snapshot_request)) {
		server->running = server->wanted;
		if (dataplane->ledgers.snapshot != 0) {
			dataplane->ledgers.snapshot = server->running;
			sl_ledgers_before_snapshot(dataplane);
		}
		SL_STORE_RELEASE(dataplane->shm.header->snapshot_request, server->running);
	}
}

static void on_server_closed(uv_handle_t *handle)
{
	struct sl_ctl_server *server = handle->data;

	server->is_closed = true;
}

void sl_ctl_server_close(struct sl_ctl_server *server)
{
	unlink(server->path);
	for (struct client *client = server->clients; client != NULL; client = client->next)
		hang_up(client);
	uv_close(sl_uv_handle(&server->pipe), on_server_closed);
	while (!server->is_closed || server->clients != NULL)
		uv_run(&server->control->loop, UV_RUN_ONCE);
	free(server);
}
