/* SPDX-License-Identifier: BSD-3-Clause */
// Writes of the ring on the virtual drive: each lands some time after it was submitted, and
// completes some time after that, in any order.
#include "ring.h"
#include "disk.h"
#include "files.h"
#include "format/log_format.h"
#include "memory.h"
#include "oracle.h"
#include "sim.h"
#include "task.h"
#include "weather.h"

#include <errno.h>
#include <string.h>

#define QUEUED_COUNT_MAX 256

struct sim_write {
	struct sim_file *file;
	uint64_t position;
	uint32_t bytes, landing_bytes;
	bool sync;
	bool has_landed, is_complete, is_abandoned;
	uint64_t land_ns, complete_ns;
	int32_t result;
	const void *source; // the process's buffer
	char *data; // as it was when it was submitted
	struct sim_write *next;
};

struct ring {
	struct sl_io io; // first
	struct sl_io_request *queued[QUEUED_COUNT_MAX];
	uint32_t queued_count;
	struct sl_io_request *submitted[QUEUED_COUNT_MAX];
	struct sim_write *writes[QUEUED_COUNT_MAX];
	uint32_t submitted_count;
};

static struct sim_write *writes;

// What becomes of a write is drawn when it is submitted.
static void draw_outcome(struct sim_write *write)
{
	uint64_t slow = sim_chance(100) ? 20 : 1;

	write->land_ns = sim_now_ns() + sim_between(5, 300) * SL_NS_PER_US * slow;
	write->complete_ns = write->land_ns + sim_between(1, 200) * SL_NS_PER_US;
	write->result = (int32_t)write->bytes;
	write->landing_bytes = write->bytes;
	if (sim_weather_strikes(SIM_WEATHER_RING_ERROR) ||
		sim_weather_breaks_drive(write->file->inode->drive)) {
		write->result = -EIO;
		write->landing_bytes = (uint32_t)sim_below(write->bytes / 512 + 1) * 512;
	} else if (sim_weather_strikes(SIM_WEATHER_RING_SPACE)) {
		write->result = -ENOSPC;
		write->landing_bytes = 0;
	} else if (sim_weather_strikes(SIM_WEATHER_RING_AGAIN)) {
		write->result = sim_chance(500) ? -EAGAIN : -EINTR;
		write->landing_bytes = 0;
	} else if (write->bytes > SL_BLOCK_BYTES && sim_weather_strikes(SIM_WEATHER_RING_SHORT)) {
		write->landing_bytes = (uint32_t)sim_between(1, write->bytes / SL_BLOCK_BYTES - 1) *
			SL_BLOCK_BYTES;
		write->result = (int32_t)write->landing_bytes;
	}
}

struct sim_write *sim_write_begin(
	struct sim_file *file, uint64_t position, const void *data, uint32_t bytes, bool sync)
{
	struct sim_write *write = sim_host_allocate(sizeof(*write));

	*write = (struct sim_write){.file = file,
		.position = position,
		.bytes = bytes,
		.sync = sync,
		.source = data,
		.data = sim_host_allocate(bytes),
		.next = writes};
	memcpy(write->data, data, bytes);
	draw_outcome(write);
	writes = write;
	return write;
}

static void land(struct sim_write *write)
{
	write->has_landed = true;
	if (!write->is_abandoned && memcmp(write->source, write->data, write->bytes) != 0)
		sim_fail("a buffer was changed while it was being written, position %lu",
			write->position);
	sim_inode_write(write->file->inode, write->position, write->data, write->landing_bytes);
}

static void complete(struct sim_write *write)
{
	write->is_complete = true;
	if (write->sync && write->result > 0)
		sim_inode_flush(write->file->inode, write->position, write->landing_bytes);
	sim_file_put(write->file);
	write->file = NULL;
}

bool sim_write_is_complete(const struct sim_write *write)
{
	return write->is_complete;
}

static void destroy(struct sim_write *write)
{
	struct sim_write **link = &writes;

	while (*link != write)
		link = &(*link)->next;
	*link = write->next;
	sim_host_free(write->data);
	sim_host_free(write);
}

int32_t sim_write_end(struct sim_write *write)
{
	int32_t result = write->result;

	destroy(write);
	return result;
}

