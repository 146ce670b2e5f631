/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger.h"

#include "made_segment.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct sl_ledger_line *find_line(const struct sl_ledger *ledger, const char *name)
{
	for (size_t i = 0; i < ledger->line_count; i++)
		if (strcmp(ledger->lines[i].name, name) == 0)
			return &ledger->lines[i];
	return NULL;
}

static size_t broken_count(const struct sl_ledger *ledger)
{
	size_t count = 0;

	for (size_t i = 0; i < ledger->line_count; i++)
		count += !ledger->lines[i].ok;
	return count;
}

static int evaluate(struct sl_ledger *ledger, const struct sl_made_segment *made, bool at_rest)
{
	if (at_rest)
		return sl_ledger_at_rest(ledger, &made->shm);
	return sl_ledger_at_snapshot(ledger, &made->shm, SL_MADE_SNAPSHOT, made->ports_before);
}

static void every_identity_holds_in_an_honest_segment(void)
{
	struct sl_made_segment made;
	struct sl_ledger ledger;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	for (int at_rest = 0; at_rest < 2; at_rest++) {
		CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, at_rest), 0);
		CU_ASSERT(sl_ledger_holds(&ledger));
		// 2 of ports, 5 for each of 2 RX lcores, 2 rings, direct, 2 (at rest 3) for each of
		// 2 workers.
		CU_ASSERT_EQUAL(ledger.line_count, at_rest ? 21u : 19u);
		for (size_t i = 0; i < ledger.line_count; i++) {
			CU_ASSERT_PTR_NOT_NULL(ledger.lines[i].left_text);
			CU_ASSERT_PTR_NOT_NULL(ledger.lines[i].right_text);
			CU_ASSERT(strlen(ledger.lines[i].unit) > 0);
			CU_ASSERT_PTR_EQUAL(
				find_line(&ledger, ledger.lines[i].name), &ledger.lines[i]);
		}
		sl_ledger_free(&ledger);
	}
	sl_made_segment_destroy(&made);
}

// Each word wrong by one breaks exactly the lines named, and no other.
struct breakage {
	size_t (*word)(const struct sl_shm *shm); // byte offset from the header
	int delta;
	const char *lines[3];
};

#define WORD(function, expression) \
	static size_t function(const struct sl_shm *shm) \
	{ \
		return (size_t)((const char *)&shm->expression - (const char *)shm->header); \
	}

WORD(redirect, ports[0].xdp_redirect)
WORD(ring_full, ports[0].xsk_ring_full)
WORD(fill_empty, ports[0].xsk_fill_empty)
WORD(rx_dropped, ports[0].xsk_rx_dropped)
WORD(in_ring, ports[0].xsk_in_ring)
WORD(ipackets, ports[0].ipackets)
WORD(rest_frames, lcores[0].rx.frames)
WORD(rest_port_frames, lcores[0].rx.port_frames[0])
WORD(rest_datagrams, lcores[0].rx.datagrams)
WORD(rest_events, lcores[0].rx.events)
WORD(rest_enqueued, lcores[0].rx.enqueued)
WORD(rest_parse_drop, lcores[0].rx.drops[SL_DROP_NO_STREAM])
WORD(rest_ring_full, lcores[0].rx.drops[SL_DROP_RING_FULL])
WORD(rest_direct_given, lcores[2].rx.direct)
WORD(rest_direct_taken, lcores[2].worker.direct)
WORD(rest_ring_enqueued, rings[1].enqueued)
WORD(rest_ring_dequeued, rings[1].dequeued)
WORD(rest_dequeued, lcores[1].worker.dequeued)
WORD(rest_stored, lcores[1].worker.stored)
WORD(rest_refused, lcores[1].worker.drops[SL_DROP_LANE_FAILED])
WORD(rest_open, lcores[1].worker.open_events)
WORD(rest_in_flight, lcores[1].worker.in_flight_events)

static const struct breakage rest_breakages[] = {
	{redirect, 1, {"port 0 redirect"}},
	{redirect, -1, {"port 0 redirect"}},
	{ring_full, -1, {"port 0 redirect"}},
	{fill_empty, -1, {"port 0 redirect"}},
	{rx_dropped, -1, {"port 0 redirect"}},
	{in_ring, 1, {"port 0 redirect"}},
	{ipackets, 1, {"port 0 redirect", "port 0 driver"}},
	{rest_frames, 1, {"lcore 1 ports", "lcore 1 parse"}},
	{rest_port_frames, 1, {"lcore 1 ports", "port 0 driver"}},
	{rest_datagrams, -1, {"lcore 1 parse", "lcore 1 decode"}},
	{rest_events, -1, {"lcore 1 decode", "lcore 1 steer"}},
	{rest_enqueued, -1, {"lcore 1 steer", "lcore 1 to rings"}},
	{rest_parse_drop, 1, {"lcore 1 parse"}},
	{rest_ring_full, -1, {"lcore 1 steer"}},
	{rest_direct_given, -1, {"lcore 3 steer", "direct"}},
	{rest_direct_taken, -1, {"lcore 3 worker", "direct"}},
	{rest_ring_enqueued, 1, {"lcore 1 to rings", "ring 1"}},
	{rest_ring_dequeued, -1, {"lcore 2 from rings", "ring 1"}},
	{rest_dequeued, -1, {"lcore 2 worker", "lcore 2 from rings"}},
	{rest_stored, -1, {"lcore 2 worker"}},
	{rest_refused, 1, {"lcore 2 worker"}},
	{rest_open, 1, {"lcore 2 worker", "lcore 2 at rest"}},
	{rest_in_flight, 1, {"lcore 2 worker", "lcore 2 at rest"}},
};

