/* SPDX-License-Identifier: BSD-3-Clause */
// What goes wrong around one life of the process besides its end: one kind of error, now and then
// or from some moment on for good.
#pragma once

#include "base.h"

enum sim_weather_kind {
	SIM_WEATHER_CLEAR,
	SIM_WEATHER_MEMORY, // ENOMEM
	SIM_WEATHER_OPEN, // EMFILE
	SIM_WEATHER_READ, // EIO
	SIM_WEATHER_PWRITE, // EIO; part of it may have landed
	SIM_WEATHER_FLUSH, // EIO; what it was to cover is in doubt until it is written again
	SIM_WEATHER_FALLOCATE, // ENOSPC
	SIM_WEATHER_NAMES, // EIO from rename, unlink, mkdir
	SIM_WEATHER_RING_ERROR, // EIO of a write of the ring; part of it may have landed
	SIM_WEATHER_RING_SHORT,
	SIM_WEATHER_RING_AGAIN, // EAGAIN, EINTR
	SIM_WEATHER_RING_SPACE, // ENOSPC
	SIM_WEATHER_DRIVE, // EIO from whatever writes to one drive, from a write of the ring on
	SIM_WEATHER_KIND_COUNT
};

// The weather of the next life of the process.
void sim_weather_set(enum sim_weather_kind kind, uint32_t permille, bool stays);
const char *sim_weather_name(void);
// From now on nothing fails.
void sim_weather_end(void);

// True when this call is to fail. Never in the harness. Counts what it spoils.
bool sim_weather_strikes(enum sim_weather_kind kind);

// The drive of SIM_WEATHER_DRIVE.
void sim_weather_choose_drive(uint8_t drive);
// True when this write of the ring is to fail because its drive does: from the first one on for
// good.
bool sim_weather_breaks_drive(uint8_t drive);
// True when it has failed before: everything else that would change the drive fails too.
bool sim_weather_drive_is_broken(uint8_t drive);

// What was spoiled in this life.
uint64_t sim_weather_strike_count(void);
