/* SPDX-License-Identifier: BSD-3-Clause */
// The end of a log that a clean stop has marked: the segment is not read, as sealed ones are not.
#include "store/bookmark.h"
#include "store/recovery_internal.h"

#include <string.h>

// The segment goes on where the sealed one in front of it ends, when there is one.
static bool follows(const struct sl_recoverer *r, struct sl_segment_file *file,
	const struct sl_segment_bookmark *bookmark)
{
	const struct sl_batch_header *head;
	enum sl_batch_verdict verdict;
	struct sl_segment_file *previous;
	bool fits;

	if (sl_segment_file_batch(file, 0, true, &head, &verdict, NULL) != 0 ||
		verdict != SL_BATCH_OK || head->number != bookmark->first_number)
		return false;
	if (r->tail_index == 0)
		return true;
	if (sl_segment_file_open(&previous, r->lane_path, r->lane,
		    r->entries[r->tail_index - 1].number, r->salt_crc, NULL) != 0)
		return false;
	fits = previous->is_sealed && head->number == previous->footer.last_number + 1 &&
		head->prev_body_crc == previous->footer.last_body_crc;
	sl_segment_file_close(previous);
	return fits;
}

static bool find(const struct sl_recoverer *r, struct sl_bookmark_block *block)
{
	struct sl_segment_file *file;
	bool is_there;

	// Behind a clean stop nothing else is unsealed: spares are removed.
	if (r->entry_count == 0 || r->tail_index + 1 != r->entry_count ||
		sl_segment_file_open(&file, r->lane_path, r->lane, r->entries[r->tail_index].number,
			r->salt_crc, NULL) != 0)
		return false;
	is_there = sl_bookmark_read(file, r->epoch_before, block) &&
		follows(r, file, &block->bookmark);
	sl_segment_file_close(file);
	return is_there;
}

int sl_recovery_use_bookmark(struct sl_recoverer *r)
{
	const struct sl_segment_bookmark *bookmark;
	struct sl_bookmark_block block;
	int result;

	if (!find(r, &block))
		return 0;
	bookmark = &block.bookmark;
	result = sl_recovery_states_init(&r->states, r->err);
	for (uint32_t i = 0; result == 0 && i < bookmark->state_count; i++)
		result = sl_recovery_states_put(&r->states, &block.states[i], r->err);
	r->end_index = r->tail_index;
	r->epoch_max = bookmark->epoch;
	r->time_last_ns = bookmark->time_last_ns;
	// All in front of the stop's mark was flushed before that was written.
	r->mark = bookmark->last_number - 1;
	r->unsure = (struct sl_recovery_place){.index = r->end_index,
		.number = bookmark->last_number,
		.position = bookmark->end_position - SL_BLOCK_BYTES};
	r->reaches[r->end_index] = (struct sl_recovery_reach){
		.first_number = bookmark->first_number,
		.last_number = bookmark->last_number,
		.end_position = bookmark->end_position,
		.event_count = bookmark->event_count,
		.time_first_ns = bookmark->time_first_ns,
		.time_last_ns = bookmark->time_last_ns,
		.epoch = bookmark->epoch,
		.last_body_crc = bookmark->last_body_crc,
		.has_whole_head = true,
	};
	return result == 0 ? 1 : result;
}
