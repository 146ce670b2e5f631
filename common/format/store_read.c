/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_reader_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

// One read: the lane being read, and who wants the events.
struct read {
	struct sl_store_reader *store;
	struct sl_lane_reader reader;
	const struct sl_store_visitor *visitor;
	struct sl_store_report *report;
	struct sl_err *err;
	int stopped; // what the visitor said to stop
	bool is_lane_done; // nothing wanted can follow in this lane
	uint64_t expired_seen; // segments that were gone at the last event
};

static uint64_t limit_of(const struct read *read, uint16_t partition)
{
	const struct sl_store_visitor *visitor = read->visitor;

	return visitor->limit != NULL ? visitor->limit(visitor->context, partition) : UINT64_MAX;
}

static int hand_out(struct read *read, const struct sl_batch_header *batch,
	const struct sl_run *run, uint64_t offset, uint32_t term)
{
	const struct sl_store_event event = {
		.value = run->data,
		.value_bytes = run->bytes,
		.term = term,
		.offset = offset,
		.receive_ns = run->receive_ns,
		.source = run->source,
		.partition = run->partition,
		.lane = batch->lane,
		.segment = batch->segment,
		.position = batch->position,
	};
	int result = read->visitor->on_event(read->visitor->context, &event);

	read->report->event_count++;
	if (result > 0)
		read->stopped = result;
	return SL_MIN(result, 0);
}

static int check_runs(const struct read *read, const struct sl_batch_header *batch)
{
	if (sl_batch_check_runs(batch) != SL_BATCH_OK)
		return sl_lane_reader_damage(
			&read->reader, "runs that do not add up to the table", read->err);
	return 0;
}

static int end_walk(const struct read *read, struct sl_run_iterator *iterator, int result)
{
	bool out_of_memory = iterator->out_of_memory;

	sl_run_iterator_fini(iterator);
	if (result == 0 && out_of_memory)
		return sl_err_set(read->err, -ENOMEM, "no memory for the sources of a batch");
	return result;
}

// Reads the lane with on_batch until its end, damage, the visitor's stop, or is_lane_done. The
// reader is open, also when result says that opening failed.
static int read_lane(struct read *read, int result,
	int (*on_batch)(struct read *read, const struct sl_batch_header *batch, void *context),
	void *context)
{
	const struct sl_batch_header *batch;
	bool is_at_end = false;

	read->is_lane_done = false;
	read->expired_seen = 0;
	while (result == 0 && !read->is_lane_done && read->stopped == 0) {
		result = sl_lane_reader_next(&read->reader, &batch, read->err);
		is_at_end = result == 0;
		if (result <= 0)
			break;
		read->report->unknown_batch_count +=
			batch->kind < SL_BATCH_EVENTS || batch->kind > SL_BATCH_MARK;
		result = batch->kind == SL_BATCH_EVENTS ? on_batch(read, batch, context) : 0;
	}
	sl_store_report_lane(read->report, &read->reader, is_at_end);
	sl_lane_reader_close(&read->reader);
	return result;
}

// ---- one partition

struct range {
	uint16_t partition;
	uint16_t lane;
	uint32_t term;
	uint64_t from, end; // wanted offsets of this term
};

static const struct sl_batch_table_entry *find_entry(
	const struct sl_batch_header *batch, uint16_t partition)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);

	for (uint32_t i = 0; i < batch->table_count; i++)
		if (table[i].partition == partition)
			return &table[i];
	return NULL;
}

static int walk_partition(struct read *read, const struct sl_batch_header *batch,
	const struct sl_batch_table_entry *entry, const struct range *range)
{
	struct sl_store_report *report = read->report;
	uint64_t offset = entry->first_offset;
	uint64_t end = SL_MIN(range->end, limit_of(read, range->partition));
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result = check_runs(read, batch);

	if (result < 0)
		return result;
	sl_run_iterator_init(&iterator, batch);
	while (result == 0 && read->stopped == 0 &&
		sl_run_next(&iterator, &run, &report->unknown_run_count)) {
		if (run.type != SL_RUN_EVENT || run.partition != range->partition)
			continue;
		if (offset >= range->end)
			report->void_event_count++;
		if (offset >= range->from && offset < end) {
			if (!report->has_first)
				report->first_offset = offset;
			report->has_first = true;
			report->next_offset = offset + 1;
			result = hand_out(read, batch, &run, offset, entry->term);
		}
		offset++;
	}
	return end_walk(read, &iterator, result);
}