WORD(snap_enqueued, lcores[0].rx_snapshot.enqueued)
WORD(copy_enqueued, rings[0].enqueued_at_copy)
WORD(copy_dequeued, rings[1].dequeued_at_copy)
WORD(snap_frames, lcores[0].rx_snapshot.frames)
WORD(snap_port_frames, lcores[0].rx_snapshot.port_frames[0])
WORD(snap_datagrams, lcores[0].rx_snapshot.datagrams)
WORD(snap_events, lcores[0].rx_snapshot.events)
WORD(snap_parse_drop, lcores[0].rx_snapshot.drops[SL_DROP_RUNT])
WORD(snap_ring_full, lcores[0].rx_snapshot.drops[SL_DROP_RING_FULL])
WORD(snap_direct_given, lcores[2].rx_snapshot.direct)
WORD(snap_direct_taken, lcores[2].worker_snapshot.direct)
WORD(marker_enqueued, rings[0].enqueued_at_marker)
WORD(marker_dequeued, rings[0].dequeued_at_marker)
WORD(snap_dequeued, lcores[1].worker_snapshot.dequeued)
WORD(snap_stored, lcores[1].worker_snapshot.stored)
WORD(snap_refused, lcores[1].worker_snapshot.drops[SL_DROP_TOO_LARGE])
WORD(snap_open, lcores[1].worker_snapshot.open_events)
WORD(snap_in_flight, lcores[1].worker_snapshot.in_flight_events)

// What the driver and the kernel count is a range here: it breaks when the ranges part.
static const struct breakage snapshot_breakages[] = {
	{redirect, -21, {"port 0 redirect"}},
	{ipackets, -11, {"port 0 redirect", "port 0 driver"}},
	{snap_frames, 1, {"lcore 1 ports", "lcore 1 parse"}},
	{snap_port_frames, 1, {"lcore 1 ports", "port 0 driver"}},
	{snap_datagrams, -1, {"lcore 1 parse", "lcore 1 decode"}},
	{snap_events, -1, {"lcore 1 decode", "lcore 1 steer"}},
	{snap_parse_drop, 1, {"lcore 1 parse"}},
	{snap_ring_full, -1, {"lcore 1 steer"}},
	{snap_enqueued, -1, {"lcore 1 steer", "lcore 1 to rings"}},
	{copy_enqueued, -1, {"lcore 1 to rings"}},
	{copy_dequeued, 1, {"lcore 2 from rings"}},
	{snap_direct_given, -1, {"lcore 3 steer", "direct"}},
	{snap_direct_taken, -1, {"lcore 3 worker", "direct"}},
	{marker_enqueued, 1, {"ring 0"}},
	{marker_dequeued, -1, {"ring 0"}},
	{snap_dequeued, -1, {"lcore 2 worker", "lcore 2 from rings"}},
	{snap_stored, -1, {"lcore 2 worker"}},
	{snap_refused, 1, {"lcore 2 worker"}},
	{snap_open, 1, {"lcore 2 worker"}},
	{snap_in_flight, -1, {"lcore 2 worker"}},
};

static void check_breakage(
	struct sl_made_segment *made, const struct breakage *breakage, bool at_rest, size_t index)
{
	size_t byte_offset = breakage->word(&made->shm);
	uint64_t *word = (uint64_t *)((char *)made->shm.header + byte_offset);
	struct sl_ledger ledger;
	size_t named_count = 0;
	bool all_found = true;

	*word += (uint64_t)breakage->delta;
	CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, made, at_rest), 0);
	for (; named_count < 3 && breakage->lines[named_count] != NULL; named_count++) {
		const struct sl_ledger_line *line =
			find_line(&ledger, breakage->lines[named_count]);
		if (line == NULL || line->ok)
			all_found = false;
	}
	bool is_exact = all_found && broken_count(&ledger) == named_count;
	if (!is_exact)
		printf("     breakage %zu (first line \"%s\") broke %zu lines\n", index,
			breakage->lines[0], broken_count(&ledger));
	CU_ASSERT(is_exact);
	CU_ASSERT_FALSE(sl_ledger_holds(&ledger));
	sl_ledger_free(&ledger);
	*word -= (uint64_t)breakage->delta;
}

static void check_breakages(const struct breakage *breakages, size_t count, bool at_rest)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	for (size_t i = 0; i < count; i++)
		check_breakage(&made, &breakages[i], at_rest, i);
	sl_made_segment_destroy(&made);
}

