/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_info.h"

#include "format/lane_reader.h"
#include "format/store_reader_internal.h"
#include "siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// What one lane says of one partition.
struct place {
	uint64_t first_offset, next_offset;
	uint32_t term;
	bool is_known;
};

struct look {
	struct sl_store_info *info;
	struct sl_store_info_lane *lane;
	struct place *places; // by partition
	uint32_t partition_count;
	uint32_t salt_crc;
	bool is_oldest; // the segment at hand is the oldest that is left
};

uint64_t sl_store_id(const uint8_t salt[SL_SALT_BYTES])
{
	static const uint8_t key_bytes[16] = "sluice store id.";
	const struct sl_siphash_key key = sl_siphash_key_load(key_bytes);

	return sl_siphash13(&key, salt, SL_SALT_BYTES);
}

// What came before the oldest segment that is left has expired; a partition that shows up later
// came to this lane with its term.
static void take_state(void *context, const struct sl_partition_state *state)
{
	struct look *look = context;
	struct place *place;

	if (state->partition >= look->partition_count)
		return;
	place = &look->places[state->partition];
	if (!place->is_known)
		place->first_offset = look->is_oldest ? state->next_offset : state->term_start;
	place->is_known = true;
	place->term = state->term;
	place->next_offset = state->next_offset;
}

static void take_table(struct look *look, const struct sl_batch_header *batch)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);

	for (uint32_t i = 0; i < batch->table_count; i++) {
		struct place *place;

		if (table[i].partition >= look->partition_count)
			continue;
		place = &look->places[table[i].partition];
		if (!place->is_known)
			place->first_offset = table[i].first_offset;
		place->is_known = true;
		place->term = table[i].term;
		place->next_offset = table[i].first_offset + table[i].event_count;
	}
}

static void extend_times(struct sl_store_info_lane *lane, uint64_t first_ns, uint64_t last_ns)
{
	if (lane->time_first_ns == 0)
		lane->time_first_ns = first_ns;
	lane->time_last_ns = SL_MAX(lane->time_last_ns, last_ns);
}

// Footer and checkpoint of one segment.
static int look_at_segment(struct look *look, uint64_t number, bool *is_sealed, struct sl_err *err)
{
	struct sl_store_info_lane *lane = look->lane;
	struct sl_segment_file *file;
	uint64_t epoch;
	int result =
		sl_segment_file_open(&file, lane->path, lane->lane, number, look->salt_crc, err);

	if (result == -ENOENT)
		return 0; // expired meanwhile
	if (result < 0)
		return result;
	*is_sealed = file->is_sealed;
	lane->byte_count += file->file_bytes;
	if (file->is_sealed) {
		const struct sl_segment_footer *footer = &file->footer;

		lane->sealed_count++;
		lane->event_count += footer->event_count;
		lane->batch_count += footer->last_number - footer->first_number + 1;
		extend_times(lane, footer->time_first_ns, footer->time_last_ns);
		result = sl_store_head_states(file, &epoch, take_state, look, err);
		look->is_oldest = false;
	} else {
		lane->unsealed_count++;
	}
	sl_segment_file_close(file);
	return result;
}

// Batch by batch from the given segment on. What is sealed there was counted by its footer.
static int look_at_tail(struct look *look, struct sl_lane_reader *reader, struct sl_err *err)
{
	struct sl_store_info_lane *lane = look->lane;
	const struct sl_batch_header *batch;
	int result;

	while ((result = sl_lane_reader_next(reader, &batch, err)) > 0) {
		if (sl_batch_check_runs(batch) != SL_BATCH_OK)
			return sl_lane_reader_damage(reader, "runs that do not add up", err);
		sl_store_batch_states(batch, take_state, look);
		if (batch->kind != SL_BATCH_CHECKPOINT)
			look->is_oldest = false;
		if (batch->kind == SL_BATCH_EVENTS)
			take_table(look, batch);
		if (reader->file->is_sealed)
			continue;
		lane->batch_count++;
		if (batch->kind == SL_BATCH_EVENTS)
			lane->event_count += batch->event_count;
		extend_times(lane, batch->time_base_ns, batch->time_last_ns);
	}
	return result;
}

