/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/store/items.h"

#include <errno.h>
#include <string.h>

#define PREVIEW_BYTES 32u

static void print_text(FILE *stream, const json_t *item)
{
	const char *key;
	json_t *value;

	fputs(json_string_value(json_object_get(item, "item")), stream);
	json_object_foreach((json_t *)(uintptr_t)item, key, value) {
		if (strcmp(key, "item") == 0 || json_is_null(value))
			continue;
		fprintf(stream, " %s=", key);
		if (json_is_string(value) && strchr(json_string_value(value), ' ') == NULL)
			fputs(json_string_value(value), stream);
		else
			json_dumpf(value, stream, JSON_ENCODE_ANY | JSON_COMPACT);
	}
	fputc('\n', stream);
}

void sl_ctl_item_print(struct sl_ctl *ctl, json_t *item)
{
	struct sl_output *output = &ctl->output;

	if (item == NULL) {
		output->error = output->error == 0 ? -ENOMEM : output->error;
		return;
	}
	if (output->is_json)
		sl_output_row(output, item, NULL, 0, false);
	else
		print_text(output->stream, item);
	json_decref(item);
}

static const char *kind_name(uint8_t kind)
{
	static const char *const names[] = {
		"0", "events", "checkpoint", "epoch_start", "mark", "ledger", "packed", "fence"};

	return kind < SL_ARRAY_COUNT(names) ? names[kind] : "unknown";
}

static const char *run_name(uint32_t type)
{
	static const char *const names[] = {"0", "event", "source", "time", "partition_state",
		"rich", "gap", "session_state", "ledger", "lost", "filler"};

	return type < SL_ARRAY_COUNT(names) ? names[type] : "unknown";
}

#define NUMBER(value) (json_int_t)(value)

json_t *sl_ctl_item_footer(const struct sl_segment_footer *footer, bool is_valid)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"item", "footer", "verdict", is_valid ? "whole" : "does not count", "version",
		(int)footer->version, "lane", (int)footer->lane, "segment", NUMBER(footer->segment),
		"epoch", NUMBER(footer->epoch), "first_number", NUMBER(footer->first_number),
		"last_number", NUMBER(footer->last_number), "end_position",
		NUMBER(footer->end_position), "event_count", NUMBER(footer->event_count),
		"time_first_ns", NUMBER(footer->time_first_ns), "time_last_ns",
		NUMBER(footer->time_last_ns), "last_body_crc", NUMBER(footer->last_body_crc));
}

json_t *sl_ctl_item_batch(
	const struct sl_batch_header *header, uint64_t position, const char *verdict)
{
	json_t *item = json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "item",
		"batch", "position", NUMBER(position), "verdict", verdict, "kind",
		kind_name(header->kind), "number", NUMBER(header->number), "epoch",
		NUMBER(header->epoch), "durable_mark", NUMBER(header->durable_mark), "byte_length",
		NUMBER(header->byte_length), "event_count", NUMBER(header->event_count),
		"run_count", NUMBER(header->run_count), "table_count", NUMBER(header->table_count));
	json_t *more = json_pack("{s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I}",
		"time_base_ns", NUMBER(header->time_base_ns), "time_last_ns",
		NUMBER(header->time_last_ns), "table_offset", NUMBER(header->table_offset),
		"version", (int)header->version, "header_bytes", (int)header->header_bytes, "flags",
		(int)header->flags, "lane", (int)header->lane, "segment", NUMBER(header->segment),
		"stated_position", NUMBER(header->position), "header_crc",
		NUMBER(header->header_crc), "body_crc", NUMBER(header->body_crc), "prev_body_crc",
		NUMBER(header->prev_body_crc));

	if (item != NULL)
		json_object_update(item, more);
	json_decref(more);
	return item;
}

json_t *sl_ctl_item_table_entry(const struct sl_batch_table_entry *entry)
{
	return json_pack("{s:s, s:i, s:I, s:I, s:i}", "item", "entry", "partition",
		(int)entry->partition, "term", NUMBER(entry->term), "first_offset",
		NUMBER(entry->first_offset), "event_count", (int)entry->event_count);
}

// The first bytes: as text where they are printable, else in hex.
static json_t *preview(const void *data, size_t bytes)
{
	size_t shown = SL_MIN(bytes, (size_t)PREVIEW_BYTES);
	const unsigned char *byte = data;
	char text[2 * PREVIEW_BYTES + 4];
	bool is_text = true;
	size_t used = 0;

	for (size_t i = 0; i < shown; i++)
		is_text = is_text && byte[i] >= 0x20 && byte[i] < 0x7f;
	for (size_t i = 0; i < shown; i++)
		used += (size_t)sprintf(text + used, is_text ? "%c" : "%02x", byte[i]);
	strcpy(text + used, shown < bytes ? "..." : "");
	return json_pack("{s:s}", is_text ? "text" : "hex", text);
}

