/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/batch_scan.h"

#include "format/crc32c.h"
#include "format/run_events.h"
#include "format/run_gap.h"
#include "format/run_ledger.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_CAPACITY_MIN 64u
#define TABLE_PADDING_BYTES_MAX 7u // the writer aligns the table to 8

struct body_prefix {
	uint64_t epoch;
	uint64_t number;
} SL_PACKED;
static_assert(sizeof(struct body_prefix) == SL_BATCH_BODY_PREFIX_BYTES, "on-disk struct");

uint32_t sl_batch_salt_crc(const uint8_t salt[SL_SALT_BYTES])
{
	return sl_crc32c(0, salt, SL_SALT_BYTES);
}

static uint32_t header_crc(const struct sl_batch_header *header, uint32_t salt_crc)
{
	struct sl_batch_header copy = *header;

	copy.header_crc = 0;
	return sl_crc32c(salt_crc, &copy, sizeof(copy));
}

void sl_batch_header_seal(struct sl_batch_header *header, uint32_t salt_crc)
{
	header->header_crc = header_crc(header, salt_crc);
}

// What a writer of this version can never have written, whatever the place.
static bool is_plausible(const struct sl_batch_header *header)
{
	uint64_t table_bytes = (uint64_t)header->table_count * sizeof(struct sl_batch_table_entry);

	return header->header_bytes == SL_BATCH_HEADER_BYTES &&
		header->byte_length >= SL_BATCH_RUNS_OFFSET &&
		header->byte_length <= SL_BATCH_BYTES_MAX &&
		header->table_offset >= SL_BATCH_RUNS_OFFSET &&
		header->table_offset + table_bytes == header->byte_length &&
		header->event_count <= SL_BATCH_EVENT_COUNT_MAX && header->number > 0 &&
		header->epoch > 0 && header->durable_mark < header->number;
}

enum sl_batch_verdict sl_batch_check_header(const struct sl_batch_header *header, uint32_t salt_crc,
	const struct sl_batch_place *place, uint64_t bytes_left)
{
	if (((header->magic ^ SL_BATCH_MAGIC) & SL_BATCH_MAGIC_FAMILY) != 0)
		return SL_BATCH_NO_MAGIC;
	// Before the version: magic, version and the rule of the CRC stay in all versions, so that
	// a flipped bit is not taken for a newer program's store.
	if (header->header_crc != header_crc(header, salt_crc))
		return SL_BATCH_BAD_HEADER;
	if (header->version != SL_FORMAT_VERSION)
		return SL_BATCH_BAD_VERSION;
	if (header->magic != SL_BATCH_MAGIC)
		return SL_BATCH_BAD_HEADER;
	if (header->lane != place->lane || header->segment != place->segment ||
		header->position != place->position)
		return SL_BATCH_MISPLACED;
	if (!is_plausible(header) || sl_batch_block_bytes(header) > bytes_left)
		return SL_BATCH_BAD_HEADER;
	return SL_BATCH_OK;
}

// Well spread, so that the sums below of different sets of partitions do not meet by accident.
static uint64_t partition_weight(uint16_t partition)
{
	uint64_t x = (partition + 1) * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 29;
}

struct walk {
	uint32_t event_count;
	uint32_t source_count;
	// Sum of the weights of the events' partitions: must equal the table's. It says the same as
	// one counter for each partition, without 256 KiB of counters.
	uint64_t weight;
};

static bool walk_events(struct walk *walk, const struct sl_run_header *run, uint32_t event_count)
{
	if (event_count == 0 || run->source > walk->source_count)
		return false;
	walk->event_count += event_count;
	walk->weight += event_count * partition_weight(run->partition);
	return true;
}

static bool walk_run(struct walk *walk, const struct sl_run_header *run)
{
	uint32_t bytes = SL_RUN_LENGTH(run->length_type);

	switch (SL_RUN_TYPE(run->length_type)) {
	case SL_RUN_EVENT:
		return walk_events(walk, run, 1);
	case SL_RUN_RICH:
		return walk_events(walk, run, sl_run_rich_check(run + 1, bytes));
	case SL_RUN_SOURCE:
		if (walk->source_count == UINT16_MAX)
			return false;
		walk->source_count++;
		return bytes == sizeof(struct sl_run_source);
	case SL_RUN_TIME:
		return bytes == sizeof(uint64_t);
	case SL_RUN_PARTITION_STATE:
		return bytes % sizeof(struct sl_partition_state) == 0;
	case SL_RUN_SESSION_STATE:
		return bytes % sizeof(struct sl_session_state) == 0;
	case SL_RUN_LOST:
		return bytes % sizeof(struct sl_lost_offsets) == 0;
	case SL_RUN_GAP:
		return sl_run_gap_check(run + 1, bytes);
	case SL_RUN_LEDGER:
		return sl_run_ledger_check(run + 1, bytes);
	default:
		return true;
	}
}

static bool runs_add_up(const struct sl_batch_header *header)
{
	const char *next = (const char *)header + SL_BATCH_RUNS_OFFSET;
	const char *end = (const char *)header + header->table_offset;
	const struct sl_batch_table_entry *table = sl_batch_table(header);
	struct walk walk = {0};

	for (uint32_t i = 0; i < header->run_count; i++) {
		const struct sl_run_header *run = (const struct sl_run_header *)next;

		if ((size_t)(end - next) < sizeof(*run))
			return false;
		next += sizeof(*run);
		if ((size_t)(end - next) < SL_RUN_LENGTH(run->length_type))
			return false;
		if (!walk_run(&walk, run))
			return false;
		next += SL_RUN_LENGTH(run->length_type);
	}
	if ((size_t)(end - next) > TABLE_PADDING_BYTES_MAX ||
		walk.event_count != header->event_count)
		return false;
	for (uint32_t i = 0; i < header->table_count; i++)
		walk.weight -= table[i].event_count * partition_weight(table[i].partition);
	return walk.weight == 0;
}