void sim_disk_progress(void)
{
	uint64_t now_ns = sim_now_ns();
	struct sim_write *next;

	for (struct sim_write *write = writes; write != NULL; write = next) {
		next = write->next;
		if (!write->has_landed && write->land_ns <= now_ns)
			land(write);
		if (write->is_complete || write->complete_ns > now_ns)
			continue;
		complete(write);
		sim_task_wake_idle();
		if (write->is_abandoned)
			destroy(write);
	}
}

uint64_t sim_disk_next_ns(void)
{
	uint64_t next_ns = UINT64_MAX;

	for (const struct sim_write *write = writes; write != NULL; write = write->next) {
		if (!write->has_landed)
			next_ns = SL_MIN(next_ns, write->land_ns);
		else if (!write->is_complete)
			next_ns = SL_MIN(next_ns, write->complete_ns);
	}
	return next_ns;
}

void sim_disk_abandon_writes(void)
{
	struct sim_write *next;

	for (struct sim_write *write = writes; write != NULL; write = next) {
		next = write->next;
		write->is_abandoned = true;
		if (write->is_complete)
			destroy(write);
	}
}

void sim_disk_drop_writes(void)
{
	while (writes != NULL) {
		struct sim_write *write = writes;

		write->is_abandoned = true;
		if (!write->has_landed && sim_chance(500))
			land(write);
		if (!write->is_complete)
			sim_file_put(write->file);
		destroy(write);
	}
}

void sim_disk_settle(void)
{
	while (writes != NULL) {
		struct sim_write *write = writes;

		if (!write->has_landed)
			land(write);
		if (!write->is_complete)
			complete(write);
		destroy(write);
	}
}

// ---- what a worker sees of it

static int ring_attach(struct sl_io *io SL_UNUSED, uint32_t helper_cpu SL_UNUSED)
{
	return 0;
}

static int ring_queue(struct sl_io *io, struct sl_io_request *request)
{
	struct ring *ring = (struct ring *)io;

	// A full queue is rare, and must do no harm.
	if (ring->queued_count + ring->submitted_count == QUEUED_COUNT_MAX || sim_chance(5))
		return -EAGAIN;
	ring->queued[ring->queued_count++] = request;
	return 0;
}

static int ring_submit(struct sl_io *io)
{
	struct ring *ring = (struct ring *)io;

	if (ring->queued_count == 0)
		return 0;
	sim_call();
	for (uint32_t i = 0; i < ring->queued_count; i++) {
		struct sl_io_request *request = ring->queued[i];
		struct sim_file *file = sim_file_of(request->fd);

		if (file == NULL)
			return -EBADF;
		file->reference_count++;
		sim_oracle_see_write(file->inode, request->position, request->data, request->bytes);
		ring->submitted[ring->submitted_count] = request;
		ring->writes[ring->submitted_count++] = sim_write_begin(
			file, request->position, request->data, request->bytes, request->sync);
	}
	ring->queued_count = 0;
	return 0;
}

static uint32_t ring_reap(struct sl_io *io, struct sl_io_request **done, uint32_t count_max)
{
	struct ring *ring = (struct ring *)io;
	uint32_t count = 0;

	sim_task_yield();
	for (uint32_t i = 0; i < ring->submitted_count && count < count_max;) {
		if (!sim_write_is_complete(ring->writes[i]) || sim_chance(100)) {
			i++;
			continue;
		}
		done[count] = ring->submitted[i];
		done[count++]->result = sim_write_end(ring->writes[i]);
		ring->submitted_count--;
		ring->submitted[i] = ring->submitted[ring->submitted_count];
		ring->writes[i] = ring->writes[ring->submitted_count];
	}
	return count;
}

static void ring_destroy(struct sl_io *io)
{
	sim_host_free(io);
}

static const struct sl_io_ops ring_ops = {
	.attach = ring_attach,
	.queue = ring_queue,
	.submit = ring_submit,
	.reap = ring_reap,
	.destroy = ring_destroy,
};

struct sl_io *sim_ring_create(void)
{
	struct ring *ring = sim_host_allocate(sizeof(*ring));

	ring->io.ops = &ring_ops;
	return &ring->io;
}