static void print_states(struct sl_ctl *ctl, const char *data, size_t bytes)
{
	struct sl_partition_state state;

	for (size_t at = 0; at + sizeof(state) <= bytes; at += sizeof(state)) {
		memcpy(&state, data + at, sizeof(state));
		sl_ctl_item_print(ctl,
			json_pack("{s:s, s:i, s:I, s:I, s:I}", "item", "state", "partition",
				(int)state.partition, "term", NUMBER(state.term), "term_start",
				NUMBER(state.term_start), "next_offset",
				NUMBER(state.next_offset)));
	}
}

static void print_sessions(struct sl_ctl *ctl, const char *data, size_t bytes)
{
	struct sl_session_state state;

	for (size_t at = 0; at + sizeof(state) <= bytes; at += sizeof(state)) {
		memcpy(&state, data + at, sizeof(state));
		sl_ctl_item_print(ctl,
			json_pack("{s:s, s:I, s:i, s:I, s:I}", "item", "session", "session",
				NUMBER(state.session), "partition", (int)state.partition,
				"next_sequence", NUMBER(state.next_sequence), "last_use_ns",
				NUMBER(state.last_use_ns)));
	}
}

static void print_lost(struct sl_ctl *ctl, const char *data, size_t bytes)
{
	struct sl_lost_offsets lost;

	for (size_t at = 0; at + sizeof(lost) <= bytes; at += sizeof(lost)) {
		memcpy(&lost, data + at, sizeof(lost));
		sl_ctl_item_print(ctl,
			json_pack("{s:s, s:i, s:I, s:I, s:I}", "item", "lost", "partition",
				(int)lost.partition, "term", NUMBER(lost.term), "first_offset",
				NUMBER(lost.first_offset), "count", NUMBER(lost.count)));
	}
}

static void print_run(struct sl_ctl *ctl, uint32_t index, size_t offset,
	const struct sl_run_header *run, const char *data)
{
	uint32_t type = SL_RUN_TYPE(run->length_type), bytes = SL_RUN_LENGTH(run->length_type);
	json_t *item = json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:i, s:i}", "item", "run", "index",
		NUMBER(index), "offset", NUMBER(offset), "type", run_name(type), "bytes",
		NUMBER(bytes), "time_delta_ns", NUMBER(run->time_delta_ns), "partition",
		(int)run->partition, "source", (int)run->source);
	json_t *shown = preview(data, bytes);

	if (item != NULL)
		json_object_update(item, shown);
	json_decref(shown);
	sl_ctl_item_print(ctl, item);
	if (type == SL_RUN_PARTITION_STATE)
		print_states(ctl, data, bytes);
	if (type == SL_RUN_SESSION_STATE)
		print_sessions(ctl, data, bytes);
	if (type == SL_RUN_LOST)
		print_lost(ctl, data, bytes);
}

static void print_wrong(struct sl_ctl *ctl, size_t offset, const char *what)
{
	sl_ctl_item_print(ctl,
		json_pack("{s:s, s:I, s:s}", "item", "wrong", "offset", NUMBER(offset), "what",
			what));
}

void sl_ctl_items_of_body(
	struct sl_ctl *ctl, const struct sl_batch_header *batch, size_t readable_bytes)
{
	const char *start = (const char *)batch;
	size_t at = SL_BATCH_RUNS_OFFSET, end = SL_MIN((size_t)batch->table_offset, readable_bytes);
	struct sl_batch_table_entry entry;

	for (uint32_t i = 0; i < batch->table_count; i++) {
		size_t offset = batch->table_offset + (size_t)i * sizeof(entry);

		if (offset + sizeof(entry) > readable_bytes) {
			print_wrong(ctl, offset, "the table leads out of the batch");
			break;
		}
		memcpy(&entry, start + offset, sizeof(entry));
		sl_ctl_item_print(ctl, sl_ctl_item_table_entry(&entry));
	}
	for (uint32_t i = 0; i < batch->run_count; i++) {
		struct sl_run_header run;

		if (at + sizeof(run) > end) {
			print_wrong(ctl, at, "the runs lead out of their room");
			return;
		}
		memcpy(&run, start + at, sizeof(run));
		if (at + sizeof(run) + SL_RUN_LENGTH(run.length_type) > end) {
			print_wrong(ctl, at, "the run's length leads out of its room");
			return;
		}
		print_run(ctl, i, at, &run, start + at + sizeof(run));
		at += sizeof(run) + SL_RUN_LENGTH(run.length_type);
	}
}
