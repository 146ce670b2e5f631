/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger_offline.h"

#include "format/batch_scan.h"
#include "format/store_walk.h"
#include "ledger_offline_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct sl_ledger_offline *result;
	struct sl_store_counter *counter;
	bool has_epoch;
	struct sl_ledger_epoch epoch; // at hand, of one lane
	struct sl_ledger_gap_list gaps; // of it
	struct sl_run_ledger before; // the ledger before in this epoch; boot 0: none
	size_t boot; // index of the epoch's, once it is known
	uint64_t batch_count; // of the epoch, so far
};

void *sl_ledger_grow(void *items, size_t count, size_t item_bytes)
{
	// The count is a power of two when the room is used up.
	if (count > 0 && (count & (count - 1)) != 0)
		return items;
	return realloc(items, (count == 0 ? 1 : count * 2) * item_bytes);
}

static int add_gap(
	struct sl_ledger_gap_list *list, const char *reason, uint8_t unit, uint64_t count)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->gaps[i].unit == unit && strcmp(list->gaps[i].reason, reason) == 0) {
			list->gaps[i].count += count;
			return 0;
		}
	}
	void *grown = sl_ledger_grow(list->gaps, list->count, sizeof(*list->gaps));
	if (grown == NULL)
		return -ENOMEM;
	list->gaps = grown;
	struct sl_ledger_gaps *gaps = &list->gaps[list->count++];
	*gaps = (struct sl_ledger_gaps){.count = count, .unit = unit};
	memcpy(gaps->reason, reason, sizeof(gaps->reason));
	return 0;
}

// ---- starts

static int find_boot(
	struct sl_ledger_offline *result, const struct sl_run_ledger *header, size_t *index)
{
	for (size_t i = result->boot_count; i > 0; i--) {
		if (result->boots[i - 1].boot == header->boot) {
			*index = i - 1;
			return 0;
		}
	}
	void *grown = sl_ledger_grow(result->boots, result->boot_count, sizeof(*result->boots));
	if (grown == NULL)
		return -ENOMEM;
	result->boots = grown;
	*index = result->boot_count++;
	result->boots[*index] =
		(struct sl_ledger_boot){.boot = header->boot, .start_ns = header->start_ns};
	return 0;
}

static int finish_epoch(struct walk *walk)
{
	struct sl_ledger_offline *result = walk->result;
	struct sl_ledger_epoch *epoch = &walk->epoch;
	int rc = 0;

	if (!walk->has_epoch)
		return 0;
	walk->has_epoch = false;
	void *grown = sl_ledger_grow(result->epochs, result->epoch_count, sizeof(*result->epochs));
	if (grown == NULL)
		return -ENOMEM;
	result->epochs = grown;
	result->epochs[result->epoch_count++] = *epoch;
	if (epoch->boot != 0) {
		struct sl_ledger_boot *boot = &result->boots[walk->boot];

		boot->lane_count++;
		boot->first_count += epoch->has_first;
		boot->event_count += epoch->event_count;
		for (size_t i = 0; rc == 0 && i < walk->gaps.count; i++)
			rc = add_gap(&boot->gaps, walk->gaps.gaps[i].reason,
				walk->gaps.gaps[i].unit, walk->gaps.gaps[i].count);
	}
	walk->gaps.count = 0;
	free(walk->gaps.gaps);
	walk->gaps.gaps = NULL;
	return rc;
}

static int enter_epoch(struct walk *walk, const struct sl_batch_header *batch)
{
	if (walk->has_epoch && walk->epoch.lane == batch->lane && walk->epoch.epoch == batch->epoch)
		return 0;
	int rc = finish_epoch(walk);
	walk->has_epoch = true;
	walk->epoch = (struct sl_ledger_epoch){.lane = batch->lane, .epoch = batch->epoch};
	walk->before.boot = 0;
	walk->batch_count = 0;
	return rc;
}

// What is gone where an epoch begins may have been of the one before.
static void note_fence(struct walk *walk)
{
	struct sl_ledger_offline *result = walk->result;
	struct sl_ledger_epoch *last =
		result->epoch_count > 0 ? &result->epochs[result->epoch_count - 1] : NULL;

	walk->epoch.has_fence = true;
	if (last != NULL && last->lane == walk->epoch.lane && walk->batch_count == 0)
		last->has_fence = true;
}

// ---- records

static int add_failure(
	struct walk *walk, const struct sl_run_ledger *header, const struct sl_ledger_line *line)
{
	struct sl_ledger_offline *result = walk->result;

