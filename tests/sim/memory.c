/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory.h"

#include "sanitizer.h"
#include "weather.h"
#include "wrap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_BYTES (1ull << 32)
#define CLASS_COUNT 32 // powers of two
#define HEADER_BYTES 16
// Memory that is not asked for as zero is none: what reads it before it writes shows.
#define JUNK_BYTES_MAX 4096
#define PAGE_BYTES 4096
// For AddressSanitizer: behind a block, and of one that was given back.
#define TAIL_BYTES_MAX 4096
#define FREED_BYTES_MAX 16384
#define CLEAR_BYTES_MIN (128 * 1024)

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
int __real_posix_memalign(void **memory, size_t alignment, size_t bytes);
void __real_free(void *memory);

enum alignment { ALIGNED_16, ALIGNED_64, ALIGNED_4096, ALIGNMENT_COUNT };
static const size_t alignments[ALIGNMENT_COUNT] = {16, 64, 4096};

struct header {
	uint64_t bytes;
	uint32_t class_index;
	uint32_t alignment;
};
static_assert(sizeof(struct header) == HEADER_BYTES, "stands before each block");

static char *arena, *arena_next;
static void *free_blocks[ALIGNMENT_COUNT][CLASS_COUNT];
static uint64_t live_bytes;
static bool is_process;

void sim_memory_enter(bool process)
{
	is_process = process;
	if (arena != NULL)
		return;
	arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED) {
		fputs("sluice-sim: no address space\n", stderr);
		exit(1);
	}
	arena_next = arena;
}

uint64_t sim_memory_reset(void)
{
	uint64_t left = live_bytes;

	sim_memory_allow(arena, (size_t)(arena_next - arena) + HEADER_BYTES);
	arena_next = arena;
	memset(free_blocks, 0, sizeof(free_blocks));
	live_bytes = 0;
	return left;
}

