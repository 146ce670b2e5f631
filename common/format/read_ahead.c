/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/read_ahead.h"

#include "format/log_format.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// As many reads are under way as there are threads; the slots hold what has come and was not looked
// at yet, and the largest batch besides.
#define THREAD_COUNT 4
#define SLOT_COUNT 16u
#define SLOT_BYTES (1024u * 1024)
#define RING_BYTES (SLOT_COUNT * SLOT_BYTES)

static_assert(RING_BYTES >= 2 * SL_READ_AHEAD_SPAN_BYTES_MAX + THREAD_COUNT * SLOT_BYTES,
	"reads go on while the largest span is looked at");

struct sl_read_ahead {
	pthread_mutex_t mutex;
	pthread_cond_t may_read, has_come;
	pthread_t threads[THREAD_COUNT];
	unsigned thread_count;
	bool is_ending;
	// The file at hand, in parts of SLOT_BYTES from begin on.
	int fd;
	uint64_t begin, end;
	uint64_t part_count;
	uint64_t claimed; // parts below this are read or being read
	uint64_t released; // parts below this are not needed any more
	uint64_t wanted; // parts below this are waited for
	unsigned under_way;
	bool is_there[SLOT_COUNT];
	uint64_t unreadable;
	int error;
	uint64_t bytes_read;
	// What the ring holds at its end is copied in front of it when a span goes over the end.
	char *memory, *ring;
};

// Block by block where a large read failed. Returns the first block that could not be read.
static uint64_t read_blocks(int fd, char *data, size_t bytes, uint64_t position, int *error)
{
	uint64_t unreadable = UINT64_MAX;

	for (size_t at = 0; at < bytes; at += SL_BLOCK_BYTES) {
		ssize_t count = pread(fd, data + at, SL_BLOCK_BYTES, (off_t)(position + at));

		if (count == SL_BLOCK_BYTES)
			continue;
		if (unreadable == UINT64_MAX) {
			unreadable = position + at;
			*error = count < 0 ? -errno : -EIO;
		}
		// A file that ends within a block still has its first bytes.
		memset(data + at + SL_MAX(count, 0), 0, SL_BLOCK_BYTES - (size_t)SL_MAX(count, 0));
	}
	return unreadable;
}

static void read_part(struct sl_read_ahead *reader, uint64_t part)
{
	uint64_t position = reader->begin + part * SLOT_BYTES;
	size_t bytes = (size_t)SL_MIN((uint64_t)SLOT_BYTES, reader->end - position);
	char *data = reader->ring + part % SLOT_COUNT * SLOT_BYTES;
	uint64_t unreadable = UINT64_MAX;
	int fd = reader->fd, error = 0;

	pthread_mutex_unlock(&reader->mutex);
	if (pread(fd, data, bytes, (off_t)position) != (ssize_t)bytes)
		unreadable = read_blocks(fd, data, bytes, position, &error);
	pthread_mutex_lock(&reader->mutex);
	reader->bytes_read += bytes;
	if (unreadable < reader->unreadable) {
		reader->unreadable = unreadable;
		reader->error = error;
	}
	reader->is_there[part % SLOT_COUNT] = true;
}

// It grows with what was used: short logs in long files are not read to their ends.
static uint64_t window(const struct sl_read_ahead *reader)
{
	uint64_t parts = SL_MIN(2 * reader->released + 1, (uint64_t)SLOT_COUNT);

	return SL_MAX(parts, reader->wanted - SL_MIN(reader->wanted, reader->released));
}

static void *run(void *argument)
{
	struct sl_read_ahead *reader = argument;

	pthread_mutex_lock(&reader->mutex);
	while (!reader->is_ending) {
		if (reader->claimed == reader->part_count ||
			reader->claimed >= reader->released + window(reader)) {
			pthread_cond_wait(&reader->may_read, &reader->mutex);
			continue;
		}
		reader->under_way++;
		read_part(reader, reader->claimed++);
		reader->under_way--;
		pthread_cond_broadcast(&reader->has_come);
	}
	pthread_mutex_unlock(&reader->mutex);
	return NULL;
}

int sl_read_ahead_create(struct sl_read_ahead **created, struct sl_err *err)
{
	struct sl_read_ahead *reader = calloc(1, sizeof(*reader));
	int error = 0;

	*created = NULL;
	if (reader == NULL)
		return sl_err_set(err, -ENOMEM, "no memory to read segments");
	pthread_mutex_init(&reader->mutex, NULL);
	pthread_cond_init(&reader->may_read, NULL);
	pthread_cond_init(&reader->has_come, NULL);
	reader->memory = aligned_alloc(SL_BLOCK_BYTES, SL_READ_AHEAD_SPAN_BYTES_MAX + RING_BYTES);
	if (reader->memory == NULL)
		error = ENOMEM;
	else
		reader->ring = reader->memory + SL_READ_AHEAD_SPAN_BYTES_MAX;
	while (error == 0 && reader->thread_count < THREAD_COUNT) {
		error = pthread_create(&reader->threads[reader->thread_count], NULL, run, reader);
		reader->thread_count += error == 0;
	}
	if (error != 0) {
		sl_read_ahead_destroy(reader);
		return sl_err_set(
			err, -error, "cannot start to read segments: %s", strerror(error));
	}
	*created = reader;
	return 0;
}

