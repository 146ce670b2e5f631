/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/drops_offline.h"

#include "ctl/store_find.h"
#include "ledger_offline.h"
#include "stats_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(value) (json_int_t)(value)
#define BOOT_TEXT_BYTES 17
#define NOTE_BYTES_MAX 256

static const struct sl_output_column start_columns[] = {
	{"start_ns", "started", SL_CELL_TIME},
	{"end", "ended", SL_CELL_TEXT},
	{"ledger_ns", "newest ledger", SL_CELL_TIME},
	{"ledgers", "ledgers", SL_CELL_COUNT},
	{"lanes", "lanes", SL_CELL_COUNT},
	{"events", "in the log", SL_CELL_COUNT},
	{"stored", "stored", SL_CELL_COUNT},
	{"dropped_events", "dropped", SL_CELL_COUNT},
	{"ok", "holds", SL_CELL_TEXT},
};

static const struct sl_output_column stream_columns[] = {
	{"stream", "stream", SL_CELL_TEXT},
	{"partitions", "partitions", SL_CELL_COUNT},
	{"events", "events", SL_CELL_COUNT},
	{"lost", "lost", SL_CELL_COUNT},
	{"jumped", "jumped", SL_CELL_COUNT},
	{"expired", "expired", SL_CELL_COUNT},
	{"wrong", "wrong partitions", SL_CELL_COUNT},
};

static const struct sl_output_column wrong_columns[] = {
	{"where", "where", SL_CELL_TEXT},
	{"name", "identity", SL_CELL_TEXT},
	{"left", "left", SL_CELL_RANGE},
	{"right", "right", SL_CELL_RANGE},
	{"unit", "unit", SL_CELL_TEXT},
	{"left_text", "left is", SL_CELL_TEXT},
	{"right_text", "right is", SL_CELL_TEXT},
};

static const struct sl_output_column unchecked_columns[] = {
	{"where", "where", SL_CELL_TEXT},
	{"what", "not checked", SL_CELL_TEXT},
};

static const struct sl_output_column verdict_columns[] = {
	{"ledgers", "ledgers", SL_CELL_COUNT},
	{"ok", "all identities hold", SL_CELL_TEXT},
};

static const struct sl_output_table tables[] = {
	SL_OUTPUT_TABLE("STARTS", "starts", start_columns),
	SL_OUTPUT_TABLE("STREAMS", "streams", stream_columns),
	SL_OUTPUT_TABLE("WRONG", "wrong", wrong_columns),
	SL_OUTPUT_TABLE("NOT CHECKED", "unchecked", unchecked_columns),
	SL_OUTPUT_TABLE(NULL, NULL, verdict_columns),
};

static void boot_text(uint64_t boot, char text[BOOT_TEXT_BYTES])
{
	snprintf(text, BOOT_TEXT_BYTES, "%016" PRIx64, boot);
}

// ---- starts

static uint64_t dropped_events(const struct sl_ledger_boot *boot)
{
	struct sl_run_ledger_drop drop;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < boot->newest.drop_count; i++) {
		sl_run_ledger_drop(boot->newest_record, i, &drop);
		sum += drop.unit == SL_GAP_EVENTS ? drop.count : 0;
	}
	return sum;
}

static json_t *start_json(const struct sl_ledger_boot *boot)
{
	static const char *const ends[] = {
		[SL_LEDGER_END_CLEAN] = "clean",
		[SL_LEDGER_END_RUNNING] = "running",
		[SL_LEDGER_END_NONE] = "without a last ledger",
	};
	const struct sl_run_ledger *newest = &boot->newest;
	json_t *ledger = sl_stats_json_ledger(&boot->lines);
	char text[BOOT_TEXT_BYTES];

	boot_text(boot->boot, text);
	return json_pack(
		"{s:s, s:I, s:s, s:b, s:I, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:b, s:o}",
		"boot", text, "start_ns", COUNT(boot->start_ns), "end", ends[boot->end], "whole",
		(int)boot->is_whole, "ledger_ns", COUNT(newest->time_ns), "sequence",
		COUNT(newest->sequence), "ledgers", COUNT(boot->record_count), "lanes",
		(int)boot->lane_count, "events", COUNT(boot->event_count), "stored",
		COUNT(newest->stored), "frames", COUNT(newest->frames), "dropped_events",
		COUNT(dropped_events(boot)), "waiting_events",
		COUNT(newest->open + newest->in_flight), "failed_lanes",
		(int)newest->failed_lane_count, "ok", (int)sl_ledger_holds(&boot->lines), "ledger",
		ledger);
}

static json_t *epoch_json(const struct sl_ledger_epoch *epoch)
{
	char text[BOOT_TEXT_BYTES];

	boot_text(epoch->boot, text);
	return json_pack("{s:i, s:I, s:s?, s:I, s:b, s:b}", "lane", (int)epoch->lane, "epoch",
		COUNT(epoch->epoch), "boot", epoch->boot != 0 ? text : NULL, "events",
		COUNT(epoch->event_count), "first_ledger", (int)epoch->has_first, "last_ledger",
		(int)epoch->has_last);
}

