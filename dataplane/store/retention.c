/* SPDX-License-Identifier: BSD-3-Clause */
// Retention by bytes, over the whole store, for each storage class, oldest segments first; and by
// age, lane by lane.
#include "format/segment_list.h"
#include "log.h"
#include "store/keeper_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

uint64_t sl_keeper_class_bytes(const struct sl_keeper *keeper, uint16_t class_index)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		const struct sl_kept_lane *kept = &keeper->lanes[i];

		if (kept->config.class_index != class_index)
			continue;
		bytes += kept->open_bytes;
		// What its drive does not give back is no reason to empty the other drives.
		if (kept->removal_wait_turns > 0)
			continue;
		for (uint32_t s = 0; s < kept->sealed_count; s++)
			bytes += kept->sealed[s].disk_bytes;
	}
	return bytes;
}

// A lane in use keeps its last sealed segment: the checkpoint of the one behind it may still be on
// its way to the disk, and without either nothing says where idle partitions go on.
static bool may_expire(const struct sl_kept_lane *kept)
{
	return kept->sealed_count > (kept->config.lane != NULL ? 1u : 0u);
}

#define ANY_DRIVE UINT16_MAX

static struct sl_kept_lane *find_oldest(
	struct sl_keeper *keeper, uint16_t class_index, uint16_t drive_index)
{
	struct sl_kept_lane *oldest = NULL;

	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		struct sl_kept_lane *kept = &keeper->lanes[i];

		if (kept->config.class_index != class_index || !may_expire(kept) ||
			kept->removal_wait_turns > 0 ||
			(drive_index != ANY_DRIVE && kept->config.drive_index != drive_index))
			continue;
		if (oldest == NULL || kept->sealed[0].time_last_ns < oldest->sealed[0].time_last_ns)
			oldest = kept;
	}
	return oldest;
}

struct sl_kept_lane *sl_keeper_find_oldest(struct sl_keeper *keeper, uint16_t class_index)
{
	return find_oldest(keeper, class_index, ANY_DRIVE);
}

static uint32_t count_older(
	const struct sl_keeper *keeper, uint16_t class_index, uint64_t time_last_ns)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		const struct sl_kept_lane *kept = &keeper->lanes[i];

		if (kept->config.class_index != class_index || kept->removal_wait_turns > 0)
			continue;
		for (uint32_t s = 0; s < kept->sealed_count; s++)
			count += kept->sealed[s].time_last_ns < time_last_ns;
	}
	return count;
}

struct sl_kept_lane *sl_keeper_find_recyclable(
	struct sl_keeper *keeper, uint16_t class_index, uint16_t drive_index)
{
	struct sl_kept_lane *oldest = find_oldest(keeper, class_index, drive_index);

	if (oldest != NULL &&
		count_older(keeper, class_index, oldest->sealed[0].time_last_ns) >=
			SL_MAX(keeper->config.drive_count, 1u))
		return NULL;
	return oldest;
}

void sl_keeper_forget_first(struct sl_kept_lane *kept)
{
	sl_keeper_index_forget(kept, kept->sealed[0].number);
	kept->sealed_count--;
	memmove(kept->sealed, kept->sealed + 1, kept->sealed_count * sizeof(kept->sealed[0]));
}

// A lane whose first segment cannot be removed is left out of its class for so long: the drive it
// is on must not keep the others from expiring.
#define REMOVAL_RETRY_TURNS (SL_NS_PER_S / SL_KEEPER_TURN_NS)

// A failure is said when the trouble begins, not at every try.
static bool remove_first(struct sl_kept_lane *kept)
{
	struct sl_err err = {0};

	if (sl_segment_remove(kept->config.path, kept->sealed[0].number, &err) != 0) {
		if (!kept->removal_failed)
			sl_log_warning("store", "lane %u: cannot remove an expired segment: %s",
				kept->config.number, err.text);
		kept->removal_failed = true;
		kept->removal_wait_turns = REMOVAL_RETRY_TURNS;
		return false;
	}
	kept->removal_failed = false;
	kept->removal_wait_turns = 0;
	sl_log_debug("store", "lane %u: segment %lu expired with %lu events", kept->config.number,
		kept->sealed[0].number, kept->sealed[0].event_count);
	sl_keeper_forget_first(kept);
	SL_STORE(kept->config.shm->segments_expired, kept->config.shm->segments_expired + 1);
	return true;
}

void sl_keeper_expire(struct sl_keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->lane_count; i++)
		keeper->lanes[i].removal_wait_turns -= keeper->lanes[i].removal_wait_turns > 0;
	for (uint16_t class_index = 0; class_index < SL_CLASS_COUNT_MAX; class_index++) {
		uint64_t limit_bytes = keeper->config.retention_bytes[class_index];

		while (limit_bytes != 0 &&
			sl_keeper_class_bytes(keeper, class_index) > limit_bytes) {
			struct sl_kept_lane *oldest = sl_keeper_find_oldest(keeper, class_index);

			if (oldest == NULL)
				break;
			remove_first(oldest);
		}
	}
}

// A flush that has failed says nothing, and the next one might say that all is well: the lane goes
// on elsewhere, or fails.
static bool flush_segment(struct sl_kept_lane *kept, uint64_t number)
{
	struct sl_lane *lane = kept->config.lane;
	char path[SL_PATH_BYTES_MAX];
	int fd, error = 0;

	if (SL_LOAD(lane->seal_error) != 0 ||
		sl_segment_path(path, kept->config.path, number, NULL) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fdatasync(fd) != 0)
		error = -errno;
	close(fd);
	if (error == 0)
		return true;
	sl_log_error("store", "lane %u: cannot flush segment %lu: %s", lane->lane, number,
		strerror(-error));
	SL_STORE_RELEASE(lane->seal_error, error);
	return false;
}

// The last sealed segment of a lane in use may go once the one behind it is on stable storage with
// its checkpoint, which then says alone where the lane's partitions go on.
static bool successor_is_settled(struct sl_kept_lane *kept)
{
	uint64_t settled = SL_LOAD_ACQUIRE(kept->config.lane->settled_segment);

	if (settled <= kept->sealed[0].number)
		return false;
	if (settled == kept->synced_segment)
		return true;
	// A class below durable writes without flushing.
	if (kept->config.lane->durability != SL_DURABILITY_DURABLE && !flush_segment(kept, settled))
		return false;
	kept->synced_segment = settled;
	return true;
}

void sl_keeper_expire_aged(struct sl_keeper *keeper, uint64_t now_ns)
{
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		struct sl_kept_lane *kept = &keeper->lanes[i];
		uint64_t age_ns = kept->config.class_index < SL_CLASS_COUNT_MAX
			? keeper->config.retention_age_s[kept->config.class_index] * SL_NS_PER_S
			: 0;

		while (age_ns != 0 && kept->sealed_count > 0 &&
			kept->sealed[0].time_last_ns + age_ns < now_ns) {
			if (!may_expire(kept) && !successor_is_settled(kept))
				break;
			if (!remove_first(kept))
				break;
		}
	}
}