struct state_search {
	uint16_t partition;
	bool is_found;
	uint64_t next_offset, term_start;
};

static void search_state(void *context, const struct sl_partition_state *state)
{
	struct state_search *search = context;

	if (state->partition != search->partition)
		return;
	search->is_found = true;
	search->next_offset = state->next_offset;
	search->term_start = state->term_start;
}

// What the checkpoint at the head of a segment says of a partition; a segment that has expired says
// nothing.
static int search_head(struct read *read, uint64_t number, struct state_search *search)
{
	const struct sl_lane_reader *reader = &read->reader;
	struct sl_segment_file *file;
	uint64_t epoch;
	int result = sl_segment_file_open(
		&file, reader->path, reader->lane, number, reader->salt_crc, read->err);

	if (result < 0)
		return result == -ENOENT ? 0 : result;
	result = sl_store_head_states(file, &epoch, search_state, search, read->err);
	sl_segment_file_close(file);
	return result;
}

// Whether a term begins in this batch only because the segments with its first events have expired.
// 1 yes, 0 no, or a negative errno.
static int begins_behind_expired(struct read *read, const struct sl_batch_table_entry *entry)
{
	const struct sl_segment_list *segments = &read->reader.segments;
	struct state_search search = {.partition = entry->partition};
	int result = 0;

	if (segments->count > 0 && segments->numbers[0] > 1)
		result = search_head(read, segments->numbers[0], &search);
	if (result < 0 || !search.is_found)
		return result;
	return search.next_offset == entry->first_offset && search.next_offset > search.term_start;
}

// Offsets are dense: what is neither expired nor there is missing, what comes twice is wrong.
static int check_dense(struct read *read, const struct sl_batch_table_entry *entry)
{
	const struct sl_store_report *report = read->report;
	bool has_expired = read->reader.expired_count > read->expired_seen;

	read->expired_seen = read->reader.expired_count;
	if (!report->has_first || entry->first_offset == report->next_offset)
		return 0;
	if (entry->first_offset > report->next_offset) {
		int result = has_expired ? 1 : begins_behind_expired(read, entry);

		if (result != 0)
			return SL_MIN(result, 0);
	}
	return sl_err_set(read->err, -EBADMSG,
		"%s: partition %u goes on with offset %" PRIu64 " in batch %" PRIu64
		" where offset %" PRIu64 " is due: the store is damaged",
		read->reader.file->path, entry->partition, entry->first_offset,
		read->reader.last_number, report->next_offset);
}

static int on_batch_of_range(struct read *read, const struct sl_batch_header *batch, void *context)
{
	const struct range *range = context;
	const struct sl_batch_table_entry *entry = find_entry(batch, range->partition);
	int result;

	if (entry == NULL || entry->term < range->term)
		return 0;
	if (entry->term > range->term || entry->first_offset >= range->end ||
		entry->first_offset >= limit_of(read, range->partition)) {
		read->is_lane_done = true;
		return 0;
	}
	if (entry->first_offset + entry->event_count <= range->from)
		return 0;
	result = check_dense(read, entry);
	return result < 0 ? result : walk_partition(read, batch, entry, range);
}

// Starts in the last segment whose checkpoint says that nothing wanted came before it.
static int skip_segments(struct read *read, const struct range *range)
{
	struct sl_lane_reader *reader = &read->reader;

	for (size_t i = reader->segments.count; range->from > 0 && i > 0; i--) {
		struct state_search search = {.partition = range->partition};
		uint64_t number = reader->segments.numbers[i - 1];
		int result = search_head(read, number, &search);

		if (result < 0)
			return result;
		if (search.is_found && search.next_offset <= range->from) {
			sl_lane_reader_skip_to(reader, number);
			return 0;
		}
	}
	return 0;
}

// What the appliance says it has stored must be there, unless retention came first.
static int check_stored(const struct read *read, uint16_t partition, uint64_t limit)
{
	const struct sl_store_report *report = read->report;

	if (limit == UINT64_MAX || !report->has_first || report->next_offset >= limit ||
		report->expired_segment_count > 0)
		return 0;
	return sl_err_set(read->err, -EBADMSG,
		"%s: partition %u ends at offset %" PRIu64 ", but everything below offset %" PRIu64
		" was stored: the store is damaged",
		read->store->path, partition, report->next_offset, limit);
}

