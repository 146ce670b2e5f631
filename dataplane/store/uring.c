/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/uring_internal.h"

#include <errno.h>

#include "hotpath.h"

int sl_uring_queue(struct sl_io *io, struct sl_io_request *request)
{
	struct sl_uring *uring = (struct sl_uring *)io;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (sqe == NULL)
		return -EAGAIN;
	io_uring_prep_write_fixed(sqe, request->fd, request->data, request->bytes,
		request->position, request->buffer_index);
	sqe->rw_flags = request->sync ? RWF_DSYNC : 0;
	io_uring_sqe_set_data(sqe, request);
	return 0;
}

int sl_uring_submit(struct sl_io *io)
{
	struct sl_uring *uring = (struct sl_uring *)io;

	return io_uring_sq_ready(&uring->ring) == 0 ? 0 : io_uring_submit(&uring->ring);
}

uint32_t sl_uring_reap(struct sl_io *io, struct sl_io_request **done, uint32_t count_max)
{
	struct sl_uring *uring = (struct sl_uring *)io;
	struct io_uring_cqe *cqe;
	uint32_t count = 0;

	while (count < count_max && io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
		done[count] = io_uring_cqe_get_data(cqe);
		done[count]->result = cqe->res;
		count++;
		io_uring_cqe_seen(&uring->ring, cqe);
	}
	return count;
}
