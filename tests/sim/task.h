/* SPDX-License-Identifier: BSD-3-Clause */
// Virtual threads on a virtual clock: the product's threads run one at a time, each until it calls
// the file system, polls its ring, sleeps or waits; who goes on is drawn by the seed. So every
// order of their steps can happen, and happens again with the same seed.
#pragma once

#include "base.h"
#include "clock.h"

struct sim_task;

// Time stands still but for sim_time_pass() and waits.
uint64_t sim_now_ns(void);
void sim_time_reset(uint64_t now_ns);
void sim_time_pass(uint64_t ns);

// The product's clock: its rate is 0, so that sl_clock_now_ns() is sim_now_ns() whatever the TSC.
extern struct sl_clock sim_clock;

// A thread that starts with run(argument). Lives until it returns or the process dies.
struct sim_task *sim_task_spawn(const char *name, void *(*run)(void *), void *argument);
bool sim_task_is_done(const struct sim_task *task);

// True in a task, false in the harness around them (which the simulation's own checks are).
bool sim_in_task(void);

// Lets others go on; the caller goes on when it is drawn. Nothing in the harness.
void sim_task_yield(void);
void sim_task_sleep(uint64_t ns);

// The process dies here. In a task; does not return.
void sim_task_crash(void) __attribute__((noreturn));

// Runs tasks until first_task has returned, the process has died, or the seed has failed. on_step
// is called after each step. True when the process has died.
bool sim_tasks_run(const struct sim_task *first_task, void (*on_step)(void));

// The process has ended: forgets all of its threads.
void sim_tasks_drop(void);

// Called by whatever the product asks of the outside: counts, may be the end of the process, lets
// others go on. Nothing in the harness.
void sim_call(void);

// There is something to be found: polling tasks that pause go on.
void sim_task_wake_idle(void);

// The process dies at this call, counted from now; 0 never.
void sim_crash_at(uint64_t call_count);
