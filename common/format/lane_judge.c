/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/lane_judge_internal.h"

#include "format/crc32c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *sl_lane_judge_segment_path(
	const struct sl_lane_judge *judge, uint64_t segment, char path[SL_PATH_BYTES_MAX])
{
	if (sl_segment_path(path, judge->config->path, segment, NULL) < 0)
		snprintf(path, SL_PATH_BYTES_MAX, "%s", judge->config->path);
	return path;
}

static struct sl_finding *find(struct sl_lane_judge *judge, enum sl_finding_kind kind,
	enum sl_finding_grade grade, uint64_t position, const char *what)
{
	struct sl_finding *finding = sl_judgement_add(
		judge->judgement, kind, grade, judge->config->lane, judge->file->path, "%s", what);

	if (finding != NULL) {
		finding->segment = judge->file->number;
		finding->position = position;
	}
	return finding;
}

enum sl_batch_verdict sl_lane_judge_look(struct sl_lane_judge *judge, uint64_t position,
	bool only_header, const struct sl_batch_header **batch)
{
	const struct sl_batch_place place = {
		.lane = judge->config->lane, .segment = judge->file->number, .position = position};
	const struct sl_batch_header *header =
		(const void *)sl_read_ahead_get(judge->config->reader, position, SL_BLOCK_BYTES);
	enum sl_batch_verdict verdict = sl_batch_check_header(
		header, judge->config->salt_crc, &place, judge->end - position);

	if (verdict == SL_BATCH_OK)
		judge->epoch_max = SL_MAX(judge->epoch_max, header->epoch);
	if (verdict == SL_BATCH_OK && !only_header) {
		header = (const void *)sl_read_ahead_get(
			judge->config->reader, position, sl_batch_block_bytes(header));
		verdict = sl_batch_check_sum(header, judge->config->salt_crc);
	}
	*batch = verdict == SL_BATCH_OK ? header : NULL;
	return verdict;
}

bool sl_lane_judge_follows(const struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	if (!judge->is_chained)
		return true;
	return batch->number == judge->last_number + 1 &&
		batch->prev_body_crc == judge->last_body_crc && batch->epoch >= judge->last_epoch;
}

// What a batch says under right sums must fit together: else a writer has erred.
static void check_content(struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	char what[128];

	if (sl_batch_check_runs(batch) != SL_BATCH_OK) {
		snprintf(what, sizeof(what),
			"batch %" PRIu64 ": runs that do not add up to its table", batch->number);
		find(judge, SL_FINDING_CONTRADICTION, SL_FINDING_LOSS, batch->position, what);
	}
	if (!judge->has_whole_head && batch->kind != SL_BATCH_CHECKPOINT) {
		snprintf(what, sizeof(what),
			"batch %" PRIu64 " stands where the segment's checkpoint must be",
			batch->number);
		find(judge, SL_FINDING_CONTRADICTION, SL_FINDING_LOSS, batch->position, what);
		judge->has_whole_head = true;
	}
	if (batch->kind == SL_BATCH_CHECKPOINT && (batch->flags & SL_BATCH_FLAG_CHECKPOINT_END))
		judge->has_whole_head = true;
}

static int accept(struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	struct sl_judgement *judgement = judge->judgement;
	int result;

	check_content(judge, batch);
	sl_lane_judge_index_take(judge, batch);
	result = sl_lane_judge_take(judge, batch);
	if (judge->config->on_batch != NULL)
		judge->config->on_batch(judge->config->context, batch);
	if (judge->tally.first_number == 0) {
		judge->tally.first_number = batch->number;
		judge->tally.time_first_ns = batch->time_base_ns;
	}
	if (batch->kind == SL_BATCH_EVENTS) {
		judge->tally.event_count += batch->event_count;
		judgement->event_count += batch->event_count;
	}
	judgement->unknown_batch_count += !sl_batch_kind_is_known(batch->kind);
	judge->tally.time_last_ns = judge->time_last_ns = batch->time_last_ns;
	judge->is_chained = true;
	judge->last_number = batch->number;
	judge->last_epoch = batch->epoch;
	judge->last_body_crc = batch->body_crc;
	judge->last_segment = batch->segment;
	judge->mark_max = SL_MAX(judge->mark_max, batch->durable_mark);
	judge->position += sl_batch_block_bytes(batch);
	judge->is_done = batch->number >= judge->config->number_max;
	judgement->batch_count++;
	return result;
}

