/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_read_internal.h"

#include <errno.h>
#include <stdlib.h>

struct stream_read {
	uint16_t first_partition;
	uint32_t partition_count;
	struct sl_store_slot *slots;
};

// Sets the slots of the stream's partitions in this batch. Returns how many events may be wanted.
static uint32_t set_slots(struct sl_store_read *read, const struct sl_batch_header *batch,
	const struct stream_read *stream)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	uint32_t found_count = 0, wanted_count = 0;

	for (uint32_t i = 0; i < batch->table_count; i++) {
		uint32_t index = (uint32_t)table[i].partition - stream->first_partition;
		struct sl_store_slot *slot = &stream->slots[index];

		if (table[i].partition < stream->first_partition ||
			index >= stream->partition_count)
			continue;
		*slot = (struct sl_store_slot){
			.next_offset = table[i].first_offset,
			.from = read->store->partitions[table[i].partition].floor,
			.void_start =
				sl_store_void_start(read->store, table[i].partition, table[i].term),
			.end = sl_store_read_limit(read, table[i].partition),
			.term = table[i].term,
		};
		found_count++;
		wanted_count += slot->next_offset < slot->end ? table[i].event_count : 0;
	}
	// Batches are stored in order: behind one without anything stored nothing is.
	read->is_lane_done = found_count > 0 && wanted_count == 0;
	return wanted_count;
}

static struct sl_store_slot *slot_of(void *context, uint16_t partition)
{
	const struct stream_read *stream = context;
	uint32_t index = (uint32_t)partition - stream->first_partition;

	if (partition < stream->first_partition || index >= stream->partition_count)
		return NULL;
	return &stream->slots[index];
}

static int on_batch_of_stream(
	struct sl_store_read *read, const struct sl_batch_header *batch, void *context)
{
	struct stream_read *stream = context;

	if (set_slots(read, batch, stream) == 0)
		return 0;
	return sl_store_read_runs(read, batch, slot_of, stream);
}

int sl_store_read_stream(struct sl_store_reader *store, uint32_t stream_index,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_store_meta_stream *meta = &store->meta.streams[stream_index];
	struct sl_store_read read = {
		.store = store,
		.visitor = visitor,
		.report = report,
		.err = err,
		.first_partition = meta->first_partition,
		.partition_count = meta->partition_count,
	};
	struct stream_read stream = {
		.first_partition = meta->first_partition,
		.partition_count = meta->partition_count,
		.slots = calloc(SL_MAX(meta->partition_count, 1u), sizeof(*stream.slots)),
	};
	int result = 0;

	assert(stream_index < store->meta.header.stream_count);
	if (stream.slots == NULL)
		return sl_err_set(err, -ENOMEM, "no memory to read a stream");
	for (uint32_t i = 0; result == 0 && read.stopped == 0 && i < store->meta.header.lane_count;
		i++) {
		result = sl_store_open_lane(store, store->meta.lanes[i].lane, &read.reader, err);
		if (result == 0)
			sl_lane_reader_skip_to(&read.reader, visitor->segment_from);
		sl_lane_reader_want(&read.reader,
			&(struct sl_index_wanted){.first_partition = stream.first_partition,
				.partition_count = stream.partition_count});
		result = sl_store_read_lane(&read, result, on_batch_of_stream, &stream);
	}
	free(stream.slots);
	return result < 0 ? result : read.stopped;
}
