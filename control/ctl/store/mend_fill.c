/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/store/mend_internal.h"

#include "format/batch_scan.h"
#include "format/crc32c.h"
#include "format/fence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BLOCK_COUNT_MAX (SL_BATCH_BYTES_MAX / SL_BLOCK_BYTES)

// What has still to be written into a hole.
struct filling {
	const struct sl_chain_hole *hole;
	struct sl_partition_state *states;
	uint32_t state_count, states_done;
	struct sl_lost_offsets *lost;
	uint32_t lost_count, lost_done;
	uint64_t position, number, blocks_left;
	uint32_t prev_body_crc;
};

static int collect(struct filling *filling, const struct sl_finding *finding, uint32_t partitions)
{
	filling->states = calloc(partitions + 1u, sizeof(*filling->states));
	filling->lost = calloc(finding->lost_count + 1, sizeof(*filling->lost));
	if (filling->states == NULL || filling->lost == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; finding->states != NULL && i < partitions; i++)
		if (finding->states[i].term != 0)
			filling->states[filling->state_count++] = finding->states[i];
	for (size_t i = 0; i < finding->lost_count; i++) {
		const struct sl_lost_range *range = &finding->lost[i];

		if (!range->is_bound)
			filling->lost[filling->lost_count++] =
				(struct sl_lost_offsets){.first_offset = range->first,
					.count = range->count,
					.term = range->term,
					.partition = range->partition};
	}
	return 0;
}

// The next batch of the hole: a part of the checkpoint that was there, or a fence.
static struct sl_fence next_fence(
	const struct sl_mend_copy *copy, struct filling *filling, uint64_t blocks_max)
{
	const struct sl_chain_hole *hole = filling->hole;
	uint32_t records_max = sl_fence_record_count_max(
		SL_MIN(blocks_max, (uint64_t)BATCH_BLOCK_COUNT_MAX) * SL_BLOCK_BYTES);
	bool is_first = filling->number == hole->first_number;
	bool is_last = filling->number == hole->last_number;
	struct sl_fence fence = {
		.kind = SL_BATCH_FENCE,
		.lane = copy->mend->lane,
		.segment = copy->mend->segment,
		.position = filling->position,
		.epoch = SL_MAX(hole->epoch, (uint64_t)1),
		.number = filling->number,
		.durable_mark = hole->first_number - 1,
		.time_ns = hole->time_ns,
		.prev_body_crc = filling->prev_body_crc,
		.has_body_crc = is_last && hole->has_last_body_crc,
		.body_crc = hole->last_body_crc,
	};

	if (hole->is_in_head &&
		(is_first || !hole->is_head_end || filling->states_done < filling->state_count)) {
		fence.kind = SL_BATCH_CHECKPOINT;
		fence.states = filling->states + filling->states_done;
		fence.state_count =
			SL_MIN(filling->state_count - filling->states_done, records_max);
		filling->states_done += fence.state_count;
		if (hole->is_head_end && filling->states_done == filling->state_count)
			fence.flags = SL_BATCH_FLAG_CHECKPOINT_END;
		return fence;
	}
	fence.lost = filling->lost + filling->lost_done;
	fence.lost_count = SL_MIN(filling->lost_count - filling->lost_done, records_max);
	filling->lost_done += fence.lost_count;
	return fence;
}

static int put(struct sl_mend_copy *copy, struct filling *filling, const struct sl_fence *fence,
	uint64_t blocks)
{
	int result;

	filling->prev_body_crc =
		sl_fence_build(copy->memory, blocks * SL_BLOCK_BYTES, fence, copy->mend->salt_crc);
	result = sl_mend_write(copy, filling->position, copy->memory, blocks * SL_BLOCK_BYTES);
	filling->position += blocks * SL_BLOCK_BYTES;
	filling->blocks_left -= blocks;
	filling->number++;
	return result;
}

// Each number of the hole gets its batch; where the log goes on in the same segment, they take all
// of the hole's room.
static int fill(struct sl_mend_copy *copy, struct filling *filling)
{
	const struct sl_chain_hole *hole = filling->hole;

	while (filling->number <= hole->last_number) {
		uint64_t later = hole->last_number - filling->number, blocks;
		struct sl_fence fence;
		int result;

		if (filling->blocks_left <= later)
			return -ENOSPC;
		fence = next_fence(copy, filling, filling->blocks_left - later);
		blocks = sl_fence_bytes_min(fence.state_count, fence.lost_count) / SL_BLOCK_BYTES;
		// What the later ones cannot take.
		if (hole->is_resumed &&
			filling->blocks_left > blocks + later * BATCH_BLOCK_COUNT_MAX)
			blocks = filling->blocks_left - later * BATCH_BLOCK_COUNT_MAX;
		if (blocks > BATCH_BLOCK_COUNT_MAX)
			return -ENOSPC;
		result = put(copy, filling, &fence, blocks);
		if (result < 0)
			return result;
	}
	return filling->states_done < filling->state_count ||
			filling->lost_done < filling->lost_count
		? -ENOSPC
		: 0;
}

