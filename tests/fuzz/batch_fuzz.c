/* SPDX-License-Identifier: BSD-3-Clause */
// libFuzzer against the runs of a batch: sl_batch_check_body, sl_run_next, sl_run_events_next,
// sl_ledger_of_record. The
// first three bytes of an input are the batch's kind and its number of runs, the rest is the runs.
// Header, table and checksums are made to fit what the runs claim, so that nothing but the runs
// decides; the batch lies in memory that ends where it ends. What checks must count as it says, and
// come back from the writer as the same events.
#include "format/batch_scan.h"
#include "format/crc32c.h"
#include "format/run_events.h"
#include "format/run_write.h"
#include "ledger_offline.h"

#include <stdlib.h>
#include <string.h>

#define CONTROL_BYTES 3
#define PARTITION_COUNT 256u // partitions above are taken for those below
#define INPUT_BYTES_MAX (64u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

// Counts what the runs claim, as far as their lengths go; keeps partitions below PARTITION_COUNT.
static uint32_t count_claims(char *runs, size_t bytes, uint32_t run_count, uint32_t *claims)
{
	uint32_t event_count = 0;
	size_t position = 0;

	for (uint32_t i = 0; i < run_count; i++) {
		struct sl_run_header run;
		uint16_t claimed = 0;

		if (bytes - position < sizeof(run))
			break;
		memcpy(&run, runs + position, sizeof(run));
		run.partition %= PARTITION_COUNT;
		memcpy(runs + position, &run, sizeof(run));
		position += sizeof(run);
		if (bytes - position < SL_RUN_LENGTH(run.length_type))
			break;
		if (SL_RUN_TYPE(run.length_type) == SL_RUN_EVENT)
			claimed = 1;
		else if (SL_RUN_TYPE(run.length_type) == SL_RUN_RICH &&
			SL_RUN_LENGTH(run.length_type) >= sizeof(claimed))
			memcpy(&claimed, runs + position, sizeof(claimed));
		claims[run.partition] += claimed;
		event_count += claimed;
		position += SL_RUN_LENGTH(run.length_type);
	}
	return event_count;
}

// A batch around the runs, of exactly its byte_length; the caller frees it.
static struct sl_batch_header *make_batch(
	const uint8_t *input, size_t runs_bytes, uint8_t kind, uint32_t run_count)
{
	size_t table_offset = SL_ALIGN_UP(SL_BATCH_RUNS_OFFSET + runs_bytes, 8);
	uint32_t claims[PARTITION_COUNT] = {0}, table_count = 0;
	char *bytes = calloc(1, table_offset + PARTITION_COUNT * 16);
	struct sl_batch_header *header = (struct sl_batch_header *)bytes;
	const uint64_t prefix[2] = {1, 1};

	require(bytes != NULL);
	memcpy(bytes + SL_BATCH_HEADER_BYTES, prefix, sizeof(prefix));
	memcpy(bytes + SL_BATCH_RUNS_OFFSET, input, runs_bytes);
	*header = (struct sl_batch_header){
		.magic = SL_BATCH_MAGIC,
		.version = SL_FORMAT_VERSION,
		.header_bytes = SL_BATCH_HEADER_BYTES,
		.kind = kind,
		.epoch = 1,
		.number = 1,
		.table_offset = (uint32_t)table_offset,
		.run_count = run_count,
		.event_count =
			count_claims(bytes + SL_BATCH_RUNS_OFFSET, runs_bytes, run_count, claims),
	};
	for (uint16_t i = 0; i < PARTITION_COUNT; i++) {
		const struct sl_batch_table_entry entry = {
			.partition = i, .event_count = (uint16_t)claims[i], .term = 1};

		if (claims[i] == 0 || claims[i] > UINT16_MAX)
			continue;
		memcpy(bytes + table_offset + table_count++ * sizeof(entry), &entry, sizeof(entry));
	}
	header->table_count = table_count;
	header->byte_length =
		(uint32_t)(table_offset + table_count * sizeof(struct sl_batch_table_entry));
	header->body_crc = sl_crc32c(
		0, bytes + SL_BATCH_HEADER_BYTES, header->byte_length - SL_BATCH_HEADER_BYTES);
	sl_batch_header_seal(header, 0);
	// Cut to its length, so that a look behind it is seen.
	header = realloc(header, header->byte_length);
	require(header != NULL);
	return header;
}

