/* SPDX-License-Identifier: BSD-3-Clause */
// The index beside a sealed segment, held against its batches. Readers do without one, so that
// whatever is wrong with it costs nothing but time.
#include "format/lane_judge_internal.h"

#include <errno.h>

static void report(struct sl_lane_judge *judge, enum sl_finding_grade grade, const char *what)
{
	char path[SL_PATH_BYTES_MAX];
	struct sl_finding *finding;

	if (sl_segment_index_path(path, judge->config->path, judge->file->number, NULL) < 0)
		return;
	finding = sl_judgement_add(
		judge->judgement, SL_FINDING_INDEX, grade, judge->config->lane, path, "%s", what);
	if (finding != NULL)
		finding->segment = judge->file->number;
}

void sl_lane_judge_index_open(struct sl_lane_judge *judge)
{
	int result;

	judge->index_batch = 0;
	judge->index_entry_count = 0;
	judge->has_index = false;
	if (!judge->file->is_sealed)
		return;
	result = sl_segment_index_read(
		&judge->segment_index, judge->config->path, judge->file, judge->err);
	judge->has_index = result == 0;
	if (result == -EBADMSG)
		report(judge, SL_FINDING_ROT, "the index does not check");
	// A start that was killed between a file's two lives leaves one.
	if (result == -ESTALE)
		report(judge, SL_FINDING_REMARK, "the index of an earlier life of the file");
}

void sl_lane_judge_index_take(struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	const struct sl_segment_index *index = &judge->segment_index;
	const struct sl_segment_index_batch *entry;

	if (!judge->has_index)
		return;
	entry = &index->batches[SL_MIN(judge->index_batch, index->header->batch_count - 1)];
	if (judge->index_batch == index->header->batch_count ||
		entry->position != batch->position || entry->body_crc != batch->body_crc ||
		entry->kind != batch->kind) {
		report(judge, SL_FINDING_ROT, "the index names other batches than the segment has");
		sl_lane_judge_index_close(judge);
		return;
	}
	judge->index_batch++;
	judge->index_entry_count += batch->kind == SL_BATCH_EVENTS ? batch->table_count : 0;
}

void sl_lane_judge_index_close(struct sl_lane_judge *judge)
{
	const struct sl_segment_index *index = &judge->segment_index;
	uint64_t entry_count = 0;

	if (!judge->has_index)
		return;
	for (uint32_t i = 0; i < index->header->partition_count; i++)
		entry_count += index->partitions[i].batch_count;
	// Behind a hole, or where the look has ended early, there is nothing to hold it against.
	if (judge->index_batch == index->header->batch_count &&
		entry_count != judge->index_entry_count)
		report(judge, SL_FINDING_ROT,
			"the index has other partitions than the segment's tables");
	sl_segment_index_free(&judge->segment_index);
	judge->has_index = false;
}
