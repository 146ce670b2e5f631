/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/store/repair_plan.h"

#include "ctl/store/mend.h"
#include "format/batch_scan.h"
#include "format/segment_file.h"
#include "format/segment_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Above any epoch that a damaged header may hide: each start of a lane takes one.
#define EPOCH_RESERVE 1000000u

enum remedy {
	REMEDY_NONE,
	REMEDY_REMARK,
	REMEDY_META,
	REMEDY_SEGMENT,
	REMEDY_FOOTER,
	REMEDY_INDEX,
	REMEDY_ASIDE
};

static enum remedy remedy_of(const struct sl_finding *finding)
{
	switch (finding->kind) {
	case SL_FINDING_META_SLOT:
	case SL_FINDING_LANE_META:
	case SL_FINDING_LEFTOVER:
		return REMEDY_META;
	case SL_FINDING_HOLE:
	case SL_FINDING_SEGMENT_GONE:
		if (finding->hole.is_behind)
			return REMEDY_ASIDE;
		return finding->hole.is_in_order ? REMEDY_SEGMENT : REMEDY_NONE;
	case SL_FINDING_HEADLESS:
		return REMEDY_ASIDE;
	case SL_FINDING_LENGTH:
	case SL_FINDING_UNREADABLE:
		return REMEDY_SEGMENT;
	case SL_FINDING_FOOTER:
	case SL_FINDING_UNSEALED:
		return REMEDY_FOOTER;
	case SL_FINDING_INDEX:
		return REMEDY_INDEX;
	case SL_FINDING_TORN_TAIL:
	case SL_FINDING_FENCED:
		return REMEDY_REMARK;
	default:
		return REMEDY_NONE;
	}
}

// ---- metadata

static int remove_leftovers(const char *lane_path, struct sl_err *err)
{
	struct sl_segment_list list;
	int result = sl_segment_list_read_temps(&list, lane_path, err);
	char path[SL_PATH_BYTES_MAX];

	for (size_t i = 0; result == 0 && i < list.count; i++) {
		result = sl_segment_temp_path(path, lane_path, list.numbers[i], err);
		if (result == 0 && unlink(path) < 0 && errno != ENOENT)
			result = sl_err_set(
				err, -errno, "cannot remove %s: %s", path, strerror(errno));
	}
	sl_segment_list_free(&list);
	return result;
}

// The largest epoch that any header of the lane shows.
static int epoch_of_log(const struct sl_repair_plan *plan, const char *lane_path, uint16_t lane,
	uint64_t *epoch_max, struct sl_err *err)
{
	const uint32_t salt_crc = sl_batch_salt_crc(plan->meta->header.salt);
	struct sl_look_ahead ahead = {.number_min = UINT64_MAX, .skips_unreadable = true};
	struct sl_segment_list list;
	int result = sl_segment_list_read(&list, lane_path, err);

	for (size_t i = 0; result == 0 && i < list.count; i++) {
		struct sl_segment_file *file;

		result = sl_segment_file_open(
			&file, lane_path, lane, list.numbers[i], salt_crc, err);
		if (result == -EBADMSG) {
			result = 0;
			continue;
		}
		if (result < 0)
			break;
		result = sl_segment_file_look_ahead(file, 0, &ahead, err);
		if (file->is_sealed)
			ahead.epoch_max = SL_MAX(ahead.epoch_max, file->footer.epoch);
		sl_segment_file_close(file);
	}
	*epoch_max = ahead.epoch_max;
	sl_segment_list_free(&list);
	return result;
}

static int mend_lane_meta(const struct sl_repair_plan *plan, const char *lane_path,
	const struct sl_store_meta_lane *stored, bool is_lost, struct sl_err *err)
{
	struct sl_lane_meta meta = {0};
	uint64_t epoch = 0;
	int result = sl_lane_meta_read(&meta, lane_path, err);

	if (result < 0 && result != -ENOENT && result != -EBADMSG)
		return result;
	if (is_lost) {
		result = epoch_of_log(plan, lane_path, stored->lane, &epoch, err);
		if (result < 0)
			return result;
		meta.epoch = SL_MAX(meta.epoch, epoch) + EPOCH_RESERVE;
	}
	meta.lane = stored->lane;
	meta.class_index = stored->class_index;
	// The slot that is not the newest is written over: the one that has rotted.
	return sl_lane_meta_write(&meta, lane_path, err);
}

static const struct sl_store_meta_lane *stored_lane(
	const struct sl_repair_plan *plan, uint16_t lane)
{
	for (uint32_t i = 0; i < plan->meta->header.lane_count; i++)
		if (plan->meta->lanes[i].lane == lane)
			return &plan->meta->lanes[i];
	return NULL;
}

