/* SPDX-License-Identifier: BSD-3-Clause */
#include "fault.h"

#ifdef SL_FAULTS

#include "store/io_fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The event that vanishes is the 1000th that passes the place: late enough that everything is under
// way.
#define LOST_EVENT_NUMBER 1000

static struct {
	bool is_armed[SL_FAULT_PLACE_COUNT];
	uint64_t seen_count[SL_FAULT_PLACE_COUNT];
	bool is_broken[SL_FAULT_RULE_COUNT];
	uint64_t die_number[SL_FAULT_POINT_COUNT]; // 0: never
	uint64_t passed_count[SL_FAULT_POINT_COUNT];
	struct sl_io_fault io;
} faults;

static const char *const place_names[SL_FAULT_PLACE_COUNT] = {
	[SL_FAULT_LOSE_RING] = "lose=ring",
	[SL_FAULT_LOSE_BATCH] = "lose=batch",
	[SL_FAULT_LOSE_COMPLETION] = "lose=completion",
};

static const char *const rule_names[SL_FAULT_RULE_COUNT] = {
	[SL_FAULT_SKIP_FLUSH] = "flush=skip",
	[SL_FAULT_SKIP_NAME_FLUSH] = "names=skip",
	[SL_FAULT_REUSE_EPOCH] = "epoch=reuse",
	[SL_FAULT_HASTY_WATERMARK] = "watermark=hasty",
	[SL_FAULT_LOSE_AT_ROLL] = "roll=lose",
	[SL_FAULT_KEEP_TERM] = "term=keep",
	[SL_FAULT_KEEP_TERM_AT_WORK] = "rehome=keep",
	[SL_FAULT_TRUST_BOOKMARK] = "bookmark=trust",
	[SL_FAULT_SKIP_EPOCH] = "epoch=skip",
};

static const char *const point_names[SL_FAULT_POINT_COUNT] = {
#define SL_FAULT_POINT_ROW(id, name) [SL_FAULT_AT_##id] = name,
#include "fault_points.def"
#undef SL_FAULT_POINT_ROW
};

static int parse_point(const char *word)
{
	char name[32];
	uint64_t number;

	if (sscanf(word, "die=%31[a-z_]@%lu", name, &number) != 2 || number == 0)
		return -EINVAL;
	for (int i = 0; i < SL_FAULT_POINT_COUNT; i++) {
		if (strcmp(name, point_names[i]) == 0) {
			faults.die_number[i] = number;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_one(const char *word)
{
	struct sl_io_fault *io = &faults.io;

	for (int i = 0; i < SL_FAULT_PLACE_COUNT; i++) {
		if (strcmp(word, place_names[i]) == 0) {
			faults.is_armed[i] = true;
			return 0;
		}
	}
	for (int i = 0; i < SL_FAULT_RULE_COUNT; i++) {
		if (strcmp(word, rule_names[i]) == 0) {
			faults.is_broken[i] = true;
			return 0;
		}
	}
	if (sscanf(word, "write=eio@%lu+%lu", &io->eio_number, &io->eio_count) >= 1 ||
		sscanf(word, "write=full@%lu+%lu", &io->full_number, &io->full_count) >= 1 ||
		sscanf(word, "write=short@%lu", &io->short_number) == 1 ||
		sscanf(word, "write=eagain@%lu", &io->eagain_number) == 1 ||
		sscanf(word, "write=hang@%lu", &io->hang_number) == 1)
		return 0;
	if (sscanf(word, "write=lands@%lu+%lu", &io->eio_number, &io->eio_count) >= 1) {
		io->eio_lands = true;
		return 0;
	}
	if (strcmp(word, "write=reverse") == 0) {
		io->reverse = true;
		return 0;
	}
	return parse_point(word);
}

int sl_fault_parse(const char *spec, struct sl_err *err)
{
	char *copy = strdup(spec);
	char *rest = NULL;
	int result = 0;

	if (copy == NULL)
		return sl_err_set(err, -ENOMEM, "--fault: out of memory");
	for (char *word = strtok_r(copy, ",", &rest); word != NULL && result == 0;
		word = strtok_r(NULL, ",", &rest)) {
		if (parse_one(word) != 0)
			result = sl_err_set(err, -EINVAL,
				"--fault: unknown fault '%s'; known are lose=ring|batch|completion, write=eio|lands|full|short|eagain|hang@N, write=eio|lands|full@N+COUNT, write=reverse, flush=skip, names=skip, epoch=reuse, watermark=hasty, roll=lose, term=keep, rehome=keep, bookmark=trust, epoch=skip and die=POINT@N",
				word);
	}
	free(copy);
	return result;
}

uint32_t sl_fault_lose(enum sl_fault_place place, uint32_t event_count)
{
	uint64_t before_count;

	if (!faults.is_armed[place] || event_count == 0)
		return 0;
	before_count = __atomic_fetch_add(&faults.seen_count[place], event_count, __ATOMIC_RELAXED);
	return before_count < LOST_EVENT_NUMBER && before_count + event_count >= LOST_EVENT_NUMBER;
}

bool sl_fault_breaks(enum sl_fault_rule rule)
{
	return faults.is_broken[rule];
}

void sl_fault_die_at(enum sl_fault_point point)
{
	if (__atomic_add_fetch(&faults.passed_count[point], 1, __ATOMIC_RELAXED) ==
		faults.die_number[point])
		raise(SIGKILL);
}

struct sl_io *sl_fault_wrap_io(struct sl_io *io)
{
	return sl_io_fault_create(io, &faults.io);
}

#else

// An empty translation unit is not C.
extern int sl_fault_absent;

#endif
