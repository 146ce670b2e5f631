/* SPDX-License-Identifier: BSD-3-Clause */
// Where the chain does not simply go on: at a footer, at a segment that begins elsewhere, at a
// batch that is not right. The end of the log, or damage.
#include "format/lane_reader_internal.h"

#include <errno.h>
#include <inttypes.h>

#define REMEDY "restore the file from a copy; what was read before it is right"

// A name that is listed but never opens (a dangling link) must not keep a reader for ever.
#define VANISH_COUNT_MAX 100u

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
			found = sl_lane_reader_continues(reader, head);
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
	sl_lane_reader_note_mark(
		reader, ahead->mark_max, reader->file->number, ahead->mark_position);
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
			sl_lane_reader_note_mark(reader, file->footer.last_number, number,
				sl_segment_file_usable_bytes(file));
		sl_lane_reader_note_mark(reader, ahead->mark_max, number, ahead->mark_position);
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
		sl_lane_reader_note_expired(reader);
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

// What a break in a segment without a footer means. Returns as sl_lane_reader_break().
static int at_open_end(struct sl_lane_reader *reader, const char *what, struct sl_err *err)
{
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
	// What is missing of a new lane's first batch may be its body alone.
	missing_number = reader->is_chained ? reader->last_number + 1
					    : SL_MAX(reader->ahead.number_min, (uint64_t)2) - 1;
	if (reader->mark_max < missing_number)
		return 0;
	if (reader->is_suspect)
		return damage_below_mark(reader, missing_number, what, err);
	// The mark may be younger than our look at the batch. What it vouches for is there by now:
	// the batch, the footer or a successor.
	reader->is_suspect = true;
	return 1;
}

int sl_lane_reader_leave_sealed(struct sl_lane_reader *reader, struct sl_err *err)
{
	const struct sl_segment_footer *footer = &reader->file->footer;

	if (reader->is_chained &&
		(footer->last_number != reader->last_number ||
			footer->last_body_crc != reader->last_body_crc))
		return damage_in_sealed(reader, "an end that is not the footer's", err);
	sl_lane_reader_leave_segment(reader);
	return 0;
}

int sl_lane_reader_break(
	struct sl_lane_reader *reader, enum sl_batch_verdict verdict, struct sl_err *err)
{
	const char *what = verdict == SL_BATCH_OK ? "a batch that does not continue the chain"
						  : sl_batch_verdict_name(verdict);
	int result;

	if (sl_lane_reader_is_at_footer(reader))
		return 1; // sealed meanwhile
	if (verdict == SL_BATCH_BAD_VERSION)
		return sl_err_set(err, -EPROTO,
			"%s: batch of an unknown format version at position %" PRIu64
			": use the program that wrote it",
			reader->file->path, reader->position);
	if (verdict == SL_BATCH_OK && reader->position == 0 && reader->previous_is_sealed) {
		result = at_gap(reader, err);
		return result < 0 ? result : 1;
	}
	if (!reader->file->is_sealed)
		return at_open_end(reader, what, err);
	if (reader->position > reader->file->footer.end_position) {
		result = sl_lane_reader_go_back(reader, err);
		if (result != 0)
			return result;
	}
	return damage_in_sealed(reader, what, err);
}