static int look_at_lane(struct look *look, struct sl_err *err)
{
	struct sl_store_info_lane *lane = look->lane;
	struct sl_lane_reader reader;
	uint64_t tail = 0;
	int result = sl_lane_reader_open(&reader, lane->path, lane->lane, look->salt_crc, err);

	look->is_oldest = true;
	for (size_t i = 0; result == 0 && i < reader.segments.count; i++) {
		bool is_sealed = false;

		result = look_at_segment(look, reader.segments.numbers[i], &is_sealed, err);
		// Where partitions go on stands in the segments behind the last footer; without one
		// of those, in the last sealed one.
		if (is_sealed || tail == 0)
			tail = reader.segments.numbers[i];
		if (is_sealed && i + 1 < reader.segments.count)
			tail = reader.segments.numbers[i + 1];
	}
	if (result == 0) {
		sl_lane_reader_skip_to(&reader, tail);
		result = look_at_tail(look, &reader, err);
	}
	sl_lane_reader_close(&reader);
	return result;
}

// What this lane knows, added to what the others know.
static void join(struct look *look)
{
	const struct sl_store_meta *meta = &look->info->meta;

	for (uint32_t i = 0; i < look->partition_count; i++) {
		struct sl_store_info_partition *partition = &look->info->partitions[i];
		const struct place *place = &look->places[i];

		if (!place->is_known)
			continue;
		if (place->first_offset < place->next_offset)
			partition->first_offset =
				SL_MIN(partition->first_offset, place->first_offset);
		if (meta->partitions[i].lane == look->lane->lane &&
			meta->partitions[i].term == place->term)
			partition->next_offset = place->next_offset;
	}
}

static int look_at_lanes(struct sl_store_info *info, const char *path, struct sl_err *err)
{
	struct look look = {.info = info,
		.partition_count = info->meta.header.partition_count,
		.salt_crc = sl_batch_salt_crc(info->meta.header.salt)};
	int result = 0;

	look.places = calloc(SL_MAX(look.partition_count, 1u), sizeof(*look.places));
	if (look.places == NULL)
		return sl_err_set(err, -ENOMEM, "no memory to look at %s", path);
	for (uint32_t i = 0; result == 0 && i < info->meta.header.lane_count; i++) {
		struct sl_store_info_lane *lane = &info->lanes[i];
		struct sl_lane_meta meta;

		look.lane = lane;
		memset(look.places, 0, look.partition_count * sizeof(*look.places));
		lane->lane = info->meta.lanes[i].lane;
		if (sl_store_paths_lane(&info->paths, &info->meta, lane->lane, lane->path,
			    &lane->damage) == 0 &&
			sl_lane_meta_read(&meta, lane->path, &lane->damage) == 0) {
			lane->epoch = meta.epoch;
			look_at_lane(&look, &lane->damage);
		}
		join(&look);
	}
	free(look.places);
	return result;
}

int sl_store_info_read(struct sl_store_info *info, const char *path, struct sl_err *err)
{
	int result;

	*info = (struct sl_store_info){0};
	result = sl_store_paths_find(&info->paths, &info->meta, &path, 1, err);
	if (result < 0)
		return result;
	info->id = sl_store_id(info->meta.header.salt);
	info->lanes = calloc(SL_MAX(info->meta.header.lane_count, 1u), sizeof(*info->lanes));
	info->partitions =
		calloc(SL_MAX(info->meta.header.partition_count, 1u), sizeof(*info->partitions));
	if (info->lanes == NULL || info->partitions == NULL)
		result = sl_err_set(err, -ENOMEM, "no memory to look at %s", path);
	for (uint32_t i = 0; result == 0 && i < info->meta.header.partition_count; i++)
		info->partitions[i] = (struct sl_store_info_partition){.first_offset = UINT64_MAX,
			.next_offset = info->meta.partitions[i].term_start};
	if (result == 0)
		result = look_at_lanes(info, path, err);
	for (uint32_t i = 0; result == 0 && i < info->meta.header.partition_count; i++)
		info->partitions[i].first_offset =
			SL_MIN(info->partitions[i].first_offset, info->partitions[i].next_offset);
	if (result < 0)
		sl_store_info_free(info);
	return result;
}

void sl_store_info_free(struct sl_store_info *info)
{
	sl_store_meta_free(&info->meta);
	free(info->lanes);
	free(info->partitions);
	*info = (struct sl_store_info){0};
}
