/* SPDX-License-Identifier: BSD-3-Clause */
// Prints documents of figures: as JSON, or as text by tables that say which members to show and
// how. Both come from the same call and the same document, so they cannot disagree. Thread rule: an
// output belongs to one thread.
#pragma once

#include "base.h"

#include <jansson.h>
#include <stdio.h>

#define SL_OUTPUT_COLUMN_COUNT_MAX 16 // of one table

struct sl_output {
	FILE *stream;
	bool is_json;
	int error; // the first error of the stream: a negative errno, 0 while there is none
};

// How a member is written in text. A missing or null one is "-".
enum sl_output_cell {
	SL_CELL_TEXT, // as it is; booleans are yes and no; control characters become '?'
	SL_CELL_COUNT, // 1,234,567; reals are rounded
	SL_CELL_DECIMAL, // a real, 1234.5
	SL_CELL_RANGE, // a count, or 1,234..1,250 when the member KEY_low is another number
	SL_CELL_BYTES, // 512 B, 1.5 KiB, 12.0 GiB
	SL_CELL_TIME, // from nanoseconds since 1970: 2026-11-21 08:43:52 UTC
	SL_CELL_CLOCK, // the same, 08:43:52 alone
};

struct sl_output_column {
	const char *key; // of a member; "a.b" goes into a member that is an object
	const char *title;
	enum sl_output_cell cell;
	uint32_t width; // at least so wide; needed where rows are printed one by one only
};

// A table shows the member `key` of a document: an array of objects as rows below a header, an
// object as one line a column. Empty arrays are left out.
struct sl_output_table {
	const char *title; // above it; NULL: none
	const char *key; // NULL: the document itself
	const struct sl_output_column *columns;
	size_t column_count;
};

#define SL_OUTPUT_TABLE(table_title, member, table_columns) \
	{ \
		.title = table_title, .key = member, .columns = table_columns, \
		.column_count = SL_ARRAY_COUNT(table_columns) \
	}

// Prints the document: as one line of JSON, or its tables as text.
void sl_output_document(struct sl_output *output, const json_t *document,
	const struct sl_output_table *tables, size_t table_count);

// Prints one row of figures that follow each other in time, the header first when with_header: as
// one line of JSON (all of the object; never a header), or as columns of fixed width.
void sl_output_row(struct sl_output *output, const json_t *object,
	const struct sl_output_column *columns, size_t column_count, bool with_header);

// Flushes. Returns 0 or the first error of all calls, a negative errno (-EPIPE: the reader went
// away).
int sl_output_finish(struct sl_output *output);
