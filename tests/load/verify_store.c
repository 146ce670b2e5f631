/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/verify_store.h"

#include <errno.h>

struct search {
	struct sl_payload_config *payload;
	bool kind_known;
};

// Returns 1 when this event tells kind and run.
static int find_event(void *context, const struct sl_store_event *event)
{
	const struct search *search = context;

	for (int kind = SL_PAYLOAD_BINARY; kind <= SL_PAYLOAD_PLAY; kind++) {
		struct sl_payload_config any = {.kind = (enum sl_payload_kind)kind};
		struct sl_payload_id id;

		if (search->kind_known && any.kind != search->payload->kind)
			continue;
		if (sl_payload_check(&any, false, event->value, event->value_bytes, &id) ==
			SL_PAYLOAD_FOREIGN)
			continue;
		search->payload->kind = any.kind;
		search->payload->run_id = id.run_id;
		return 1;
	}
	return 0;
}

static int feed_event(void *context, const struct sl_store_event *event)
{
	struct sl_verify_event fed = {
		.partition = event->partition,
		.offset = event->offset,
		.receive_ns = event->receive_ns,
		.data = event->value,
		.bytes = event->value_bytes,
	};

	sl_verify_event(context, &fed);
	return 0;
}

// A stream can be read lane by lane when none of its partitions has ever changed its lane;
// otherwise offsets ascend only along the partition.
static bool is_settled(
	const struct sl_store_reader *store, const struct sl_store_meta_stream *stream)
{
	for (uint32_t i = 0; i < stream->partition_count; i++) {
		const struct sl_store_terms *terms =
			&store->partitions[stream->first_partition + i];

		for (uint32_t j = 1; j < terms->count; j++) {
			if (terms->terms[j].lane != terms->terms[0].lane)
				return false;
		}
	}
	return true;
}

static int read_stream(struct sl_store_reader *store, uint32_t stream_index,
	const struct sl_store_visitor *visitor, struct sl_err *err)
{
	const struct sl_store_meta_stream *stream = &store->meta.streams[stream_index];
	struct sl_store_report report = {0};
	int rc = 0;

	if (is_settled(store, stream))
		return sl_store_read_stream(store, stream_index, visitor, &report, err);
	for (uint32_t i = 0; rc == 0 && i < stream->partition_count; i++) {
		report = (struct sl_store_report){0};
		rc = sl_store_read_partition(
			store, (uint16_t)(stream->first_partition + i), 0, visitor, &report, err);
	}
	return rc;
}

static int read_streams(struct sl_store_reader *store, uint32_t stream,
	const struct sl_store_visitor *visitor, struct sl_err *err)
{
	int rc = 0;

	if (stream != SL_VERIFY_ALL_STREAMS)
		return read_stream(store, stream, visitor, err);
	for (uint32_t i = 0; rc == 0 && i < store->meta.header.stream_count; i++)
		rc = read_stream(store, i, visitor, err);
	return rc;
}

int sl_verify_find_run(struct sl_store_reader *store, uint32_t stream, bool kind_known,
	struct sl_payload_config *payload, struct sl_err *err)
{
	struct search search = {.payload = payload, .kind_known = kind_known};
	struct sl_store_visitor visitor = {.context = &search, .on_event = find_event};

	int rc = read_streams(store, stream, &visitor, err);
	if (rc == 0)
		return sl_err_set(err, -ENOENT,
			"%s holds no event of sluice-blast; name the run with --sent or --run-id",
			store->path);
	return rc > 0 ? 0 : rc;
}

int sl_verify_store(struct sl_verify *verify, struct sl_store_reader *store, uint32_t stream,
	uint64_t segment_from, struct sl_err *err)
{
	struct sl_store_visitor visitor = {
		.context = verify,
		.on_event = feed_event,
		.segment_from = segment_from,
	};

	return read_streams(store, stream, &visitor, err);
}
