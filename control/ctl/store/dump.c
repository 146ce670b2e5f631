/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl store dump: what stands in the files, right or wrong.
#include "ctl/store/items.h"
#include "ctl/store/store.h"
#include "ctl/store_find.h"
#include "format/segment_file.h"
#include "format/segment_list.h"
#include "format/store_paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sl_option options[] = {
	{.name = "lane",
		.short_name = 'l',
		.argument = "N",
		.help = "batch by batch, of this lane",
		.default_text = "metadata, segments and footers of all lanes"},
	{.name = "segment",
		.short_name = 's',
		.argument = "N",
		.help = "of this segment only; needs --lane"},
	{.name = "batch",
		.short_name = 'b',
		.argument = "N",
		.help = "the batches with this number only, with table and runs; needs --lane"},
	SL_CTL_COMMON_OPTIONS,
};

const struct sl_command sl_ctl_store_dump_command = {
	.name = "sluicectl store dump",
	SL_CTL_STORE_ARGUMENT,
	.summary = "list what stands in a store's files, right or wrong",
	.description =
		"For who wants to see for himself: an item a line, in the order of the file. "
		"Everything is shown as it stands, but the bookmark of a clean stop and index "
		"files; where it is wrong, the verdict says how, and "
		"the list goes on with the next block. Whether batches follow each other is not "
		"looked at: 'sluicectl store verify' does that.\n\n"
		"A header whose sum is wrong is shown when it begins as a header does; blocks "
		"without any are counted. With --json each line is an object.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

struct request {
	struct sl_ctl *ctl;
	bool has_lane, has_segment, has_batch;
	uint64_t lane, segment, batch;
	uint32_t salt_crc;
	char *memory; // SL_BATCH_BYTES_MAX, block-aligned
};

static int on_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct request *request = context;

	if (strcmp(option->name, "lane") == 0) {
		request->has_lane = true;
		return sl_option_number(value, 0, SL_LANE_NONE - 1, &request->lane, err);
	}
	if (strcmp(option->name, "segment") == 0) {
		request->has_segment = true;
		return sl_option_number(value, 1, INT64_MAX, &request->segment, err);
	}
	if (strcmp(option->name, "batch") == 0) {
		request->has_batch = true;
		return sl_option_number(value, 1, INT64_MAX, &request->batch, err);
	}
	return sl_ctl_common_option(request->ctl, option, value, err);
}

// ---- blocks of a segment

static bool read_blocks(const struct request *request, const struct sl_segment_file *file,
	uint64_t at, size_t bytes)
{
	return pread(file->fd, request->memory, bytes, (off_t)at) == (ssize_t)bytes;
}

// Blocks in a row that hold no header: zeros or anything else.
struct blanks {
	uint64_t position, block_count, zero_count;
};

static void print_blanks(const struct request *request, struct blanks *blanks)
{
	if (blanks->block_count > 0 && !request->has_batch)
		sl_ctl_item_print(request->ctl,
			json_pack("{s:s, s:I, s:I, s:I}", "item", "no_batch", "position",
				(json_int_t)blanks->position, "blocks",
				(json_int_t)blanks->block_count, "zero_blocks",
				(json_int_t)blanks->zero_count));
	blanks->block_count = blanks->zero_count = 0;
}

static void count_blank(struct blanks *blanks, uint64_t position, const char *block)
{
	static const char zeros[SL_BLOCK_BYTES];

	if (blanks->block_count == 0)
		blanks->position = position;
	blanks->block_count++;
	blanks->zero_count += memcmp(block, zeros, sizeof(zeros)) == 0;
}

// Prints what stands at the position, and returns how many bytes it takes.
static uint64_t dump_batch(
	const struct request *request, const struct sl_segment_file *file, uint64_t position)
{
	const struct sl_batch_header *header = (const void *)request->memory;
	const struct sl_batch_place place = {
		.lane = file->lane, .segment = file->number, .position = position};
	uint64_t left = sl_segment_file_usable_bytes(file) - position;
	enum sl_batch_verdict verdict =
		sl_batch_check_header(header, request->salt_crc, &place, left);
	bool is_wanted = !request->has_batch || header->number == request->batch;
	bool is_placed = verdict == SL_BATCH_OK;
	size_t bytes = SL_BLOCK_BYTES;
	const char *name;

	if (is_placed) {
		bytes = sl_batch_block_bytes(header);
		if (!read_blocks(request, file, position, bytes))
			verdict = SL_BATCH_BAD_BODY;
		else
			verdict = sl_batch_check_sum(header, request->salt_crc);
	}
	name = sl_batch_verdict_name(verdict);
	if (verdict == SL_BATCH_OK && sl_batch_check_runs(header) != SL_BATCH_OK)
		name = "runs that do not add up to the table";
	if (is_wanted) {
		sl_ctl_item_print(request->ctl, sl_ctl_item_batch(header, position, name));
		if (request->has_batch)
			sl_ctl_items_of_body(
				request->ctl, header, SL_MIN((size_t)header->byte_length, bytes));
	}
	return bytes;
}

