/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/store/findings.h"

#include <inttypes.h>
#include <string.h>

#define RANGE_TEXT_COUNT_MAX 8u // more are in the JSON

static const struct sl_store_meta_stream *stream_of(
	const struct sl_store_meta *meta, uint16_t partition)
{
	for (uint32_t i = 0; i < meta->header.stream_count; i++) {
		const struct sl_store_meta_stream *stream = &meta->streams[i];

		if (partition >= stream->first_partition &&
			partition - stream->first_partition < (int64_t)stream->partition_count)
			return stream;
	}
	return NULL;
}

static json_t *range(const struct sl_lost_range *lost, const struct sl_store_meta *meta)
{
	const struct sl_store_meta_stream *stream = stream_of(meta, lost->partition);
	json_t *object = json_pack("{s:i, s:I, s:I, s:I, s:b}", "partition", (int)lost->partition,
		"term", (json_int_t)lost->term, "first_offset", (json_int_t)lost->first,
		"last_offset", (json_int_t)(lost->first + lost->count - 1), "at_most",
		lost->is_bound);

	if (stream != NULL) {
		json_object_set_new(object, "stream", json_string(stream->name));
		json_object_set_new(object, "stream_partition",
			json_integer(lost->partition - stream->first_partition));
	}
	return object;
}

static size_t range_text(char *text, size_t bytes, const struct sl_lost_range *lost,
	const struct sl_store_meta *meta)
{
	const struct sl_store_meta_stream *stream = stream_of(meta, lost->partition);
	int used = snprintf(text, bytes, "%s/%u offsets %" PRIu64 " to %s%" PRIu64,
		stream != NULL ? stream->name : "partition",
		(unsigned)(lost->partition - (stream != NULL ? stream->first_partition : 0)),
		lost->first, lost->is_bound ? "at most " : "", lost->first + lost->count - 1);

	return (size_t)SL_MIN((size_t)SL_MAX(used, 0), bytes - 1);
}

static void lost_text(char *text, size_t bytes, const struct sl_finding *finding,
	const struct sl_store_meta *meta)
{
	uint64_t events_max, events = sl_finding_lost_events(finding, &events_max);
	size_t used;

	if (events == events_max)
		used = (size_t)snprintf(text, bytes, "%" PRIu64 " events", events);
	else
		used = (size_t)snprintf(
			text, bytes, "%" PRIu64 " events, at most %" PRIu64, events, events_max);
	for (size_t i = 0; i < finding->lost_count && used < bytes; i++) {
		if (i == RANGE_TEXT_COUNT_MAX) {
			snprintf(text + used, bytes - used, "; and %zu more ranges (--json)",
				finding->lost_count - i);
			return;
		}
		used += (size_t)snprintf(text + used, bytes - used, "%s", i == 0 ? ": " : "; ");
		if (used < bytes)
			used += range_text(text + used, bytes - used, &finding->lost[i], meta);
	}
}

static json_t *number_or_null(bool is_known, uint64_t number)
{
	return is_known ? json_integer((json_int_t)number) : json_null();
}

static json_t *describe(const struct sl_finding *finding, const struct sl_store_meta *meta)
{
	const struct sl_chain_hole *hole = &finding->hole;
	bool is_hole = finding->kind == SL_FINDING_HOLE || finding->kind == SL_FINDING_SEGMENT_GONE;
	uint64_t events_max, events = sl_finding_lost_events(finding, &events_max);
	json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s}", "grade",
		sl_finding_grade_name(finding->grade), "kind", sl_finding_kind_name(finding->kind),
		"path", finding->path, "lane",
		number_or_null(finding->lane != SL_LANE_NONE, finding->lane), "segment",
		number_or_null(finding->segment > 0, finding->segment), "position",
		number_or_null(finding->segment > 0, finding->position), "what", finding->what,
		"remedy", sl_finding_remedy(finding));
	char text[1024];
	json_t *ranges;

	if (!is_hole || object == NULL)
		return object;
	ranges = json_array();
	for (size_t i = 0; i < finding->lost_count; i++)
		json_array_append_new(ranges, range(&finding->lost[i], meta));
	lost_text(text, sizeof(text), finding, meta);
	json_object_set_new(object, "end_position", json_integer((json_int_t)hole->end_position));
	json_object_set_new(
		object, "first_batch", number_or_null(hole->first_number > 0, hole->first_number));
	json_object_set_new(
		object, "last_batch", number_or_null(hole->last_number > 0, hole->last_number));
	json_object_set_new(object, "lost_events", json_integer((json_int_t)events));
	json_object_set_new(object, "lost_events_max", json_integer((json_int_t)events_max));
	json_object_set_new(object, "lost", ranges);
	json_object_set_new(object, "lost_text", json_string(text));
	return object;
}

json_t *sl_ctl_store_findings(const struct sl_judgement *judgement,
	const struct sl_store_meta *meta, size_t count_max, bool with_remarks)
{
	json_t *array = json_array();
	size_t left = count_max;

	for (int grade = SL_FINDING_LOSS; grade >= (with_remarks ? 0 : SL_FINDING_ROT); grade--)
		for (size_t i = 0; i < judgement->count; i++) {
			const struct sl_finding *finding = &judgement->findings[i];

			if ((int)finding->grade != grade ||
				(grade != SL_FINDING_REMARK && left == 0))
				continue;
			left -= grade != SL_FINDING_REMARK;
			json_array_append_new(array, describe(finding, meta));
		}
	return array;
}

static const struct sl_output_column columns[] = {
	{"grade", "found", SL_CELL_TEXT},
	{"path", "file", SL_CELL_TEXT},
	{"position", "position", SL_CELL_COUNT},
	{"what", "what", SL_CELL_TEXT},
	{"lost_text", "lost", SL_CELL_TEXT},
	{"remedy", "remedy", SL_CELL_TEXT},
};

static const struct sl_output_table tables[] = {SL_OUTPUT_TABLE(NULL, NULL, columns)};

void sl_ctl_store_print_findings(struct sl_ctl *ctl, const json_t *findings)
{
	json_t *finding;
	size_t index;

	json_array_foreach(findings, index, finding) {
		sl_output_document(&ctl->output, finding, tables, SL_ARRAY_COUNT(tables));
		fputc('\n', ctl->output.stream);
	}
}
