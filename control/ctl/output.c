/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/output.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define CELL_BYTES_MAX 1100 // a path of SL_PATH_BYTES_MAX
#define COLUMN_GAP 2

// ---- cells

static const json_t *member_at(const json_t *object, const char *key)
{
	const char *dot = strchr(key, '.');
	char head[64];

	if (dot == NULL)
		return json_object_get(object, key);
	snprintf(head, sizeof(head), "%.*s", (int)(dot - key), key);
	return member_at(json_object_get(object, head), dot + 1);
}

// Text comes from files and from the kernel: none of it may steer a terminal.
static void text_cell(char *cell, const char *text)
{
	size_t i = 0;

	for (; text[i] != '\0' && i < CELL_BYTES_MAX - 1; i++) {
		unsigned char byte = (unsigned char)text[i];
		cell[i] = byte < 0x20 || byte == 0x7f ? '?' : text[i];
	}
	cell[i] = '\0';
}

static void count_cell(char *cell, json_int_t value)
{
	char digits[32];
	int length = snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, value);
	int first = digits[0] == '-' ? 1 : 0;
	char *out = cell;

	for (int i = 0; i < length; i++) {
		if (i > first && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
}

static void range_cell(char *cell, json_int_t low, json_int_t high)
{
	if (low != high) {
		count_cell(cell, low);
		cell += strlen(cell);
		cell = stpcpy(cell, "..");
	}
	count_cell(cell, high);
}

static void bytes_cell(char *cell, double value)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t unit = 0;

	if (value < 1024) {
		snprintf(cell, CELL_BYTES_MAX, "%.0f B", value);
		return;
	}
	// 1023.96 would be rounded to 1024.0.
	for (value /= 1024; value >= 1023.95 && unit + 1 < SL_ARRAY_COUNT(units); unit++)
		value /= 1024;
	snprintf(cell, CELL_BYTES_MAX, "%.1f %s", value, units[unit]);
}

static void time_cell(char *cell, json_int_t ns, const char *format)
{
	time_t seconds = (time_t)(ns / (json_int_t)SL_NS_PER_S);
	struct tm utc;

	if (gmtime_r(&seconds, &utc) == NULL || strftime(cell, CELL_BYTES_MAX, format, &utc) == 0)
		strcpy(cell, "?");
}