int sl_store_read_partition(struct sl_store_reader *store, uint16_t partition, uint64_t from,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	struct read read = {.store = store, .visitor = visitor, .report = report, .err = err};
	const struct sl_store_terms *terms;
	uint64_t limit;
	int result = 0;

	if (partition >= store->meta.header.partition_count)
		return sl_err_set(err, -EINVAL, "no partition %u in %s: it has %" PRIu32, partition,
			store->path, store->meta.header.partition_count);
	terms = &store->partitions[partition];
	limit = visitor->limit != NULL ? limit_of(&read, partition) : UINT64_MAX;
	for (uint32_t i = 0; result == 0 && read.stopped == 0 && i < terms->count; i++) {
		struct range range = {
			.partition = partition,
			.lane = terms->terms[i].lane,
			.term = terms->terms[i].term,
			.from = from,
			.end = sl_store_void_start(store, partition, terms->terms[i].term),
		};

		if (range.end <= from)
			continue;
		result = sl_store_open_lane(store, range.lane, &read.reader, err);
		if (result == 0)
			result = skip_segments(&read, &range);
		result = read_lane(&read, result, on_batch_of_range, &range);
	}
	if (result == 0 && read.stopped == 0)
		result = check_stored(&read, partition, limit);
	return result < 0 ? result : read.stopped;
}

// ---- one stream

// One partition of the stream within the batch at hand.
struct slot {
	uint64_t next_offset;
	uint64_t void_start, limit;
	uint32_t term;
};

struct stream_read {
	uint16_t first_partition;
	uint32_t partition_count;
	struct slot *slots;
};

// Sets the slots of the stream's partitions in this batch. Returns how many events may be wanted.
static uint32_t set_slots(
	struct read *read, const struct sl_batch_header *batch, const struct stream_read *stream)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	uint32_t found_count = 0, wanted_count = 0;

	for (uint32_t i = 0; i < batch->table_count; i++) {
		uint32_t index = (uint32_t)table[i].partition - stream->first_partition;
		struct slot *slot = &stream->slots[index];

		if (table[i].partition < stream->first_partition ||
			index >= stream->partition_count)
			continue;
		*slot = (struct slot){
			.next_offset = table[i].first_offset,
			.void_start =
				sl_store_void_start(read->store, table[i].partition, table[i].term),
			.limit = limit_of(read, table[i].partition),
			.term = table[i].term,
		};
		found_count++;
		wanted_count += slot->next_offset < slot->limit ? table[i].event_count : 0;
	}
	// Batches are stored in order: behind one without anything stored nothing is.
	read->is_lane_done = found_count > 0 && wanted_count == 0;
	return wanted_count;
}

static int on_batch_of_stream(struct read *read, const struct sl_batch_header *batch, void *context)
{
	const struct stream_read *stream = context;
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result;

	if (set_slots(read, batch, stream) == 0)
		return 0;
	result = check_runs(read, batch);
	if (result < 0)
		return result;
	sl_run_iterator_init(&iterator, batch);
	while (result == 0 && read->stopped == 0 &&
		sl_run_next(&iterator, &run, &read->report->unknown_run_count)) {
		uint32_t index = (uint32_t)run.partition - stream->first_partition;
		struct slot *slot = &stream->slots[index];
		uint64_t offset;

		if (run.type != SL_RUN_EVENT || run.partition < stream->first_partition ||
			index >= stream->partition_count)
			continue;
		offset = slot->next_offset++;
		if (offset >= slot->void_start)
			read->report->void_event_count++;
		else if (offset < slot->limit)
			result = hand_out(read, batch, &run, offset, slot->term);
	}
	return end_walk(read, &iterator, result);
}

int sl_store_read_stream(struct sl_store_reader *store, uint32_t stream_index,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	struct read read = {.store = store, .visitor = visitor, .report = report, .err = err};
	const struct sl_store_meta_stream *meta = &store->meta.streams[stream_index];
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
		result = read_lane(&read, result, on_batch_of_stream, &stream);
	}
	free(stream.slots);
	return result < 0 ? result : read.stopped;
}
