/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledgers.h"

#include "dataplane.h"
#include "ledger.h"
#include "ledger_record.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

// A driver counts a burst after it has taken it, and may be preempted in between: as in
// control/ctl/check.c, a second look tells that from what is lost.
#define LOOK_COUNT_MAX 5

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t interval_ns(const struct sl_dataplane *dataplane)
{
	return dataplane->config.store.ledger_interval_s * SL_NS_PER_S;
}

static struct sl_ledger_stamp stamp(const struct sl_dataplane *dataplane, uint64_t now_ns)
{
	struct sl_ledger_stamp stamp = {
		.boot = dataplane->ledgers.boot,
		.sequence = dataplane->ledgers.next_sequence,
		.time_ns = now_ns,
	};

	for (uint32_t i = 0; i < dataplane->store.lane_count; i++)
		stamp.lane_count += dataplane->store.lanes[i].worker_index != SL_LANE_NONE;
	return stamp;
}

void sl_ledgers_first(struct sl_dataplane *dataplane)
{
	struct sl_ledgers *ledgers = &dataplane->ledgers;
	uint64_t now_ns = wall_ns();

	while (ledgers->boot == 0) {
		if (getrandom(&ledgers->boot, sizeof(ledgers->boot), 0) !=
			(ssize_t)sizeof(ledgers->boot))
			ledgers->boot = now_ns;
	}
	struct sl_ledger_stamp first = stamp(dataplane, now_ns);
	ledgers->record_bytes = sl_ledger_record_first(ledgers->record, &dataplane->shm, &first);
	ledgers->next_sequence = 1;
	ledgers->due_ns = now_ns + interval_ns(dataplane);
}

bool sl_ledgers_are_due(struct sl_dataplane *dataplane)
{
	struct sl_ledgers *ledgers = &dataplane->ledgers;
	uint64_t now_ns = wall_ns();

	if (ledgers->snapshot != 0)
		return false;
	// The wall clock may have been set back.
	ledgers->due_ns = SL_MIN(ledgers->due_ns, now_ns + interval_ns(dataplane));
	if (now_ns < ledgers->due_ns)
		return false;
	ledgers->due_ns = now_ns + interval_ns(dataplane);
	ledgers->look_count = 0;
	return true;
}

void sl_ledgers_before_snapshot(struct sl_dataplane *dataplane)
{
	sl_dataplane_publish_ports(dataplane);
	memcpy(dataplane->ledgers.ports_before, dataplane->shm.ports,
		dataplane->shm.header->port_count * sizeof(dataplane->shm.ports[0]));
}

// What drivers and the kernel counted meanwhile may only look wrong.
static bool is_settled(const struct sl_dataplane *dataplane)
{
	const struct sl_ledgers *ledgers = &dataplane->ledgers;
	bool only_samples_differ = true, holds;
	struct sl_ledger ledger;

	if (sl_ledger_at_snapshot(
		    &ledger, &dataplane->shm, ledgers->snapshot, ledgers->ports_before) != 0)
		return true;
	holds = sl_ledger_holds(&ledger);
	for (size_t i = 0; i < ledger.line_count; i++)
		only_samples_differ &= ledger.lines[i].ok || ledger.lines[i].is_sampled;
	sl_ledger_free(&ledger);
	return holds || !only_samples_differ;
}

// True when the two say the same but for when.
static bool is_same(const void *record, const void *other, uint32_t bytes)
{
	const size_t first = offsetof(struct sl_run_ledger, start_ns);
	const size_t second = offsetof(struct sl_run_ledger, flags);

	return memcmp((const char *)record + second, (const char *)other + second,
		       bytes - second) == 0 &&
		memcmp((const char *)record + first, (const char *)other + first,
			sizeof(uint64_t)) == 0;
}

bool sl_ledgers_on_snapshot(struct sl_dataplane *dataplane)
{
	struct sl_ledgers *ledgers = &dataplane->ledgers;
	struct sl_ledger_stamp now = stamp(dataplane, wall_ns());
	char record[SL_LEDGER_BYTES_MAX];
	uint32_t bytes;

	if (++ledgers->look_count < LOOK_COUNT_MAX && !is_settled(dataplane))
		return false;
	ledgers->snapshot = 0;
	bytes = sl_ledger_record_at_snapshot(record, &dataplane->shm, ledgers->ports_before, &now);
	// Nothing was counted since the last one: an idle appliance writes nothing, but for a lane
	// that was given the last one while it still had the one before.
	if (bytes == ledgers->record_bytes && is_same(record, ledgers->record, bytes)) {
		sl_store_repost_ledger(&dataplane->store, ledgers->record, bytes);
		return true;
	}
	memcpy(ledgers->record, record, bytes);
	ledgers->record_bytes = bytes;
	ledgers->next_sequence++;
	sl_store_post_ledger(&dataplane->store, record, bytes);
	return true;
}

static void add_left(struct sl_ledger_unwritten *unwritten, const struct sl_gap_table *table)
{
	for (uint32_t i = 0; table != NULL && i < SL_GAP_SLOT_COUNT; i++) {
		const struct sl_gap_key *key;
		uint64_t left = sl_gap_left(table, i, &key);

		if (left > 0 && key->unit == SL_GAP_FRAMES && key->port > 0)
			unwritten->ports[key->port - 1] += left;
		for (uint32_t reason = 0; left > 0 && reason < SL_DROP_REASON_COUNT; reason++) {
			if (key->unit == SL_GAP_EVENTS &&
				strcmp(key->reason, sl_drop_infos[reason].name) == 0)
				unwritten->drops[reason] += left;
		}
	}
}

void sl_ledgers_last(struct sl_dataplane *dataplane)
{
	struct sl_ledgers *ledgers = &dataplane->ledgers;
	struct sl_ledger_stamp now = stamp(dataplane, wall_ns());
	struct sl_ledger_unwritten unwritten = {0};

	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++)
		add_left(&unwritten, dataplane->lcores[i].gaps);
	add_left(&unwritten, dataplane->port_gaps);
	ledgers->record_bytes =
		sl_ledger_record_at_rest(ledgers->record, &dataplane->shm, &unwritten, &now);
	sl_store_set_last_ledger(&dataplane->store, ledgers->record, ledgers->record_bytes);
}
