/* SPDX-License-Identifier: BSD-3-Clause */
// Where the chain is broken: what stands there, whether anything vouches for it, and where it goes
// on.
#include "format/lane_judge_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A run takes 12 bytes at least.
#define EVENT_BYTES_MIN sizeof(struct sl_run_header)

// *file is NULL when it is not 0.
static int open_later(struct sl_lane_judge *judge, size_t index, struct sl_segment_file **file)
{
	int result = sl_segment_file_open(file, judge->config->path, judge->config->lane,
		judge->segments.numbers[index], judge->config->salt_crc, judge->err);

	// One whose length is wrong is found when its turn comes.
	return result == -EBADMSG ? -ENOENT : result;
}

// The next segment from *index on that is there: 1 with *file to be closed and *index behind it, 0
// behind the last one, or a negative errno.
static int next_later(struct sl_lane_judge *judge, size_t *index, struct sl_segment_file **file)
{
	while (*index < judge->segments.count) {
		int result = open_later(judge, (*index)++, file);

		if (result != -ENOENT)
			return result < 0 ? result : 1;
	}
	return 0;
}

int sl_lane_judge_find_takeover(struct sl_lane_judge *judge)
{
	int result = 0;

	judge->takeover.number = 0;
	judge->later_count = 0;
	for (size_t i = judge->index + 1; result == 0 && i < judge->segments.count; i++) {
		struct sl_takeover takeover;
		struct sl_segment_file *file;

		result = open_later(judge, i, &file);
		if (result == -ENOENT) {
			result = 0;
			continue;
		}
		if (result == 0)
			result = sl_takeover_read(file, &takeover, judge->err);
		sl_segment_file_close(file);
		judge->later_count += result == 0 && takeover.number != 0;
		if (result == 0 && takeover.number != 0 &&
			(judge->takeover.number == 0 || takeover.number <= judge->takeover.number))
			judge->takeover = takeover;
	}
	return result;
}

// The header of the first batch of a later segment. 1 with *head, 0 when it does not check, -ENOENT
// when there is no such segment any more.
static int head_of(struct sl_lane_judge *judge, size_t index, struct sl_batch_header *head)
{
	const struct sl_batch_header *batch;
	enum sl_batch_verdict verdict;
	struct sl_segment_file *file;
	int result = open_later(judge, index, &file);

	if (result < 0)
		return result;
	result = sl_segment_file_batch(file, 0, true, &batch, &verdict, judge->err);
	if (result == 0 && verdict == SL_BATCH_OK)
		*head = *batch;
	sl_segment_file_close(file);
	return result < 0 ? result : verdict == SL_BATCH_OK;
}

// The segment has no footer, and a later one goes on right here. Where the later one has expired
// since, so has this one, which was sealed and is read from a file without a name.
static int has_successor(struct sl_lane_judge *judge)
{
	struct sl_batch_header head = {0};

	for (size_t i = judge->index + 1; judge->is_chained && i < judge->segments.count; i++) {
		int result = head_of(judge, i, &head);

		if (result == -ENOENT && sl_segment_file_has_expired(judge->file))
			return 1;
		if (result != 0 && result != -ENOENT)
			return result < 0 ? result : sl_lane_judge_follows(judge, &head);
	}
	return 0;
}

// The largest number that anything behind the break says to be on stable storage. Unreadable are
// the blocks of the segment at hand.
static int vouched(struct sl_lane_judge *judge, struct sl_look_ahead *ahead)
{
	uint64_t unreadable_count;
	int result;

	*ahead = (struct sl_look_ahead){
		.number_min = UINT64_MAX, .mark_max = judge->mark_max, .skips_unreadable = true};
	result = judge->file->is_shortened
		? 0
		: sl_segment_file_look_ahead(judge->file, judge->position, ahead, judge->err);
	unreadable_count = ahead->unreadable_count;
	for (size_t i = judge->index + 1; result == 0;) {
		struct sl_segment_file *file;

		result = next_later(judge, &i, &file);
		if (result <= 0)
			break;
		result = sl_segment_file_look_ahead(file, 0, ahead, judge->err);
		if (file->is_sealed)
			ahead->mark_max = SL_MAX(ahead->mark_max, file->footer.last_number);
		sl_segment_file_close(file);
	}
	judge->epoch_max = SL_MAX(judge->epoch_max, ahead->epoch_max);
	ahead->unreadable_count = unreadable_count;
	return result;
}

// ---- holes

static int remember(struct sl_lane_judge *judge, const struct sl_finding *finding)
{
	if (judge->hole_count == judge->hole_capacity) {
		uint32_t capacity = SL_MAX(judge->hole_capacity * 2, 8u);
		void *grown = realloc(judge->holes, capacity * sizeof(*judge->holes));

		if (grown == NULL)
			return sl_err_set(
				judge->err, -ENOMEM, "no memory to judge %s", judge->config->path);
		judge->holes = grown;
		judge->hole_capacity = capacity;
	}
	judge->holes[judge->hole_count++] = (size_t)(finding - judge->judgement->findings);
	return 0;
}

