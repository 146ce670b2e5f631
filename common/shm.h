/* SPDX-License-Identifier: BSD-3-Clause */
// The memory segment that the data plane shares with everyone who watches it: runtime_dir/shm.
// Thread rule: each struct says who writes it; anyone may map it read-only and read with SL_LOAD().
// A reader that wants sums to match asks for a snapshot through the control socket (see below).
#pragma once

#include "base.h"
#include "bounds.h"
#include "counters.h"
#include "latency.h"

#define SL_SHM_NAME "shm" // in runtime_dir
#define SL_SHM_SOCKET_NAME "dataplane.sock" // in runtime_dir
#define SL_SHM_LOCK_NAME "lock" // in runtime_dir: held by the running data plane
#define SL_SHM_MAGIC 0x304d48535345434cull
#define SL_SHM_VERSION 9

enum sl_dataplane_state {
	SL_DATAPLANE_STARTING,
	SL_DATAPLANE_RUNNING,
	SL_DATAPLANE_DEGRADED, // a lane has failed, or a drive was missing at the start
	SL_DATAPLANE_STOPPING,
	SL_DATAPLANE_STOPPED,
};

// How much a port can see of its own losses (docs/architecture.md, "Ledger").
enum sl_ledger_class { SL_LEDGER_EXACT, SL_LEDGER_LOWER_BOUND, SL_LEDGER_BLIND };

// Written by the main lcore, before state becomes RUNNING unless said otherwise.
struct sl_shm_header {
	uint64_t magic;
	uint32_t version;
	uint32_t pid;
	uint64_t total_bytes;
	char program_version[32];
	char store_path[SL_PATH_BYTES_MAX];
	char config_path[SL_PATH_BYTES_MAX];
	uint64_t start_ns; // CLOCK_REALTIME
	uint32_t port_count, lcore_count, ring_count, lane_count, stream_count, partition_count;
	uint64_t port_offset, lcore_offset, ring_offset, lane_offset, stream_offset,
		partition_offset;
	uint32_t drive_count, reserved1;
	uint64_t drive_offset;
	// Written by the main lcore while running.
	uint32_t state SL_CACHE_ALIGNED; // enum sl_dataplane_state
	uint32_t reserved;
	uint64_t heartbeat_ns; // CLOCK_REALTIME, every 100 ms
	uint64_t clock_step_count; // steps of the wall clock seen
	// Policy words: written by the main lcore, read by polling lcores once a turn.
	uint64_t snapshot_request SL_CACHE_ALIGNED; // number of the newest snapshot asked for
};

// Written by the main lcore, once a second and for each snapshot.
struct sl_shm_port {
	char device[256]; // as configured
	char interface[32]; // kernel interface, or ""
	uint8_t mac[6];
	uint16_t queue_count;
	uint32_t ledger; // enum sl_ledger_class
	uint32_t link_up;
	// From the ethdev.
	uint64_t ipackets, imissed, ierrors, rx_nombuf;
	// AF_XDP only: our XDP program's verdicts, the socket's own losses, frames waiting in its
	// RX ring.
	uint64_t xdp_redirect, xdp_pass;
	uint64_t xsk_ring_full, xsk_fill_empty, xsk_rx_dropped, xsk_in_ring;
	uint64_t interface_rx_packets, interface_rx_dropped; // of the kernel, since start
} SL_CACHE_ALIGNED;

// One polling lcore. Each group below has one writer.
struct sl_shm_lcore {
	// Written by the main lcore at start.
	uint32_t lcore_id, cpu;
	uint32_t is_rx, is_worker;
	uint32_t rx_index, worker_index; // when is_rx, is_worker
	// Written by the lcore.
	uint64_t heartbeat SL_CACHE_ALIGNED; // turns
	uint32_t stage; // enum sl_stage
	uint32_t reserved;
	uint64_t rx_snapshot_id, worker_snapshot_id; // released after the copy below is whole
	struct sl_rx_counters rx SL_CACHE_ALIGNED;
	struct sl_worker_counters worker SL_CACHE_ALIGNED;
	// Copies taken by the lcore itself at a burst's boundary, when snapshot_request moved.
	struct sl_rx_counters rx_snapshot SL_CACHE_ALIGNED;
	struct sl_worker_counters worker_snapshot SL_CACHE_ALIGNED;
	struct sl_lcore_cycles cycles SL_CACHE_ALIGNED; // written by the lcore
} SL_CACHE_ALIGNED;

