/* SPDX-License-Identifier: BSD-3-Clause */
#include "run.h"

#include "appliance.h"
#include "disk.h"
#include "judge.h"
#include "keep.h"
#include "network.h"
#include "oracle.h"
#include "sim.h"
#include "task.h"
#include "weather.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define START_NS (1700000000ull * SL_NS_PER_S)

// Of partitions, in a checkpoint's batch of two blocks.
#define STATES_IN_TWO_BLOCKS 334

// What the seed draws once.
struct plan {
	struct sl_config config;
	struct sl_config now; // of the life at hand: perhaps without a stream, or without a path
	bool is_spread; // a life has had all paths: from then on none may be missing
	uint32_t partition_count;
	uint32_t payload_bytes_max;
	uint32_t life_count;
	bool is_disk_small;
	bool is_wide; // so many partitions that a checkpoint takes more than one batch
};

// ---- the store of this seed

static void write_config(FILE *file, const struct plan *plan, uint32_t stream_count)
{
	static const char *const durabilities[] = {"durable", "written", "none"};

	fprintf(file,
		"runtime_dir: /sim/run\nports:\n  - device: \"memif:/sim/socket\"\nstreams:\n");
	for (uint32_t i = 0; i < stream_count; i++)
		fprintf(file,
			"  - {name: stream%u, port: %u, partitions: %u, class: class%u, keep_source: %s}\n",
			i, 9000 + i, plan->partition_count / stream_count, i,
			sim_chance(300) ? "true" : "false");
	fprintf(file, "classes:\n");
	for (uint32_t i = 0; i < stream_count; i++)
		fprintf(file, "  - {name: class%u, durability: %s, linger_us: %lu}\n", i,
			durabilities[i == 0 ? 0 : sim_below(3)], sim_between(1, 3000));
	fprintf(file, "store:\n  paths: [" SIM_STORE_PATH "%s]\n  in_flight_max: %lu\n",
		sim_chance(350) ? ", " SIM_STORE_PATH "2" : "", sim_between(1, 8));
}

