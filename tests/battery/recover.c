/* SPDX-License-Identifier: BSD-3-Clause */
// A life of a store without an appliance around it: opened, recovered, begun, and ended in order,
// by the code that a data plane runs, some ten times faster than one starts. One worker, no events.
//   recover CONFIG      prints {"next_offsets": [...]} by partition; 1 with one line of error
#include "config/config.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct life {
	struct sl_config config;
	struct sl_store store;
	struct sl_shm shm;
	struct sl_worker_counters counters;
	uint8_t worker_by_partition[SL_PARTITION_COUNT_MAX];
};

static void deal_to_the_first(void *context, const struct sl_store *store)
{
	(void)context;
	(void)store;
}

static void *block_memory(uint64_t bytes)
{
	return aligned_alloc(SL_BLOCK_BYTES, bytes);
}

static void *lines_of(size_t count, size_t bytes)
{
	void *lines = aligned_alloc(SL_CACHE_LINE, SL_ALIGN_UP(count * bytes, SL_CACHE_LINE));

	if (lines == NULL)
		abort();
	memset(lines, 0, count * bytes);
	return lines;
}

static void print_offsets(const struct sl_store *store)
{
	printf("{\"next_offsets\": [");
	for (uint32_t i = 0; i < store->meta.header.partition_count; i++)
		printf("%s%" PRIu64, i == 0 ? "" : ", ", store->partitions[i].next_offset);
	printf("]}\n");
}

static int begin(struct life *life, struct sl_err *err)
{
	struct sl_store_start start = {.shm = &life->shm, .allocate = block_memory};

	start.counters_by_worker[0] = &life->counters;
	life->shm.lanes = lines_of(SL_LANE_COUNT_MAX, sizeof(*life->shm.lanes));
	life->shm.drives = lines_of(SL_STORE_PATH_COUNT_MAX, sizeof(*life->shm.drives));
	life->shm.partitions = lines_of(
		SL_MAX(life->store.meta.header.partition_count, 1u), sizeof(*life->shm.partitions));
	return sl_store_start(&life->store, &start, err);
}

int main(int argc, char **argv)
{
	static struct life life;
	struct sl_err err = {0};
	int result = argc == 2 ? sl_config_load(&life.config, argv[1], &err)
			       : sl_err_set(&err, -EINVAL, "recover CONFIG");

	if (result == 0)
		result = sl_store_open(&life.store, &life.config, deal_to_the_first, &life,
			life.worker_by_partition, &err);
	if (result == 0)
		result = begin(&life, &err);
	if (result == 0) {
		print_offsets(&life.store);
		result = sl_store_stop(&life.store, &err);
	}
	if (result != 0)
		fprintf(stderr, "error: %s\n", err.text);
	sl_store_close(&life.store, free);
	sl_config_free(&life.config);
	free(life.shm.lanes);
	free(life.shm.drives);
	free(life.shm.partitions);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
