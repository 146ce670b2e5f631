/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk.h"

#include "format/log_format.h"
#include "memory.h"
#include "sim.h"
#include "task.h"

#include <stdio.h>
#include <string.h>

#define SECTOR_BYTES 512
#define SECTOR_COUNT (SL_BLOCK_BYTES / SECTOR_BYTES)

static_assert(SECTOR_COUNT == 8, "a block's sectors have a bit each");

struct sim_block {
	char *stable; // what a power cut may bring back; NULL: zeros. Means something while dirty
	uint8_t dirty; // sectors written since they were last flushed
	uint8_t doubtful; // of these, what no flush can make sure any more
	char data[SL_BLOCK_BYTES];
};

static struct sim_inode *inodes;
static uint64_t inode_count;
static uint64_t capacity;

// ---- the drive

void sim_disk_create(void)
{
	sim_disk_make_room();
	inode_count = 0;
	sim_root = sim_inode_create(true);
	sim_root->link_count = 1;
}

static void clean_block(struct sim_block *block)
{
	sim_host_free(block->stable);
	block->stable = NULL;
	block->dirty = block->doubtful = 0;
}

static void drop_blocks(struct sim_inode *inode, uint64_t first)
{
	for (uint64_t i = first; i < inode->block_count; i++) {
		if (inode->blocks[i] == NULL)
			continue;
		clean_block(inode->blocks[i]);
		sim_host_free(inode->blocks[i]);
		inode->blocks[i] = NULL;
	}
}

void sim_disk_destroy(void)
{
	sim_disk_settle();
	sim_directories_forget();
	while (inodes != NULL) {
		struct sim_inode *inode = inodes;

		inodes = inode->next;
		drop_blocks(inode, 0);
		sim_host_free(inode->blocks);
		sim_host_free(inode->entries);
		sim_host_free(inode->stable_entries);
		sim_host_free(inode);
	}
}

void sim_disk_set_capacity(uint64_t bytes)
{
	capacity = bytes;
}

void sim_disk_make_room(void)
{
	capacity = 64 * SL_GIB;
}

uint64_t sim_disk_capacity_bytes(void)
{
	return capacity;
}

uint64_t sim_disk_free_bytes(void)
{
	uint64_t used = 0;

	for (const struct sim_inode *inode = inodes; inode != NULL; inode = inode->next) {
		if (inode->link_count > 0 || inode->open_count > 0)
			used += inode->bytes;
	}
	return used < capacity ? capacity - used : 0;
}

// ---- content

struct sim_inode *sim_inode_create(bool is_directory)
{
	struct sim_inode *inode = sim_host_allocate(sizeof(*inode));

	inode->number = ++inode_count;
	inode->is_directory = is_directory;
	inode->next = inodes;
	inodes = inode;
	return inode;
}

static struct sim_block *block_at(struct sim_inode *inode, uint64_t index)
{
	if (index >= inode->block_count) {
		uint64_t count = SL_MAX(index + 1, inode->block_count * 2);

		inode->blocks = sim_host_grow(inode->blocks, count * sizeof(*inode->blocks));
		memset(inode->blocks + inode->block_count, 0,
			(count - inode->block_count) * sizeof(*inode->blocks));
		inode->block_count = count;
	}
	if (inode->blocks[index] == NULL)
		inode->blocks[index] = sim_host_allocate(sizeof(struct sim_block));
	return inode->blocks[index];
}

static void keep_stable(struct sim_block *block, bool is_new)
{
	if (block->dirty != 0 || is_new)
		return;
	block->stable = sim_host_allocate(SL_BLOCK_BYTES);
	memcpy(block->stable, block->data, SL_BLOCK_BYTES);
}

