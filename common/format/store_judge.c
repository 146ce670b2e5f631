/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_judge.h"

#include "format/lane_judge.h"
#include "format/segment_list.h"
#include "format/store_paths.h"
#include "format/store_stretches.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct store_judge {
	const struct sl_store_judge_config *config;
	struct sl_judgement *judgement;
	struct sl_err *err;
	struct sl_store_meta meta;
	struct sl_store_paths paths;
	struct sl_store_stretches *stretches;
	struct sl_read_ahead *reader;
	bool is_finished; // every lane was read to its end
};

static bool is_over(const struct store_judge *judge)
{
	const uint64_t *counts = judge->judgement->counts;

	return judge->config->first_only && counts[SL_FINDING_ROT] + counts[SL_FINDING_LOSS] > 0;
}

// A slot that does not check: a crash tears it while it is written, and so does rot. lane.meta is
// smaller than a sector and is never torn.
static void judge_slots(struct store_judge *judge, const enum sl_meta_slot_state states[2],
	uint16_t lane, const char *directory, const char *name)
{
	char path[SL_PATH_BYTES_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (int i = 0; i < 2; i++)
		if (states[i] == SL_META_SLOT_DAMAGED && states[1 - i] == SL_META_SLOT_VALID)
			sl_judgement_add(judge->judgement, SL_FINDING_META_SLOT,
				lane == SL_LANE_NONE ? SL_FINDING_REMARK : SL_FINDING_ROT, lane,
				path, "slot %d does not check; the other one is right", i);
}

static int judge_store_meta(struct store_judge *judge)
{
	const char *path = judge->config->path;
	enum sl_meta_slot_state states[2];
	int result = sl_store_paths_find(&judge->paths, &judge->meta, &path, 1, judge->err);

	for (uint32_t i = 0; result == 0 && i < judge->paths.count; i++) {
		path = judge->paths.paths[i];
		if (path[0] == '\0')
			continue;
		result = sl_store_meta_slots(states, path, judge->err);
		if (result == 0)
			judge_slots(judge, states, SL_LANE_NONE, path, SL_STORE_META_NAME);
	}
	return result;
}

// The epoch in force, 0 without a valid slot.
static int judge_lane_meta(
	struct store_judge *judge, uint16_t lane, const char *path, uint64_t *epoch)
{
	enum sl_meta_slot_state states[2];
	struct sl_lane_meta meta;
	struct sl_err own = {0};
	int result = sl_lane_meta_read(&meta, path, &own);

	*epoch = result == 0 ? meta.epoch : 0;
	if (result == -ENOENT || result == -EBADMSG) {
		sl_judgement_add(judge->judgement, SL_FINDING_LANE_META, SL_FINDING_ROT, lane, path,
			"no slot of " SL_LANE_META_NAME " is right: the epoch is not known");
		return 0;
	}
	if (result == 0 && meta.lane != lane)
		sl_judgement_add(judge->judgement, SL_FINDING_LANE_META, SL_FINDING_ROT, lane, path,
			SL_LANE_META_NAME " is that of lane %u", meta.lane);
	if (result == 0)
		result = sl_lane_meta_slots(states, path, &own);
	if (result == 0)
		judge_slots(judge, states, lane, path, SL_LANE_META_NAME);
	else
		*judge->err = own;
	return result;
}

static void judge_leftovers(struct store_judge *judge, uint16_t lane, const char *path)
{
	struct sl_segment_list list;

	if (judge->config->number_max != NULL || sl_segment_list_read_temps(&list, path, NULL) < 0)
		return;
	if (list.count > 0)
		sl_judgement_add(judge->judgement, SL_FINDING_LEFTOVER, SL_FINDING_REMARK, lane,
			path, "%zu files of unfinished births or repairs", list.count);
	sl_segment_list_free(&list);
}

static bool add_stretches(struct store_judge *judge, size_t from)
{
	for (size_t i = from; i < judge->judgement->count; i++) {
		const struct sl_finding *finding = &judge->judgement->findings[i];

		for (size_t k = 0; k < finding->lost_count; k++)
			if (!sl_store_stretches_add_lost(
				    judge->stretches, finding->lane, &finding->lost[k]))
				return false;
	}
	return true;
}

static void on_batch(void *context, const struct sl_batch_header *batch)
{
	struct store_judge *judge = context;

	if (!sl_store_stretches_add(judge->stretches, batch))
		judge->judgement->out_of_memory = true;
}

static void note_expired(struct store_judge *judge, uint16_t lane, const char *path)
{
	struct sl_segment_list list;

	if (sl_segment_list_read(&list, path, NULL) < 0)
		return;
	if (list.count > 0 && list.numbers[0] > 1)
		sl_store_stretches_expired(judge->stretches, lane);
	sl_segment_list_free(&list);
}

static int judge_log(struct store_judge *judge, uint16_t lane, const char *path, uint64_t epoch)
{
	const struct sl_lane_judge_config config = {
		.path = path,
		.lane = lane,
		.salt_crc = sl_batch_salt_crc(judge->meta.header.salt),
		.meta = &judge->meta,
		.reader = judge->reader,
		.number_max = judge->config->number_max == NULL
			? UINT64_MAX
			: judge->config->number_max(judge->config->context, lane),
		.first_only = judge->config->first_only,
		.on_batch = on_batch,
		.context = judge,
	};
	size_t found_before = judge->judgement->count;
	struct sl_lane_judged judged;
	int result;

	note_expired(judge, lane, path);
	result = sl_lane_judge(&config, judge->judgement, &judged, judge->err);
	if (result < 0)
		return result;
	judge->is_finished = judge->is_finished && judged.is_finished;
	if (epoch > 0 && judged.epoch_max > epoch)
		sl_judgement_add(judge->judgement, SL_FINDING_LANE_META, SL_FINDING_ROT, lane, path,
			SL_LANE_META_NAME " says epoch %" PRIu64 ", the log holds epoch %" PRIu64
					  ": its newer slot is lost",
			epoch, judged.epoch_max);
	if (!add_stretches(judge, found_before))
		return sl_err_set(judge->err, -ENOMEM, "no memory to judge %s", path);
	return 0;
}

static int judge_lane(struct store_judge *judge, const struct sl_store_meta_lane *lane)
{
	struct sl_segment_list list;
	char path[SL_PATH_BYTES_MAX];
	uint64_t epoch;
	int result = sl_store_paths_lane(&judge->paths, &judge->meta, lane->lane, path, judge->err);

	if (result < 0)
		return result;
	result = sl_segment_list_read(&list, path, judge->err);
	if (result == -ENOENT) {
		sl_judgement_add(judge->judgement, SL_FINDING_LANE_GONE, SL_FINDING_LOSS,
			lane->lane, path,
			SL_STORE_META_NAME " names this lane, and its folder is gone");
		return 0;
	}
	if (result < 0)
		return result;
	sl_segment_list_free(&list);
	result = judge_lane_meta(judge, lane->lane, path, &epoch);
	if (result == 0)
		judge_leftovers(judge, lane->lane, path);
	return result < 0 ? result : judge_log(judge, lane->lane, path, epoch);
}

static bool is_named(const struct sl_store_meta *meta, uint32_t lane)
{
	for (uint32_t i = 0; i < meta->header.lane_count; i++)
		if (meta->lanes[i].lane == lane)
			return true;
	return false;
}

// A lane gets its first segment when store.meta names it, not before.
static int judge_unnamed_lane(struct store_judge *judge, const char *store_path, uint16_t lane)
{
	struct sl_segment_list list;
	char path[SL_PATH_BYTES_MAX];
	int result = sl_lane_path(path, store_path, lane, judge->err);

	if (result == 0)
		result = sl_segment_list_read(&list, path, judge->err);
	if (result < 0)
		return result == -ENOENT ? 0 : result;
	if (list.count > 0)
		sl_judgement_add(judge->judgement, SL_FINDING_LANE_UNNAMED, SL_FINDING_LOSS, lane,
			path,
			SL_STORE_META_NAME " does not name this lane, which holds %zu "
					   "segments: its newest state is lost",
			list.count);
	sl_segment_list_free(&list);
	return 0;
}

static int judge_unnamed_lanes(struct store_judge *judge)
{
	int result = 0;

	for (uint32_t i = 0; i < judge->paths.count; i++) {
		const char *path = judge->paths.paths[i];

		for (uint32_t lane = 0; path[0] != '\0' && result == 0 && lane < SL_LANE_COUNT_MAX;
			lane++) {
			if (!is_named(&judge->meta, lane))
				result = judge_unnamed_lane(judge, path, (uint16_t)lane);
		}
	}
	return result;
}

static int judge_store(struct store_judge *judge)
{
	int result = judge_store_meta(judge);

	if (result < 0)
		return result;
	judge->stretches = sl_store_stretches_create(&judge->meta);
	if (judge->stretches == NULL)
		return sl_err_set(judge->err, -ENOMEM, "no memory to judge a store");
	result = sl_read_ahead_create(&judge->reader, judge->err);
	for (uint32_t i = 0; result == 0 && !is_over(judge) && i < judge->meta.header.lane_count;
		i++)
		result = judge_lane(judge, &judge->meta.lanes[i]);
	if (result == 0 && !is_over(judge))
		result = judge_unnamed_lanes(judge);
	// A running writer moves partitions while its lanes are read one by one.
	if (result == 0 && !is_over(judge) && judge->is_finished &&
		judge->config->number_max == NULL)
		sl_store_stretches_judge(judge->stretches, judge->config->path, judge->judgement);
	if (result == 0 && judge->judgement->out_of_memory)
		result = sl_err_set(judge->err, -ENOMEM, "no memory for what is wrong in a store");
	return result;
}

int sl_store_judge(const struct sl_store_judge_config *config, struct sl_judgement *judgement,
	struct sl_err *err)
{
	struct store_judge judge = {
		.config = config, .judgement = judgement, .err = err, .is_finished = true};
	int result;

	*judgement = (struct sl_judgement){0};
	result = judge_store(&judge);
	if (judge.reader != NULL)
		judgement->byte_count = sl_read_ahead_bytes(judge.reader);
	sl_read_ahead_destroy(judge.reader);
	sl_store_stretches_destroy(judge.stretches);
	sl_store_meta_free(&judge.meta);
	return result;
}
