/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/lane_reader_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REMEDY "restore the file from a copy; what was read before it is right"

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

// A name that is listed but never opens (a dangling link) must not keep a reader for ever.
#define VANISH_COUNT_MAX 100u

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

static void note_expired(struct sl_lane_reader *reader)
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
		note_expired(reader);
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

static bool continues_chain(
	const struct sl_lane_reader *reader, const struct sl_batch_header *batch)
{
	if (!reader->is_chained)
		return true;
	return batch->number == reader->last_number + 1 &&
		batch->prev_body_crc == reader->last_body_crc && batch->epoch >= reader->last_epoch;
}

static void note_mark(
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
	note_mark(reader, batch->durable_mark, batch->segment, batch->position);
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
	return *verdict == SL_BATCH_OK && continues_chain(reader, *batch);
}

// Whether a later segment goes on where the chain stands. 1 yes: leave this one. *has_vanished is
// set when one expired under the search.
static int find_successor(struct sl_lane_reader *reader, bool *has_vanished, struct sl_err *err)
{
	int result = sl_lane_reader_list_again(reader, err);
	int found = 0;

	for (size_t i = reader->next_index; result == 0 && !found && i < reader->segments.count;
		i++) {
		const struct sl_batch_header *head;
		enum sl_batch_verdict verdict;
		struct sl_segment_file *file;

		result = sl_lane_reader_open_segment(
			reader, reader->segments.numbers[i], &file, err);
		if (result == -ENOENT) {
			*has_vanished = true;
			result = 0;
			continue;
		}
		if (result == 0)
			result = sl_segment_file_batch(file, 0, true, &head, &verdict, err);
		if (result == 0 && verdict == SL_BATCH_OK && reader->is_chained)
			found = continues_chain(reader, head);
		sl_segment_file_close(file);
	}
	return result < 0 ? result : found;
}

// Everything behind the end: in this segment and in those that follow.
static int look_ahead(struct sl_lane_reader *reader, bool *has_vanished, struct sl_err *err)
{
	struct sl_look_ahead *ahead = &reader->ahead;
	int result;

	*ahead = (struct sl_look_ahead){.number_min = UINT64_MAX};
	result = sl_segment_file_look_ahead(reader->file, reader->position, ahead, err);
	note_mark(reader, ahead->mark_max, reader->file->number, ahead->mark_position);
	for (size_t i = reader->next_index; result == 0 && i < reader->segments.count; i++) {
		uint64_t number = reader->segments.numbers[i];
		struct sl_segment_file *file;

		result = sl_lane_reader_open_segment(reader, number, &file, err);
		if (result == -ENOENT) {
			*has_vanished = true;
			result = 0;
			continue;
		}
		if (result == 0)
			result = sl_segment_file_look_ahead(file, 0, ahead, err);
		if (result == 0 && file->is_sealed)
			note_mark(reader, file->footer.last_number, number,
				sl_segment_file_usable_bytes(file));
		note_mark(reader, ahead->mark_max, number, ahead->mark_position);
		sl_segment_file_close(file);
	}
	reader->epoch_max = SL_MAX(reader->epoch_max, ahead->epoch_max);
	return result;
}

int sl_lane_reader_damage(const struct sl_lane_reader *reader, const char *what, struct sl_err *err)
{
	return sl_err_set(err, -EBADMSG, "%s: %s in batch %" PRIu64 ": " REMEDY, reader->file->path,
		what, reader->last_number);
}

static int damage_in_sealed(
	const struct sl_lane_reader *reader, const char *what, struct sl_err *err)
{
	return sl_err_set(err, -EBADMSG,
		"%s: %s at position %" PRIu64 " of a sealed segment, whose batches go on to "
		"position %" PRIu64 " and number %" PRIu64 ": " REMEDY,
		reader->file->path, what, reader->position, reader->file->footer.end_position,
		reader->file->footer.last_number);
}

static int damage_below_mark(
	const struct sl_lane_reader *reader, uint64_t number, const char *what, struct sl_err *err)
{
	return sl_err_set(err, -EBADMSG,
		"%s: %s at position %" PRIu64 ", where batch %" PRIu64 " was: but segment %" PRIu64
		" says at position %" PRIu64 " that all batches up to %" PRIu64
		" were on stable storage: " REMEDY,
		reader->file->path, what, reader->position, number, reader->mark_segment,
		reader->mark_position, reader->mark_max);
}

