/* SPDX-License-Identifier: BSD-3-Clause */
#include "task.h"

#include "disk.h"
#include "format/read_ahead.h"
#include "memory.h"
#include "sanitizer.h"
#include "sim.h"
#include "wrap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define TASK_COUNT_MAX 16
// A run takes some ten thousand steps.
#define STEP_COUNT_MAX 1000000
#define IDLE_NS_MIN SL_NS_PER_US
#define IDLE_NS_MAX (5 * SL_NS_PER_MS)

struct sim_task {
	void *stack; // where it left off
	char *bottom; // of its stack
	const char *name;
	void *(*run)(void *);
	void *argument;
	uint64_t wake_ns;
	uint64_t idle_ns; // of its next pause without work
	bool is_idle;
	bool is_done;
};

struct sl_clock sim_clock;

static struct sim_task tasks[TASK_COUNT_MAX];
static char *stacks[TASK_COUNT_MAX];
static uint32_t task_count;
static struct sim_task *current;
static void *scheduler; // where it left off
static const void *scheduler_bottom; // of its stack
static size_t scheduler_bytes;
static uint64_t now_ns;
static uint64_t calls_left; // until the process dies; 0: it does not
static bool has_crashed;

uint64_t sim_now_ns(void)
{
	return now_ns;
}

void sim_time_reset(uint64_t ns)
{
	now_ns = ns;
	sim_clock = (struct sl_clock){.ns_base = ns};
}

void sim_time_pass(uint64_t ns)
{
	now_ns += ns;
	sim_clock.ns_base = now_ns;
}

// Leaves the stack in use at *left, with the registers that a function must keep on top of it, and
// goes on where another was left. swapcontext() does the same with two system calls, which took
// half of the simulation's time.
void sim_task_switch(void **left, void *stack);
__asm__(".text\n"
	".type sim_task_switch, @function\n"
	"sim_task_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size sim_task_switch, . - sim_task_switch\n");
#define KEPT_REGISTER_COUNT 6

static void leave(void)
{
	sim_stack_leave(scheduler_bottom, scheduler_bytes);
	sim_task_switch(&current->stack, scheduler);
	sim_stack_enter(&scheduler_bottom, &scheduler_bytes);
}

static void begin(void)
{
	sim_stack_enter(&scheduler_bottom, &scheduler_bytes);
	current->run(current->argument);
	current->is_done = true;
	leave();
	abort();
}

// As if begin() had been about to be called from nowhere.
static void *prepare_stack(char *stack)
{
	uint64_t *top = (uint64_t *)(stack + SIM_STACK_BYTES);

	*--top = 0; // where it would return to; begin() finds the stack aligned as after a call
	*--top = (uint64_t)(uintptr_t)begin;
	for (int i = 0; i < KEPT_REGISTER_COUNT; i++)
		*--top = 0;
	return top;
}

struct sim_task *sim_task_spawn(const char *name, void *(*run)(void *), void *argument)
{
	struct sim_task *task = &tasks[task_count];

	if (task_count == TASK_COUNT_MAX) {
		sim_fail("more than %d threads", TASK_COUNT_MAX);
		return NULL;
	}
	if (stacks[task_count] == NULL)
		stacks[task_count] = mmap(NULL, SIM_STACK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*task = (struct sim_task){.name = name,
		.run = run,
		.argument = argument,
		.wake_ns = now_ns,
		.idle_ns = IDLE_NS_MIN};
	task->bottom = stacks[task_count++];
	sim_memory_allow(task->bottom, SIM_STACK_BYTES); // whoever died on it
	task->stack = prepare_stack(task->bottom);
	return task;
}

bool sim_task_is_done(const struct sim_task *task)
{
	return task->is_done;
}

bool sim_in_task(void)
{
	return current != NULL;
}

void sim_task_yield(void)
{
	if (current != NULL)
		leave();
}

void sim_task_sleep(uint64_t ns)
{
	if (current == NULL) {
		sim_time_pass(ns);
		return;
	}
	current->wake_ns = now_ns + ns;
	leave();
}

void sim_task_crash(void)
{
	has_crashed = true;
	leave();
	abort();
}

static struct sim_task *draw_task(uint64_t *next_wake_ns)
{
	struct sim_task *ready[TASK_COUNT_MAX];
	uint32_t ready_count = 0;