// One ring: index rx_index * workers + worker_index. The marker of a snapshot travels through it,
// so that both sides state how many events passed before the same point.
struct sl_shm_ring {
	// Written at start.
	uint32_t rx_index, worker_index;
	uint32_t entry_count; // 0: no ring, for both are the same lcore
	uint32_t reserved;
	// Written by the RX lcore.
	uint64_t enqueued SL_CACHE_ALIGNED;
	uint64_t enqueued_at_marker, marker_sent;
	uint64_t enqueued_at_copy; // of the lcore's counters
	// Written by the worker lcore.
	uint64_t dequeued SL_CACHE_ALIGNED;
	uint64_t dequeued_at_marker, marker_received;
	uint64_t dequeued_at_copy; // of the lcore's counters
	uint64_t occupancy_max; // most events found in one turn
} SL_CACHE_ALIGNED;

enum sl_lane_state {
	SL_LANE_ACTIVE,
	SL_LANE_DISK_FULL,
	SL_LANE_FAILED,
	SL_LANE_OWNERLESS,
	SL_LANE_MENDING, // a write has failed; what is not stored is written again
	SL_LANE_HALTED, // writes fail again and again, so that the drive's breaker is open, or no
			// segment can be entered
	SL_LANE_MISSING, // of a degraded start: its drive is
};

enum sl_breaker_state { SL_BREAKER_CLOSED, SL_BREAKER_OPEN, SL_BREAKER_HALF_OPEN };

struct sl_shm_lane {
	// Written at start.
	uint16_t lane, class_index, worker_index, drive_index;
	char class_name[SL_NAME_BYTES_MAX];
	uint32_t durability, in_flight_max;
	uint64_t epoch;
	uint64_t recovered_events, recovered_batches, recovery_us; // of the unsealed segments
	// Written by the worker lcore.
	uint32_t state SL_CACHE_ALIGNED; // enum sl_lane_state
	uint32_t in_flight; // batches
	uint64_t segment, position; // where the next batch goes
	uint64_t batch_number; // last sealed
	uint64_t watermark_number; // last retired in order
	uint64_t durable_mark;
	uint64_t segments_rolled;
	uint64_t unwritten_extents; // 1 while the next write may be the first on its blocks
	uint64_t segments_aged; // of those rolled: because of their age
	// Written by the keeper thread.
	uint64_t segment_count SL_CACHE_ALIGNED;
	uint64_t segment_bytes_total, segments_expired;
	uint64_t spare_ready; // the next segment is there
	uint64_t segments_recycled; // born from expired ones: their blocks were written before
	uint64_t segments_unwritten; // handed over before all of their blocks were written once
	uint64_t segments_indexed; // sealed ones that have an index
	uint64_t indexes_built; // since the start
	// Written by the worker lcore: stored events, from their receive time to the turn in which
	// they were known to be stored.
	struct sl_latency latency SL_CACHE_ALIGNED;
	// Written by the worker lcore.
	uint64_t write_count SL_CACHE_ALIGNED; // completions
	uint64_t write_ns_total, write_ns_max; // from submission to completion
	uint64_t writes_failed; // that were not merely to be sent again
	uint64_t segments_mended; // opened behind a failed write, by what was written again
	uint64_t batches_rewritten;
	int32_t write_error; // negative errno of the last failed write
	uint32_t breaker; // of its drive when the lane last asked: enum sl_breaker_state
	uint64_t breaker_opened; // by this lane
	uint64_t partition_count; // that live here now
	uint64_t rehomed; // times that its partitions have gone on in a lane of another drive
	uint64_t partitions_rehomed, batches_rehomed; // what went there
} SL_CACHE_ALIGNED;