// The footer's word on its segment; the chain has come to its end.
static void check_footer(struct sl_lane_judge *judge)
{
	const struct sl_segment_footer *footer = &judge->file->footer;
	const struct sl_judge_tally *tally = &judge->tally;
	uint64_t position = sl_segment_file_usable_bytes(judge->file);
	const char *what = NULL;

	if (footer->last_number != judge->last_number ||
		footer->last_body_crc != judge->last_body_crc)
		what = "the footer names another last batch";
	else if (footer->epoch < judge->last_epoch)
		what = "the footer's epoch is below that of the last batch";
	else if (!tally->has_hole && footer->first_number != tally->first_number)
		what = "the footer names another first batch";
	else if (!tally->has_hole && footer->event_count != tally->event_count)
		what = "the footer counts other events than the batches";
	else if (!tally->has_hole &&
		(footer->time_first_ns != tally->time_first_ns ||
			footer->time_last_ns != tally->time_last_ns))
		what = "the footer has other times than the batches";
	if (what != NULL)
		find(judge, SL_FINDING_FOOTER, SL_FINDING_ROT, position, what);
}

static bool is_zero(const void *bytes, size_t count)
{
	const char *byte = bytes;

	return byte[0] == 0 && memcmp(byte, byte + 1, count - 1) == 0;
}

// A segment without a valid footer: is what stands there a footer that has rotted? One of an
// earlier life of the file has right sums, and where there never was one there are zeros.
static void check_footer_block(struct sl_lane_judge *judge)
{
	uint64_t position = sl_segment_file_usable_bytes(judge->file);
	struct sl_segment_footer *footer = aligned_alloc(SL_BLOCK_BYTES, SL_BLOCK_BYTES);
	uint32_t crc;

	if (footer == NULL)
		return;
	if (pread(judge->file->fd, footer, SL_BLOCK_BYTES, (off_t)position) == SL_BLOCK_BYTES &&
		!is_zero(footer, sizeof(*footer))) {
		crc = footer->footer_crc;
		footer->footer_crc = 0;
		if (sl_crc32c(judge->config->salt_crc, footer, sizeof(*footer)) != crc)
			find(judge, SL_FINDING_FOOTER, SL_FINDING_ROT, position,
				"the footer does not check");
	}
	free(footer);
}

// A file whose length is no segment's has no footer; what is left of its batches counts.
static int open_shortened(struct sl_lane_judge *judge, uint64_t number)
{
	int result = sl_segment_file_open_shortened(&judge->file, judge->config->path,
		judge->config->lane, number, judge->config->salt_crc, judge->err);

	if (result == 0)
		find(judge, SL_FINDING_LENGTH, SL_FINDING_LOSS, 0,
			"its length is no segment's: the file was truncated");
	return result;
}

// Segments have expired behind the one that was read: whatever they said of partitions, the next
// checkpoint says where those are now.
static void note_expired(struct sl_lane_judge *judge)
{
	judge->is_chained = false;
	for (uint32_t i = 0; i < judge->config->meta->header.partition_count; i++)
		judge->states[i] = (struct sl_judge_state){.settled_count = judge->hole_count};
}

