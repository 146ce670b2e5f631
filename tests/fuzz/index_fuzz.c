/* SPDX-License-Identifier: BSD-3-Clause */
// libFuzzer against the index of a segment: sl_segment_index_read and _select. The input is what
// stands behind the header's counts, which are its first eight bytes; checksum, length and identity
// are made right, so that only the tables decide. Whatever it says, a reader asks for batches that
// are there.
#include "format/crc32c.h"
#include "format/segment_index.h"
#include "format/segment_list.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_BYTES 8
#define INPUT_BYTES_MAX (64u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static char directory_path[] = "/dev/shm/sluice-index-fuzz-XXXXXX";

static void remove_directory(void)
{
	rmdir(directory_path);
}

static const char *directory(void)
{
	static bool is_made;

	if (!is_made) {
		require(mkdtemp(directory_path) != NULL);
		atexit(remove_directory);
	}
	is_made = true;
	return directory_path;
}

static void write_index(const char *path, const uint8_t *input, size_t input_bytes)
{
	size_t bytes = sizeof(struct sl_segment_index_header) + input_bytes - CONTROL_BYTES;
	char *file = calloc(1, bytes);
	struct sl_segment_index_header *header = (struct sl_segment_index_header *)file;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(file != NULL && fd >= 0);
	*header = (struct sl_segment_index_header){
		.magic = SL_SEGMENT_INDEX_MAGIC,
		.version = SL_FORMAT_VERSION,
		.byte_length = bytes,
		.segment = 1,
		.end_position = SL_BLOCK_BYTES,
	};
	memcpy(&header->batch_count, input, sizeof(uint32_t));
	memcpy(&header->partition_count, input + sizeof(uint32_t), sizeof(uint32_t));
	memcpy(header + 1, input + CONTROL_BYTES, input_bytes - CONTROL_BYTES);
	header->crc = sl_crc32c(0, file, bytes);
	require(write(fd, file, bytes) == (ssize_t)bytes);
	close(fd);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	const struct sl_index_wanted wanted = {.partition_count = UINT16_MAX / 2, .from = 5};
	struct sl_segment_file sealed = {.number = 1, .is_sealed = true};
	struct sl_segment_index index;
	char path[SL_PATH_BYTES_MAX];
	struct sl_err err = {0};
	uint32_t batch_count;
	uint8_t *bitmap;

	if (input_bytes < CONTROL_BYTES || input_bytes > INPUT_BYTES_MAX)
		return 0;
	memcpy(&batch_count, input, sizeof(batch_count));
	sealed.footer.first_number = 1;
	sealed.footer.last_number = batch_count;
	sealed.footer.end_position = SL_BLOCK_BYTES;
	require(sl_segment_index_path(path, directory(), 1, &err) == 0);
	write_index(path, input, input_bytes);
	if (sl_segment_index_read(&index, directory(), &sealed, &err) == 0) {
		bitmap = sl_segment_index_select(&index, &wanted);
		require(bitmap != NULL);
		free(bitmap);
		sl_segment_index_free(&index);
	} else {
		require(index.bytes == NULL && err.code < 0);
	}
	unlink(path);
	return 0;
}