enum sl_batch_verdict sl_batch_check_sum(const void *batch, uint32_t salt_crc)
{
	const struct sl_batch_header *header = batch;
	const char *body = (const char *)batch + SL_BATCH_HEADER_BYTES;
	const struct body_prefix *prefix = (const struct body_prefix *)body;

	if (sl_crc32c(salt_crc, body, header->byte_length - SL_BATCH_HEADER_BYTES) !=
		header->body_crc)
		return SL_BATCH_BAD_BODY;
	if (prefix->epoch != header->epoch || prefix->number != header->number)
		return SL_BATCH_BAD_BODY;
	return SL_BATCH_OK;
}

enum sl_batch_verdict sl_batch_check_runs(const void *batch)
{
	const struct sl_batch_header *header = batch;

	// Kinds of later programs say themselves what their bodies mean.
	if (!sl_batch_kind_is_known(header->kind))
		return SL_BATCH_OK;
	return runs_add_up(header) ? SL_BATCH_OK : SL_BATCH_BAD_BODY;
}

enum sl_batch_verdict sl_batch_check_body(const void *batch, uint32_t salt_crc)
{
	enum sl_batch_verdict verdict = sl_batch_check_sum(batch, salt_crc);

	return verdict == SL_BATCH_OK ? sl_batch_check_runs(batch) : verdict;
}

const char *sl_batch_verdict_name(enum sl_batch_verdict verdict)
{
	static const char *const names[] = {
		[SL_BATCH_OK] = "whole",
		[SL_BATCH_NO_MAGIC] = "no batch here",
		[SL_BATCH_BAD_VERSION] = "unknown format version",
		[SL_BATCH_BAD_HEADER] = "damaged header",
		[SL_BATCH_MISPLACED] = "batch of another place",
		[SL_BATCH_BAD_BODY] = "damaged body",
	};

	return names[verdict];
}

void sl_run_iterator_init(struct sl_run_iterator *iterator, const void *batch)
{
	const struct sl_batch_header *header = batch;
	*iterator = (struct sl_run_iterator){
		.header = header,
		.next = (const char *)batch + SL_BATCH_RUNS_OFFSET,
		.runs_left = sl_batch_kind_is_known(header->kind) ? header->run_count : 0,
		.time_base_ns = header->time_base_ns,
	};
}

static bool add_source(struct sl_run_iterator *iterator, const void *source)
{
	if (iterator->source_count == iterator->source_capacity) {
		uint32_t capacity = SL_MAX(iterator->source_capacity * 2, SOURCE_CAPACITY_MIN);
		void *sources = realloc(iterator->sources, capacity * sizeof(*iterator->sources));

		if (sources == NULL)
			return false;
		iterator->sources = sources;
		iterator->source_capacity = capacity;
	}
	iterator->sources[iterator->source_count++] = source;
	return true;
}

static void fill_run(struct sl_run *run, const struct sl_run_iterator *iterator,
	const struct sl_run_header *header)
{
	*run = (struct sl_run){
		.type = SL_RUN_TYPE(header->length_type),
		.partition = header->partition,
		.bytes = SL_RUN_LENGTH(header->length_type),
		.data = header + 1,
		.receive_ns = iterator->time_base_ns + header->time_delta_ns,
	};
	if (header->source != SL_RUN_SOURCE_NONE && header->source <= iterator->source_count)
		run->source = iterator->sources[header->source - 1];
}

static bool is_wanted(const struct sl_run_iterator *iterator, enum sl_run_type type)
{
	return type == SL_RUN_GAP ? iterator->wants_gaps : iterator->wants_ledgers;
}

bool sl_run_next(struct sl_run_iterator *iterator, struct sl_run *run, uint64_t *unknown_count)
{
	while (iterator->runs_left > 0) {
		const struct sl_run_header *header = (const struct sl_run_header *)iterator->next;

		iterator->runs_left--;
		iterator->next += sizeof(*header) + SL_RUN_LENGTH(header->length_type);
		switch (SL_RUN_TYPE(header->length_type)) {
		case SL_RUN_EVENT:
		case SL_RUN_RICH:
		case SL_RUN_PARTITION_STATE:
		case SL_RUN_SESSION_STATE:
		case SL_RUN_LOST:
			fill_run(run, iterator, header);
			return true;
		case SL_RUN_SOURCE:
			if (!add_source(iterator, header + 1)) {
				iterator->out_of_memory = true;
				iterator->runs_left = 0;
			}
			break;
		case SL_RUN_TIME:
			memcpy(&iterator->time_base_ns, header + 1, sizeof(uint64_t));
			break;
		case SL_RUN_FILLER:
			break;
		case SL_RUN_GAP:
		case SL_RUN_LEDGER:
			if (!is_wanted(iterator, SL_RUN_TYPE(header->length_type)))
				break;
			fill_run(run, iterator, header);
			return true;
		default:
			if (unknown_count != NULL)
				(*unknown_count)++;
		}
	}
	return false;
}

void sl_run_iterator_fini(struct sl_run_iterator *iterator)
{
	free(iterator->sources);
	iterator->sources = NULL;
	iterator->source_count = iterator->source_capacity = 0;
}
