/* SPDX-License-Identifier: BSD-3-Clause */
#include "oracle.h"

#include "bounds.h"
#include "disk.h"
#include "format/log_format.h"
#include "memory.h"
#include "shm.h"
#include "sim.h"
#include "store/store.h"

#include <string.h>

struct model_event {
	uint64_t id;
	uint32_t bytes;
};

struct model {
	struct model_event *events; // by offset
	uint64_t count, capacity;
	uint64_t watermark; // last seen in this life
	uint64_t acknowledged; // survives what has happened so far
	uint64_t durable; // survives a power cut
	uint32_t term;
	bool is_durable; // its class promises that for every watermark
	bool is_doubtful; // a power cut may leave a hole in it
};

static struct model models[SIM_PARTITION_COUNT_MAX];
static uint32_t model_count;
static bool may_expire;
static bool may_have_hole;

static struct {
	uint64_t epoch, life; // of the newest batch
} lanes[SL_LANE_COUNT_MAX];
static uint64_t life;
static uint8_t salt[SL_SALT_BYTES]; // of the store that is there

// ---- events

static uint8_t filler(uint64_t id, uint32_t place)
{
	return (uint8_t)((id * 0x9e3779b97f4a7c15ull >> 32) + place * 131);
}

void sim_event_fill(char *payload, uint32_t bytes, uint64_t id)
{
	memcpy(payload, &id, sizeof(id));
	for (uint32_t i = sizeof(id); i < bytes; i++)
		payload[i] = (char)filler(id, i);
}

uint64_t sim_event_id(const void *payload)
{
	uint64_t id;

	memcpy(&id, payload, sizeof(id));
	return id;
}

static bool is_intact(const void *value, uint32_t bytes)
{
	const uint8_t *payload = value;
	uint64_t id = sim_event_id(value);

	for (uint32_t i = sizeof(id); i < bytes; i++) {
		if (payload[i] != filler(id, i))
			return false;
	}
	return true;
}

// ---- the model

void sim_oracle_begin(uint32_t partition_count, const bool *is_durable, bool expires)
{
	assert(partition_count <= SIM_PARTITION_COUNT_MAX);
	model_count = partition_count;
	may_expire = expires;
	may_have_hole = false;
	for (uint32_t p = 0; p < partition_count; p++)
		models[p] = (struct model){.is_durable = is_durable[p]};
	memset(lanes, 0, sizeof(lanes));
	memset(salt, 0, sizeof(salt));
	life = 0;
}

void sim_oracle_end(void)
{
	for (uint32_t p = 0; p < model_count; p++)
		sim_host_free(models[p].events);
	model_count = 0;
}

uint32_t sim_oracle_partition_count(void)
{
	return model_count;
}

void sim_oracle_append(uint16_t partition, uint64_t id, uint32_t bytes)
{
	struct model *model = &models[partition];

	if (model->count == model->capacity) {
		model->capacity = model->capacity * 2 + 256;
		model->events =
			sim_host_grow(model->events, model->capacity * sizeof(*model->events));
	}
	model->events[model->count++] = (struct model_event){.id = id, .bytes = bytes};
	sim_counts.events++;
}

uint64_t sim_oracle_count(uint16_t partition)
{
	return models[partition].count;
}

uint64_t sim_oracle_acknowledged(uint16_t partition)
{
	return models[partition].acknowledged;
}

bool sim_oracle_may_expire(void)
{
	return may_expire;
}

void sim_oracle_print(FILE *file)
{
	for (uint32_t p = 0; p < model_count; p++) {
		for (uint64_t i = 0; i < models[p].count; i++)
			fprintf(file, "%u %lu %lu %u\n", p, i, models[p].events[i].id,
				models[p].events[i].bytes);
	}
}

void sim_oracle_check_event(
	uint16_t partition, uint64_t offset, const void *value, uint32_t bytes, const char *reader)
{
	const struct model *model = &models[partition];
	const struct model_event *event;

	if (partition >= model_count || offset >= model->count) {
		sim_fail("%s: partition %u holds offset %lu, and only %lu events were appended",
			reader, partition, offset, partition < model_count ? model->count : 0);
		return;
	}
	event = &model->events[offset];
	if (bytes < SIM_EVENT_BYTES_MIN || !is_intact(value, bytes))
		sim_fail("%s: partition %u, offset %lu: not the bytes of any event that was sent",
			reader, partition, offset);
	else if (sim_event_id(value) != event->id || bytes != event->bytes)
		sim_fail(
			"%s: partition %u, offset %lu holds event %lu of %u bytes, where event %lu of %u bytes was appended",
			reader, partition, offset, sim_event_id(value), bytes, event->id,
			event->bytes);
}

