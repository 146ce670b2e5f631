/* SPDX-License-Identifier: BSD-3-Clause */
#include "priority.h"
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLLING_NICE (-20)
#define POLLING_SLICE_NS (100ULL * 1000 * 1000)

// struct sched_attr of sched_setattr(2), as first published; <linux/sched/types.h> and <sched.h>
// exclude each other.
struct scheduling {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns; // of SCHED_OTHER: the slice
	uint64_t deadline_ns;
	uint64_t period_ns;
};

int sl_priority_poll(void)
{
	int refused = setpriority(PRIO_PROCESS, (id_t)gettid(), POLLING_NICE) != 0 ? -errno : 0;
	struct scheduling scheduling = {
		.size = sizeof(scheduling),
		.policy = SCHED_OTHER,
		.nice = getpriority(PRIO_PROCESS, (id_t)gettid()),
		.runtime_ns = POLLING_SLICE_NS,
	};

	if (sched_getscheduler(0) == SCHED_OTHER &&
		syscall(SYS_sched_setattr, 0, &scheduling, 0) != 0)
		refused = -errno;
	return refused;
}