static uint8_t sectors(uint64_t first_byte, uint64_t bytes)
{
	uint64_t first = first_byte / SECTOR_BYTES;
	uint64_t end = (first_byte + bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;

	return (uint8_t)(((1u << end) - 1) & ~((1u << first) - 1));
}

void sim_inode_write(struct sim_inode *inode, uint64_t position, const void *data, uint64_t bytes)
{
	const char *next = data;

	while (bytes > 0) {
		uint64_t index = position / SL_BLOCK_BYTES, within = position % SL_BLOCK_BYTES;
		uint64_t part = SL_MIN(bytes, SL_BLOCK_BYTES - within);
		bool is_new = index >= inode->block_count || inode->blocks[index] == NULL;
		struct sim_block *block = block_at(inode, index);

		keep_stable(block, is_new);
		memcpy(block->data + within, next, part);
		block->dirty |= sectors(within, part);
		block->doubtful &= (uint8_t)~sectors(within, part);
		next += part;
		position += part;
		bytes -= part;
	}
	inode->bytes = SL_MAX(inode->bytes, position);
}

// Blocks from index on that were never written, at most count_max.
static uint64_t count_holes(const struct sim_inode *inode, uint64_t index, uint64_t count_max)
{
	uint64_t count = 0;

	while (count < count_max &&
		(index + count >= inode->block_count || inode->blocks[index + count] == NULL))
		count++;
	return count;
}

uint64_t sim_inode_read(
	const struct sim_inode *inode, uint64_t position, void *data, uint64_t bytes)
{
	uint64_t end = SL_MIN(inode->bytes, position + bytes);
	char *next = data;

	if (position >= end)
		return 0;
	for (uint64_t at = position; at < end;) {
		uint64_t index = at / SL_BLOCK_BYTES, within = at % SL_BLOCK_BYTES;
		uint64_t hole_count = count_holes(inode, index, (end - at) / SL_BLOCK_BYTES + 1);
		uint64_t part =
			SL_MIN(end - at, SL_MAX(hole_count, (uint64_t)1) * SL_BLOCK_BYTES - within);

		if (hole_count > 0)
			sim_memory_clear(next, part);
		else
			memcpy(next, inode->blocks[index]->data + within, part);
		next += part;
		at += part;
	}
	return end - position;
}

void sim_inode_resize(struct sim_inode *inode, uint64_t bytes)
{
	if (bytes < inode->bytes)
		drop_blocks(inode, (bytes + SL_BLOCK_BYTES - 1) / SL_BLOCK_BYTES);
	inode->bytes = bytes;
}

void sim_inode_punch(struct sim_inode *inode, uint64_t position, uint64_t bytes)
{
	uint64_t end = SL_MIN((position + bytes) / SL_BLOCK_BYTES, inode->block_count);

	for (uint64_t i = (position + SL_BLOCK_BYTES - 1) / SL_BLOCK_BYTES; i < end; i++) {
		if (inode->blocks[i] == NULL)
			continue;
		clean_block(inode->blocks[i]);
		sim_host_free(inode->blocks[i]);
		inode->blocks[i] = NULL;
	}
}

uint64_t sim_inode_next_data(const struct sim_inode *inode, uint64_t position)
{
	uint64_t index = position / SL_BLOCK_BYTES;

	for (; index < inode->block_count && index * SL_BLOCK_BYTES < inode->bytes; index++) {
		if (inode->blocks[index] != NULL)
			return SL_MAX(position, index * SL_BLOCK_BYTES);
	}
	return UINT64_MAX;
}

static void flush_block(struct sim_block *block, uint8_t which)
{
	uint8_t safe = block->dirty & which & (uint8_t)~block->doubtful;

	block->dirty &= (uint8_t)~safe;
	if (block->dirty == 0) {
		clean_block(block);
		return;
	}
	if (block->stable == NULL)
		block->stable = sim_host_allocate(SL_BLOCK_BYTES);
	for (uint32_t i = 0; i < SECTOR_COUNT; i++) {
		if ((safe >> i & 1) != 0)
			memcpy(block->stable + i * SECTOR_BYTES, block->data + i * SECTOR_BYTES,
				SECTOR_BYTES);
	}
}

void sim_inode_flush(struct sim_inode *inode, uint64_t position, uint64_t bytes)
{
	uint64_t end = SL_MIN(position + bytes, inode->block_count * SL_BLOCK_BYTES);

	inode->stable_bytes = inode->bytes;
	while (position < end) {
		uint64_t index = position / SL_BLOCK_BYTES, within = position % SL_BLOCK_BYTES;
		uint64_t part = SL_MIN(end - position, SL_BLOCK_BYTES - within);
		struct sim_block *block = inode->blocks[index];

		if (block != NULL && block->dirty != 0)
			flush_block(block, sectors(within, part));
		position += part;
	}
}

void sim_inode_doubt(struct sim_inode *inode)
{
	for (uint64_t i = 0; i < inode->block_count; i++) {
		if (inode->blocks[i] != NULL)
			inode->blocks[i]->doubtful = inode->blocks[i]->dirty;
	}
}

// ---- the power cut

enum tear { LOSE_ALL, KEEP_ALL, TEAR_SECTORS, TEAR_BLOCKS, TEAR_COUNT };

static void cut_block(struct sim_block *block, enum tear tear, uint32_t keep_permille)
{
	bool keep_block = tear == KEEP_ALL || (tear == TEAR_BLOCKS && sim_chance(keep_permille));

	for (uint32_t i = 0; i < SECTOR_COUNT; i++) {
		if ((block->dirty >> i & 1) == 0)
			continue;
		sim_counts.at_stake++;
		if (keep_block || (tear == TEAR_SECTORS && sim_chance(keep_permille)))
			continue;
		if (block->stable == NULL)
			memset(block->data + i * SECTOR_BYTES, 0, SECTOR_BYTES);
		else
			memcpy(block->data + i * SECTOR_BYTES, block->stable + i * SECTOR_BYTES,
				SECTOR_BYTES);
	}
	clean_block(block);
}

void sim_disk_cut_power(void)
{
	enum tear tear = (enum tear)sim_below(TEAR_COUNT);
	uint32_t keep_permille = (uint32_t)sim_between(50, 950);

	for (struct sim_inode *inode = inodes; inode != NULL; inode = inode->next) {
		for (uint64_t i = 0; i < inode->block_count; i++) {
			if (inode->blocks[i] != NULL && inode->blocks[i]->dirty != 0)
				cut_block(inode->blocks[i], tear, keep_permille);
		}
		if (inode->bytes != inode->stable_bytes && tear != KEEP_ALL &&
			(tear == LOSE_ALL || sim_chance(500)))
			sim_inode_resize(inode, inode->stable_bytes);
		inode->stable_bytes = inode->bytes;
	}
	sim_directories_cut();
	sim_log_note("power cut, tear %d", tear);
}