// In each copy the slot that is not the newest is written over.
static int write_store_meta(const struct sl_repair_plan *plan, struct sl_err *err)
{
	struct sl_store_meta_place places[SL_STORE_PATH_COUNT_MAX];

	for (uint32_t i = 0; i < plan->paths->count; i++)
		places[i] = (struct sl_store_meta_place){
			.path = plan->paths->paths[i], .index = (uint16_t)i};
	return sl_store_meta_write_all(plan->meta, places, plan->paths->count, err);
}

static int mend_meta(
	const struct sl_repair_plan *plan, const struct sl_finding *finding, struct sl_err *err)
{
	char lane_path[SL_PATH_BYTES_MAX];
	int result;

	if (finding->lane == SL_LANE_NONE)
		return write_store_meta(plan, err);
	result = sl_store_paths_lane(plan->paths, plan->meta, finding->lane, lane_path, err);
	if (result < 0)
		return result;
	if (finding->kind == SL_FINDING_LEFTOVER)
		return remove_leftovers(lane_path, err);
	return mend_lane_meta(plan, lane_path, stored_lane(plan, finding->lane),
		finding->kind == SL_FINDING_LANE_META, err);
}

// ---- segments

// One lane's findings that are about its segments.
struct lane_plan {
	struct sl_repair_plan *plan;
	struct sl_err *err;
	char path[SL_PATH_BYTES_MAX];
	uint16_t lane;
	uint64_t tail_segment, tail_number;
	const struct sl_finding **findings; // of the segment at hand
	struct sl_lost_offsets *tail_lost;
	uint32_t tail_lost_count;
};

static bool is_of(const struct sl_finding *finding, uint16_t lane, uint64_t segment)
{
	return finding->lane == lane && finding->segment == segment;
}

static struct sl_mend mend_of(const struct lane_plan *lane, uint64_t segment)
{
	const struct sl_repair_plan *plan = lane->plan;

	return (struct sl_mend){
		.lane_path = lane->path,
		.lane = lane->lane,
		.segment = segment,
		.salt_crc = sl_batch_salt_crc(plan->meta->header.salt),
		.segment_bytes = plan->meta->header.segment_bytes,
		.partition_count = plan->meta->header.partition_count,
		.keep_original = plan->keep_originals,
		.findings = lane->findings,
		.is_tail = segment == lane->tail_segment,
		.tail_number = lane->tail_number,
	};
}

// Makes the segment anew with all its holes filled, or only writes its footer.
static int mend_segment(struct lane_plan *lane, uint64_t segment)
{
	const struct sl_judgement *judgement = lane->plan->judgement;
	struct sl_mend mend = mend_of(lane, segment);
	bool needs_copy = mend.is_tail && lane->tail_lost_count > 0;
	bool needs_footer = false, needs_index = false;

	for (size_t i = 0; i < judgement->count; i++) {
		const struct sl_finding *finding = &judgement->findings[i];
		enum remedy remedy = remedy_of(finding);

		if (!is_of(finding, lane->lane, segment))
			continue;
		needs_copy = needs_copy || remedy == REMEDY_SEGMENT;
		needs_footer = needs_footer || remedy == REMEDY_FOOTER;
		needs_index = needs_index || remedy == REMEDY_INDEX;
		mend.is_gone = mend.is_gone || finding->kind == SL_FINDING_SEGMENT_GONE;
		if (remedy == REMEDY_SEGMENT && (finding->kind == SL_FINDING_HOLE || mend.is_gone))
			lane->findings[mend.finding_count++] = finding;
	}
	if (mend.is_tail) {
		mend.tail_lost = lane->tail_lost;
		mend.tail_lost_count = lane->tail_lost_count;
	}
	if (needs_copy)
		return sl_mend_segment(&mend, lane->err);
	if (needs_footer)
		return sl_mend_footer(&mend, lane->err);
	return needs_index ? sl_mend_index(&mend, lane->err) : 0;
}

static int collect_tail(struct lane_plan *lane)
{
	const struct sl_judgement *judgement = lane->plan->judgement;
	size_t capacity = 0;

	for (size_t i = 0; i < judgement->count; i++)
		if (judgement->findings[i].lane == lane->lane)
			capacity += judgement->findings[i].lost_count;
	lane->tail_lost = calloc(capacity + 1, sizeof(*lane->tail_lost));
	lane->findings = calloc(judgement->count + 1, sizeof(*lane->findings));
	if (lane->tail_lost == NULL || lane->findings == NULL)
		return sl_err_set(lane->err, -ENOMEM, "no memory to mend %s", lane->path);
	for (size_t i = 0; i < judgement->count; i++) {
		const struct sl_finding *finding = &judgement->findings[i];

		if (finding->lane != lane->lane || finding->tail_segment == 0)
			continue;
		lane->tail_segment = finding->tail_segment;
		lane->tail_number = finding->tail_number;
		for (size_t k = 0; k < finding->lost_count; k++)
			if (finding->lost[k].is_bound)
				lane->tail_lost[lane->tail_lost_count++] = (struct sl_lost_offsets){
					.first_offset = finding->lost[k].first,
					.count = finding->lost[k].count,
					.term = finding->lost[k].term,
					.partition = finding->lost[k].partition};
	}
	return 0;
}