	if (result->failures_in_all++ >= SL_LEDGER_FAILURE_COUNT_MAX)
		return 0;
	void *grown =
		sl_ledger_grow(result->failures, result->failure_count, sizeof(*result->failures));
	if (grown == NULL)
		return -ENOMEM;
	result->failures = grown;
	result->failures[result->failure_count++] = (struct sl_ledger_failure){.boot = header->boot,
		.sequence = header->sequence,
		.lane = walk->epoch.lane,
		.line = *line};
	return 0;
}

static int check_lines(
	struct walk *walk, const struct sl_run_ledger *header, struct sl_ledger *ledger)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ledger->line_count; i++) {
		if (!ledger->lines[i].ok)
			rc = add_failure(walk, header, &ledger->lines[i]);
	}
	sl_ledger_free(ledger);
	return rc;
}

static int check_record(
	struct walk *walk, const struct sl_run_ledger *header, const struct sl_run *run)
{
	const struct sl_ledger_boot *boot = &walk->result->boots[walk->boot];
	struct sl_ledger ledger = {0};
	int rc = sl_ledger_of_record(&ledger, run->data);

	if (rc == 0)
		rc = check_lines(walk, header, &ledger);
	if (rc == 0 && walk->before.boot != 0)
		rc = sl_ledger_since(&ledger, &walk->before, header);
	if (rc == 0)
		rc = check_lines(walk, header, &ledger);
	if (rc == 0 && boot->newest_record != NULL && boot->newest.sequence == header->sequence)
		rc = sl_ledger_of_copies(&ledger,
			boot->newest_bytes == run->bytes &&
				memcmp(boot->newest_record, run->data, run->bytes) == 0);
	return rc == 0 ? check_lines(walk, header, &ledger) : rc;
}

static int keep_newest(
	struct sl_ledger_boot *boot, const struct sl_run_ledger *header, const struct sl_run *run)
{
	void *record;

	if (boot->newest_record != NULL && boot->newest.sequence >= header->sequence)
		return 0;
	record = realloc(boot->newest_record, run->bytes);
	if (record == NULL)
		return -ENOMEM;
	memcpy(record, run->data, run->bytes);
	boot->newest_record = record;
	boot->newest_bytes = run->bytes;
	boot->newest = *header;
	return 0;
}

static int take_record(struct walk *walk, const struct sl_run *run)
{
	struct sl_run_ledger header;
	int rc;

	sl_run_ledger_header(run->data, &header);
	rc = find_boot(walk->result, &header, &walk->boot);
	if (rc != 0)
		return rc;
	walk->epoch.boot = header.boot;
	walk->epoch.has_first |= header.sequence == 0;
	walk->epoch.has_last |= (header.flags & SL_LEDGER_LAST) != 0;
	walk->result->record_count++;
	walk->result->boots[walk->boot].record_count++;
	rc = check_record(walk, &header, run);
	walk->before = header;
	return rc == 0 ? keep_newest(&walk->result->boots[walk->boot], &header, run) : rc;
}

static int take_runs(struct walk *walk, const struct sl_batch_header *batch)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	int rc = 0;

	sl_run_iterator_init(&iterator, batch);
	iterator.wants_gaps = iterator.wants_ledgers = true;
	while (rc == 0 && sl_run_next(&iterator, &run, &walk->result->report.unknown_run_count)) {
		struct sl_run_gap gap;

		if (run.type == SL_RUN_LEDGER)
			rc = take_record(walk, &run);
		if (run.type != SL_RUN_GAP)
			continue;
		memcpy(&gap, run.data, sizeof(gap));
		rc = add_gap(&walk->gaps, gap.reason, gap.unit, gap.count);
	}
	if (rc == 0 && iterator.out_of_memory)
		rc = -ENOMEM;
	sl_run_iterator_fini(&iterator);
	return rc;
}

static int on_batch(void *context, const struct sl_lane_reader *reader,
	const struct sl_batch_header *batch, struct sl_err *err)
{
	struct walk *walk = context;
	int rc = sl_store_counter_add(walk->counter, reader, batch, err);

	if (rc != 0)
		return rc;
	rc = enter_epoch(walk, batch);
	if (batch->kind == SL_BATCH_FENCE)
		note_fence(walk);
	walk->batch_count++;
	if (rc == 0 && batch->kind == SL_BATCH_EVENTS) {
		walk->epoch.event_count += batch->event_count;
		rc = take_runs(walk, batch);
	}
	return rc == 0 ? 0 : sl_err_set(err, rc, "no memory to check a store's ledgers");
}

