/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl store info: what a store holds, running or stopped.
#include "ctl/store/store.h"
#include "ctl/store_find.h"
#include "format/store_info.h"
#include "format/store_reader.h"

#include <inttypes.h>

static const struct sl_output_column store_columns[] = {
	{"store", "store", SL_CELL_TEXT},
	{"id", "id", SL_CELL_TEXT},
	{"generation", "generation", SL_CELL_COUNT},
	{"format", "format version", SL_CELL_COUNT},
	{"segment_bytes", "segment size", SL_CELL_BYTES},
	{"live", "being written", SL_CELL_TEXT},
};

static const struct sl_output_column class_columns[] = {
	{"class", "class", SL_CELL_TEXT},
	{"durability", "durability", SL_CELL_TEXT},
};

static const struct sl_output_column stream_columns[] = {
	{"stream", "stream", SL_CELL_TEXT},
	{"class", "class", SL_CELL_TEXT},
	{"udp_port", "port", SL_CELL_TEXT},
	{"first_partition", "first", SL_CELL_COUNT},
	{"partitions", "partitions", SL_CELL_COUNT},
};

static const struct sl_output_column lane_columns[] = {
	{"lane", "lane", SL_CELL_TEXT},
	{"class", "class", SL_CELL_TEXT},
	{"worker", "worker", SL_CELL_TEXT},
	{"epoch", "epoch", SL_CELL_COUNT},
	{"segments_sealed", "sealed", SL_CELL_COUNT},
	{"segments_unsealed", "unsealed", SL_CELL_COUNT},
	{"bytes", "size", SL_CELL_BYTES},
	{"batches", "batches", SL_CELL_COUNT},
	{"events", "events", SL_CELL_COUNT},
	{"time_first_ns", "first", SL_CELL_TIME},
	{"time_last_ns", "last", SL_CELL_TIME},
	{"path", "path", SL_CELL_TEXT},
};

static const struct sl_output_column partition_columns[] = {
	{"partition", "partition", SL_CELL_TEXT},
	{"stream", "stream", SL_CELL_TEXT},
	{"stream_partition", "in stream", SL_CELL_TEXT},
	{"lane", "lane", SL_CELL_TEXT},
	{"term", "term", SL_CELL_COUNT},
	{"first_offset", "first retained", SL_CELL_COUNT},
	{"next_offset", "next offset", SL_CELL_COUNT},
};

static const struct sl_output_table tables[] = {
	SL_OUTPUT_TABLE(NULL, NULL, store_columns),
	SL_OUTPUT_TABLE("Classes", "classes", class_columns),
	SL_OUTPUT_TABLE("Streams", "streams", stream_columns),
	SL_OUTPUT_TABLE("Lanes", "lanes", lane_columns),
	SL_OUTPUT_TABLE("Partitions", "partitions", partition_columns),
};

static const struct sl_option options[] = {SL_CTL_COMMON_OPTIONS};

const struct sl_command sl_ctl_store_info_command = {
	.name = "sluicectl store info",
	SL_CTL_STORE_ARGUMENT,
	.summary = "what a store holds",
	.description =
		"Reads a store's metadata, the footers and checkpoints of its segments, and those "
		"segments that are not sealed yet; sealed ones are not read, so this says nothing "
		"about their health ('sluicectl store verify' does).\n\n"
		"Works while a data plane writes the store; next offsets are then those of the "
		"moment, and what is behind the watermark is counted too. No lock is taken that "
		"the writer waits for. The id is the same as long as the store lives, and no other "
		"store has it.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

static json_t *number_or_null(uint64_t number, uint64_t none)
{
	return number == none ? json_null() : json_integer((json_int_t)number);
}

static json_t *class_list(const struct sl_store_meta *meta)
{
	static const char *const names[] = {"none", "written", "durable"};
	json_t *list = json_array();

	for (uint32_t i = 0; i < meta->header.class_count; i++) {
		const struct sl_store_meta_class *class = &meta->classes[i];

		json_array_append_new(list,
			json_pack("{s:s, s:s}", "class", class->name, "durability",
				class->durability < SL_ARRAY_COUNT(names) ? names[class->durability]
									  : "unknown"));
	}
	return list;
}

static const char *class_name(const struct sl_store_meta *meta, uint16_t class_index)
{
	return class_index < meta->header.class_count ? meta->classes[class_index].name : "unknown";
}

static json_t *stream_list(const struct sl_store_meta *meta)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < meta->header.stream_count; i++) {
		const struct sl_store_meta_stream *stream = &meta->streams[i];

		json_array_append_new(list,
			json_pack("{s:s, s:s, s:i, s:i, s:I}", "stream", stream->name, "class",
				class_name(meta, stream->class_index), "udp_port",
				(int)stream->udp_port, "first_partition",
				(int)stream->first_partition, "partitions",
				(json_int_t)stream->partition_count));
	}
	return list;
}