int sl_mend_fill(struct sl_mend_copy *copy, const struct sl_finding *finding)
{
	const struct sl_chain_hole *hole = &finding->hole;
	struct filling filling = {
		.hole = hole,
		.position = hole->position,
		.number = hole->first_number,
		.prev_body_crc = hole->prev_body_crc,
	};
	uint64_t end = hole->is_resumed ? hole->end_position : copy->file_bytes - SL_BLOCK_BYTES;
	int result = collect(&filling, finding, copy->mend->partition_count);

	filling.blocks_left = (end - hole->position) / SL_BLOCK_BYTES;
	if (result == 0)
		result = fill(copy, &filling);
	free(filling.states);
	free(filling.lost);
	if (result == -ENOSPC)
		return sl_err_set(copy->err, result,
			"%s: batches %" PRIu64 " to %" PRIu64 " at position %" PRIu64
			" leave no room to say what is lost",
			copy->path, hole->first_number, hole->last_number, hole->position);
	if (result == -ENOMEM)
		return sl_err_set(copy->err, result, "no memory to mend %s", copy->path);
	return result;
}

static void extend(struct sl_mend_copy *copy, const struct sl_batch_header *batch)
{
	if (copy->first_number == 0) {
		copy->first_number = batch->number;
		copy->time_first_ns = batch->time_base_ns;
	}
	copy->last_number = batch->number;
	copy->last_body_crc = batch->body_crc;
	copy->epoch = batch->epoch;
	copy->event_count += batch->kind == SL_BATCH_EVENTS ? batch->event_count : 0;
	copy->time_last_ns = batch->time_last_ns;
	copy->end_position = batch->position + sl_batch_block_bytes(batch);
}

int sl_mend_walk(struct sl_mend_copy *copy)
{
	uint64_t end = copy->file_bytes - SL_BLOCK_BYTES;

	copy->first_number = copy->end_position = copy->event_count = 0;
	while (copy->end_position < end) {
		const struct sl_batch_header *batch = (const void *)copy->memory;
		const struct sl_batch_place place = {.lane = copy->mend->lane,
			.segment = copy->mend->segment,
			.position = copy->end_position};
		int result = sl_mend_read(copy, copy->end_position, SL_BLOCK_BYTES);

		if (result < 0)
			return result;
		if (sl_batch_check_header(batch, copy->mend->salt_crc, &place,
			    end - copy->end_position) != SL_BATCH_OK)
			break;
		if (copy->first_number != 0 &&
			(batch->number != copy->last_number + 1 ||
				batch->prev_body_crc != copy->last_body_crc))
			break;
		if (batch->number >= copy->number_end)
			break;
		result = sl_mend_read(copy, copy->end_position, sl_batch_block_bytes(batch));
		if (result < 0)
			return result;
		if (sl_batch_check_sum(batch, copy->mend->salt_crc) != SL_BATCH_OK)
			break;
		extend(copy, batch);
	}
	return 0;
}

int sl_mend_fill_tail(struct sl_mend_copy *copy)
{
	const struct sl_mend *mend = copy->mend;

	for (uint32_t done = 0; done < mend->tail_lost_count;) {
		struct sl_fence fence = {
			.kind = SL_BATCH_FENCE,
			.lane = mend->lane,
			.segment = mend->segment,
			.position = copy->end_position,
			.epoch = copy->epoch,
			.number = copy->last_number + 1,
			.durable_mark = copy->last_number,
			.time_ns = copy->time_last_ns,
			.prev_body_crc = copy->last_body_crc,
			.lost = mend->tail_lost + done,
			.lost_count = SL_MIN(mend->tail_lost_count - done,
				sl_fence_record_count_max(SL_BATCH_BYTES_MAX)),
		};
		uint64_t bytes = sl_fence_bytes_min(0, fence.lost_count);
		int result;

		sl_fence_build(copy->memory, bytes, &fence, mend->salt_crc);
		result = sl_mend_write(copy, copy->end_position, copy->memory, bytes);
		if (result < 0)
			return result;
		extend(copy, (const void *)copy->memory);
		done += fence.lost_count;
	}
	return 0;
}

int sl_mend_write_footer(struct sl_mend_copy *copy)
{
	struct sl_segment_footer *footer = (void *)copy->memory;

	memset(copy->memory, 0, SL_BLOCK_BYTES);
	*footer = (struct sl_segment_footer){
		.magic = SL_FOOTER_MAGIC,
		.version = SL_FORMAT_VERSION,
		.footer_bytes = sizeof(*footer),
		.last_body_crc = copy->last_body_crc,
		.lane = copy->mend->lane,
		.segment = copy->mend->segment,
		.epoch = copy->epoch,
		.first_number = copy->first_number,
		.last_number = copy->last_number,
		.end_position = copy->end_position,
		.event_count = copy->event_count,
		.time_first_ns = copy->time_first_ns,
		.time_last_ns = copy->time_last_ns,
	};
	footer->footer_crc = sl_crc32c(copy->mend->salt_crc, footer, sizeof(*footer));
	return sl_mend_write(copy, copy->file_bytes - SL_BLOCK_BYTES, copy->memory, SL_BLOCK_BYTES);
}
