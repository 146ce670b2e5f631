/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/io_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define DONE_COUNT_MAX 64

struct io_sync {
	struct sl_io io; // first
	struct sl_io_request *done[DONE_COUNT_MAX];
	uint32_t done_count;
};

static int sync_queue(struct sl_io *io, struct sl_io_request *request)
{
	struct io_sync *io_sync = (struct io_sync *)io;
	ssize_t written;

	if (io_sync->done_count == DONE_COUNT_MAX)
		return -EAGAIN;
	written = pwrite(request->fd, request->data, request->bytes, (off_t)request->position);
	if (written >= 0 && request->sync && fdatasync(request->fd) != 0)
		written = -1;
	request->result = written < 0 ? -errno : (int32_t)written;
	io_sync->done[io_sync->done_count++] = request;
	return 0;
}

static int sync_attach(struct sl_io *io SL_UNUSED, uint32_t helper_cpu SL_UNUSED)
{
	return 0;
}

static int sync_submit(struct sl_io *io SL_UNUSED)
{
	return 0;
}

static uint32_t sync_reap(struct sl_io *io, struct sl_io_request **done, uint32_t count_max)
{
	struct io_sync *io_sync = (struct io_sync *)io;
	uint32_t count = SL_MIN(io_sync->done_count, count_max);

	for (uint32_t i = 0; i < count; i++)
		done[i] = io_sync->done[i];
	for (uint32_t i = count; i < io_sync->done_count; i++)
		io_sync->done[i - count] = io_sync->done[i];
	io_sync->done_count -= count;
	return count;
}

static void sync_destroy(struct sl_io *io)
{
	free(io);
}

static const struct sl_io_ops sync_ops = {
	.attach = sync_attach,
	.queue = sync_queue,
	.submit = sync_submit,
	.reap = sync_reap,
	.destroy = sync_destroy,
};

struct sl_io *sl_io_sync_create(void)
{
	struct io_sync *io_sync = calloc(1, sizeof(*io_sync));

	if (io_sync == NULL)
		return NULL;
	io_sync->io.ops = &sync_ops;
	return &io_sync->io;
}