// 1 with the next segment open, 0 behind the last, or a negative errno.
static int enter_segment(struct sl_lane_judge *judge)
{
	const struct sl_lane_judge_config *config = judge->config;

	for (; judge->index < judge->segments.count; judge->index++) {
		uint64_t number = judge->segments.numbers[judge->index];
		int result = sl_segment_file_open(&judge->file, config->path, config->lane, number,
			config->salt_crc, judge->err);

		if (result == -EBADMSG)
			result = open_shortened(judge, number);
		if (result == -ENOENT) {
			note_expired(judge);
			continue;
		}
		if (result < 0)
			return result;
		judge->end = judge->file->is_sealed ? judge->file->footer.end_position
						    : sl_segment_file_usable_bytes(judge->file);
		if (judge->file->is_shortened)
			judge->end = SL_MAX(judge->end,
				config->meta->header.segment_bytes / SL_BLOCK_BYTES *
						SL_BLOCK_BYTES -
					SL_BLOCK_BYTES);
		judge->position = 0;
		judge->has_whole_head = false;
		judge->tally = (struct sl_judge_tally){0};
		judge->judgement->segment_count++;
		judge->takeover = (struct sl_takeover){0};
		if (!judge->file->is_sealed)
			result = sl_lane_judge_find_takeover(judge);
		if (result < 0)
			return result;
		sl_lane_judge_index_open(judge);
		sl_read_ahead_begin(config->reader, judge->file->fd, 0, judge->end);
		return 1;
	}
	return 0;
}

static void note_head(struct sl_lane_judge *judge)
{
	if (judge->has_whole_head || judge->tally.has_hole) {
		judge->headless_number = 0;
	} else if (judge->headless_number == 0 && judge->file->is_sealed) {
		judge->headless_number = judge->tally.first_number;
		judge->headless_index = judge->index;
	}
}

// Earlier versions sealed a segment when a write of its checkpoint had failed. In front of a whole
// one that is harmless. At the end of the log it hides where the partitions are, which the segment
// in front of it knows.
static void judge_headless(struct sl_lane_judge *judge)
{
	bool is_first = judge->headless_index == 0;
	uint64_t end = judge->last_segment;
	char path[SL_PATH_BYTES_MAX];

	if (judge->headless_number == 0)
		return;
	for (size_t i = judge->headless_index;
		i < judge->segments.count && judge->segments.numbers[i] <= end; i++) {
		struct sl_finding *finding = sl_judgement_add(judge->judgement,
			is_first ? SL_FINDING_CONTRADICTION : SL_FINDING_HEADLESS,
			is_first ? SL_FINDING_LOSS : SL_FINDING_ROT, judge->config->lane,
			sl_lane_judge_segment_path(judge, judge->segments.numbers[i], path),
			"half a checkpoint at the end of the log, where a segment is sealed");

		if (finding != NULL)
			finding->segment = judge->segments.numbers[i];
	}
	judge->last_segment = is_first ? 0 : judge->segments.numbers[judge->headless_index - 1];
	judge->last_number = judge->headless_number - 1;
}

static void leave_segment(struct sl_lane_judge *judge)
{
	int error;
	uint64_t unreadable;

	sl_read_ahead_stop(judge->config->reader);
	unreadable = sl_read_ahead_unreadable(judge->config->reader, &error);
	if (unreadable < judge->position && !judge->file->is_shortened)
		find(judge, SL_FINDING_UNREADABLE, SL_FINDING_ROT, unreadable, strerror(-error));
	if (judge->file->is_sealed && !judge->is_done)
		check_footer(judge);
	else if (!judge->file->is_sealed && !judge->file->is_shortened)
		check_footer_block(judge);
	// A running writer may have sealed it since it was opened.
	if (!judge->file->is_sealed && judge->later_count >= 2 &&
		judge->config->number_max == UINT64_MAX)
		find(judge, SL_FINDING_UNSEALED, SL_FINDING_ROT,
			sl_segment_file_usable_bytes(judge->file),
			"it has no footer, but two later segments exist");
	if (!judge->is_done)
		note_head(judge);
	sl_lane_judge_index_close(judge);
	sl_segment_file_close(judge->file);
	judge->file = NULL;
	judge->index++;
}

