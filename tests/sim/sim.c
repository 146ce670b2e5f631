/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim.h"

#include "log.h"
#include "task.h"
#include "wrap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_LINE_COUNT 60
#define LOG_LINE_BYTES 400

struct sim_counts sim_counts;

static uint64_t random_state;
static char failure[2048];
static char lines[LOG_LINE_COUNT][LOG_LINE_BYTES];
static uint64_t line_count;
static bool verbose;

// ---- random numbers

void sim_random_seed(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
}

// splitmix64: any state is a good one.
uint64_t sim_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t sim_below(uint64_t bound)
{
	return sim_random() % bound;
}

uint64_t sim_between(uint64_t first, uint64_t last)
{
	return first + sim_below(last - first + 1);
}

bool sim_chance(uint32_t permille)
{
	return sim_below(1000) < permille;
}

// ---- the verdict

void sim_fail(const char *format, ...)
{
	va_list args;

	if (failure[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(failure, sizeof(failure), format, args);
	va_end(args);
	sim_log_note("FAILED: %s", failure);
}

bool sim_has_failed(void)
{
	return failure[0] != '\0';
}

const char *sim_failure(void)
{
	return failure;
}

void sim_forget_failure(void)
{
	failure[0] = '\0';
}

// ---- the log

void sim_log_begin(bool is_verbose)
{
	verbose = is_verbose;
	line_count = 0;
}

static void note(const char *prefix, const char *format, va_list args)
{
	char *line = lines[line_count++ % LOG_LINE_COUNT];
	uint64_t now_us = sim_now_ns() / SL_NS_PER_US;
	int bytes = snprintf(line, LOG_LINE_BYTES, "%7lu.%06lu %s: ", now_us / 1000000 % 1000000,
		now_us % 1000000, prefix);

	vsnprintf(line + bytes, LOG_LINE_BYTES - (size_t)bytes, format, args);
	if (verbose)
		fprintf(stderr, "%s\n", line);
}

void sim_log_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note("sim", format, args);
	va_end(args);
}

void sim_log_show(void)
{
	uint64_t first = line_count > LOG_LINE_COUNT ? line_count - LOG_LINE_COUNT : 0;

	for (uint64_t i = first; i < line_count && !verbose; i++)
		fprintf(stderr, "     %s\n", lines[i % LOG_LINE_COUNT]);
}

SIM_WRAP(void, sl_log, enum sl_log_level level SL_UNUSED, const char *component, const char *format,
	...)
{
	va_list args;

	va_start(args, format);
	note(component, format, args);
	va_end(args);
}