static json_t *lane_list(const struct sl_store_info *info)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < info->meta.header.lane_count; i++) {
		const struct sl_store_meta_lane *stored = &info->meta.lanes[i];
		const struct sl_store_info_lane *lane = &info->lanes[i];

		json_array_append_new(list,
			json_pack(
				"{s:i, s:s, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:s*}",
				"lane", (int)lane->lane, "class",
				class_name(&info->meta, stored->class_index), "worker",
				number_or_null(stored->worker_index, SL_LANE_NONE), "path",
				lane->path, "epoch", number_or_null(lane->epoch, 0),
				"segments_sealed", (json_int_t)lane->sealed_count,
				"segments_unsealed", (json_int_t)lane->unsealed_count, "bytes",
				(json_int_t)lane->byte_count, "batches",
				(json_int_t)lane->batch_count, "events",
				(json_int_t)lane->event_count, "time_first_ns",
				number_or_null(lane->time_first_ns, 0), "time_last_ns",
				number_or_null(lane->time_last_ns, 0), "damage",
				lane->damage.code != 0 ? lane->damage.text : NULL));
	}
	return list;
}

static json_t *partition_list(const struct sl_store_info *info)
{
	const struct sl_store_meta *meta = &info->meta;
	json_t *list = json_array();

	for (uint32_t s = 0; s < meta->header.stream_count; s++) {
		const struct sl_store_meta_stream *stream = &meta->streams[s];

		for (uint32_t i = 0; i < stream->partition_count; i++) {
			uint32_t number = stream->first_partition + i;

			if (number >= meta->header.partition_count)
				break;
			json_array_append_new(list,
				json_pack("{s:I, s:s, s:I, s:o, s:I, s:I, s:I, s:I}", "partition",
					(json_int_t)number, "stream", stream->name,
					"stream_partition", (json_int_t)i, "lane",
					number_or_null(meta->partitions[number].lane, SL_LANE_NONE),
					"term", (json_int_t)meta->partitions[number].term,
					"term_start",
					(json_int_t)meta->partitions[number].term_start,
					"first_offset",
					(json_int_t)info->partitions[number].first_offset,
					"next_offset",
					(json_int_t)info->partitions[number].next_offset));
		}
	}
	return list;
}

static json_t *describe(const struct sl_store_info *info, const char *path)
{
	char id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, info->id);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "store", path, "id",
		id, "generation", (json_int_t)info->meta.header.generation, "format",
		(json_int_t)info->meta.header.version, "segment_bytes",
		(json_int_t)info->meta.header.segment_bytes, "live", sl_store_path_is_live(path),
		"classes", class_list(&info->meta), "streams", stream_list(&info->meta), "lanes",
		lane_list(info), "partitions", partition_list(info));
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct sl_store_info info;
	struct sl_err err;

	int code = sl_options_parse(
		&sl_ctl_store_info_command, &argc, &argv, sl_ctl_only_common_options, ctl);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	int rc = sl_store_info_read(&info, argv[0], &err);
	if (rc != 0)
		return sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text);
	code = sl_ctl_print(ctl, describe(&info, argv[0]), tables, SL_ARRAY_COUNT(tables));
	for (uint32_t i = 0; i < info.meta.header.lane_count; i++)
		if (code == SL_CTL_OK && info.lanes[i].damage.code != 0)
			code = sl_ctl_fail(sl_ctl_store_code(info.lanes[i].damage.code),
				"lane %u: %s", info.lanes[i].lane, info.lanes[i].damage.text);
	sl_store_info_free(&info);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_store_info = {
	.command = &sl_ctl_store_info_command, .run = run};
