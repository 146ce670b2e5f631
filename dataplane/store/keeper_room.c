/* SPDX-License-Identifier: BSD-3-Clause */
// The room on each drive: gauges, the alarm, and the reserve that no birth may take.
#include "log.h"
#include "store/keeper_internal.h"

#include <errno.h>
#include <sys/statvfs.h>

// The alarm comes while each lane of the drive can still be given this many segments.
#define LOW_SEGMENT_COUNT 2

static int read_room(const char *path, uint64_t *total_bytes, uint64_t *free_bytes)
{
	struct statvfs room;

	if (statvfs(path, &room) < 0)
		return -errno;
	*total_bytes = (uint64_t)room.f_blocks * room.f_frsize;
	*free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
	return 0;
}

static uint64_t low_bytes(const struct sl_keeper *keeper, uint32_t drive_index)
{
	const struct sl_keeper_config *config = &keeper->config;
	uint64_t lane_count = 0;

	for (uint32_t i = 0; i < keeper->lane_count; i++)
		lane_count += keeper->lanes[i].config.lane != NULL &&
			keeper->lanes[i].config.drive_index == drive_index;
	return config->reserve_bytes +
		SL_MAX(config->reserve_bytes,
			LOW_SEGMENT_COUNT * lane_count * config->segment_bytes);
}

static enum sl_drive_level level_of(
	const struct sl_keeper *keeper, const struct sl_shm_drive *drive, uint64_t free_bytes)
{
	uint64_t full_bytes = keeper->config.reserve_bytes + keeper->config.segment_bytes;

	// The way back takes a sixteenth more, so that a level does not flicker.
	if (free_bytes < full_bytes + (drive->level == SL_DRIVE_FULL ? full_bytes / 16 : 0))
		return SL_DRIVE_FULL;
	if (free_bytes <
		drive->low_bytes + (drive->level != SL_DRIVE_OK ? drive->low_bytes / 16 : 0))
		return SL_DRIVE_LOW;
	return SL_DRIVE_OK;
}

static void say_level(
	const struct sl_keeper *keeper, const struct sl_shm_drive *drive, enum sl_drive_level level)
{
	unsigned long free_mib = (unsigned long)(SL_LOAD(drive->free_bytes) / SL_MIB);
	unsigned long reserve_mib = (unsigned long)(keeper->config.reserve_bytes / SL_MIB);

	if (level == SL_DRIVE_FULL)
		sl_log_error("store",
			"%s is full: %lu MiB are free, no segment is made that would leave less than the reserve of %lu MiB; events are refused as disk_full when the current segments are full; free some, or set retention_bytes or reserve_bytes lower",
			drive->path, free_mib, reserve_mib);
	else if (level == SL_DRIVE_LOW)
		sl_log_warning("store",
			"%s is low on room: %lu MiB are free, of which %lu MiB are the reserve; free some, or set retention_bytes lower",
			drive->path, free_mib, reserve_mib);
	else
		sl_log_notice(
			"store", "%s has room again: %lu MiB are free", drive->path, free_mib);
}

static void set_level(
	struct sl_keeper *keeper, struct sl_shm_drive *drive, enum sl_drive_level level)
{
	if (level == drive->level)
		return;
	if (level == SL_DRIVE_FULL)
		SL_STORE(drive->full_count, drive->full_count + 1);
	else if (level == SL_DRIVE_LOW && drive->level == SL_DRIVE_OK)
		SL_STORE(drive->low_count, drive->low_count + 1);
	say_level(keeper, drive, level);
	SL_STORE(drive->level, level);
}

void sl_keeper_watch_drives(struct sl_keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->config.drive_count; i++) {
		struct sl_shm_drive *drive = &keeper->config.drives[i];
		uint64_t total_bytes = 0, free_bytes = 0;

		// A drive that does not answer says so to its lanes.
		if (drive->level == SL_DRIVE_MISSING ||
			read_room(drive->path, &total_bytes, &free_bytes) != 0)
			continue;
		SL_STORE(drive->reserve_bytes, keeper->config.reserve_bytes);
		SL_STORE(drive->low_bytes, low_bytes(keeper, i));
		SL_STORE(drive->total_bytes, total_bytes);
		SL_STORE(drive->free_bytes, free_bytes);
		set_level(keeper, drive, level_of(keeper, drive, free_bytes));
	}
}

int sl_keeper_check_room(
	const struct sl_keeper *keeper, const struct sl_kept_lane *kept, struct sl_err *err)
{
	uint64_t needed_bytes = keeper->config.segment_bytes + keeper->config.reserve_bytes;
	uint64_t total_bytes = 0, free_bytes = 0;

	if (kept->config.drive_index >= keeper->config.drive_count ||
		read_room(kept->config.path, &total_bytes, &free_bytes) != 0 ||
		free_bytes >= needed_bytes)
		return 0;
	return sl_err_set(err, -ENOSPC,
		"no room for a segment of %lu MiB in %s beside the reserve of %lu MiB: %lu MiB are free; free some, or set retention_bytes or reserve_bytes lower",
		(unsigned long)(keeper->config.segment_bytes / SL_MIB), kept->config.path,
		(unsigned long)(keeper->config.reserve_bytes / SL_MIB),
		(unsigned long)(free_bytes / SL_MIB));
}
