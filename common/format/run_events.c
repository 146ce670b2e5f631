/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/run_events.h"

#include <string.h>

struct cursor {
	const char *next, *end;
};

static bool take(struct cursor *cursor, void *target, size_t bytes)
{
	if ((size_t)(cursor->end - cursor->next) < bytes)
		return false;
	memcpy(target, cursor->next, bytes);
	cursor->next += bytes;
	return true;
}

static const void *take_bytes(struct cursor *cursor, uint32_t bytes)
{
	const char *start = cursor->next;

	if ((size_t)(cursor->end - start) < bytes)
		return NULL;
	cursor->next += bytes;
	return start;
}

static bool take_length(struct cursor *cursor, bool is_long, uint32_t *bytes)
{
	uint16_t short_bytes;

	if (is_long)
		return take(cursor, bytes, sizeof(*bytes));
	if (!take(cursor, &short_bytes, sizeof(short_bytes)))
		return false;
	*bytes = short_bytes;
	return true;
}

static bool take_attributes(struct cursor *cursor, uint8_t flags, struct sl_run_event *event)
{
	if (!take_length(cursor, (flags & SL_EVENT_LONG) != 0, &event->value_bytes))
		return false;
	if (event->has_key && !take_length(cursor, false, &event->key_bytes))
		return false;
	if (event->has_event_time &&
		!take(cursor, &event->event_time_ns, sizeof(event->event_time_ns)))
		return false;
	if (event->has_weight && !take(cursor, &event->weight, sizeof(event->weight)))
		return false;
	return (flags & SL_EVENT_FURTHER) == 0 || take_length(cursor, false, &event->further_bytes);
}

// What the operation asks for: the page's rules that are not lengths.
static bool makes_sense(uint8_t flags, const struct sl_run_event *event)
{
	if ((flags & SL_EVENT_UNKNOWN) != 0 || event->operation > SL_OPERATION_REMOVE ||
		event->weight == 0)
		return false;
	if (event->operation != SL_OPERATION_APPEND && !event->has_key)
		return false;
	return event->operation != SL_OPERATION_REMOVE || event->value_bytes == 0;
}

static bool take_event(struct cursor *cursor, struct sl_run_event *event)
{
	uint8_t flags;

	if (!take(cursor, &flags, sizeof(flags)))
		return false;
	*event = (struct sl_run_event){
		.operation = (enum sl_operation)(flags & SL_EVENT_OPERATION_MASK),
		.has_key = (flags & SL_EVENT_KEY) != 0,
		.has_event_time = (flags & SL_EVENT_TIME) != 0,
		.has_weight = (flags & SL_EVENT_WEIGHT) != 0,
		.weight = 1,
	};
	if (!take_attributes(cursor, flags, event) || !makes_sense(flags, event))
		return false;
	event->key = take_bytes(cursor, event->key_bytes);
	if (event->key == NULL || take_bytes(cursor, event->further_bytes) == NULL)
		return false;
	event->value = take_bytes(cursor, event->value_bytes);
	return event->value != NULL;
}

static bool take_header(struct cursor *cursor, struct sl_run_rich_header *header,
	struct sl_run_rich_session *session)
{
	*session = (struct sl_run_rich_session){0};
	if (!take(cursor, header, sizeof(*header)) || header->event_count == 0 ||
		(header->flags & ~SL_RICH_SESSION) != 0)
		return false;
	if ((header->flags & SL_RICH_SESSION) == 0)
		return true;
	return take(cursor, session, sizeof(*session)) && session->session != 0 &&
		session->first_sequence <= UINT64_MAX - header->event_count;
}

uint32_t sl_run_rich_check(const void *data, uint32_t bytes)
{
	struct cursor cursor = {.next = data, .end = (const char *)data + bytes};
	struct sl_run_rich_session session;
	struct sl_run_rich_header header;
	struct sl_run_event event;

	if (!take_header(&cursor, &header, &session))
		return 0;
	for (uint32_t i = 0; i < header.event_count; i++)
		if (!take_event(&cursor, &event))
			return 0;
	return cursor.next == cursor.end ? header.event_count : 0;
}

uint32_t sl_run_event_count(const struct sl_run *run)
{
	const struct sl_run_rich_header *header = run->data;

	if (run->type == SL_RUN_EVENT)
		return 1;
	return run->type == SL_RUN_RICH ? header->event_count : 0;
}

bool sl_run_session(const struct sl_run *run, struct sl_run_rich_session *session)
{
	const struct sl_run_rich_header *header = run->data;

	if (run->type != SL_RUN_RICH || (header->flags & SL_RICH_SESSION) == 0)
		return false;
	if (session != NULL)
		memcpy(session, header + 1, sizeof(*session));
	return true;
}

void sl_run_events_init(struct sl_run_events *events, const struct sl_run *run)
{
	struct sl_run_rich_session session = {0};

	*events = (struct sl_run_events){
		.next = run->data,
		.end = (const char *)run->data + run->bytes,
		.left = sl_run_event_count(run),
		.is_rich = run->type == SL_RUN_RICH,
		.has_session = sl_run_session(run, &session),
		.session = session.session,
		.next_sequence = session.first_sequence,
	};
	if (events->is_rich)
		events->next += sizeof(struct sl_run_rich_header) +
			(events->has_session ? sizeof(session) : 0);
}

bool sl_run_events_next(struct sl_run_events *events, struct sl_run_event *event)
{
	struct cursor cursor = {.next = events->next, .end = events->end};

	if (events->left == 0)
		return false;
	events->left--;
	if (!events->is_rich) {
		*event = (struct sl_run_event){
			.value = events->next,
			.value_bytes = (uint32_t)(events->end - events->next),
			.weight = 1,
		};
		return true;
	}
	if (!take_event(&cursor, event))
		return false; // never in a checked batch
	events->next = cursor.next;
	event->has_sequence = events->has_session;
	event->session = events->session;
	event->sequence = events->next_sequence++;
	return true;
}
