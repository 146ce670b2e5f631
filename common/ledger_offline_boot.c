/* SPDX-License-Identifier: BSD-3-Clause */
// What the log holds of one start against its newest ledger.
#include "ledger_lines.h"
#include "ledger_offline_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_NAME "frames lost by ports"

static int add_lines(struct sl_ledger *lines, struct sl_ledger *more, size_t room)
{
	void *grown = realloc(
		lines->lines, (lines->line_count + more->line_count + room) * sizeof(*more->lines));

	if (grown == NULL)
		return -ENOMEM;
	lines->lines = grown;
	memcpy(lines->lines + lines->line_count, more->lines,
		more->line_count * sizeof(*more->lines));
	lines->line_count += more->line_count;
	return 0;
}

// What is stored is in the log, and what is in the log behind the newest ledger, or of a lane that
// has failed, may not have been counted any more.
static void stored_line(struct sl_ledger_boot *boot)
{
	const struct sl_run_ledger *newest = &boot->newest;
	bool is_exact = boot->end == SL_LEDGER_END_CLEAN && newest->failed_lane_count == 0;
	struct sl_ledger_line *line;

	if (!boot->is_whole && !is_exact)
		return;
	line = sl_ledger_add(&boot->lines, "events", "log");
	if (boot->is_whole && is_exact)
		sl_ledger_set(line, "in the log", sl_ledger_exactly(boot->event_count), "stored",
			sl_ledger_exactly(newest->stored));
	else if (boot->is_whole)
		sl_ledger_set(line, "in the log", sl_ledger_exactly(boot->event_count),
			"stored, and more that was not counted any more",
			sl_ledger_between(
				newest->stored, SL_MAX(newest->stored, boot->event_count)));
	else
		sl_ledger_set(line, "left in the log", sl_ledger_exactly(boot->event_count),
			"at most stored", sl_ledger_between(0, newest->stored));
}

static uint64_t gaps_of(const struct sl_ledger_boot *boot, const char *reason, uint8_t unit)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < boot->gaps.count; i++) {
		const struct sl_ledger_gaps *gaps = &boot->gaps.gaps[i];

		if (gaps->unit == unit && (reason == NULL || strcmp(gaps->reason, reason) == 0))
			sum += gaps->count;
	}
	return sum;
}

// A lane that failed took its last gaps along, and retention takes them as it takes events.
static void gap_line(struct sl_ledger_boot *boot, const char *unit, const char *name, uint64_t gaps,
	uint64_t not_in_gaps, uint64_t count)
{
	bool is_exact = boot->is_whole && boot->newest.failed_lane_count == 0;
	struct sl_ledger_line *line = sl_ledger_add(&boot->lines, unit, "%s", name);

	if (is_exact)
		sl_ledger_set(line, "in gaps + said to be in none",
			sl_ledger_exactly(gaps + not_in_gaps), "dropped", sl_ledger_exactly(count));
	else
		sl_ledger_set(line, "left in gaps", sl_ledger_exactly(gaps), "at most dropped",
			sl_ledger_between(0, count));
}

static void event_gap_lines(struct sl_ledger_boot *boot)
{
	struct sl_run_ledger_drop drop;

	for (uint32_t i = 0; i < boot->newest.drop_count; i++) {
		sl_run_ledger_drop(boot->newest_record, i, &drop);
		if (drop.unit != SL_GAP_EVENTS)
			continue;
		gap_line(boot, "events", drop.reason, gaps_of(boot, drop.reason, SL_GAP_EVENTS),
			drop.not_in_gaps, drop.count);
	}
}

static bool is_dropped(const struct sl_ledger_boot *boot, const char *reason)
{
	struct sl_run_ledger_drop drop;

	for (uint32_t i = 0; i < boot->newest.drop_count; i++) {
		sl_run_ledger_drop(boot->newest_record, i, &drop);
		if (strcmp(drop.reason, reason) == 0)
			return true;
	}
	return false;
}

// Gaps whose reason the ledger does not know at all.
static void foreign_gap_lines(struct sl_ledger_boot *boot)
{
	for (size_t i = 0; i < boot->gaps.count; i++) {
		const struct sl_ledger_gaps *gaps = &boot->gaps.gaps[i];

		if (gaps->unit == SL_GAP_EVENTS && !is_dropped(boot, gaps->reason))
			gap_line(boot, "events", gaps->reason, gaps->count, 0, 0);
	}
}

static void frame_gap_line(struct sl_ledger_boot *boot)
{
	struct sl_run_ledger_port port;
	uint64_t lost = 0, not_in_gaps = 0;

	for (uint32_t i = 0; i < boot->newest.port_count; i++) {
		sl_run_ledger_port(boot->newest_record, i, &port);
		lost += port.missed + port.no_mbuf + port.xsk_ring_full + port.xsk_fill_empty +
			port.xsk_rx_dropped;
		not_in_gaps += port.not_in_gaps;
	}
	gap_line(
		boot, "frames", FRAMES_NAME, gaps_of(boot, NULL, SL_GAP_FRAMES), not_in_gaps, lost);
}

int sl_ledger_of_boot(struct sl_ledger_boot *boot)
{
	struct sl_ledger record = {0};
	int rc = sl_ledger_of_record(&record, boot->newest_record);

	if (rc == 0)
		rc = add_lines(
			&boot->lines, &record, 2 + boot->newest.drop_count + boot->gaps.count);
	sl_ledger_free(&record);
	if (rc != 0)
		return rc;
	stored_line(boot);
	// Behind the newest ledger of a start that ended without a last one, gaps may have been
	// written and others lost: they say nothing against its counters.
	if (boot->end == SL_LEDGER_END_CLEAN) {
		event_gap_lines(boot);
		foreign_gap_lines(boot);
		frame_gap_line(boot);
	}
	return 0;
}
