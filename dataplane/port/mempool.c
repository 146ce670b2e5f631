/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/mempool.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

// What rte_mempool may add to an object to spread it over memory channels: a few cache lines.
#define SPREAD_BYTES_MAX (2 * SL_CACHE_LINE)
// Ring header, memzone and malloc headers, alignment.
#define OVERHEAD_BYTES (256 * SL_KIB)
#define HUGEPAGE_BYTES (2 * SL_MIB)

uint64_t sl_mempool_bytes(uint32_t mbuf_count, uint32_t data_bytes)
{
	uint64_t object_bytes =
		SL_ALIGN_UP(sizeof(struct rte_mempool_objhdr) + sizeof(struct rte_mbuf) +
				RTE_PKTMBUF_HEADROOM + (uint64_t)data_bytes,
			SL_CACHE_LINE) +
		SPREAD_BYTES_MAX;
	// No object lies across two hugepages.
	uint64_t page_count = (mbuf_count * object_bytes) / HUGEPAGE_BYTES;
	uint64_t objects_bytes = mbuf_count * object_bytes + (page_count + 1) * object_bytes;
	// The ring of free objects has a power of two of pointers, above mbuf_count.
	uint64_t ring_bytes = rte_align64pow2(mbuf_count + 1ull) * sizeof(void *);
	uint64_t cache_bytes = RTE_MAX_LCORE * sizeof(struct rte_mempool_cache);
	uint64_t bytes = objects_bytes + ring_bytes + cache_bytes + OVERHEAD_BYTES;

	return SL_ALIGN_UP(bytes, HUGEPAGE_BYTES);
}

struct rte_mempool *sl_mempool_create(
	const char *name, uint32_t mbuf_count, uint32_t data_bytes, struct sl_err *err)
{
	// rte_mempool wants its cache to be at most two thirds of the pool.
	uint32_t cache_count = SL_MIN(SL_MEMPOOL_CACHE_COUNT, mbuf_count / 2);
	struct rte_mempool *mempool = rte_pktmbuf_pool_create(name, mbuf_count, cache_count, 0,
		(uint16_t)(RTE_PKTMBUF_HEADROOM + data_bytes), (int)rte_socket_id());

	if (mempool != NULL)
		return mempool;
	int rc = sl_err_set(err, -rte_errno,
		"cannot create a pool of %u mbufs of %u bytes: %s; lower memory.mbufs", mbuf_count,
		data_bytes, rte_strerror(rte_errno));
	errno = -rc;
	return NULL;
}
