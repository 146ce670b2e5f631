/* SPDX-License-Identifier: BSD-3-Clause */
#include "udp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECT_ALIGNMENT 4096u

struct block {
	uint8_t *data; // begins with its head
	uint64_t submit_ns;
	struct block *next_free;
};

struct sl_udp_file {
	int fd;
	struct io_uring ring;
	bool has_ring;
	uint64_t bytes;
	uint64_t position; // of the next block
	uint64_t next_number;
	uint32_t under_way_count;
	uint32_t block_count;
	struct block *filling, *free;
	struct sl_udp_file_counters counters;
	struct block blocks[SL_UDP_WRITES_MAX + 1];
	uint8_t *memory;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

static struct sl_udp_block_head *head_of(struct block *block)
{
	return (struct sl_udp_block_head *)block->data;
}

static void begin_block(struct sl_udp_file *file)
{
	file->filling = file->free;
	file->free = file->filling->next_free;
	*head_of(file->filling) = (struct sl_udp_block_head){
		.magic = SL_UDP_BLOCK_MAGIC,
		.used_bytes = sizeof(struct sl_udp_block_head),
		.number = file->next_number++,
	};
}

// Writes zeros from where the file ends up to its wanted size, durably.
static int lay_out(struct sl_udp_file *file, struct sl_err *err)
{
	struct stat status;

	if (fstat(file->fd, &status) != 0)
		return sl_err_set(err, -errno, "stat: %s", strerror(errno));
	uint64_t start = (uint64_t)status.st_size / SL_UDP_BLOCK_BYTES * SL_UDP_BLOCK_BYTES;
	memset(file->memory, 0, SL_UDP_BLOCK_BYTES);
	for (uint64_t position = start; position < file->bytes; position += SL_UDP_BLOCK_BYTES) {
		ssize_t written =
			pwrite(file->fd, file->memory, SL_UDP_BLOCK_BYTES, (off_t)position);

		if (written != (ssize_t)SL_UDP_BLOCK_BYTES)
			return sl_err_set(err, written < 0 ? -errno : -ENOSPC, "write at %llu: %s",
				(unsigned long long)position,
				written < 0 ? strerror(errno) : "short; is the drive full?");
	}
	return 0;
}

// With registered file and buffers, as the appliance has them.
static int open_ring(struct sl_udp_file *file, struct sl_err *err)
{
	struct iovec all = {file->memory, (size_t)file->block_count * SL_UDP_BLOCK_BYTES};
	int rc = io_uring_queue_init(SL_UDP_WRITES_MAX, &file->ring, 0);

	if (rc < 0)
		return sl_err_set(err, rc, "io_uring: %s", strerror(-rc));
	file->has_ring = true;
	rc = io_uring_register_buffers(&file->ring, &all, 1);
	if (rc == 0)
		rc = io_uring_register_files(&file->ring, &file->fd, 1);
	if (rc < 0)
		return sl_err_set(err, rc, "io_uring: registering: %s", strerror(-rc));
	return 0;
}

static int open_all(struct sl_udp_file *file, const char *path, struct sl_err *err)
{
	size_t memory_bytes = (size_t)file->block_count * SL_UDP_BLOCK_BYTES;
	int rc;

	file->fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);
	if (file->fd < 0)
		return sl_err_set(
			err, -errno, "%s; its file system must take O_DIRECT", strerror(errno));
	file->memory = aligned_alloc(DIRECT_ALIGNMENT, memory_bytes);
	if (file->memory == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for %u blocks", file->block_count);
	rc = lay_out(file, err);
	if (rc == 0)
		rc = open_ring(file, err);
	if (rc != 0)
		return rc;
	memset(file->memory, 0, memory_bytes);
	for (uint32_t i = 0; i < file->block_count; i++) {
		file->blocks[i].data = file->memory + (size_t)i * SL_UDP_BLOCK_BYTES;
		file->blocks[i].next_free = file->free;
		file->free = &file->blocks[i];
	}
	begin_block(file);
	return 0;
}

int sl_udp_file_open(struct sl_udp_file **file_out, const char *path, uint64_t bytes,
	uint32_t write_count, struct sl_err *err)
{
	struct sl_udp_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return sl_err_set(err, -ENOMEM, "%s: no memory", path);
	file->fd = -1;
	file->bytes = bytes;
	file->block_count = write_count + 1;
	if (open_all(file, path, err) != 0) {
		sl_udp_file_close(file);
		return sl_err_prefix(err, "%s", path);
	}
	*file_out = file;
	return 0;
}

static int on_complete(struct sl_udp_file *file, struct io_uring_cqe *cqe, struct sl_err *err)
{
	struct block *block = io_uring_cqe_get_data(cqe);
	uint64_t took_ns = now_ns() - block->submit_ns;
	int result = cqe->res;

	io_uring_cqe_seen(&file->ring, cqe);
	file->under_way_count--;
	block->next_free = file->free;
	file->free = block;
	if (result != (int)SL_UDP_BLOCK_BYTES)
		return sl_err_set(err, result < 0 ? result : -EIO, "write of block %llu: %s",
			(unsigned long long)head_of(block)->number,
			result < 0 ? strerror(-result) : "short");
	file->counters.block_count++;
	file->counters.record_count += head_of(block)->record_count;
	file->counters.write_ns_total += took_ns;
	file->counters.write_ns_max = SL_MAX(file->counters.write_ns_max, took_ns);
	return 0;
}

int sl_udp_file_reap(struct sl_udp_file *file, struct sl_err *err)
{
	struct io_uring_cqe *cqe;
	int rc = 0;

	while (rc == 0 && io_uring_peek_cqe(&file->ring, &cqe) == 0)
		rc = on_complete(file, cqe, err);
	return rc;
}

static int wait_one(struct sl_udp_file *file, struct sl_err *err)
{
	struct io_uring_cqe *cqe;
	int rc = io_uring_wait_cqe(&file->ring, &cqe);

	if (rc == -EINTR)
		return 0;
	if (rc < 0)
		return sl_err_set(err, rc, "io_uring: waiting: %s", strerror(-rc));
	return on_complete(file, cqe, err);
}

static int wait_all(struct sl_udp_file *file, struct sl_err *err)
{
	int rc = 0;

	while (rc == 0 && file->under_way_count > 0)
		rc = wait_one(file, err);
	return rc;
}

static int submit_block(struct sl_udp_file *file, struct sl_err *err)
{
	// Of two writes to one place nobody knows which lands last.
	int waited = file->position == 0 ? wait_all(file, err) : 0;
	if (waited != 0)
		return waited;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&file->ring); // as many as blocks: never NULL
	struct block *block = file->filling;