// How much room there is for new segments.
enum sl_drive_level {
	SL_DRIVE_OK,
	SL_DRIVE_LOW, // the alarm: the reserve comes near
	SL_DRIVE_FULL, // the next segment would take of the reserve: none is made
	SL_DRIVE_MISSING, // of a degraded start: nothing is known of it
};

// One of store.paths.
struct sl_shm_drive {
	// Written at start.
	char path[SL_PATH_BYTES_MAX];
	uint64_t reserve_bytes; // that births leave free
	uint64_t low_bytes; // with less than this free it is SL_DRIVE_LOW
	// Written by the keeper thread, once a second.
	uint32_t level SL_CACHE_ALIGNED; // enum sl_drive_level
	uint32_t reserved;
	uint64_t total_bytes, free_bytes; // of its file system, for whoever the appliance runs as
	uint64_t low_count, full_count; // times that the level was reached
} SL_CACHE_ALIGNED;

struct sl_shm_stream {
	char name[SL_NAME_BYTES_MAX];
	uint16_t udp_port, first_partition, class_index, reserved;
	uint32_t partition_count, reserved1;
};

// Written by the worker that owns the partition.
struct sl_shm_partition {
	uint64_t next_offset; // offsets below are assigned; published when a batch is sealed
	uint64_t watermark; // offsets below are stored at the class's durability
};

// A mapping of the segment: header and tables as pointers into it.
struct sl_shm {
	struct sl_shm_header *header;
	struct sl_shm_port *ports;
	struct sl_shm_lcore *lcores;
	struct sl_shm_ring *rings;
	struct sl_shm_lane *lanes;
	struct sl_shm_stream *streams;
	struct sl_shm_partition *partitions;
	struct sl_shm_drive *drives;
	size_t map_bytes;
};

struct sl_shm_counts {
	uint32_t port_count, lcore_count, ring_count, lane_count, stream_count, partition_count,
		drive_count;
};

struct sl_err;

// Creates runtime_dir (mode 0750) when it is absent, and takes runtime_dir/lock for this process.
// Main thread of the data plane, first of all. Returns a file descriptor: the lock lasts until it
// is closed or the process ends, however it ends. Or a negative errno with err filled; -EBUSY names
// the process that holds the lock.
int sl_runtime_lock(const char *runtime_dir, struct sl_err *err);

// Creates runtime_dir/shm (mode 0640, replacing a dead one) and maps it for writing. Main thread of
// the data plane, once, with runtime_dir/lock held. Fills the header's identity (magic, version,
// pid, sizes, counts, offsets, program_version, start_ns, heartbeat_ns), state is STARTING;
// everything else is zero and the caller's to fill. Returns 0 or a negative errno with err filled.
int sl_shm_create(struct sl_shm *shm, const char *runtime_dir, const struct sl_shm_counts *counts,
	struct sl_err *err);

// Maps an existing segment read-only; checks magic, version and sizes. Any thread, any process.
// Returns 0, -ENOENT when there is none, -EPROTO when it is of another version or no segment at
// all; err says what to do.
int sl_shm_open(struct sl_shm *shm, const char *runtime_dir, struct sl_err *err);

// True while the process that wrote the segment is alive: runtime_dir/lock is held, and by it, not
// by a successor.
bool sl_shm_is_alive(const struct sl_shm *shm, const char *runtime_dir);

// Unmaps. Zeroed struct is legal. Does not remove the file: sl_shm_remove() does.
void sl_shm_close(struct sl_shm *shm);

// Removes runtime_dir/shm. Main thread of the data plane, at clean stop.
void sl_shm_remove(const char *runtime_dir);
