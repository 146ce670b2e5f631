/* SPDX-License-Identifier: BSD-3-Clause */
// Writes of a worker behind a small table, so that a test can put a fault-injecting twin
// (io_fault.h) before the real one (uring.h). Thread rule: an sl_io belongs to one worker lcore;
// only its _create and _destroy run elsewhere.
#pragma once

#include "base.h"

// One write under way. The caller owns it and its buffer until it comes back from reap.
struct sl_io_request {
	int fd;
	uint16_t buffer_index; // of the registered region that holds data
	bool sync; // RWF_DSYNC: complete only when on stable storage
	uint32_t bytes; // left to write; multiple of the block
	uint64_t position; // in the file
	const void *data;
	int32_t result; // set by reap: bytes written or negative errno
	uint32_t user; // the caller's
	void *owner; // the caller's
};

struct sl_io;

struct sl_io_ops {
	// Once, by the thread that will use it, before the first write: threads that the kernel
	// uses for writes that would block run on helper_cpu, not beside the polling thread.
	// Returns 0 or a negative errno; everything works without, with longer turns.
	int (*attach)(struct sl_io *io, uint32_t helper_cpu);
	// Queues a write; it may start at the next submit. Returns 0, or -EAGAIN when the queue is
	// full (try again after reap).
	int (*queue)(struct sl_io *io, struct sl_io_request *request);
	// Hands queued writes to the kernel. Returns how many it took, or a negative errno; what
	// was not taken stays queued.
	int (*submit)(struct sl_io *io);
	// Takes up to count_max completions without waiting, in whatever order they come; sets
	// result of each. Returns their number.
	uint32_t (*reap)(struct sl_io *io, struct sl_io_request **done, uint32_t count_max);
	void (*destroy)(struct sl_io *io);
};

struct sl_io {
	const struct sl_io_ops *ops;
};