static void begin_hole(const struct sl_lane_judge *judge, struct sl_chain_hole *hole)
{
	*hole = (struct sl_chain_hole){
		.position = judge->position,
		.first_number = judge->is_chained ? judge->last_number + 1 : 0,
		.prev_body_crc = judge->last_body_crc,
		.is_in_head = !judge->has_whole_head,
		.epoch = judge->last_epoch,
		.durable_mark = judge->is_chained ? judge->last_number : 0,
		.time_ns = judge->time_last_ns,
	};
}

// The hole ends in front of this number, whose batch (or the footer behind it) names the sum.
static void end_hole(struct sl_chain_hole *hole, uint64_t position, uint64_t number,
	uint32_t prev_body_crc, uint64_t epoch)
{
	hole->end_position = position;
	hole->last_number = number - 1;
	hole->last_body_crc = prev_body_crc;
	hole->has_last_body_crc = true;
	hole->epoch = epoch;
	hole->is_in_order = hole->first_number > 0 && hole->last_number >= hole->first_number;
}

static void bound_events(struct sl_chain_hole *hole, bool is_first_known, uint64_t known_count,
	uint64_t known_events)
{
	uint64_t number_count = hole->is_in_order ? hole->last_number - hole->first_number + 1 : 0;
	uint64_t by_bytes = (hole->end_position - hole->position) / EVENT_BYTES_MIN;

	// A segment opens with its checkpoint: one batch in the place of its head holds no event.
	if (hole->is_in_head && hole->position == 0 && number_count == 1 && is_first_known)
		known_count = 1;
	hole->is_event_count_exact = number_count > 0 && known_count == number_count;
	hole->event_count_max = by_bytes;
	if (hole->is_event_count_exact)
		hole->event_count_max = known_events;
	else if (number_count > 0 && is_first_known)
		hole->event_count_max = SL_MIN(by_bytes, number_count * SL_BATCH_EVENT_COUNT_MAX);
}

static void describe_hole(
	char *text, size_t bytes, const struct sl_chain_hole *hole, const char *what)
{
	if (hole->is_in_order && hole->first_number == hole->last_number)
		snprintf(text, bytes,
			"%s where batch %" PRIu64 " was, which is known to have been stored", what,
			hole->first_number);
	else if (hole->is_in_order)
		snprintf(text, bytes,
			"%s where batches %" PRIu64 " to %" PRIu64
			" were, which are known to have been stored",
			what, hole->first_number, hole->last_number);
	else
		snprintf(text, bytes,
			"%s behind batch %" PRIu64 ", in what is known to have been stored", what,
			hole->first_number - (hole->first_number > 0));
}

static int report_hole(struct sl_lane_judge *judge, const struct sl_chain_hole *hole,
	enum sl_finding_kind kind, const char *path, uint64_t segment, const char *what)
{
	bool is_lossless = hole->is_event_count_exact && hole->event_count_max == 0;
	struct sl_finding *finding;
	char text[256];

	describe_hole(text, sizeof(text), hole, what);
	finding = sl_judgement_add(judge->judgement, kind,
		is_lossless ? SL_FINDING_ROT : SL_FINDING_LOSS, judge->config->lane, path, "%s",
		text);
	judge->tally.has_hole = true;
	if (finding == NULL)
		return 0;
	finding->segment = segment;
	finding->position = hole->position;
	finding->hole = *hole;
	if (hole->is_in_head && sl_lane_judge_keep_states(judge, finding) < 0)
		return -ENOMEM;
	// Nothing is to be settled where nothing is lost, unless a checkpoint must be made anew.
	return is_lossless && !hole->is_in_head ? 0 : remember(judge, finding);
}

// Whether the chain may go on with this batch behind a hole.
static bool resumes(const struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	return batch->epoch >= judge->last_epoch &&
		(!judge->is_chained || batch->number > judge->last_number + 1);
}

// Looks for the next batch that is whole, from the judge's position on. Counts on its way the
// batches whose headers are right. Returns it, or NULL at the segment's end.
static const struct sl_batch_header *find_next(struct sl_lane_judge *judge,
	struct sl_chain_hole *hole, uint64_t *known_count, uint64_t *known_events)
{
	uint64_t expected = hole->first_number;