// ---- all together

static bool lacks_paths(const struct sl_store_reader *store)
{
	bool lacks = false;

	for (uint32_t i = 0; i < store->paths.count; i++)
		lacks |= store->paths.paths[i][0] == '\0';
	return lacks;
}

static int compare_boots(const void *a, const void *b)
{
	uint64_t left = ((const struct sl_ledger_boot *)a)->start_ns;
	uint64_t right = ((const struct sl_ledger_boot *)b)->start_ns;

	return (left > right) - (left < right);
}

static int judge_boots(struct sl_ledger_offline *result)
{
	int rc = 0;

	for (size_t e = 0; e < result->epoch_count; e++) {
		for (size_t b = 0; b < result->boot_count; b++) {
			if (result->boots[b].boot == result->epochs[e].boot)
				result->boots[b].has_fence |= result->epochs[e].has_fence;
		}
	}
	if (result->boot_count > 0)
		qsort(result->boots, result->boot_count, sizeof(*result->boots), compare_boots);
	for (size_t b = 0; rc == 0 && b < result->boot_count; b++) {
		struct sl_ledger_boot *boot = &result->boots[b];

		boot->end = (boot->newest.flags & SL_LEDGER_LAST) != 0 ? SL_LEDGER_END_CLEAN
								       : SL_LEDGER_END_NONE;
		if (result->is_live && b + 1 == result->boot_count &&
			boot->end == SL_LEDGER_END_NONE)
			boot->end = SL_LEDGER_END_RUNNING;
		boot->is_whole = boot->first_count >= boot->newest.lane_count && !boot->has_fence;
		rc = sl_ledger_of_boot(boot);
	}
	return rc;
}

int sl_ledger_check_offline(struct sl_ledger_offline *result, struct sl_store_reader *store,
	bool is_live, struct sl_err *err)
{
	struct walk walk = {.result = result};
	uint32_t partition_count = store->meta.header.partition_count;
	int rc = -ENOMEM;

	*result = (struct sl_ledger_offline){
		.is_live = is_live,
		.is_partial = lacks_paths(store),
		.partition_count = partition_count,
		.partitions = calloc(SL_MAX(partition_count, 1u), sizeof(*result->partitions)),
	};
	walk.counter = sl_store_counter_create(store, NULL, &result->report, err);
	if (result->partitions != NULL && walk.counter != NULL) {
		rc = sl_store_walk(store, on_batch, &walk, &result->report, err);
		sl_store_counter_sum_up(walk.counter, result->partitions);
	}
	if (rc == 0)
		rc = finish_epoch(&walk);
	if (rc == 0)
		rc = judge_boots(result);
	if (rc == -ENOMEM)
		sl_err_set(err, rc, "no memory to check a store's ledgers");
	free(walk.gaps.gaps);
	sl_store_counter_destroy(walk.counter);
	return rc;
}

static uint64_t known_offsets(const struct sl_store_count *count)
{
	return count->event_count + count->lost_count + count->jumped_count + count->expired_count;
}

uint64_t sl_ledger_partition_unknown(const struct sl_store_count *count)
{
	uint64_t known = known_offsets(count);
	uint64_t span = known == 0 ? 0 : count->last_offset + 1 - count->first_offset;

	return span > known ? span - known : 0;
}

bool sl_ledger_partition_holds(
	const struct sl_ledger_offline *result, const struct sl_store_count *count)
{
	uint64_t known = known_offsets(count);
	uint64_t unknown = result->is_partial ? sl_ledger_partition_unknown(count) : 0;

	if (count->double_count > 0)
		return false;
	return known == 0 || known + unknown == count->last_offset + 1 - count->first_offset;
}

bool sl_ledger_offline_holds(const struct sl_ledger_offline *result)
{
	bool holds = result->failures_in_all == 0;

	for (size_t i = 0; i < result->boot_count; i++)
		holds = holds && sl_ledger_holds(&result->boots[i].lines);
	for (uint32_t i = 0; i < result->partition_count; i++)
		holds = holds && sl_ledger_partition_holds(result, &result->partitions[i]);
	return holds;
}

void sl_ledger_offline_free(struct sl_ledger_offline *result)
{
	for (size_t i = 0; i < result->boot_count; i++) {
		free(result->boots[i].newest_record);
		free(result->boots[i].gaps.gaps);
		sl_ledger_free(&result->boots[i].lines);
	}
	free(result->boots);
	free(result->epochs);
	free(result->partitions);
	free(result->failures);
	*result = (struct sl_ledger_offline){0};
}
