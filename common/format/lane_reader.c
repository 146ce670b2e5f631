/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/lane_reader_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int sl_lane_reader_open(struct sl_lane_reader *reader, const char *lane_path, uint16_t lane,
	uint32_t salt_crc, struct sl_err *err)
{
	int result;

	*reader = (struct sl_lane_reader){.lane = lane, .salt_crc = salt_crc};
	snprintf(reader->path, sizeof(reader->path), "%s", lane_path);
	result = sl_segment_list_read(&reader->segments, reader->path, err);
	return result == -ENOENT ? 0 : result;
}

void sl_lane_reader_close(struct sl_lane_reader *reader)
{
	sl_lane_skip_leave(reader);
	sl_segment_file_close(reader->file);
	reader->file = NULL;
	sl_segment_list_free(&reader->segments);
}

void sl_lane_reader_want(struct sl_lane_reader *reader, const struct sl_index_wanted *wanted)
{
	reader->skip.is_on = true;
	reader->skip.wanted = *wanted;
}

void sl_lane_reader_read_ahead(struct sl_lane_reader *reader, struct sl_read_ahead *ahead_reader)
{
	reader->ahead_reader = ahead_reader;
}

void sl_lane_reader_skip_to(struct sl_lane_reader *reader, uint64_t segment)
{
	while (reader->next_index < reader->segments.count &&
		reader->segments.numbers[reader->next_index] < segment)
		reader->seen_segment = reader->segments.numbers[reader->next_index++];
}

// A running appliance makes new segments: those that were not there yet come next.
int sl_lane_reader_list_again(struct sl_lane_reader *reader, struct sl_err *err)
{
	struct sl_segment_list list;
	int result = sl_segment_list_read(&list, reader->path, err);

	if (result < 0)
		return result == -ENOENT ? 0 : result;
	sl_segment_list_free(&reader->segments);
	reader->segments = list;
	reader->next_index = 0;
	while (reader->next_index < list.count &&
		list.numbers[reader->next_index] <= reader->seen_segment)
		reader->next_index++;
	return 0;
}

void sl_lane_reader_leave_segment(struct sl_lane_reader *reader)
{
	reader->byte_count += reader->file->bytes_read;
	reader->previous_segment = reader->file->number;
	reader->previous_is_sealed = reader->file->is_sealed;
	reader->is_suspect = false;
	reader->vanish_count = 0;
	sl_lane_skip_leave(reader);
	sl_segment_file_close(reader->file);
	reader->file = NULL;
}

void sl_lane_reader_note_expired(struct sl_lane_reader *reader)
{
	reader->expired_count++;
	reader->is_chained = false;
}

int sl_lane_reader_open_segment(struct sl_lane_reader *reader, uint64_t number,
	struct sl_segment_file **file, struct sl_err *err)
{
	return sl_segment_file_open(
		file, reader->path, reader->lane, number, reader->salt_crc, err);
}

// Opens the next segment. Returns 1, 0 when there is none, or a negative errno.
static int enter_segment(struct sl_lane_reader *reader, struct sl_err *err)
{
	bool is_listed_again = false;

	for (;;) {
		int result;

		if (reader->next_index == reader->segments.count) {
			if (is_listed_again)
				return 0;
			is_listed_again = true;
			result = sl_lane_reader_list_again(reader, err);
			if (result < 0)
				return result;
			continue;
		}
		reader->seen_segment = reader->segments.numbers[reader->next_index++];
		result = sl_lane_reader_open_segment(
			reader, reader->seen_segment, &reader->file, err);
		if (result == 0)
			break;
		if (result != -ENOENT)
			return result;
		// Taken by retention: nothing can be held against what comes next, and more may
		// have come meanwhile.
		sl_lane_reader_note_expired(reader);
		is_listed_again = false;
	}
	reader->position = 0;
	sl_segment_file_read_ahead(reader->file, reader->ahead_reader);
	sl_lane_skip_enter(reader);
	if (!reader->file->is_sealed) {
		int result = sl_lane_reader_find_takeover(reader, err);

		if (result < 0)
			return result;
	}
	return 1;
}

void sl_lane_reader_note_mark(
	struct sl_lane_reader *reader, uint64_t mark, uint64_t segment, uint64_t position)
{
	if (mark <= reader->mark_max)
		return;
	reader->mark_max = mark;
	reader->mark_segment = segment;
	reader->mark_position = position;
}

static void accept_batch(struct sl_lane_reader *reader, const struct sl_batch_header *batch)
{
	sl_lane_reader_note_mark(reader, batch->durable_mark, batch->segment, batch->position);
	reader->is_chained = true;
	reader->last_number = batch->number;
	reader->last_epoch = batch->epoch;
	reader->last_body_crc = batch->body_crc;
	reader->epoch_max = SL_MAX(reader->epoch_max, batch->epoch);
	reader->position += sl_batch_block_bytes(batch);
	reader->is_suspect = false;
	reader->vanish_count = 0;
	reader->batch_count++;
	sl_lane_reader_remember(reader, batch);
}

// 1 when the batch at the reader's position is the next of the chain, 0 when not.
static int look(struct sl_lane_reader *reader, const struct sl_batch_header **batch,
	enum sl_batch_verdict *verdict, struct sl_err *err)
{
	int result =
		sl_segment_file_batch(reader->file, reader->position, false, batch, verdict, err);

	if (result < 0)
		return result;
	return *verdict == SL_BATCH_OK && sl_lane_reader_continues(reader, *batch);
}

// Looks again at what is on the disk now, once, before a break is believed. Returns as look().
static int look_freshly(struct sl_lane_reader *reader, const struct sl_batch_header **batch,
	enum sl_batch_verdict *verdict, struct sl_err *err)
{
	int result = look(reader, batch, verdict, err);

	if (result != 0)
		return result;
	result = sl_segment_file_read_footer(reader->file, err);
	if (result < 0 || sl_lane_reader_is_at_footer(reader))
		return result;
	return look(reader, batch, verdict, err);
}

int sl_lane_reader_next(
	struct sl_lane_reader *reader, const struct sl_batch_header **batch, struct sl_err *err)
{
	for (;;) {
		enum sl_batch_verdict verdict;
		int result;

		if (reader->file == NULL) {
			result = enter_segment(reader, err);
			if (result <= 0)
				return result;
		}
		sl_lane_skip_ahead(reader);
		if (sl_lane_reader_is_at_footer(reader)) {
			result = sl_lane_reader_leave_sealed(reader, err);
			if (result < 0)
				return result;
			continue;
		}
		result = look_freshly(reader, batch, &verdict, err);
		if (result < 0)
			return result;
		if (verdict == SL_BATCH_OK && sl_lane_reader_is_taken_over(reader, *batch)) {
			sl_lane_reader_leave_segment(reader);
			continue;
		}
		if (result > 0) {
			accept_batch(reader, *batch);
			if (sl_lane_reader_is_copy(reader, *batch))
				continue;
			return result;
		}
		result = sl_lane_reader_break(reader, verdict, err);
		if (result <= 0)
			return result;
	}
}
