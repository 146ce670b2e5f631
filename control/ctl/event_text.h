/* SPDX-License-Identifier: BSD-3-Clause */
// How `sluicectl read` writes an event. Thread rule: the stream belongs to the caller.
#pragma once

#include "base.h"

#include <stdio.h>

struct sl_store_event;

// Writes one event; partition is its number within the stream. Returns 0 or a negative errno
// (-EPIPE: the reader went away).
typedef int sl_event_writer(FILE *out, const struct sl_store_event *event, uint32_t partition);

// The payload alone, nothing between two events.
sl_event_writer sl_event_write_raw;
// The payload and a newline. A newline within the payload is written as it is.
sl_event_writer sl_event_write_lines;
// A line of NAME=VALUE pairs: where the event is, each attribute it has, its payload in quotes.
sl_event_writer sl_event_write_text;
// One JSON object a line, as docs/json.md says.
sl_event_writer sl_event_write_json;
