/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/memif_ring.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MAPPED_BYTES 4096
#define RING_COOKIE 0x3e31f20u
// The first region of a connection starts with the rings from client to server.
#define REGION_NAME "/memfd:memif_region_0"

struct sl_memif_ring {
	uint32_t cookie;
	uint16_t flags;
	uint16_t head; // moved by the client
	uint8_t guard[56];
	uint16_t tail; // moved by the server
};
static_assert(offsetof(struct sl_memif_ring, tail) == 64, "memif protocol 2.0");

static void *find_region(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long start = 0;
	char line[512];

	if (maps == NULL)
		return NULL;
	while (start == 0 && fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, REGION_NAME) == NULL || sscanf(line, "%llx-", &start) != 1)
			start = 0;
	}
	fclose(maps);
	return (void *)(uintptr_t)start;
}

const struct sl_memif_ring *sl_memif_ring_open(void)
{
	void *region = find_region(), *mapping;

	if (region == NULL)
		return NULL;
	// Old size 0 maps the same shared page a second time.
	mapping = mremap(region, 0, MAPPED_BYTES, MREMAP_MAYMOVE);
	if (mapping == MAP_FAILED)
		return NULL;
	const struct sl_memif_ring *ring = mapping;
	if (ring->cookie != RING_COOKIE) {
		sl_memif_ring_close(ring);
		return NULL;
	}
	return ring;
}

uint32_t sl_memif_ring_pending(const struct sl_memif_ring *ring)
{
	return (uint16_t)(SL_LOAD(ring->head) - SL_LOAD_ACQUIRE(ring->tail));
}

void sl_memif_ring_close(const struct sl_memif_ring *ring)
{
	if (ring != NULL)
		munmap((void *)(uintptr_t)ring, MAPPED_BYTES);
}