// Whether something of this segment is to be done, once: at its first finding.
static bool is_first_of_segment(const struct sl_judgement *judgement, size_t index)
{
	const struct sl_finding *finding = &judgement->findings[index];

	for (size_t i = 0; i < index; i++)
		if (is_of(&judgement->findings[i], finding->lane, finding->segment))
			return false;
	return finding->segment > 0;
}

static int put_aside(struct lane_plan *lane)
{
	const struct sl_judgement *judgement = lane->plan->judgement;
	int result = 0;

	for (size_t i = 0; result == 0 && i < judgement->count; i++) {
		const struct sl_finding *finding = &judgement->findings[i];

		if (finding->lane == lane->lane && remedy_of(finding) == REMEDY_ASIDE) {
			struct sl_mend mend = mend_of(lane, finding->segment);

			result = sl_mend_put_aside(&mend, lane->err);
		}
	}
	return result;
}

// The tail first: it says which offsets are never given again, also when this is cut off.
static int mend_lane(struct lane_plan *lane)
{
	const struct sl_judgement *judgement = lane->plan->judgement;
	int result = collect_tail(lane);

	if (result == 0 && lane->tail_segment > 0)
		result = mend_segment(lane, lane->tail_segment);
	for (size_t i = 0; result == 0 && i < judgement->count; i++) {
		const struct sl_finding *finding = &judgement->findings[i];

		if (finding->lane == lane->lane && finding->segment != lane->tail_segment &&
			is_first_of_segment(judgement, i))
			result = mend_segment(lane, finding->segment);
	}
	return result < 0 ? result : put_aside(lane);
}

// ---- the plan

// A lane with something that cannot be mended is left as it is.
static bool is_lane_mendable(const struct sl_repair_plan *plan, uint16_t lane)
{
	for (size_t i = 0; i < plan->judgement->count; i++) {
		const struct sl_finding *finding = &plan->judgement->findings[i];

		if (finding->lane == lane && finding->kind != SL_FINDING_TERMS &&
			remedy_of(finding) == REMEDY_NONE)
			return false;
	}
	return true;
}

static bool has_loss(const struct sl_repair_plan *plan, uint16_t lane)
{
	for (size_t i = 0; i < plan->judgement->count; i++)
		if (plan->judgement->findings[i].lane == lane &&
			plan->judgement->findings[i].grade == SL_FINDING_LOSS)
			return true;
	return false;
}

static void count(struct sl_repair_plan *plan, const struct sl_finding *finding)
{
	enum remedy remedy = remedy_of(finding);
	bool is_of_segment = remedy >= REMEDY_SEGMENT;

	if (remedy == REMEDY_REMARK)
		return;
	if (remedy == REMEDY_NONE || (is_of_segment && !is_lane_mendable(plan, finding->lane)))
		plan->unmendable_count++;
	else if (is_of_segment && has_loss(plan, finding->lane) && !plan->accepts_loss)
		plan->refused_count++;
	else
		plan->done_count++;
}

static int run_lane(struct sl_repair_plan *plan, uint16_t number, struct sl_err *err)
{
	struct lane_plan lane = {.plan = plan, .err = err, .lane = number};
	int result;

	if (!is_lane_mendable(plan, number) || (has_loss(plan, number) && !plan->accepts_loss))
		return 0;
	result = sl_store_paths_lane(plan->paths, plan->meta, number, lane.path, err);
	if (result == 0)
		result = mend_lane(&lane);
	free(lane.findings);
	free(lane.tail_lost);
	return result;
}

int sl_repair_run(struct sl_repair_plan *plan, struct sl_err *err)
{
	int result = 0;

	for (size_t i = 0; i < plan->judgement->count; i++)
		count(plan, &plan->judgement->findings[i]);
	if (plan->is_dry_run)
		return 0;
	for (size_t i = 0; result == 0 && i < plan->judgement->count; i++)
		if (remedy_of(&plan->judgement->findings[i]) == REMEDY_META)
			result = mend_meta(plan, &plan->judgement->findings[i], err);
	for (uint32_t i = 0; result == 0 && i < plan->meta->header.lane_count; i++)
		result = run_lane(plan, plan->meta->lanes[i].lane, err);
	return result;
}