// ---- partitions

struct stream_sums {
	uint64_t events, lost, jumped, expired, wrong;
};

static json_t *partition_json(
	const struct sl_ledger_offline *result, const char *stream, uint32_t number, uint32_t index)
{
	const struct sl_store_count *count = &result->partitions[number];
	bool is_empty = count->event_count + count->lost_count == 0;

	return json_pack("{s:i, s:s, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b}", "partition",
		(int)number, "stream", stream, "stream_partition", (int)index, "first_offset",
		is_empty ? json_null() : json_integer(COUNT(count->first_offset)), "last_offset",
		is_empty ? json_null() : json_integer(COUNT(count->last_offset)), "events",
		COUNT(count->event_count), "lost", COUNT(count->lost_count), "jumped",
		COUNT(count->jumped_count), "expired", COUNT(count->expired_count), "twice",
		COUNT(count->double_count), "ok", (int)sl_ledger_partition_holds(result, count));
}

static json_t *wrong_partition(
	const char *stream, uint32_t index, const struct sl_store_count *count)
{
	uint64_t known =
		count->event_count + count->lost_count + count->jumped_count + count->expired_count;
	uint64_t span = count->last_offset + 1 - count->first_offset;
	char where[SL_NAME_BYTES_MAX + 16];

	snprintf(where, sizeof(where), "%s/%" PRIu32, stream, index);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "where", where, "name",
		"offsets", "left", COUNT(known), "left_low", COUNT(known), "right", COUNT(span),
		"right_low", COUNT(span), "unit", "events", "left_text",
		"counted + lost + jumped + expired", "right_text",
		count->double_count > 0 ? "last + 1 - first, each once; some are there twice"
					: "last + 1 - first");
}

static json_t *stream_json(const struct sl_ledger_offline *result,
	const struct sl_store_meta_stream *stream, json_t *partitions, json_t *wrong)
{
	struct stream_sums sums = {0};

	for (uint32_t i = 0; i < stream->partition_count; i++) {
		uint32_t number = stream->first_partition + i;
		const struct sl_store_count *count = &result->partitions[number];

		sums.events += count->event_count;
		sums.lost += count->lost_count;
		sums.jumped += count->jumped_count;
		sums.expired += count->expired_count;
		json_array_append_new(partitions, partition_json(result, stream->name, number, i));
		if (sl_ledger_partition_holds(result, count))
			continue;
		sums.wrong++;
		json_array_append_new(wrong, wrong_partition(stream->name, i, count));
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "stream", stream->name,
		"partitions", COUNT(stream->partition_count), "events", COUNT(sums.events), "lost",
		COUNT(sums.lost), "jumped", COUNT(sums.jumped), "expired", COUNT(sums.expired),
		"wrong", COUNT(sums.wrong));
}

// ---- what does not hold, and what cannot be checked

static void add_wrong(json_t *wrong, const char *where, const struct sl_ledger_line *line)
{
	json_t *item = sl_stats_json_ledger_line(line);

	json_object_set_new(item, "where", json_string(where));
	json_array_append_new(wrong, item);
}

static void add_failures(json_t *wrong, const struct sl_ledger_offline *result)
{
	char where[NOTE_BYTES_MAX];

	for (size_t i = 0; i < result->failure_count; i++) {
		const struct sl_ledger_failure *failure = &result->failures[i];

		snprintf(where, sizeof(where),
			"start %016" PRIx64 ", ledger %" PRIu64 " in lane %u", failure->boot,
			failure->sequence, failure->lane);
		add_wrong(wrong, where, &failure->line);
	}
	for (size_t i = 0; i < result->boot_count; i++) {
		const struct sl_ledger_boot *boot = &result->boots[i];

		snprintf(where, sizeof(where), "start %016" PRIx64 ", log", boot->boot);
		for (size_t k = 0; k < boot->lines.line_count; k++) {
			if (!boot->lines.lines[k].ok)
				add_wrong(wrong, where, &boot->lines.lines[k]);
		}
	}
}

static void add_note(json_t *notes, const char *where, const char *what)
{
	json_array_append_new(notes, json_pack("{s:s, s:s}", "where", where, "what", what));
}

static void note_boot(json_t *notes, const struct sl_ledger_boot *boot)
{
	char where[NOTE_BYTES_MAX];

	snprintf(where, sizeof(where), "start %016" PRIx64, boot->boot);
	if (boot->end == SL_LEDGER_END_NONE)
		add_note(notes, where,
			"ended without a last ledger (a crash, or lanes that had failed): what was received "
			"and dropped after its newest ledger, and its gaps");
	if (boot->end == SL_LEDGER_END_RUNNING)
		add_note(notes, where, "is running: what was counted since its newest ledger");
	if (!boot->is_whole)
		add_note(notes, where,
			"not all of its lanes are here from their first ledger on (retention, a "
			"repair, or a path that is not here): that all it has stored, and all its gaps, are in the log");
	if (boot->newest.failed_lane_count > 0)
		add_note(notes, where,
			"a lane had failed: that all gaps are in the log, and no event beyond those stored");
}