static void require_inside(const struct sl_batch_header *batch, const void *data, size_t bytes)
{
	const char *start = (const char *)batch + SL_BATCH_RUNS_OFFSET;
	const char *end = (const char *)batch + batch->table_offset;

	require((const char *)data >= start && (const char *)data + bytes <= end);
}

static bool is_same(const struct sl_run_event *a, const struct sl_run_event *b)
{
	return a->operation == b->operation && a->has_key == b->has_key &&
		a->has_event_time == b->has_event_time && a->has_weight == b->has_weight &&
		a->has_sequence == b->has_sequence && a->session == b->session &&
		a->sequence == b->sequence && a->key_bytes == b->key_bytes &&
		a->value_bytes == b->value_bytes && a->event_time_ns == b->event_time_ns &&
		a->weight == b->weight &&
		(a->key_bytes == 0 || memcmp(a->key, b->key, a->key_bytes) == 0) &&
		(a->value_bytes == 0 || memcmp(a->value, b->value, a->value_bytes) == 0);
}

// What the writer makes of a run's events are the same events.
static void check_round_trip(const struct sl_run *run, uint32_t event_count)
{
	size_t room = run->bytes + sizeof(struct sl_run_header);
	struct sl_run_rich_session session;
	bool has_session = sl_run_session(run, &session);
	char *memory = malloc(room);
	struct sl_run_writer writer;
	struct sl_run_events events, again_events;
	struct sl_run_event event, again_event;
	size_t bytes;

	require(memory != NULL);
	require(sl_run_write_begin(
		&writer, memory, room, run->partition, 0, 0, has_session ? &session : NULL));
	sl_run_events_init(&events, run);
	while (sl_run_events_next(&events, &event))
		require(sl_run_write_event(&writer, &event));
	bytes = sl_run_write_end(&writer);
	const struct sl_run again = {
		.type = SL_RUN_RICH,
		.bytes = (uint32_t)(bytes - sizeof(struct sl_run_header)),
		.data = memory + sizeof(struct sl_run_header),
	};
	require(sl_run_rich_check(again.data, again.bytes) == event_count);
	sl_run_events_init(&events, run);
	sl_run_events_init(&again_events, &again);
	while (sl_run_events_next(&events, &event)) {
		require(sl_run_events_next(&again_events, &again_event));
		require(is_same(&event, &again_event));
	}
	free(memory);
}

// What checks as a ledger can be read and evaluated, whatever its counters say.
static void check_ledger(const struct sl_run *run)
{
	struct sl_ledger ledger;

	require(sl_ledger_of_record(&ledger, run->data) == 0);
	require(ledger.line_count > 0);
	sl_ledger_free(&ledger);
}

static uint32_t check_run(const struct sl_batch_header *batch, const struct sl_run *run)
{
	uint32_t event_count = sl_run_event_count(run), seen_count = 0;
	struct sl_run_events events;
	struct sl_run_event event;

	require_inside(batch, run->data, run->bytes);
	if (run->type == SL_RUN_LEDGER)
		check_ledger(run);
	sl_run_events_init(&events, run);
	for (; sl_run_events_next(&events, &event); seen_count++) {
		if (event.has_key)
			require_inside(batch, event.key, event.key_bytes);
		require_inside(batch, event.value, event.value_bytes);
	}
	require(seen_count == event_count);
	if (run->type == SL_RUN_RICH)
		check_round_trip(run, event_count);
	return event_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	struct sl_run_iterator iterator;
	struct sl_batch_header *batch;
	uint32_t event_count = 0;
	struct sl_run run;
	uint16_t run_count;

	if (input_bytes < CONTROL_BYTES || input_bytes > INPUT_BYTES_MAX)
		return 0;
	memcpy(&run_count, input + 1, sizeof(run_count));
	batch = make_batch(input + CONTROL_BYTES, input_bytes - CONTROL_BYTES, input[0], run_count);
	require(sl_batch_check_sum(batch, 0) == SL_BATCH_OK);
	if (sl_batch_check_body(batch, 0) == SL_BATCH_OK) {
		sl_run_iterator_init(&iterator, batch);
		iterator.wants_gaps = iterator.wants_ledgers = true;
		while (sl_run_next(&iterator, &run, NULL))
			event_count += check_run(batch, &run);
		require(!sl_batch_kind_is_known(batch->kind) || event_count == batch->event_count);
		sl_run_iterator_fini(&iterator);
	}
	free(batch);
	return 0;
}
