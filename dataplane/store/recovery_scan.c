/* SPDX-License-Identifier: BSD-3-Clause */
// Where the log of a lane ends, and whether that end is a torn tail or damage. Reads only.
#include "store/recovery_internal.h"

#include "format/lane_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int sl_recovery_corrupt(const struct sl_recoverer *r)
{
	r->err->code = -EUCLEAN;
	return sl_err_prefix(r->err, "lane %u is CORRUPT and was left as it is", r->lane);
}

static int find_segment(struct sl_recoverer *r, uint64_t number)
{
	if (r->current_index != SL_RECOVERY_NO_INDEX &&
		r->entries[r->current_index].number == number)
		return 0;
	for (uint32_t i = 0; i < r->entry_count; i++) {
		if (r->entries[i].number != number)
			continue;
		r->current_index = i;
		return 0;
	}
	return sl_err_set(r->err, -EBUSY,
		"%s: segment %" PRIu64 " appeared during recovery: another program writes here",
		r->lane_path, number);
}

static void extend(struct sl_recovery_reach *reach, const struct sl_batch_header *batch)
{
	if (reach->first_number == 0) {
		reach->first_number = batch->number;
		reach->time_first_ns = batch->time_base_ns;
	}
	reach->last_number = batch->number;
	reach->end_position = batch->position + sl_batch_block_bytes(batch);
	if (batch->kind == SL_BATCH_EVENTS) // of unknown kinds the count means nothing
		reach->event_count += batch->event_count;
	reach->time_last_ns = batch->time_last_ns;
	reach->last_body_crc = batch->body_crc;
	reach->epoch = batch->epoch;
}

static int take_batch(struct sl_recoverer *r, const struct sl_batch_header *batch,
	const struct sl_lane_reader *reader)
{
	struct sl_recovery_reach *reach;
	int result = find_segment(r, batch->segment);

	if (result < 0)
		return result;
	reach = &r->reaches[r->current_index];
	if (!reach->has_whole_head && batch->kind != SL_BATCH_CHECKPOINT) {
		sl_err_set(r->err, -EUCLEAN,
			"%s: batch %" PRIu64 " at position %" PRIu64
			" stands where the segment's checkpoint must be",
			reader->file->path, batch->number, batch->position);
		return sl_recovery_corrupt(r);
	}
	result = sl_recovery_states_apply(&r->states, batch, r->err);
	if (result == -EUCLEAN) {
		sl_err_prefix(
			r->err, "%s at position %" PRIu64, reader->file->path, batch->position);
		return sl_recovery_corrupt(r);
	}
	if (result < 0)
		return result;
	extend(reach, batch);
	sl_recovery_note_place(r, batch, reader->mark_max);
	r->time_last_ns = SL_MAX(r->time_last_ns, batch->time_last_ns);
	if (batch->kind == SL_BATCH_CHECKPOINT && (batch->flags & SL_BATCH_FLAG_CHECKPOINT_END)) {
		reach->has_whole_head = true;
		r->end_index = r->current_index;
	}
	return 0;
}

// Starts the chain where the footer of a sealed segment leaves it, so that the segment itself need
// not be read.
static int seed(struct sl_recoverer *r, struct sl_lane_reader *reader, uint64_t number)
{
	struct sl_segment_file *file;
	int result =
		sl_segment_file_open(&file, r->lane_path, r->lane, number, r->salt_crc, r->err);

	if (result < 0)
		return result;
	if (file->is_sealed) {
		reader->is_chained = reader->previous_is_sealed = true;
		reader->previous_segment = number;
		reader->last_number = file->footer.last_number;
		reader->last_body_crc = file->footer.last_body_crc;
		reader->last_epoch = file->footer.epoch;
		r->time_last_ns = SL_MAX(r->time_last_ns, file->footer.time_last_ns);
	}
	sl_segment_file_close(file);
	return result;
}

static int walk(struct sl_recoverer *r, struct sl_lane_reader *reader)
{
	const struct sl_batch_header *batch;
	int result;

	while ((result = sl_lane_reader_next(reader, &batch, r->err)) > 0) {
		r->recovery->batch_count++;
		if (batch->kind == SL_BATCH_EVENTS)
			r->recovery->event_count += batch->event_count;
		if (sl_batch_check_runs(batch) != SL_BATCH_OK)
			result = sl_lane_reader_damage(
				reader, "runs that do not add up to the table", r->err);
		else
			result = take_batch(r, batch, reader);
		if (result < 0)
			break;
	}
	return result == -EBADMSG ? sl_recovery_corrupt(r) : result;
}