	for (uint64_t position = judge->position; position < judge->end;) {
		const struct sl_batch_header *batch;
		enum sl_batch_verdict verdict = sl_lane_judge_look(judge, position, true, &batch);
		struct sl_batch_header header = {0};
		uint64_t step_bytes = SL_BLOCK_BYTES;

		if (verdict == SL_BATCH_OK)
			header = *batch;
		if (verdict == SL_BATCH_OK && expected == 0 && position == hole->position)
			expected = hole->first_number = header.number;
		if (verdict == SL_BATCH_OK && resumes(judge, batch) &&
			sl_lane_judge_look(judge, position, false, &batch) == SL_BATCH_OK) {
			judge->position = position;
			return batch;
		}
		if (verdict == SL_BATCH_OK && header.number == expected && expected > 0) {
			expected++;
			(*known_count)++;
			*known_events += header.kind == SL_BATCH_EVENTS ? header.event_count : 0;
			hole->time_ns = SL_MAX(hole->time_ns, header.time_base_ns);
			step_bytes = sl_batch_block_bytes(&header);
		}
		position += step_bytes;
	}
	judge->position = judge->end;
	return NULL;
}

// Goes on as if the batches of the hole had been there.
static void step_over(struct sl_lane_judge *judge, const struct sl_chain_hole *hole)
{
	judge->is_chained = hole->has_last_body_crc;
	judge->last_segment = judge->file->number;
	judge->last_number = hole->last_number;
	judge->last_body_crc = hole->last_body_crc;
}

// Nothing in this segment is right behind the hole: its footer, or the next segment that opens with
// a whole header, says where the chain goes on.
static int end_at_segment_end(struct sl_lane_judge *judge, struct sl_chain_hole *hole)
{
	struct sl_batch_header head = {0};

	hole->end_position = judge->end;
	if (judge->file->is_sealed) {
		const struct sl_segment_footer *footer = &judge->file->footer;

		if (hole->first_number == 0)
			hole->first_number = footer->first_number;
		end_hole(hole, judge->end, footer->last_number + 1, footer->last_body_crc,
			judge->last_epoch > 0 ? judge->last_epoch : footer->epoch);
		hole->is_head_end = true;
		return 0;
	}
	if (judge->index + 1 < judge->segments.count) {
		int result = head_of(judge, judge->index + 1, &head);

		if (result < 0 && result != -ENOENT)
			return result;
		if (result > 0 && resumes(judge, &head)) {
			if (hole->first_number == 0)
				hole->first_number = SL_MAX(head.number, 2u) - 1;
			end_hole(hole, judge->end, head.number, head.prev_body_crc,
				judge->last_epoch > 0 ? judge->last_epoch : head.epoch);
		}
		hole->is_head_end = true;
	}
	return 0;
}

// mark: the batches up to it are known to have been stored, 0 when it is not known.
static int open_hole(struct sl_lane_judge *judge, const char *what, uint64_t mark)
{
	uint64_t known_count = 0, known_events = 0, epoch_before = judge->last_epoch;
	const struct sl_batch_header *next;
	struct sl_chain_hole hole;
	int result = 0;

	// The index knows batches that are gone: repair makes it anew.
	judge->index_batch = 0;
	sl_lane_judge_index_close(judge);
	begin_hole(judge, &hole);
	judge->has_lost_base = judge->has_lost_base || (!judge->is_chained && hole.is_in_head);
	next = find_next(judge, &hole, &known_count, &known_events);
	if (next != NULL) {
		// The first retained batches are gone: they count from where the checkpoint stood.
		if (hole.first_number == 0 && next->number > 1)
			hole.first_number = judge->file->number == 1 ? 1 : next->number - 1;
		end_hole(&hole, judge->position, next->number, next->prev_body_crc, next->epoch);
		hole.is_head_end = next->kind != SL_BATCH_CHECKPOINT;
		hole.is_resumed = true;
	} else {
		result = end_at_segment_end(judge, &hole);
		if (result < 0)
			return result;
	}
	if (!hole.has_last_body_crc && mark >= hole.first_number && hole.first_number > 0) {
		hole.last_number = mark;
		hole.epoch = epoch_before;
		hole.is_in_order = hole.is_head_end = true;
	}
	bound_events(&hole, judge->is_chained || known_count > 0 || judge->file->number == 1,
		known_count, known_events);
	result = report_hole(
		judge, &hole, SL_FINDING_HOLE, judge->file->path, judge->file->number, what);
	step_over(judge, &hole);
	judge->has_whole_head = judge->has_whole_head || hole.is_head_end;
	return result;
}