void sim_oracle_started(const struct sl_store *store)
{
	uint32_t partition_count = store->meta.header.partition_count;

	assert(partition_count <= model_count);
	for (uint32_t p = partition_count; p < model_count; p++) {
		if (models[p].acknowledged > 0)
			sim_fail(
				"partition %u is gone, with %lu events", p, models[p].acknowledged);
	}
	for (uint32_t p = 0; p < partition_count; p++) {
		struct model *model = &models[p];
		uint64_t next_offset = store->partitions[p].next_offset;

		if (store->partitions[p].term != model->term && model->term != 0)
			sim_counts.moves++;
		model->term = store->partitions[p].term;
		if (next_offset < model->acknowledged) {
			sim_counts.lost += model->acknowledged - next_offset;
			sim_fail(
				"partition %u goes on at offset %lu, and events below %lu were acknowledged",
				p, next_offset, model->acknowledged);
		} else if (next_offset > model->count) {
			sim_fail(
				"partition %u goes on at offset %lu, and only %lu events were appended",
				p, next_offset, model->count);
		}
		// Recovery has flushed what it found before it goes on.
		model->count = SL_MIN(model->count, next_offset);
		model->acknowledged = model->durable = model->watermark = model->count;
	}
}

void sim_oracle_rehomed(uint16_t partition, uint32_t term, bool is_doubtful)
{
	struct model *model = &models[partition];

	if (term == model->term)
		return;
	sim_counts.rehomes++;
	model->term = term;
	model->is_doubtful |= is_doubtful && !model->is_durable;
}

bool sim_oracle_may_have_hole(void)
{
	return may_have_hole;
}

void sim_oracle_watch(const struct sl_shm_partition *partitions)
{
	for (uint32_t p = 0; p < model_count; p++) {
		struct model *model = &models[p];
		uint64_t watermark = SL_LOAD_ACQUIRE(partitions[p].watermark);

		if (watermark == model->watermark)
			continue;
		if (watermark < model->watermark || watermark > model->count)
			sim_fail(
				"partition %u: the watermark went from %lu to %lu, with %lu events appended",
				p, model->watermark, watermark, model->count);
		sim_counts.acknowledged += watermark - model->watermark;
		model->watermark = model->acknowledged = watermark;
		if (model->is_durable)
			model->durable = watermark;
	}
}

void sim_oracle_stopped(void)
{
	for (uint32_t p = 0; p < model_count; p++)
		models[p].durable = models[p].acknowledged;
}

void sim_oracle_power_cut(void)
{
	for (uint32_t p = 0; p < model_count; p++) {
		models[p].acknowledged = models[p].durable;
		may_have_hole |= models[p].is_doubtful;
	}
}

// ---- epochs

void sim_oracle_next_life(void)
{
	life++;
}

static uint64_t header_magic(const void *data)
{
	uint64_t magic;

	memcpy(&magic, data, sizeof(magic));
	return magic;
}

// A first start that failed may be repeated with a new store, whose epochs begin again.
static void see_store_meta(const struct sl_store_meta_header *header)
{
	if (memcmp(header->salt, salt, sizeof(salt)) == 0)
		return;
	for (uint32_t p = 0; p < model_count; p++) {
		if (models[p].acknowledged > 0)
			sim_fail("a new store is made over one that holds events");
	}
	memcpy(salt, header->salt, sizeof(salt));
	memset(lanes, 0, sizeof(lanes));
}

static bool stands_there(
	const struct sim_inode *inode, uint64_t position, const char *data, uint64_t bytes)
{
	char there[SL_BLOCK_BYTES];

	while (bytes > 0) {
		uint64_t part = SL_MIN(bytes, sizeof(there));

		if (sim_inode_read(inode, position, there, part) < part ||
			memcmp(there, data, part) != 0)
			return false;
		position += part;
		data += part;
		bytes -= part;
	}
	return true;
}

void sim_oracle_see_write(
	const struct sim_inode *inode, uint64_t position, const void *data, uint64_t bytes)
{
	const struct sl_batch_header *header = data;

	if (bytes >= sizeof(struct sl_store_meta_header) &&
		header_magic(data) == SL_STORE_META_MAGIC)
		see_store_meta(data);
	if (bytes < SL_BLOCK_BYTES || header->magic != SL_BATCH_MAGIC ||
		header->lane >= SL_LANE_COUNT_MAX || stands_there(inode, position, data, bytes))
		return;
	if (header->epoch < lanes[header->lane].epoch ||
		(header->epoch == lanes[header->lane].epoch && life != lanes[header->lane].life))
		sim_fail(
			"lane %u: a batch of epoch %lu is written, and an earlier start has written epoch %lu",
			header->lane, header->epoch, lanes[header->lane].epoch);
	lanes[header->lane].epoch = header->epoch;
	lanes[header->lane].life = life;
}