// Walks from entries[first] on.
static int scan(struct sl_recoverer *r, uint32_t first)
{
	struct sl_lane_reader reader;
	int result = sl_lane_reader_open(&reader, r->lane_path, r->lane, r->salt_crc, r->err);

	r->recovery->event_count = r->recovery->batch_count = 0;
	r->current_index = r->end_index = SL_RECOVERY_NO_INDEX;
	memset(r->reaches, 0, r->entry_count * sizeof(*r->reaches));
	r->unsure.number = r->unsure_later.number = 0;
	if (result == 0 && first > 0)
		result = seed(r, &reader, r->entries[first - 1].number);
	if (result == 0 && first < r->entry_count) {
		sl_lane_reader_skip_to(&reader, r->entries[first].number);
		sl_lane_reader_read_ahead(&reader, r->reader);
		result = walk(r, &reader);
	}
	r->epoch_max = SL_MAX(r->epoch_max, SL_MAX(reader.epoch_max, reader.last_epoch));
	r->recovery->torn_bytes = reader.ahead.byte_count;
	r->mark = reader.mark_max;
	sl_lane_reader_close(&reader);
	return result;
}

uint32_t sl_recovery_first_behind(const struct sl_recoverer *r)
{
	return SL_MAX(r->tail_index, r->end_index == SL_RECOVERY_NO_INDEX ? 0 : r->end_index + 1);
}

// A header is smaller than a sector and cannot be torn. One that fails its sum where a segment
// opens is rot, or a store.meta with another salt: nothing to be cleaned away.
static int check_heads_behind(const struct sl_recoverer *r)
{
	int result = 0;

	for (uint32_t i = sl_recovery_first_behind(r); result == 0 && i < r->entry_count; i++) {
		const struct sl_batch_header *head;
		enum sl_batch_verdict verdict;
		struct sl_segment_file *file;

		result = sl_segment_file_open(
			&file, r->lane_path, r->lane, r->entries[i].number, r->salt_crc, r->err);
		if (result < 0)
			return result;
		result = sl_segment_file_batch(file, 0, true, &head, &verdict, r->err);
		if (result == 0 && verdict == SL_BATCH_BAD_HEADER) {
			sl_err_set(r->err, -EUCLEAN,
				"%s: damaged header at position 0: rot, or " SL_STORE_META_NAME
				" is that of another store; restore either from a copy",
				file->path);
			result = sl_recovery_corrupt(r);
		}
		sl_segment_file_close(file);
	}
	return result;
}

// Where it does not say where all partitions are, nobody may take them for new ones.
static int check_last_sealed(const struct sl_recoverer *r)
{
	if (r->end_index != SL_RECOVERY_NO_INDEX)
		return 0;
	sl_err_set(r->err, -EUCLEAN,
		"%s: segment %" PRIu64
		" is sealed with half a checkpoint, and nothing goes on behind it; "
		"'sluicectl store verify' says what to do",
		r->lane_path, r->entries[r->tail_index - 1].number);
	return sl_recovery_corrupt(r);
}

static int scan_tail(struct sl_recoverer *r)
{
	int result = sl_recovery_states_init(&r->states, r->err);

	if (result == 0)
		result = scan(r, r->tail_index);
	// Nothing of the tail counts: the last sealed segment is the end, and it knows the states.
	if (result == 0 && r->end_index == SL_RECOVERY_NO_INDEX && r->tail_index > 0) {
		sl_recovery_states_fini(&r->states);
		result = sl_recovery_states_init(&r->states, r->err);
		if (result == 0)
			result = scan(r, r->tail_index - 1);
		if (result == 0)
			result = check_last_sealed(r);
	}
	return result;
}

int sl_recovery_scan(struct sl_recoverer *r)
{
	int result = sl_read_ahead_create(&r->reader, r->err);

	if (result == 0)
		result = scan_tail(r);
	sl_read_ahead_destroy(r->reader);
	r->reader = NULL;
	// The reader has held the marks against the chain. What a half-born segment takes from its
	// end are checkpoint batches: whatever vouches for them, they hold no events.
	return result < 0 ? result : check_heads_behind(r);
}