	io_uring_prep_write_fixed(sqe, 0, block->data, SL_UDP_BLOCK_BYTES, file->position, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, block);
	block->submit_ns = now_ns();
	file->position = (file->position + SL_UDP_BLOCK_BYTES) % file->bytes;
	file->filling = NULL;
	file->under_way_count++;
	int rc = io_uring_submit(&file->ring);
	if (rc < 0)
		return sl_err_set(err, rc, "io_uring: submitting: %s", strerror(-rc));
	return 0;
}

static int next_block(struct sl_udp_file *file, struct sl_err *err)
{
	int rc = submit_block(file, err);

	if (rc == 0)
		rc = sl_udp_file_reap(file, err);
	if (rc == 0 && file->free == NULL)
		file->counters.wait_count++;
	while (rc == 0 && file->free == NULL)
		rc = wait_one(file, err);
	if (rc == 0)
		begin_block(file);
	return rc;
}

int sl_udp_file_append(
	struct sl_udp_file *file, const void *payload, uint32_t bytes, struct sl_err *err)
{
	uint16_t length = (uint16_t)bytes;

	if (head_of(file->filling)->used_bytes + sizeof(length) + bytes > SL_UDP_BLOCK_BYTES) {
		int rc = next_block(file, err);

		if (rc != 0)
			return rc;
	}
	struct sl_udp_block_head *head = head_of(file->filling);
	uint8_t *record = file->filling->data + head->used_bytes;

	memcpy(record, &length, sizeof(length));
	memcpy(record + sizeof(length), payload, bytes);
	head->used_bytes += (uint32_t)sizeof(length) + bytes;
	head->record_count++;
	return 0;
}

int sl_udp_file_finish(struct sl_udp_file *file, struct sl_err *err)
{
	int rc = 0;

	if (file->filling != NULL && head_of(file->filling)->record_count > 0)
		rc = submit_block(file, err);
	while (rc == 0 && file->under_way_count > 0)
		rc = wait_one(file, err);
	return rc;
}

const struct sl_udp_file_counters *sl_udp_file_counters(const struct sl_udp_file *file)
{
	return &file->counters;
}

void sl_udp_file_close(struct sl_udp_file *file)
{
	if (file == NULL)
		return;
	if (file->has_ring)
		io_uring_queue_exit(&file->ring); // waits for what is under way
	if (file->fd >= 0)
		close(file->fd);
	free(file->memory);
	free(file);
}
