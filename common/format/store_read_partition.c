/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_read_internal.h"

#include <errno.h>
#include <inttypes.h>

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

struct range_slot {
	const struct range *range;
	struct sl_store_slot slot;
};

static struct sl_store_slot *slot_of(void *context, uint16_t partition)
{
	struct range_slot *wanted = context;

	return partition == wanted->range->partition ? &wanted->slot : NULL;
}

static int walk_partition(struct sl_store_read *read, const struct sl_batch_header *batch,
	const struct sl_batch_table_entry *entry, const struct range *range)
{
	struct range_slot wanted = {
		.range = range,
		.slot = {.next_offset = entry->first_offset,
			.from = range->from,
			.end = sl_store_read_limit(read, range->partition),
			.void_start = range->end,
			.term = entry->term},
	};

	return sl_store_read_runs(read, batch, slot_of, &wanted);
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
static int search_head(struct sl_store_read *read, uint64_t number, struct state_search *search)
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
static int begins_behind_expired(
	struct sl_store_read *read, const struct sl_batch_table_entry *entry)
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

// 1 when segments of the lane have expired, its first one among them; 0 or a negative errno.
static int has_lost_segments(struct sl_store_read *read, uint16_t lane)
{
	struct sl_lane_reader reader;
	int result = sl_store_open_lane(read->store, lane, &reader, read->err);

	if (result == 0)
		result = reader.segments.count == 0 || reader.segments.numbers[0] > 1;
	sl_lane_reader_close(&reader);
	return result;
}

// Whether a term in between, with all offsets up to this one's start, has expired: lanes expire
// each for itself, and an older term may share its segment with what is written now. What is known
// of such a term names its lane; one that is not known any more may have been in any.
static int follows_expired_term(
	struct sl_store_read *read, const struct sl_batch_table_entry *entry)
{
	const struct sl_store_terms *terms = &read->store->partitions[entry->partition];
	const struct sl_store_meta *meta = &read->store->meta;
	uint32_t unknown_count;
	bool begins_here = false;
	int result = 0;

	if (entry->term < read->last_term + 2)
		return 0;
	unknown_count = entry->term - read->last_term - 1;
	for (uint32_t i = 0; i < terms->count; i++)
		begins_here |= terms->terms[i].term == entry->term &&
			terms->terms[i].start == entry->first_offset;
	for (uint32_t i = 0; i < terms->count && result == 0; i++) {
		const struct sl_store_term *term = &terms->terms[i];

		if (term->term <= read->last_term || term->term >= entry->term)
			continue;
		unknown_count--;
		result = has_lost_segments(read, term->lane);
	}
	for (uint32_t i = 0; i < meta->header.lane_count && result == 0 && unknown_count > 0; i++)
		result = has_lost_segments(read, meta->lanes[i].lane);
	return result == 1 ? begins_here : result;
}

// Offsets are dense: what is neither expired nor there is missing, what comes twice is wrong.
static int check_dense(struct sl_store_read *read, const struct sl_batch_table_entry *entry)
{
	const struct sl_store_report *report = read->report;
	bool has_expired = read->reader.expired_count > read->expired_seen;
	uint64_t due = report->has_first ? report->next_offset : read->due;

	read->expired_seen = read->reader.expired_count;
	if (due == 0 || entry->first_offset == due ||
		(!report->has_first && entry->first_offset < due))
		return 0;
	if (entry->first_offset > due && sl_term_has_jumped(read->last_term, entry->term))
		return 0;
	if (entry->first_offset > due) {
		int result = has_expired ? 1 : begins_behind_expired(read, entry);

		if (result == 0)
			result = follows_expired_term(read, entry);
		if (result != 0)
			return SL_MIN(result, 0);
	}
	return sl_err_set(read->err, -EBADMSG,
		"%s: partition %u goes on with offset %" PRIu64 " in batch %" PRIu64
		" where offset %" PRIu64 " is due: the store is damaged",
		read->reader.file->path, entry->partition, entry->first_offset,
		read->reader.last_number, due);
}

static int on_batch_of_range(
	struct sl_store_read *read, const struct sl_batch_header *batch, void *context)
{
	const struct range *range = context;
	const struct sl_batch_table_entry *entry = find_entry(batch, range->partition);
	int result;

	if (entry == NULL || entry->term < range->term)
		return 0;
	if (entry->term > range->term || entry->first_offset >= range->end ||
		entry->first_offset >= sl_store_read_limit(read, range->partition)) {
		read->is_lane_done = true;
		return 0;
	}
	if (entry->first_offset + entry->event_count <= range->from)
		return 0;
	result = check_dense(read, entry);
	read->last_term = entry->term;
	return result < 0 ? result : walk_partition(read, batch, entry, range);
}

// Starts in the last segment whose checkpoint says that nothing wanted came before it.
static int skip_segments(struct sl_store_read *read, const struct range *range)
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
static int check_stored(struct sl_store_read *read, uint16_t partition, uint64_t limit)
{
	const struct sl_store_report *report = read->report;
	const struct sl_store_terms *terms = &read->store->partitions[partition];

	if (limit == UINT64_MAX || !report->has_first || report->next_offset >= limit ||
		report->expired_segment_count > 0)
		return 0;
	// The newest term, which holds nothing yet, may stand behind one that has expired.
	if (terms->count > 0 && terms->terms[terms->count - 1].start >= limit) {
		const struct sl_batch_table_entry first = {
			.first_offset = terms->terms[terms->count - 1].start,
			.term = terms->terms[terms->count - 1].term,
			.partition = partition,
		};
		int result = sl_term_has_jumped(read->last_term, first.term)
			? 1
			: follows_expired_term(read, &first);

		if (result != 0)
			return SL_MIN(result, 0);
	}
	return sl_err_set(read->err, -EBADMSG,
		"%s: partition %u ends at offset %" PRIu64 ", but everything below offset %" PRIu64
		" was stored: the store is damaged",
		read->store->path, partition, report->next_offset, limit);
}

// What stands there is due, unless it expires as well before it is read.
static void start_at_floor(struct sl_store_read *read, const struct sl_store_terms *terms)
{
	read->from = read->due = terms->floor;
	for (uint32_t i = 0; i < terms->count && terms->terms[i].start <= terms->floor; i++)
		read->last_term = terms->terms[i].term - 1;
}

int sl_store_read_partition(struct sl_store_reader *store, uint16_t partition, uint64_t from,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	struct sl_store_read read = {
		.store = store,
		.visitor = visitor,
		.report = report,
		.err = err,
		.first_partition = partition,
		.partition_count = 1,
		.from = from,
	};
	const struct sl_store_terms *terms;
	uint64_t limit;
	int result = 0;

	if (partition >= store->meta.header.partition_count)
		return sl_err_set(err, -EINVAL, "no partition %u in %s: it has %" PRIu32, partition,
			store->path, store->meta.header.partition_count);
	terms = &store->partitions[partition];
	// Lanes expire each for itself: what is older than something that has expired has expired.
	if (from < terms->floor)
		start_at_floor(&read, terms);
	from = read.from;
	limit = visitor->limit != NULL ? sl_store_read_limit(&read, partition) : UINT64_MAX;
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
		read.term = range.term;
		result = sl_store_open_lane(store, range.lane, &read.reader, err);
		sl_lane_reader_want(&read.reader,
			&(struct sl_index_wanted){.first_partition = partition,
				.partition_count = 1,
				.term = range.term,
				.from = range.from});
		if (result == 0)
			result = skip_segments(&read, &range);
		result = sl_store_read_lane(&read, result, on_batch_of_range, &range);
	}
	if (result == 0 && read.stopped == 0)
		result = check_stored(&read, partition, limit);
	return result < 0 ? result : read.stopped;
}