static void report_tail(struct sl_lane_judge *judge, const struct sl_look_ahead *ahead)
{
	struct sl_finding *finding = NULL;

	// A start reads them too, and must know that nothing there vouches for anything.
	if (ahead->unreadable_count > 0)
		finding = sl_judgement_add(judge->judgement, SL_FINDING_UNREADABLE, SL_FINDING_ROT,
			judge->config->lane, judge->file->path,
			"%" PRIu64 " blocks behind batch %" PRIu64
			", the last that anything says to have been stored, cannot be read",
			ahead->unreadable_count, judge->last_number);
	else if (ahead->byte_count > 0)
		finding = sl_judgement_add(judge->judgement, SL_FINDING_TORN_TAIL,
			SL_FINDING_REMARK, judge->config->lane, judge->file->path,
			"a torn tail: %" PRIu64 " bytes behind batch %" PRIu64
			" that nothing says to have been stored",
			ahead->byte_count, judge->last_number);
	if (finding != NULL) {
		finding->segment = judge->file->number;
		finding->position = judge->position;
	}
}

int sl_lane_judge_break(struct sl_lane_judge *judge, enum sl_batch_verdict verdict)
{
	const char *what = verdict == SL_BATCH_OK ? "a batch that does not continue the chain"
						  : sl_batch_verdict_name(verdict);
	bool is_live = judge->config->number_max != UINT64_MAX;
	struct sl_look_ahead ahead;
	uint64_t missing_number;
	int result;

	if (judge->file->is_sealed)
		return open_hole(judge, what, 0);
	result = has_successor(judge);
	if (result > 0)
		judge->position = judge->end;
	if (result != 0)
		return SL_MIN(result, 0);
	// What a running writer has said to be stored is there.
	if (is_live)
		return open_hole(judge, what, judge->config->number_max);
	result = vouched(judge, &ahead);
	if (result < 0)
		return result;
	missing_number = judge->is_chained ? judge->last_number + 1 : ahead.number_min - 1;
	if (ahead.mark_max >= missing_number)
		return open_hole(judge, what, ahead.mark_max);
	// What stood behind the end of the file is not known: room for one batch of it.
	if (judge->file->is_shortened && judge->is_chained)
		return open_hole(judge, "the end of the file", missing_number);
	report_tail(judge, &ahead);
	judge->is_done = true;
	return 0;
}

int sl_lane_judge_gap(struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	char path[SL_PATH_BYTES_MAX];
	struct sl_chain_hole hole;
	int result;

	// Numbers of segments are dense, but for spares that were never used: no room, no segment.
	if (judge->last_segment + 1 == batch->segment) {
		snprintf(path, sizeof(path), "batch %" PRIu64 " follows batch %" PRIu64,
			batch->number, judge->last_number);
		sl_judgement_add(judge->judgement, SL_FINDING_CONTRADICTION, SL_FINDING_LOSS,
			judge->config->lane, judge->file->path, "%s", path);
		judge->is_chained = false;
		return 0;
	}
	begin_hole(judge, &hole);
	hole.is_in_head = hole.is_head_end = true;
	end_hole(&hole, 0, batch->number, batch->prev_body_crc, judge->last_epoch);
	// Its checkpoint took one of them, and had no event.
	hole.event_count_max = (hole.last_number - hole.first_number) * SL_BATCH_EVENT_COUNT_MAX;
	hole.is_event_count_exact = hole.event_count_max == 0;
	result = report_hole(judge, &hole, SL_FINDING_SEGMENT_GONE,
		sl_lane_judge_segment_path(judge, judge->last_segment + 1, path),
		judge->last_segment + 1, "no segment");
	judge->tally.has_hole = false;
	step_over(judge, &hole);
	return result;
}

static int report_behind(struct sl_lane_judge *judge, struct sl_segment_file *file)
{
	struct sl_look_ahead ahead = {.number_min = UINT64_MAX, .skips_unreadable = true};
	int result = sl_segment_file_look_ahead(file, 0, &ahead, judge->err);
	struct sl_finding *finding;

	if (result < 0)
		return result;
	finding = sl_judgement_add(judge->judgement, SL_FINDING_HOLE, SL_FINDING_LOSS,
		judge->config->lane, file->path,
		"a damaged header where the segment opens: rot, or store.meta is that of another "
		"store");
	if (finding == NULL)
		return 0;
	finding->segment = file->number;
	finding->hole = (struct sl_chain_hole){.end_position = ahead.byte_count,
		.is_behind = true,
		.event_count_max = ahead.byte_count / EVENT_BYTES_MIN};
	return remember(judge, finding);
}

// A header is smaller than a sector and cannot be torn. One that fails its sum where a segment
// opens is rot.
int sl_lane_judge_behind(struct sl_lane_judge *judge)
{
	int result = 0;

	for (size_t i = judge->index; result == 0;) {
		const struct sl_batch_header *head;
		enum sl_batch_verdict verdict = SL_BATCH_OK;
		struct sl_segment_file *file;

		result = next_later(judge, &i, &file);
		if (result <= 0)
			break;
		result = sl_segment_file_batch(file, 0, true, &head, &verdict, judge->err);
		if (result == 0 && verdict == SL_BATCH_BAD_HEADER)
			result = report_behind(judge, file);
		sl_segment_file_close(file);
	}
	return result;
}