static void dump_batches(const struct request *request, const struct sl_segment_file *file)
{
	uint64_t end = sl_segment_file_usable_bytes(file);
	struct blanks blanks = {0};

	for (uint64_t position = 0; position < end;) {
		const struct sl_batch_header *header = (const void *)request->memory;
		off_t data = lseek(file->fd, (off_t)position, SEEK_DATA);

		// What was never written is not read.
		if (data < 0 && errno == ENXIO)
			break;
		if (data >= (off_t)(position + SL_BLOCK_BYTES)) {
			print_blanks(request, &blanks);
			position = (uint64_t)data / SL_BLOCK_BYTES * SL_BLOCK_BYTES;
			continue;
		}
		if (!read_blocks(request, file, position, SL_BLOCK_BYTES)) {
			print_blanks(request, &blanks);
			sl_ctl_item_print(request->ctl,
				json_pack("{s:s, s:I, s:s}", "item", "unreadable", "position",
					(json_int_t)position, "what", strerror(errno)));
			position += SL_BLOCK_BYTES;
		} else if (header->magic != SL_BATCH_MAGIC) {
			count_blank(&blanks, position, request->memory);
			position += SL_BLOCK_BYTES;
		} else {
			print_blanks(request, &blanks);
			position += dump_batch(request, file, position);
		}
	}
	print_blanks(request, &blanks);
}

// ---- segments

static void dump_footer(const struct request *request, const struct sl_segment_file *file)
{
	const struct sl_segment_footer *footer = (const void *)request->memory;

	if (!file->is_shortened &&
		read_blocks(request, file, sl_segment_file_usable_bytes(file), SL_BLOCK_BYTES) &&
		footer->magic == SL_FOOTER_MAGIC)
		sl_ctl_item_print(request->ctl, sl_ctl_item_footer(footer, file->is_sealed));
}

static int dump_segment(const struct request *request, const char *lane_path, uint16_t lane,
	uint64_t number, struct sl_err *err)
{
	struct sl_segment_file *file;
	int result = sl_segment_file_open(&file, lane_path, lane, number, request->salt_crc, err);

	// A footer of another version says so itself, and a file that was cut off has none.
	if (result == -EBADMSG || result == -EPROTO)
		result = sl_segment_file_open_shortened(
			&file, lane_path, lane, number, request->salt_crc, err);
	if (result == -ENOENT)
		return 0; // expired meanwhile
	if (result < 0)
		return result;
	sl_ctl_item_print(request->ctl,
		json_pack("{s:s, s:i, s:I, s:s, s:I, s:b, s:b}", "item", "segment", "lane",
			(int)lane, "segment", (json_int_t)number, "path", file->path, "bytes",
			(json_int_t)file->file_bytes, "sealed", file->is_sealed, "whole_length",
			!file->is_shortened));
	if (request->has_lane)
		dump_batches(request, file);
	if (!request->has_batch)
		dump_footer(request, file);
	sl_segment_file_close(file);
	return 0;
}

static const char *slot_name(enum sl_meta_slot_state state)
{
	static const char *const names[] = {
		[SL_META_SLOT_EMPTY] = "empty",
		[SL_META_SLOT_DAMAGED] = "damaged",
		[SL_META_SLOT_UNKNOWN_VERSION] = "unknown version",
		[SL_META_SLOT_VALID] = "whole",
	};

	return names[state];
}

// What a dump is there to show is no error: a lane.meta that is missing or damaged. Anything else
// would show what is not so.
static int read_lane_meta(struct sl_lane_meta *meta, enum sl_meta_slot_state slots[2],
	const char *lane_path, struct sl_err *err)
{
	int result = sl_lane_meta_slots(slots, lane_path, err);

	if (result == 0)
		result = sl_lane_meta_read(meta, lane_path, err);
	return result == -ENOMEM || result == -EMFILE || result == -EIO ? result : 0;
}