static void note_epoch(json_t *notes, const struct sl_ledger_epoch *epoch)
{
	char where[NOTE_BYTES_MAX];

	snprintf(where, sizeof(where), "lane %u, epoch %" PRIu64, epoch->lane, epoch->epoch);
	if (epoch->boot == 0 && epoch->event_count > 0)
		add_note(notes, where,
			"holds no ledger (an earlier program wrote it, or they have expired): all but "
			"its offsets");
}

static void note_paths(json_t *notes, const struct sl_store_reader *store)
{
	char where[NOTE_BYTES_MAX];

	for (uint32_t i = 0; i < store->paths.count; i++) {
		if (store->paths.paths[i][0] != '\0')
			continue;
		snprintf(where, sizeof(where), "path %" PRIu32 ", last at %.128s", i,
			store->meta.paths[i].path);
		add_note(notes, where, "is not here: all that lies there");
	}
}

static void note_partition(
	json_t *notes, const char *stream, uint32_t index, const struct sl_store_count *count)
{
	uint64_t unknown = sl_ledger_partition_unknown(count);
	char where[NOTE_BYTES_MAX], what[NOTE_BYTES_MAX];

	if (unknown == 0)
		return;
	snprintf(where, sizeof(where), "%s/%" PRIu32, stream, index);
	snprintf(what, sizeof(what),
		"%" PRIu64 " of its offsets, which may lie on a path that is not here", unknown);
	add_note(notes, where, what);
}

static void note_partitions(
	json_t *notes, const struct sl_store_reader *store, const struct sl_ledger_offline *result)
{
	for (uint32_t s = 0; result->is_partial && s < store->meta.header.stream_count; s++) {
		const struct sl_store_meta_stream *stream = &store->meta.streams[s];

		for (uint32_t i = 0; i < stream->partition_count; i++)
			note_partition(notes, stream->name, i,
				&result->partitions[stream->first_partition + i]);
	}
}

static json_t *document(const struct sl_store_reader *store, const struct sl_ledger_offline *result)
{
	json_t *starts = json_array(), *epochs = json_array(), *streams = json_array();
	json_t *partitions = json_array(), *wrong = json_array(), *unchecked = json_array();

	add_failures(wrong, result);
	note_paths(unchecked, store);
	note_partitions(unchecked, store, result);
	for (size_t i = 0; i < result->boot_count; i++) {
		json_array_append_new(starts, start_json(&result->boots[i]));
		note_boot(unchecked, &result->boots[i]);
	}
	for (size_t i = 0; i < result->epoch_count; i++) {
		json_array_append_new(epochs, epoch_json(&result->epochs[i]));
		note_epoch(unchecked, &result->epochs[i]);
	}
	for (uint32_t i = 0; i < store->meta.header.stream_count; i++)
		json_array_append_new(
			streams, stream_json(result, &store->meta.streams[i], partitions, wrong));
	return json_pack("{s:s, s:b, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "store",
		store->path, "live", (int)result->is_live, "partial", (int)result->is_partial, "ok",
		(int)sl_ledger_offline_holds(result), "ledgers", COUNT(result->record_count),
		"wrong_ledger_lines", COUNT(result->failures_in_all), "starts", starts, "epochs",
		epochs, "streams", streams, "partitions", partitions, "wrong", wrong, "unchecked",
		unchecked);
}

static int check(struct sl_ctl *ctl, struct sl_store_reader *store, bool is_live)
{
	struct sl_ledger_offline result;
	struct sl_err err = {0};
	int code;
	int rc = sl_ledger_check_offline(&result, store, is_live, &err);

	if (rc < 0)
		code = sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text);
	else
		code = sl_ctl_print(ctl, document(store, &result), tables, SL_ARRAY_COUNT(tables));
	if (code == SL_CTL_OK && !sl_ledger_offline_holds(&result))
		code = SL_CTL_CHECK_FAILED;
	if (code == SL_CTL_OK && result.record_count == 0)
		code = sl_ctl_fail(SL_CTL_NOT_FOUND,
			"'%s' holds no ledger: only the offsets of its partitions were checked",
			store->path);
	sl_ledger_offline_free(&result);
	return code;
}

int sl_drops_offline(struct sl_ctl *ctl, const struct sl_ctl_store_choice *choice)
{
	struct sl_store_reader *store;
	struct sl_shm shm;
	int code = sl_ctl_store_find(ctl, choice, &store, &shm);

	if (code != SL_CTL_OK)
		return code;
	code = check(ctl, store, shm.header != NULL);
	sl_store_reader_close(store);
	sl_shm_close(&shm);
	return code;
}