// The product reads the configuration; what follows is smaller than it allows, so that rolls and
// expiries are frequent.
static bool make_config(struct plan *plan)
{
	uint32_t stream_count = plan->is_wide ? 1 : (uint32_t)sim_between(1, 2);
	int fd = memfd_create("sim.yaml", 0);
	FILE *file = fdopen(fd, "w");
	uint32_t batch_bytes = (plan->is_wide ? 2 : (uint32_t)sim_between(2, 6)) * SL_BLOCK_BYTES;
	struct sl_err err = {0};
	char path[64];
	int result;

	plan->partition_count = plan->is_wide
		? (uint32_t)sim_between(STATES_IN_TWO_BLOCKS + 1, SIM_PARTITION_COUNT_MAX)
		: (uint32_t)sim_between(1, 6) * stream_count;
	write_config(file, plan, stream_count);
	fflush(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	result = sl_config_load(&plan->config, path, &err);
	fclose(file);
	if (result != 0) {
		sim_fail("the configuration is refused: %s", err.text);
		return false;
	}
	plan->payload_bytes_max = batch_bytes * 5 / 4;
	plan->config.store.segment_bytes =
		batch_bytes * (plan->is_wide ? sim_between(7, 16) : sim_between(4, 30));
	for (uint32_t i = 0; i < stream_count; i++)
		plan->config.classes[i].batch_bytes = batch_bytes;
	return true;
}

static void draw_retention(const struct plan *plan, struct sl_config_class *class, bool may_expire)
{
	if (sim_chance(300))
		class->segment_age_s = (uint32_t)sim_between(1, 3);
	if (may_expire && class->segment_age_s > 0 && sim_chance(500))
		class->retention_age_s = class->segment_age_s * (uint32_t)sim_between(1, 30);
	if (may_expire && sim_chance(800))
		class->retention_bytes = plan->config.store.segment_bytes * sim_between(3, 12);
}

static bool draw_plan(struct plan *plan)
{
	bool is_durable[SIM_PARTITION_COUNT_MAX] = {false};
	bool may_expire = sim_chance(400);

	plan->is_wide = sim_chance(80);
	if (!make_config(plan))
		return false;
	plan->config.store.reserve_bytes = plan->config.store.segment_bytes * sim_below(3);
	for (uint32_t i = 0; i < plan->config.class_count; i++)
		draw_retention(plan, &plan->config.classes[i], may_expire);
	for (uint32_t p = 0; p < plan->partition_count; p++) {
		uint32_t stream = p / (plan->partition_count / plan->config.stream_count);

		is_durable[p] = plan->config.classes[stream].durability == SL_DURABILITY_DURABLE;
	}
	plan->life_count = (uint32_t)sim_between(2, 5);
	plan->is_disk_small = sim_chance(100);
	sim_oracle_begin(plan->partition_count, is_durable, may_expire);
	sim_disk_create();
	if (plan->is_disk_small)
		sim_disk_set_capacity(
			16 * SL_MIB + plan->config.store.segment_bytes * sim_between(4, 16));
	sim_directory_link(sim_root, "store", sim_inode_create(true));
	if (plan->config.store.path_count > 1)
		sim_directory_link(sim_root, "store2", sim_inode_create(true));
	sim_directory_flush(sim_root);
	sim_log_note("%u partitions, batches of %u, segments of %lu, in flight %u, retention %lu%s",
		plan->partition_count, plan->config.classes[0].batch_bytes,
		plan->config.store.segment_bytes, plan->config.store.in_flight_max,
		plan->config.classes[0].retention_bytes, plan->is_disk_small ? ", small disk" : "");
	return true;
}

// ---- one life of it

static void draw_weather(uint32_t path_count)
{
	static const uint32_t permilles[] = {2, 20, 200};
	enum sim_weather_kind kind = (enum sim_weather_kind)sim_between(1, SIM_WEATHER_DRIVE - 1);

	if (path_count > 1 && sim_chance(400)) {
		const char *name = sim_chance(500) ? "store" : "store2";

		sim_weather_choose_drive(sim_directory_find(sim_root, name)->inode->drive);
		sim_weather_set(SIM_WEATHER_DRIVE, permilles[sim_between(1, 2)], true);
		return;
	}
	// A write that is to be repeated at once, for ever, would take all the time there is.
	if (sim_chance(650))
		sim_weather_set(SIM_WEATHER_CLEAR, 0, false);
	else
		sim_weather_set(kind, permilles[sim_below(3)],
			sim_chance(300) && kind != SIM_WEATHER_RING_AGAIN);
}

static uint64_t draw_crash_call(void)
{
	uint64_t kind = sim_below(100);

	if (kind < 15)
		return 0;
	return kind < 50 ? sim_between(1, 400) : sim_between(1, 8000);
}

static void draw_config(struct plan *plan, bool is_last)
{
	plan->now = plan->config;
	if (is_last)
		return;
	if (sim_chance(100))
		plan->now.stream_count = plan->now.class_count = 1;
	if (!plan->is_spread && sim_chance(400))
		plan->now.store.path_count = 1;
	plan->is_spread |= plan->now.store.path_count == plan->config.store.path_count;
}

static void draw_life(struct plan *plan, struct sim_life *life, bool is_last)
{
	draw_config(plan, is_last);
	*life = (struct sim_life){
		.config = &plan->now,
		.partition_count =
			plan->partition_count / plan->config.stream_count * plan->now.stream_count,
		.worker_count = plan->is_wide && sim_chance(800) ? 1 : (uint32_t)sim_between(1, 3),
		.event_count = (uint32_t)sim_between(10, 600),
		.payload_bytes_max = plan->payload_bytes_max,
		.crash_call = is_last ? 0 : draw_crash_call(),
		.reader_count = sim_chance(150) ? (uint32_t)sim_between(1, 2) : 0,
	};
	draw_weather(life->config->store.path_count);
	if (is_last) {
		sim_weather_set(SIM_WEATHER_CLEAR, 0, false);
		sim_disk_make_room();
	}
	sim_log_note(
		"life with %u paths, %u streams, %u workers, %u events, crash at call %lu, weather %s",
		life->config->store.path_count, life->config->stream_count, life->worker_count,
		life->event_count, life->crash_call, sim_weather_name());
}

static void check_result(const struct plan *plan, const struct sim_life *life, bool is_last)
{
	bool may_fail = !is_last && (sim_weather_strike_count() > 0 || plan->is_disk_small);

	if (life->result == 0)
		return;
	sim_counts.failed_starts += !life->was_ready;
	sim_log_note("%s: %s", life->was_ready ? "stop" : "start", life->err.text);
	// No error of the machine makes a log that was well one that is CORRUPT.
	if (!may_fail || life->result == -EUCLEAN)
		sim_fail("the appliance does not %s: %d: %s", life->was_ready ? "stop" : "start",
			life->result, life->err.text);
}

static void end_suddenly(void)
{
	sim_counts.cycles++;
	sim_counts.injected++;
	if (sim_chance(600)) {
		sim_disk_drop_writes();
		sim_disk_cut_power();
		sim_oracle_power_cut();
		sim_counts.power_cuts++;
		sim_time_pass(sim_between(1, 100) * SL_NS_PER_S);
	} else {
		sim_log_note("killed");
		sim_time_pass(sim_between(1, 100) * SL_NS_PER_US);
	}
}

static void live(struct plan *plan, bool is_last)
{
	struct sim_life life;

	draw_life(plan, &life, is_last);
	sim_life_run(&life);
	if (sim_has_failed())
		return;
	if (life.has_crashed)
		end_suddenly();
	else
		check_result(plan, &life, is_last);
	if (!sim_has_failed() && (is_last || sim_chance(500)))
		sim_judge_store(is_last);
}

static void keep(const struct plan *plan, const char *path)
{
	int result = sim_keep_store(path, plan->config.stream_count);

	if (result != 0)
		sim_fail("cannot keep the store in %s: %s", path, strerror(-result));
}

bool sim_run_seed(uint64_t seed, bool is_verbose, const char *keep_path)
{
	struct plan plan = {0};

	sim_random_seed(seed);
	sim_forget_failure();
	sim_log_begin(is_verbose);
	sim_time_reset(START_NS);
	sim_network_begin();
	if (draw_plan(&plan)) {
		for (uint32_t i = 0; i < plan.life_count && !sim_has_failed(); i++)
			live(&plan, i + 1 == plan.life_count);
		if (keep_path != NULL)
			keep(&plan, keep_path);
		sim_disk_destroy();
		sim_oracle_end();
	}
	sl_config_free(&plan.config);
	// Where the random numbers have come to tells one run from another.
	sim_counts.digest += sim_random() * (2 * seed + 1);
	return !sim_has_failed();
}