static void *host_memory(void *memory)
{
	if (memory == NULL) {
		fputs("sluice-sim: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

void *sim_host_allocate(size_t bytes)
{
	return host_memory(__real_calloc(1, bytes));
}

void *sim_host_grow(void *memory, size_t bytes)
{
	return host_memory(__real_realloc(memory, bytes));
}

void sim_host_free(void *memory)
{
	__real_free(memory);
}

void sim_memory_clear(void *memory, size_t bytes)
{
	uintptr_t start = (uintptr_t)memory;
	uintptr_t first_page = SL_ALIGN_UP(start, (uintptr_t)PAGE_BYTES);
	uintptr_t end_page = (start + bytes) / PAGE_BYTES * PAGE_BYTES;

	if (bytes < CLEAR_BYTES_MIN ||
		madvise((void *)first_page, end_page - first_page, MADV_DONTNEED) != 0) {
		memset(memory, 0, bytes);
		return;
	}
	memset(memory, 0, first_page - start);
	memset((void *)end_page, 0, start + bytes - end_page);
}

// ---- the process's memory

static bool is_ours(const void *memory)
{
	return (const char *)memory >= arena && (const char *)memory < arena + ARENA_BYTES;
}

static struct header *header_of(void *memory)
{
	return (struct header *)((char *)memory - HEADER_BYTES);
}

static struct header header_at(void *memory)
{
	struct header header;

	sim_memory_allow(header_of(memory), HEADER_BYTES);
	header = *header_of(memory);
	sim_memory_forbid(header_of(memory), HEADER_BYTES);
	return header;
}

static uint32_t class_of(size_t bytes)
{
	uint32_t class_index = 5;

	while ((1ull << class_index) < bytes)
		class_index++;
	return class_index;
}

// Of a block: what lies between its end and the next one's memory.
static size_t tail_bytes(const struct header *header)
{
	return SL_MIN((1ull << header->class_index) - header->bytes + HEADER_BYTES, TAIL_BYTES_MAX);
}

static size_t freed_bytes(const struct header *header)
{
	return SL_MAX(SL_MIN(header->bytes, FREED_BYTES_MAX), sizeof(void *));
}

static void *take_freed(enum alignment alignment, uint32_t class_index)
{
	char *memory = free_blocks[alignment][class_index];
	struct header header;

	if (memory == NULL)
		return NULL;
	header = header_at(memory);
	sim_memory_allow(memory, freed_bytes(&header));
	sim_memory_allow(memory + header.bytes, tail_bytes(&header));
	memcpy(&free_blocks[alignment][class_index], memory, sizeof(void *));
	return memory;
}

static void *take(size_t bytes, enum alignment alignment)
{
	uint32_t class_index = class_of(bytes);
	struct header header = {.bytes = bytes, .class_index = class_index, .alignment = alignment};
	char *memory;

	if (sim_weather_strikes(SIM_WEATHER_MEMORY)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = take_freed(alignment, class_index);
	if (memory == NULL) {
		uintptr_t place = (uintptr_t)arena_next + HEADER_BYTES;

		memory = (char *)SL_ALIGN_UP(place, alignments[alignment]);
		arena_next = memory + (1ull << class_index);
		assert(arena_next + HEADER_BYTES <= arena + ARENA_BYTES);
	}
	sim_memory_allow(header_of(memory), HEADER_BYTES);
	*header_of(memory) = header;
	sim_memory_forbid(header_of(memory), HEADER_BYTES);
	sim_memory_forbid(memory + bytes, tail_bytes(&header));
	live_bytes += bytes;
	if (bytes <= JUNK_BYTES_MAX)
		memset(memory, 0xa5, bytes);
	return memory;
}

static void give_back(void *memory)
{
	struct header header = header_at(memory);
	void **first = &free_blocks[header.alignment][header.class_index];

	live_bytes -= header.bytes;
	if (header.bytes <= JUNK_BYTES_MAX)
		memset(memory, 0x5a, header.bytes);
	sim_memory_allow(memory, sizeof(*first)); // it may be smaller
	memcpy(memory, first, sizeof(*first));
	*first = memory;
	sim_memory_forbid(memory, freed_bytes(&header));
}

SIM_WRAP(void *, malloc, size_t bytes)
{
	return is_process ? take(bytes, ALIGNED_16) : __real_malloc(bytes);
}

SIM_WRAP(void *, calloc, size_t count, size_t bytes)
{
	void *memory;

	if (!is_process)
		return __real_calloc(count, bytes);
	memory = take(count * bytes, ALIGNED_16);
	if (memory != NULL)
		sim_memory_clear(memory, count * bytes);
	return memory;
}

SIM_WRAP(void, free, void *memory)
{
	if (memory == NULL || !is_ours(memory))
		__real_free(memory);
	else
		give_back(memory);
}

SIM_WRAP(void *, realloc, void *memory, size_t bytes)
{
	void *grown;

	if (!is_process || (memory != NULL && !is_ours(memory)))
		return __real_realloc(memory, bytes);
	grown = take(bytes, ALIGNED_16);
	if (grown == NULL || memory == NULL)
		return grown;
	memcpy(grown, memory, SL_MIN(bytes, header_at(memory).bytes));
	give_back(memory);
	return grown;
}

SIM_WRAP(void *, aligned_alloc, size_t alignment, size_t bytes)
{
	enum alignment index = ALIGNED_16;

	if (!is_process)
		return __real_aligned_alloc(alignment, bytes);
	while (index < ALIGNED_4096 && alignments[index] < alignment)
		index++;
	assert(alignments[index] >= alignment);
	return take(bytes, index);
}

SIM_WRAP(int, posix_memalign, void **memory, size_t alignment, size_t bytes)
{
	if (!is_process)
		return __real_posix_memalign(memory, alignment, bytes);
	*memory = aligned_alloc(alignment, bytes);
	return *memory == NULL ? ENOMEM : 0;
}