static int dump_lane(
	const struct request *request, const char *lane_path, uint16_t lane, struct sl_err *err)
{
	enum sl_meta_slot_state slots[2] = {SL_META_SLOT_EMPTY, SL_META_SLOT_EMPTY};
	struct sl_lane_meta meta = {0};
	struct sl_segment_list list;
	int result = read_lane_meta(&meta, slots, lane_path, err);

	if (result < 0)
		return result;
	sl_ctl_item_print(request->ctl,
		json_pack("{s:s, s:i, s:s, s:s, s:s, s:I, s:I}", "item", "lane", "lane", (int)lane,
			"path", lane_path, "slot_0", slot_name(slots[0]), "slot_1",
			slot_name(slots[1]), "generation", (json_int_t)meta.generation, "epoch",
			(json_int_t)meta.epoch));
	result = sl_segment_list_read(&list, lane_path, err);
	if (result == -ENOENT)
		return 0;
	for (size_t i = 0; result == 0 && i < list.count; i++)
		if (!request->has_segment || request->segment == list.numbers[i])
			result = dump_segment(request, lane_path, lane, list.numbers[i], err);
	sl_segment_list_free(&list);
	return result;
}

static void dump_meta(const struct request *request, const struct sl_store_meta *meta,
	const enum sl_meta_slot_state slots[2])
{
	const struct sl_store_meta_header *header = &meta->header;

	sl_ctl_item_print(request->ctl,
		json_pack("{s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:I}", "item", "store",
			"slot_0", slot_name(slots[0]), "slot_1", slot_name(slots[1]), "generation",
			(json_int_t)header->generation, "version", (int)header->version,
			"byte_length", (json_int_t)header->byte_length, "classes",
			(json_int_t)header->class_count, "streams",
			(json_int_t)header->stream_count, "lanes", (json_int_t)header->lane_count,
			"partitions", (json_int_t)header->partition_count));
	for (uint32_t i = 0; !request->has_lane && i < header->partition_count; i++)
		sl_ctl_item_print(request->ctl,
			json_pack("{s:s, s:I, s:i, s:I, s:I}", "item", "partition", "partition",
				(json_int_t)i, "lane", (int)meta->partitions[i].lane, "term",
				(json_int_t)meta->partitions[i].term, "term_start",
				(json_int_t)meta->partitions[i].term_start));
}

static int dump(struct request *request, const char *path, struct sl_err *err)
{
	enum sl_meta_slot_state slots[2];
	struct sl_store_paths paths;
	struct sl_store_meta meta;
	int result = sl_store_meta_slots(slots, path, err);

	if (result == -ENOENT)
		return sl_err_set(
			err, result, "%s holds no store: it has no " SL_STORE_META_NAME, path);
	// Without the salt no sum can be checked.
	if (result == 0)
		result = sl_store_paths_find(&paths, &meta, &path, 1, err);
	if (result < 0)
		return result;
	request->salt_crc = sl_batch_salt_crc(meta.header.salt);
	dump_meta(request, &meta, slots);
	for (uint32_t i = 0; result == 0 && i < meta.header.lane_count; i++) {
		char lane_path[SL_PATH_BYTES_MAX];

		if (request->has_lane && request->lane != meta.lanes[i].lane)
			continue;
		result = sl_store_paths_lane(&paths, &meta, meta.lanes[i].lane, lane_path, err);
		if (result == 0)
			result = dump_lane(request, lane_path, meta.lanes[i].lane, err);
	}
	sl_store_meta_free(&meta);
	return result;
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct request request = {.ctl = ctl};
	struct sl_err err;

	int code = sl_options_parse(&sl_ctl_store_dump_command, &argc, &argv, on_option, &request);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	if ((request.has_segment || request.has_batch) && !request.has_lane)
		return sl_options_usage_error(&sl_ctl_store_dump_command,
			"--segment and --batch need --lane: each lane counts its own");
	request.memory = aligned_alloc(SL_BLOCK_BYTES, SL_BATCH_BYTES_MAX);
	if (request.memory == NULL)
		return sl_ctl_fail(SL_CTL_FAILED, "no memory for a batch");
	int rc = dump(&request, argv[0], &err);
	free(request.memory);
	return rc < 0 ? sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text) : SL_CTL_OK;
}

const struct sl_ctl_subcommand sl_ctl_store_dump = {
	.command = &sl_ctl_store_dump_command, .run = run};
