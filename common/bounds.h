/* SPDX-License-Identifier: BSD-3-Clause */
// Hard limits of one appliance. Every table is sized from these or from the configuration, so
// nothing is allocated after start. Thread rule: constants only.
// (Not limits.h: with common/ on the include path that name would hide the system's header.)
#pragma once

#include "base.h"

#define SL_PORT_COUNT_MAX 8
#define SL_QUEUE_COUNT_MAX 16 // RX queues of one port
#define SL_LCORE_COUNT_MAX 32 // polling lcores
#define SL_STREAM_COUNT_MAX 64
#define SL_CLASS_COUNT_MAX 8
#define SL_STORE_PATH_COUNT_MAX 8 // drives of a store
#define SL_WORKER_LANE_COUNT_MAX 64 // of one worker: one of each class on each path
#define SL_LANE_COUNT_MAX 256 // live and ownerless, store-wide
#define SL_STREAM_PARTITION_COUNT_MAX 4096
#define SL_PARTITION_COUNT_MAX 65536 // store-wide: partition numbers have 16 bits
#define SL_NAME_BYTES_MAX 64 // stream and class names, with the terminating zero
#define SL_PATH_BYTES_MAX 1024 // store and runtime paths, with the terminating zero

#define SL_BATCH_BYTES_MIN (64 * 1024)
#define SL_BATCH_BYTES_MAX (4 * 1024 * 1024)
#define SL_SEGMENT_BYTES_MIN (16ull * SL_MIB)
#define SL_SEGMENT_BYTES_MAX (64ull * SL_GIB)
#define SL_IN_FLIGHT_COUNT_MAX 32
#define SL_AGE_S_MAX 3153600000ull // 100 years: in nanoseconds still far from 64 bits
