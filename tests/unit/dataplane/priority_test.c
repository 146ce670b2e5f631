/* SPDX-License-Identifier: BSD-3-Clause */
#include "priority.h"

#include "suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS (100ULL * 1000 * 1000)

struct seen {
	int policy; // under which the thread starts
	int returned, policy_after, nice;
	uint64_t slice_before_ns, slice_ns; // 0: this kernel tells none
};

static uint64_t read_slice_ns(void)
{
	uint64_t attributes[6] = {
		0}; // struct sched_attr of sched_getattr(2), whose fourth one is the runtime

	if (syscall(SYS_sched_getattr, 0, attributes, sizeof(attributes), 0) != 0)
		return 0;
	return attributes[3];
}

static void *poll_in_a_thread(void *argument)
{
	struct seen *seen = argument;

	if (seen->policy != SCHED_OTHER)
		sched_setscheduler(0, seen->policy, &(struct sched_param){0});
	seen->slice_before_ns = read_slice_ns();
	seen->returned = sl_priority_poll();
	seen->policy_after = sched_getscheduler(0);
	seen->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	seen->slice_ns = read_slice_ns();
	return NULL;
}

static struct seen poll_from(int policy)
{
	struct seen seen = {.policy = policy};
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, poll_in_a_thread, &seen), 0);
	pthread_join(thread, NULL);
	return seen;
}

static void a_polling_thread_outranks_others_and_has_the_longest_slice(void)
{
	struct seen seen = poll_from(SCHED_OTHER);

	CU_ASSERT_EQUAL(seen.returned, 0);
	CU_ASSERT_EQUAL(seen.policy_after, SCHED_OTHER);
	CU_ASSERT_EQUAL(seen.nice, -20);
	if (seen.slice_before_ns != 0) // Linux 6.12
		CU_ASSERT_EQUAL(seen.slice_ns, SLICE_NS);
}

static void a_policy_that_somebody_has_chosen_stays(void)
{
	struct seen seen = poll_from(SCHED_BATCH);

	CU_ASSERT_EQUAL(seen.returned, 0);
	CU_ASSERT_EQUAL(seen.policy_after, SCHED_BATCH);
	CU_ASSERT_EQUAL(seen.slice_ns, seen.slice_before_ns);
}

static void other_threads_stay_as_they_are(void)
{
	int before = getpriority(PRIO_PROCESS, (id_t)gettid());

	poll_from(SCHED_OTHER);
	CU_ASSERT_EQUAL(getpriority(PRIO_PROCESS, (id_t)gettid()), before);
}

static const struct sl_test tests[] = {
	SL_TEST(a_polling_thread_outranks_others_and_has_the_longest_slice),
	SL_TEST(a_policy_that_somebody_has_chosen_stays),
	SL_TEST(other_threads_stay_as_they_are),
};
SL_SUITE(dataplane_priority);
