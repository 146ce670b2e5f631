/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/run_write.h"

#include <string.h>

static uint8_t flags_of(const struct sl_run_event *event)
{
	return (uint8_t)((unsigned)event->operation | (event->has_key ? SL_EVENT_KEY : 0) |
		(event->has_event_time ? SL_EVENT_TIME : 0) |
		(event->has_weight ? SL_EVENT_WEIGHT : 0) |
		(event->value_bytes > UINT16_MAX ? SL_EVENT_LONG : 0));
}

size_t sl_run_write_event_bytes(const struct sl_run_event *event)
{
	size_t bytes = sizeof(uint8_t) + event->value_bytes +
		(event->value_bytes > UINT16_MAX ? sizeof(uint32_t) : sizeof(uint16_t));

	if (event->has_key)
		bytes += sizeof(uint16_t) + event->key_bytes;
	if (event->has_event_time)
		bytes += sizeof(event->event_time_ns);
	if (event->has_weight)
		bytes += sizeof(event->weight);
	return bytes;
}

static void put(struct sl_run_writer *writer, const void *data, size_t bytes)
{
	if (bytes > 0)
		memcpy(writer->next, data, bytes);
	writer->next += bytes;
}

bool sl_run_write_begin(struct sl_run_writer *writer, void *start, size_t bytes, uint16_t partition,
	uint16_t source, uint32_t time_delta_ns, const struct sl_run_rich_session *session)
{
	*writer = (struct sl_run_writer){
		.start = start,
		.next = (char *)start + SL_RUN_RICH_HEAD_BYTES,
		.flags = session != NULL ? SL_RICH_SESSION : 0,
		.header = {.time_delta_ns = time_delta_ns,
			.partition = partition,
			.source = source},
	};
	bytes = SL_MIN(bytes, sizeof(struct sl_run_header) + SL_RUN_LENGTH_MAX);
	writer->end = writer->start + bytes;
	if (bytes < (session != NULL ? SL_RUN_RICH_SESSION_HEAD_BYTES : SL_RUN_RICH_HEAD_BYTES))
		return false;
	if (session != NULL)
		put(writer, session, sizeof(*session));
	return true;
}

bool sl_run_write_event(struct sl_run_writer *writer, const struct sl_run_event *event)
{
	uint8_t flags = flags_of(event);
	uint16_t value_bytes = (uint16_t)event->value_bytes, key_bytes = (uint16_t)event->key_bytes;

	assert(!event->has_key || event->key_bytes <= UINT16_MAX);
	assert(event->operation == SL_OPERATION_APPEND || event->has_key);
	assert(event->operation != SL_OPERATION_REMOVE || event->value_bytes == 0);
	assert(!event->has_weight || event->weight > 0);
	if (writer->event_count == UINT16_MAX ||
		(size_t)(writer->end - writer->next) < sl_run_write_event_bytes(event))
		return false;
	put(writer, &flags, sizeof(flags));
	if ((flags & SL_EVENT_LONG) != 0)
		put(writer, &event->value_bytes, sizeof(event->value_bytes));
	else
		put(writer, &value_bytes, sizeof(value_bytes));
	if (event->has_key)
		put(writer, &key_bytes, sizeof(key_bytes));
	if (event->has_event_time)
		put(writer, &event->event_time_ns, sizeof(event->event_time_ns));
	if (event->has_weight)
		put(writer, &event->weight, sizeof(event->weight));
	if (event->has_key)
		put(writer, event->key, event->key_bytes);
	put(writer, event->value, event->value_bytes);
	writer->event_count++;
	return true;
}

size_t sl_run_write_end(struct sl_run_writer *writer)
{
	const struct sl_run_rich_header rich = {
		.event_count = (uint16_t)writer->event_count, .flags = writer->flags};
	size_t bytes = (size_t)(writer->next - writer->start);

	if (writer->event_count == 0)
		return 0;
	writer->header.length_type =
		SL_RUN_LENGTH_TYPE(bytes - sizeof(struct sl_run_header), SL_RUN_RICH);
	memcpy(writer->start, &writer->header, sizeof(writer->header));
	memcpy(writer->start + sizeof(writer->header), &rich, sizeof(rich));
	return bytes;
}