static void format_value(char *cell, const json_t *value, enum sl_output_cell kind)
{
	if (value == NULL || json_is_null(value))
		strcpy(cell, "-");
	else if (json_is_string(value))
		text_cell(cell, json_string_value(value));
	else if (json_is_boolean(value))
		strcpy(cell, json_is_true(value) ? "yes" : "no");
	else if (!json_is_number(value))
		strcpy(cell, "?");
	else if (kind == SL_CELL_DECIMAL)
		snprintf(cell, CELL_BYTES_MAX, "%.1f", json_number_value(value));
	else if (kind == SL_CELL_COUNT || kind == SL_CELL_RANGE)
		count_cell(cell,
			json_is_integer(value) ? json_integer_value(value)
					       : llround(json_real_value(value)));
	else if (kind == SL_CELL_BYTES)
		bytes_cell(cell, json_number_value(value));
	else if (kind == SL_CELL_TIME)
		time_cell(cell, json_integer_value(value), "%Y-%m-%d %H:%M:%S UTC");
	else if (kind == SL_CELL_CLOCK)
		time_cell(cell, json_integer_value(value), "%H:%M:%S");
	else
		snprintf(cell, CELL_BYTES_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

static void format_cell(char *cell, const json_t *object, const struct sl_output_column *column)
{
	const json_t *value = member_at(object, column->key);
	char low_key[64];

	snprintf(low_key, sizeof(low_key), "%s_low", column->key);
	const json_t *low = member_at(object, low_key);
	if (column->cell == SL_CELL_RANGE && json_is_integer(value) && json_is_integer(low))
		range_cell(cell, json_integer_value(low), json_integer_value(value));
	else
		format_value(cell, value, column->cell);
}

// ---- lines

static void note_error(struct sl_output *output)
{
	if (output->error == 0 && ferror(output->stream))
		output->error = errno == 0 ? -EIO : -errno;
}

// Figures stand to the right, words to the left; the last column has no blanks behind it.
static void print_cell(struct sl_output *output, const char *cell, enum sl_output_cell kind,
	uint32_t width, bool is_last)
{
	int gap = is_last ? 0 : COLUMN_GAP;

	if (kind == SL_CELL_COUNT || kind == SL_CELL_DECIMAL || kind == SL_CELL_RANGE ||
		kind == SL_CELL_BYTES)
		fprintf(output->stream, "%*s%*s", (int)width, cell, gap, "");
	else if (is_last)
		fputs(cell, output->stream);
	else
		fprintf(output->stream, "%-*s%*s", (int)width, cell, gap, "");
}

static void print_header(struct sl_output *output, const struct sl_output_column *columns,
	size_t column_count, const uint32_t *widths)
{
	for (size_t i = 0; i < column_count; i++)
		print_cell(output, columns[i].title, columns[i].cell, widths[i],
			i + 1 == column_count);
	fputc('\n', output->stream);
}

static void print_row(struct sl_output *output, const json_t *object,
	const struct sl_output_column *columns, size_t column_count, const uint32_t *widths)
{
	char cell[CELL_BYTES_MAX];

	for (size_t i = 0; i < column_count; i++) {
		format_cell(cell, object, &columns[i]);
		print_cell(output, cell, columns[i].cell, widths[i], i + 1 == column_count);
	}
	fputc('\n', output->stream);
}

static void print_array(
	struct sl_output *output, const json_t *array, const struct sl_output_table *table)
{
	uint32_t widths[SL_OUTPUT_COLUMN_COUNT_MAX];
	char cell[CELL_BYTES_MAX];
	size_t index;
	json_t *object;

	for (size_t i = 0; i < table->column_count; i++) {
		const struct sl_output_column *column = &table->columns[i];
		widths[i] = SL_MAX(column->width, (uint32_t)strlen(column->title));
		json_array_foreach(array, index, object) {
			format_cell(cell, object, column);
			widths[i] = SL_MAX(widths[i], (uint32_t)strlen(cell));
		}
	}
	print_header(output, table->columns, table->column_count, widths);
	json_array_foreach(array, index, object)
		print_row(output, object, table->columns, table->column_count, widths);
}

static void print_object(
	struct sl_output *output, const json_t *object, const struct sl_output_table *table)
{
	char cell[CELL_BYTES_MAX];
	size_t width = 0;

	for (size_t i = 0; i < table->column_count; i++)
		width = SL_MAX(width, strlen(table->columns[i].title));
	for (size_t i = 0; i < table->column_count; i++) {
		const struct sl_output_column *column = &table->columns[i];
		format_cell(cell, object, column);
		fprintf(output->stream, "%-*s  %s\n", (int)width, column->title, cell);
	}
}

static void print_json(struct sl_output *output, const json_t *document)
{
	json_dumpf(document, output->stream, JSON_COMPACT);
	fputc('\n', output->stream);
	note_error(output);
}

void sl_output_document(struct sl_output *output, const json_t *document,
	const struct sl_output_table *tables, size_t table_count)
{
	bool is_first = true;

	if (output->is_json) {
		print_json(output, document);
		return;
	}
	for (size_t i = 0; i < table_count; i++) {
		const struct sl_output_table *table = &tables[i];
		const json_t *shown =
			table->key == NULL ? document : member_at(document, table->key);
		assert(table->column_count <= SL_OUTPUT_COLUMN_COUNT_MAX);
		if (shown == NULL || (json_is_array(shown) && json_array_size(shown) == 0))
			continue;
		if (!is_first)
			fputc('\n', output->stream);
		if (table->title != NULL)
			fprintf(output->stream, "%s\n", table->title);
		if (json_is_array(shown))
			print_array(output, shown, table);
		else
			print_object(output, shown, table);
		is_first = false;
	}
	note_error(output);
}

void sl_output_row(struct sl_output *output, const json_t *object,
	const struct sl_output_column *columns, size_t column_count, bool with_header)
{
	uint32_t widths[SL_OUTPUT_COLUMN_COUNT_MAX];

	if (output->is_json) {
		print_json(output, object);
		return;
	}
	assert(column_count <= SL_OUTPUT_COLUMN_COUNT_MAX);
	for (size_t i = 0; i < column_count; i++)
		widths[i] = SL_MAX(columns[i].width, (uint32_t)strlen(columns[i].title));
	if (with_header)
		print_header(output, columns, column_count, widths);
	print_row(output, object, columns, column_count, widths);
	note_error(output);
}

int sl_output_finish(struct sl_output *output)
{
	if (fflush(output->stream) != 0 && output->error == 0)
		output->error = -errno;
	return output->error;
}