static void each_identity_at_rest_is_found_broken_by_one(void)
{
	check_breakages(rest_breakages, SL_ARRAY_COUNT(rest_breakages), true);
}

static void each_identity_at_a_snapshot_is_found_broken(void)
{
	check_breakages(snapshot_breakages, SL_ARRAY_COUNT(snapshot_breakages), false);
}

static void a_port_without_traffic_is_exact_at_a_snapshot_too(void)
{
	struct sl_made_segment made;
	struct sl_ledger ledger;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	made.ports_before[0] = made.shm.ports[0];
	CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, false), 0);
	CU_ASSERT(sl_ledger_holds(&ledger));
	sl_ledger_free(&ledger);

	made.shm.ports[0].xsk_rx_dropped--;
	made.ports_before[0] = made.shm.ports[0];
	CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, false), 0);
	const struct sl_ledger_line *line = find_line(&ledger, "port 0 redirect");
	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	CU_ASSERT_FALSE(line->ok);
	sl_ledger_free(&ledger);
	sl_made_segment_destroy(&made);
}

// memif counts from 0 again when its peer reconnects.
static void a_blind_port_is_not_held_against_its_own_count(void)
{
	struct sl_made_segment made;
	struct sl_ledger ledger;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	made.shm.ports[0].ledger = SL_LEDGER_BLIND;
	made.shm.ports[0].ipackets = 0;
	CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, true), 0);
	CU_ASSERT_PTR_NULL(find_line(&ledger, "port 0 driver"));
	CU_ASSERT(sl_ledger_holds(&ledger));
	sl_ledger_free(&ledger);
	sl_made_segment_destroy(&made);
}

// Frames that a NIC has counted, and nobody has taken from its descriptors yet or any more.
static void a_lower_bound_port_may_have_counted_more_than_was_taken_not_less(void)
{
	struct sl_made_segment made;
	struct sl_ledger ledger;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	made.shm.ports[0].ledger = SL_LEDGER_LOWER_BOUND;
	for (int at_rest = 0; at_rest < 2; at_rest++) {
		made.shm.ports[0].ipackets += 4096;
		made.ports_before[0].ipackets += 4096;
		CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, at_rest), 0);
		CU_ASSERT(sl_ledger_holds(&ledger));
		sl_ledger_free(&ledger);
		made.shm.ports[0].ipackets -= 4096 + 11;
		CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, at_rest), 0);
		CU_ASSERT_EQUAL(broken_count(&ledger), 1);
		sl_ledger_free(&ledger);
		made.shm.ports[0].ipackets += 11;
		made.ports_before[0].ipackets -= 4096;
	}
	sl_made_segment_destroy(&made);
}

static void only_an_exact_af_xdp_port_has_a_redirect_line(void)
{
	struct sl_made_segment made;
	struct sl_ledger ledger;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	made.shm.ports[0].ledger = SL_LEDGER_LOWER_BOUND;
	CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, true), 0);
	CU_ASSERT_PTR_NULL(find_line(&ledger, "port 0 redirect"));
	sl_ledger_free(&ledger);

	made.shm.ports[0].ledger = SL_LEDGER_EXACT;
	snprintf(made.shm.ports[0].device, sizeof(made.shm.ports[0].device), "memif:/run/m.sock");
	CU_ASSERT_EQUAL_FATAL(evaluate(&ledger, &made, true), 0);
	CU_ASSERT_PTR_NULL(find_line(&ledger, "port 0 redirect"));
	sl_ledger_free(&ledger);
	sl_made_segment_destroy(&made);
}

static void a_snapshot_that_is_not_whole_is_refused(void)
{
	struct sl_made_segment made;
	struct sl_ledger ledger;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	uint64_t *const words[] = {
		&made.shm.lcores[0].rx_snapshot_id,
		&made.shm.lcores[1].worker_snapshot_id,
		&made.shm.rings[1].marker_sent,
		&made.shm.rings[1].marker_received,
		&made.shm.header->snapshot_request,
	};
	for (size_t i = 0; i < SL_ARRAY_COUNT(words); i++) {
		*words[i] += 1;
		CU_ASSERT_EQUAL(evaluate(&ledger, &made, false), -EAGAIN);
		CU_ASSERT_PTR_NULL(ledger.lines);
		*words[i] -= 1;
	}
	CU_ASSERT_EQUAL(evaluate(&ledger, &made, false), 0);
	sl_ledger_free(&ledger);
	sl_made_segment_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(every_identity_holds_in_an_honest_segment),
	SL_TEST(each_identity_at_rest_is_found_broken_by_one),
	SL_TEST(each_identity_at_a_snapshot_is_found_broken),
	SL_TEST(a_port_without_traffic_is_exact_at_a_snapshot_too),
	SL_TEST(a_blind_port_is_not_held_against_its_own_count),
	SL_TEST(a_lower_bound_port_may_have_counted_more_than_was_taken_not_less),
	SL_TEST(only_an_exact_af_xdp_port_has_a_redirect_line),
	SL_TEST(a_snapshot_that_is_not_whole_is_refused),
};
SL_SUITE(common_ledger);
