/* SPDX-License-Identifier: BSD-3-Clause */
// The pool of mbufs that all ports receive into, and what it costs. Thread rule: main lcore, before
// the polling lcores start; afterwards rte_mempool's own rules.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"

struct rte_mempool;

// mbufs that an lcore may keep in its own cache of the pool: RTE_MEMPOOL_CACHE_MAX_SIZE 512 would
// be one and a half times that.
#define SL_MEMPOOL_CACHE_COUNT 256
#define SL_MEMPOOL_CACHE_COUNT_MAX (SL_MEMPOOL_CACHE_COUNT * 3 / 2)

// Hugepage memory of a pool of mbuf_count mbufs with data_bytes of room for a frame, rounded up,
// with the allocator's overhead. For sl_eal_config.memory_mib.
uint64_t sl_mempool_bytes(uint32_t mbuf_count, uint32_t data_bytes);

// Creates the pool in one piece of memory, as AF_XDP needs it (sl_port_open checks). data_bytes:
// the largest of sl_port_data_bytes() over all ports. Returns NULL with errno and err set. The
// caller owns it: rte_mempool_free(), after every port is closed.
struct rte_mempool *sl_mempool_create(
	const char *name, uint32_t mbuf_count, uint32_t data_bytes, struct sl_err *err);