	*next_wake_ns = UINT64_MAX;
	for (uint32_t i = 0; i < task_count; i++) {
		if (tasks[i].is_done)
			continue;
		if (tasks[i].wake_ns <= now_ns)
			ready[ready_count++] = &tasks[i];
		else
			*next_wake_ns = SL_MIN(*next_wake_ns, tasks[i].wake_ns);
	}
	return ready_count == 0 ? NULL : ready[sim_below(ready_count)];
}

static void resume(struct sim_task *task)
{
	current = task;
	sim_memory_enter(true);
	sim_stack_leave(task->bottom, SIM_STACK_BYTES);
	sim_task_switch(&scheduler, task->stack);
	sim_stack_enter(NULL, NULL);
	sim_memory_enter(false);
	current = NULL;
	sim_time_pass(sim_between(100, 1500));
}

bool sim_tasks_run(const struct sim_task *first_task, void (*on_step)(void))
{
	has_crashed = false;
	for (uint64_t step = 0; !first_task->is_done && !has_crashed && !sim_has_failed(); step++) {
		uint64_t wake_ns;
		struct sim_task *task;

		sim_disk_progress();
		task = draw_task(&wake_ns);
		if (task != NULL) {
			resume(task);
			on_step();
		} else {
			wake_ns = SL_MIN(wake_ns, sim_disk_next_ns());
			sim_time_pass(wake_ns - now_ns);
		}
		if (step == STEP_COUNT_MAX)
			sim_fail("no end after %d steps", STEP_COUNT_MAX);
	}
	return has_crashed;
}

void sim_tasks_drop(void)
{
	task_count = 0;
	calls_left = 0;
}

void sim_crash_at(uint64_t call_count)
{
	calls_left = call_count;
}

void sim_call(void)
{
	if (current == NULL)
		return;
	sim_counts.calls++;
	if (calls_left > 0 && --calls_left == 0)
		sim_task_crash();
	// Alone, nobody could come between.
	if (task_count > 1)
		leave();
	else
		sim_time_pass(sim_between(100, 1500));
}

// ---- what the product knows of threads and time

SIM_WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes SL_UNUSED,
	void *(*run)(void *), void *argument)
{
	struct sim_task *task = sim_task_spawn("thread", run, argument);

	*thread = (pthread_t)(uintptr_t)task;
	return task == NULL ? 11 : 0; // EAGAIN
}

SIM_WRAP(int, pthread_join, pthread_t thread, void **result SL_UNUSED)
{
	const struct sim_task *task = (const struct sim_task *)(uintptr_t)thread;

	while (!task->is_done)
		sim_task_sleep(20 * SL_NS_PER_US);
	return 0;
}

SIM_WRAP(int, pthread_setname_np, pthread_t thread SL_UNUSED, const char *name SL_UNUSED)
{
	return 0;
}

// Recovery does without threads that read ahead: its segments read the same, one part after the
// other.
SIM_WRAP(int, sl_read_ahead_create, struct sl_read_ahead **created, struct sl_err *err SL_UNUSED)
{
	*created = NULL;
	return 0;
}

SIM_WRAP(int, nanosleep, const struct timespec *pause, struct timespec *rest SL_UNUSED)
{
	sim_task_sleep((uint64_t)pause->tv_sec * SL_NS_PER_S + (uint64_t)pause->tv_nsec);
	return 0;
}

SIM_WRAP(int, clock_gettime, clockid_t clock SL_UNUSED, struct timespec *time)
{
	time->tv_sec = (time_t)(now_ns / SL_NS_PER_S);
	time->tv_nsec = (long)(now_ns % SL_NS_PER_S);
	return 0;
}

SIM_WRAP(ssize_t, getrandom, void *buffer, size_t bytes, unsigned int flags SL_UNUSED)
{
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)buffer)[i] = (uint8_t)sim_random();
	return (ssize_t)bytes;
}

// A polling lcore that found nothing looks again soon, then less and less often: virtual time must
// pass a second of linger and marks in some hundred steps.
SIM_WRAP(void, sl_lcore_idle, void)
{
	current->is_idle = true;
	current->idle_ns = SL_MIN(current->idle_ns * 2, IDLE_NS_MAX);
	sim_task_sleep(current->idle_ns);
	current->is_idle = false;
}

void sim_task_wake_idle(void)
{
	for (uint32_t i = 0; i < task_count; i++) {
		tasks[i].idle_ns = IDLE_NS_MIN;
		if (tasks[i].is_idle)
			tasks[i].wake_ns = SL_MIN(tasks[i].wake_ns, now_ns);
	}
}