// A valid batch that does not continue the sealed segment before it: retention has taken what was
// between if it has taken that segment as well, for it takes the oldest first. Else something is
// gone.
static int at_gap(struct sl_lane_reader *reader, struct sl_err *err)
{
	struct sl_segment_file *previous;
	int result = sl_lane_reader_open_segment(reader, reader->previous_segment, &previous, err);

	if (result == -ENOENT) {
		note_expired(reader);
		return 0;
	}
	if (result < 0)
		return result;
	sl_segment_file_close(previous);
	return sl_err_set(err, -EBADMSG,
		"%s does not continue the sealed segment before it, which ends with batch %" PRIu64
		": a segment is missing or foreign; " REMEDY,
		reader->file->path, reader->last_number);
}

// What a break in a segment without a footer means. Returns 1 to look again (or in the next
// segment), 0 for the end of the log.
static int at_break(
	struct sl_lane_reader *reader, enum sl_batch_verdict verdict, struct sl_err *err)
{
	const char *what = verdict == SL_BATCH_OK ? "a batch that does not continue the chain"
						  : sl_batch_verdict_name(verdict);
	bool has_vanished = false;
	uint64_t missing_number;
	int result;

	result = sl_lane_reader_go_back(reader, err);
	if (result != 0)
		return result;
	result = find_successor(reader, &has_vanished, err);
	if (result > 0)
		sl_lane_reader_leave_segment(reader);
	if (result == 0 && (!has_vanished || reader->vanish_count >= VANISH_COUNT_MAX))
		result = look_ahead(reader, &has_vanished, err);
	if (result != 0)
		return result;
	// Only what has its footer expires, and the oldest first: this segment has one by now.
	if (has_vanished && reader->vanish_count++ < VANISH_COUNT_MAX)
		return 1;
	missing_number =
		reader->is_chained ? reader->last_number + 1 : reader->ahead.number_min - 1;
	if (reader->mark_max < missing_number)
		return 0;
	if (reader->is_suspect)
		return damage_below_mark(reader, missing_number, what, err);
	// The mark may be younger than our look at the batch. What it vouches for is there by now:
	// the batch, the footer or a successor.
	reader->is_suspect = true;
	return 1;
}

static bool is_at_footer(const struct sl_lane_reader *reader)
{
	return reader->file->is_sealed && reader->position == reader->file->footer.end_position;
}

// The footer's word on the chain.
static int leave_sealed(struct sl_lane_reader *reader, struct sl_err *err)
{
	const struct sl_segment_footer *footer = &reader->file->footer;

	if (reader->is_chained &&
		(footer->last_number != reader->last_number ||
			footer->last_body_crc != reader->last_body_crc))
		return damage_in_sealed(reader, "an end that is not the footer's", err);
	sl_lane_reader_leave_segment(reader);
	return 0;
}

// Looks again at what is on the disk now, once, before a break is believed. Returns as look().
static int look_freshly(struct sl_lane_reader *reader, const struct sl_batch_header **batch,
	enum sl_batch_verdict *verdict, struct sl_err *err)
{
	int result = look(reader, batch, verdict, err);

	if (result != 0)
		return result;
	result = sl_segment_file_read_footer(reader->file, err);
	if (result < 0 || is_at_footer(reader))
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
		if (is_at_footer(reader)) {
			result = leave_sealed(reader, err);
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
		if (is_at_footer(reader))
			continue; // sealed meanwhile
		if (verdict == SL_BATCH_BAD_VERSION)
			return sl_err_set(err, -EPROTO,
				"%s: batch of an unknown format version at position %" PRIu64
				": use the program that wrote it",
				reader->file->path, reader->position);
		if (verdict == SL_BATCH_OK && reader->position == 0 && reader->previous_is_sealed) {
			result = at_gap(reader, err);
			if (result < 0)
				return result;
			continue;
		}
		if (reader->file->is_sealed &&
			reader->position > reader->file->footer.end_position) {
			result = sl_lane_reader_go_back(reader, err);
			if (result < 0)
				return result;
			if (result > 0)
				continue;
		}
		if (reader->file->is_sealed)
			return damage_in_sealed(reader,
				verdict == SL_BATCH_OK ? "a batch that does not continue the chain"
						       : sl_batch_verdict_name(verdict),
				err);
		result = at_break(reader, verdict, err);
		if (result <= 0)
			return result;
	}
}
