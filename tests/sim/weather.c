/* SPDX-License-Identifier: BSD-3-Clause */
#include "weather.h"

#include "sim.h"
#include "task.h"

static enum sim_weather_kind kind_now;
static uint32_t permille_now;
static bool stays_now;
static uint64_t strike_count;
static uint8_t drive_now;

static const char *const names[SIM_WEATHER_KIND_COUNT] = {
	[SIM_WEATHER_CLEAR] = "clear",
	[SIM_WEATHER_MEMORY] = "memory",
	[SIM_WEATHER_OPEN] = "open",
	[SIM_WEATHER_READ] = "read",
	[SIM_WEATHER_PWRITE] = "pwrite",
	[SIM_WEATHER_FLUSH] = "flush",
	[SIM_WEATHER_FALLOCATE] = "fallocate",
	[SIM_WEATHER_NAMES] = "names",
	[SIM_WEATHER_RING_ERROR] = "ring error",
	[SIM_WEATHER_RING_SHORT] = "ring short",
	[SIM_WEATHER_RING_AGAIN] = "ring again",
	[SIM_WEATHER_RING_SPACE] = "ring space",
	[SIM_WEATHER_DRIVE] = "drive",
};

void sim_weather_set(enum sim_weather_kind kind, uint32_t permille, bool stays)
{
	kind_now = kind;
	permille_now = permille;
	stays_now = stays;
	strike_count = 0;
}

const char *sim_weather_name(void)
{
	return names[kind_now];
}

bool sim_weather_strikes(enum sim_weather_kind kind)
{
	if (kind != kind_now || !sim_in_task())
		return false;
	if (!(stays_now && strike_count > 0) && !sim_chance(permille_now))
		return false;
	if (strike_count++ == 0)
		sim_log_note("the disk or the machine fails: %s", names[kind]);
	sim_counts.injected++;
	return true;
}

void sim_weather_choose_drive(uint8_t drive)
{
	drive_now = drive;
}

bool sim_weather_breaks_drive(uint8_t drive)
{
	return drive == drive_now && sim_weather_strikes(SIM_WEATHER_DRIVE);
}

bool sim_weather_drive_is_broken(uint8_t drive)
{
	return strike_count > 0 && sim_weather_breaks_drive(drive);
}

void sim_weather_end(void)
{
	kind_now = SIM_WEATHER_CLEAR;
}

uint64_t sim_weather_strike_count(void)
{
	return strike_count;
}