void sl_read_ahead_destroy(struct sl_read_ahead *reader)
{
	if (reader == NULL)
		return;
	pthread_mutex_lock(&reader->mutex);
	reader->is_ending = true;
	pthread_cond_broadcast(&reader->may_read);
	pthread_mutex_unlock(&reader->mutex);
	for (unsigned i = 0; i < reader->thread_count; i++)
		pthread_join(reader->threads[i], NULL);
	pthread_cond_destroy(&reader->may_read);
	pthread_cond_destroy(&reader->has_come);
	pthread_mutex_destroy(&reader->mutex);
	free(reader->memory);
	free(reader);
}

// With the mutex held: nothing is claimed any more, and nothing is under way.
static void halt(struct sl_read_ahead *reader)
{
	reader->part_count = reader->claimed;
	while (reader->under_way > 0)
		pthread_cond_wait(&reader->has_come, &reader->mutex);
}

void sl_read_ahead_stop(struct sl_read_ahead *reader)
{
	pthread_mutex_lock(&reader->mutex);
	halt(reader);
	pthread_mutex_unlock(&reader->mutex);
}

void sl_read_ahead_begin(struct sl_read_ahead *reader, int fd, uint64_t begin, uint64_t end)
{
	assert(begin % SL_BLOCK_BYTES == 0 && end % SL_BLOCK_BYTES == 0 && begin <= end);
	pthread_mutex_lock(&reader->mutex);
	halt(reader);
	reader->fd = fd;
	reader->begin = begin;
	reader->end = end;
	reader->claimed = reader->released = reader->wanted = 0;
	reader->part_count = (end - begin + SLOT_BYTES - 1) / SLOT_BYTES;
	reader->unreadable = UINT64_MAX;
	reader->error = 0;
	memset(reader->is_there, 0, sizeof(reader->is_there));
	pthread_cond_broadcast(&reader->may_read);
	pthread_mutex_unlock(&reader->mutex);
}

// Parts in front of this one are not needed: those under way must end before their slot is used
// again, those that nobody has begun are left out.
static void release(struct sl_read_ahead *reader, uint64_t first)
{
	for (; reader->released < first; reader->released++) {
		bool *is_there = &reader->is_there[reader->released % SLOT_COUNT];

		while (reader->released < reader->claimed && !*is_there)
			pthread_cond_wait(&reader->has_come, &reader->mutex);
		*is_there = false;
	}
	reader->claimed = SL_MAX(reader->claimed, first);
}

const char *sl_read_ahead_get(struct sl_read_ahead *reader, uint64_t position, size_t bytes)
{
	uint64_t first = (position - reader->begin) / SLOT_BYTES;
	uint64_t last = (position - reader->begin + bytes - 1) / SLOT_BYTES;
	size_t at = (position - reader->begin) % RING_BYTES, tail_bytes;

	assert(bytes > 0 && bytes <= SL_READ_AHEAD_SPAN_BYTES_MAX);
	assert(position >= reader->begin && position + bytes <= reader->end);
	pthread_mutex_lock(&reader->mutex);
	release(reader, first);
	reader->wanted = last + 1;
	pthread_cond_broadcast(&reader->may_read);
	for (uint64_t part = first; part <= last; part++)
		while (!reader->is_there[part % SLOT_COUNT] || part >= reader->claimed)
			pthread_cond_wait(&reader->has_come, &reader->mutex);
	pthread_mutex_unlock(&reader->mutex);
	if (at + bytes <= RING_BYTES)
		return reader->ring + at;
	tail_bytes = RING_BYTES - at;
	memcpy(reader->ring - tail_bytes, reader->ring + at, tail_bytes);
	return reader->ring - tail_bytes;
}

uint64_t sl_read_ahead_unreadable(struct sl_read_ahead *reader, int *error)
{
	uint64_t unreadable;

	pthread_mutex_lock(&reader->mutex);
	unreadable = reader->unreadable;
	*error = reader->error;
	pthread_mutex_unlock(&reader->mutex);
	return unreadable;
}

uint64_t sl_read_ahead_bytes(struct sl_read_ahead *reader)
{
	uint64_t bytes;

	pthread_mutex_lock(&reader->mutex);
	bytes = reader->bytes_read;
	pthread_mutex_unlock(&reader->mutex);
	return bytes;
}