// After a failed write a lane goes on in its next segment, at the number of the failed batch:
// whatever this one, which has no footer, holds from there on was written again.
static bool is_taken_over(const struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	const struct sl_takeover *takeover = &judge->takeover;

	if (takeover->number == 0 || batch->number < takeover->number)
		return false;
	return !judge->is_chained || judge->last_number + 1 != takeover->number ||
		(takeover->prev_body_crc == judge->last_body_crc &&
			takeover->epoch >= judge->last_epoch);
}

static int judge_segment(struct sl_lane_judge *judge)
{
	int result = 0;

	while (result == 0 && !judge->is_done && judge->position < judge->end) {
		const struct sl_batch_header *batch;
		enum sl_batch_verdict verdict =
			sl_lane_judge_look(judge, judge->position, false, &batch);

		if (verdict == SL_BATCH_BAD_VERSION)
			return sl_err_set(judge->err, -EPROTO,
				"%s: batch of an unknown format version at position %" PRIu64
				": use the program that wrote it",
				judge->file->path, judge->position);
		if (verdict != SL_BATCH_OK)
			result = sl_lane_judge_break(judge, verdict);
		else if (is_taken_over(judge, batch))
			judge->position = judge->end;
		else if (sl_lane_judge_follows(judge, batch))
			result = accept(judge, batch);
		else if (judge->position == 0 && batch->number > judge->last_number + 1 &&
			batch->epoch >= judge->last_epoch)
			result = sl_lane_judge_gap(judge, batch);
		else
			result = sl_lane_judge_break(judge, verdict);
	}
	return result;
}

static bool has_damage(const struct sl_judgement *judgement)
{
	return judgement->counts[SL_FINDING_ROT] + judgement->counts[SL_FINDING_LOSS] > 0;
}

static int judge_lane(struct sl_lane_judge *judge, struct sl_lane_judged *judged)
{
	int result = 0;

	while (!judge->is_done && (result = enter_segment(judge)) > 0) {
		bool had_damage = has_damage(judge->judgement);

		result = judge_segment(judge);
		leave_segment(judge);
		if (result < 0 || judge->is_done)
			break;
		// The checkpoint of this segment has settled what a hole before it means.
		if (judge->config->first_only && had_damage)
			return sl_lane_judge_settle(judge);
	}
	judged->is_finished = true;
	if (result >= 0 && judge->is_done && judge->config->number_max == UINT64_MAX)
		result = sl_lane_judge_behind(judge);
	judge_headless(judge);
	return result < 0 ? result : sl_lane_judge_settle(judge);
}

static void note_fenced(struct sl_lane_judge *judge)
{
	if (judge->fenced_count > 0)
		sl_judgement_add(judge->judgement, SL_FINDING_FENCED, SL_FINDING_REMARK,
			judge->config->lane, judge->config->path,
			"an earlier repair has fenced %" PRIu64 " lost events",
			judge->fenced_count);
}

int sl_lane_judge(const struct sl_lane_judge_config *config, struct sl_judgement *judgement,
	struct sl_lane_judged *judged, struct sl_err *err)
{
	uint32_t partition_count = config->meta->header.partition_count;
	struct sl_lane_judge judge = {.config = config,
		.judgement = judgement,
		.err = err,
		.is_done = config->number_max == 0};
	size_t found_before = judgement->count;
	int result = sl_segment_list_read(&judge.segments, config->path, err);

	*judged = (struct sl_lane_judged){0};
	if (result < 0)
		return result;
	judge.states = calloc(SL_MAX(partition_count, 1u), sizeof(*judge.states));
	if (judge.states == NULL)
		result = sl_err_set(err, -ENOMEM, "no memory to judge %s", config->path);
	else
		result = judge_lane(&judge, judged);
	note_fenced(&judge);
	for (size_t i = found_before; i < judgement->count; i++) {
		judgement->findings[i].tail_segment = judge.last_segment;
		judgement->findings[i].tail_number = judge.last_number;
	}
	judged->last_number = judge.last_number;
	judged->epoch_max = judge.epoch_max;
	judgement->lane_count++;
	free(judge.states);
	free(judge.holes);
	sl_segment_list_free(&judge.segments);
	return result;
}
