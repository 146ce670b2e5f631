/* SPDX-License-Identifier: BSD-3-Clause */
// The slow half of the io_uring backend: making and destroying the ring.
#include "store/uring_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void uring_destroy(struct sl_io *io)
{
	struct sl_uring *uring = (struct sl_uring *)io;

	io_uring_queue_exit(&uring->ring);
	free(uring);
}

// Writes into unwritten extents may block, so the kernel hands them to threads of its own, which
// inherit the CPU and the priority of the submitter: seen beside the polling thread, with which
// they would take turns. What that costs has not been measured alone. They can be sent elsewhere
// only by the submitter, and only once it has submitted something.
static int uring_attach(struct sl_io *io, uint32_t helper_cpu)
{
	struct sl_uring *uring = (struct sl_uring *)io;
	struct io_uring_cqe *cqe;
	cpu_set_t helpers;
	int result;

	io_uring_prep_nop(io_uring_get_sqe(&uring->ring));
	result = io_uring_submit_and_wait(&uring->ring, 1);
	if (result < 0)
		return result;
	if (io_uring_peek_cqe(&uring->ring, &cqe) == 0)
		io_uring_cqe_seen(&uring->ring, cqe);
	CPU_ZERO(&helpers);
	CPU_SET(helper_cpu, &helpers);
	return io_uring_register_iowq_aff(&uring->ring, sizeof(helpers), &helpers);
}

static const struct sl_io_ops uring_ops = {
	.attach = uring_attach,
	.queue = sl_uring_queue,
	.submit = sl_uring_submit,
	.reap = sl_uring_reap,
	.destroy = uring_destroy,
};

struct sl_io *sl_uring_create(uint32_t entry_count, const struct iovec *regions,
	uint32_t region_count, struct sl_err *err)
{
	struct sl_uring *uring = calloc(1, sizeof(*uring));
	int result;

	if (uring == NULL) {
		sl_err_set(err, -ENOMEM, "io_uring: out of memory");
		return NULL;
	}
	uring->io.ops = &uring_ops;
	result = io_uring_queue_init(entry_count, &uring->ring, 0);
	if (result < 0) {
		sl_err_set(err, result,
			"io_uring: cannot create a ring of %u entries: %s; check sysctl kernel.io_uring_disabled and RLIMIT_MEMLOCK",
			entry_count, strerror(-result));
		goto free_uring;
	}
	// A worker without partitions has no lanes, and the kernel refuses to register nothing.
	result = region_count == 0 ? 0
				   : io_uring_register_buffers(&uring->ring, regions, region_count);
	if (result < 0) {
		sl_err_set(err, result,
			"io_uring: cannot register buffers: %s; raise RLIMIT_MEMLOCK (LimitMEMLOCK=infinity) or run with CAP_IPC_LOCK",
			strerror(-result));
		goto exit_ring;
	}
	return &uring->io;

exit_ring:
	io_uring_queue_exit(&uring->ring);
free_uring:
	free(uring);
	return NULL;
}
