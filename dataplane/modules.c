/* SPDX-License-Identifier: BSD-3-Clause */
#include "modules.h"

#include "fault.h"
#include "log.h"
#include "port/eal.h"
#include "port/mempool.h"

#include <errno.h>
#include <malloc.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int sl_modules_plan(struct sl_dataplane *dataplane, struct sl_err *err)
{
	const struct sl_config *config = &dataplane->config;

	if (sl_layout_plan(&dataplane->layout, config, err) != 0)
		return err->code;
	for (uint32_t i = 0; i < config->port_count; i++)
		dataplane->queue_counts[i] = config->ports[i].queues != 0
			? config->ports[i].queues
			: dataplane->layout.rx_count;
	return sl_memory_plan_make(
		&dataplane->memory, config, &dataplane->layout, dataplane->queue_counts, err);
}

static int init_runtime(struct sl_dataplane *dataplane, struct sl_err *err)
{
	dataplane->runtime_lock_fd = sl_runtime_lock(dataplane->config.runtime_dir, err);
	return dataplane->runtime_lock_fd < 0 ? dataplane->runtime_lock_fd : 0;
}

static void fini_runtime(struct sl_dataplane *dataplane)
{
	close(dataplane->runtime_lock_fd);
}

static int init_clock(struct sl_dataplane *dataplane, struct sl_err *err)
{
	if (sl_clock_init(&dataplane->clock) != 0)
		return sl_err_set(err, -ENOTSUP,
			"this CPU has no invariant TSC, which receive times need; use another machine");
	return 0;
}

static int init_eal(struct sl_dataplane *dataplane, struct sl_err *err)
{
	static char arguments[SL_PORT_COUNT_MAX]
			     [SL_EAL_ARGUMENT_BYTES_MAX]; // EAL keeps pointers into them
	struct sl_eal_config eal = {
		.program = dataplane->program,
		.lcores[0] = {.lcore_id = 0, .cpu = dataplane->layout.main_cpu},
		.lcore_count = 1 + dataplane->layout.lcore_count,
		.memory_mib = (uint32_t)(dataplane->memory.hugepage_bytes / SL_MIB),
	};

	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++)
		eal.lcores[i + 1] = (struct sl_eal_lcore){
			.lcore_id = dataplane->layout.lcores[i].lcore_id,
			.cpu = dataplane->layout.lcores[i].cpu,
		};
	for (uint32_t i = 0; i < dataplane->config.port_count; i++) {
		if (sl_port_devargs(&dataplane->config.ports[i], i, dataplane->queue_counts[i],
			    arguments[i], sizeof(arguments[i]), err) != 0)
			return sl_err_prefix(err, "%s", dataplane->config.path);
		eal.device_arguments[eal.device_count++] = arguments[i];
	}
	return sl_eal_init(&eal, err);
}

static void fini_eal(struct sl_dataplane *dataplane SL_UNUSED)
{
	sl_eal_fini();
}

static void deal_partitions(void *context, const struct sl_store *store)
{
	struct sl_dataplane *dataplane = context;

	sl_steer_init(dataplane->steer, &dataplane->config, &store->meta,
		store->meta_index_by_stream, dataplane->layout.worker_count);
}

static int init_tables(struct sl_dataplane *dataplane, struct sl_err *err)
{
	dataplane->parse = calloc(1, sizeof(*dataplane->parse));
	dataplane->steer = calloc(1, sizeof(*dataplane->steer));
	if (dataplane->parse == NULL || dataplane->steer == NULL)
		return sl_err_set(err, -ENOMEM, "tables: out of memory");
	sl_parse_init(dataplane->parse, &dataplane->config);
	return 0;
}

static void fini_tables(struct sl_dataplane *dataplane)
{
	free(dataplane->parse);
	free(dataplane->steer);
}

static int init_store(struct sl_dataplane *dataplane, struct sl_err *err)
{
	return sl_store_open(&dataplane->store, &dataplane->config, deal_partitions, dataplane,
		dataplane->steer->worker_by_partition, err);
}

static void fini_store(struct sl_dataplane *dataplane)
{
	sl_store_close(&dataplane->store, rte_free);
}

static void describe(struct sl_dataplane *dataplane)
{
	struct sl_shm *shm = &dataplane->shm;

	snprintf(shm->header->store_path, sizeof(shm->header->store_path), "%s",
		sl_store_name(&dataplane->store));
	snprintf(shm->header->config_path, sizeof(shm->header->config_path), "%s",
		dataplane->config.path);
	for (uint32_t i = 0; i < dataplane->config.stream_count; i++) {
		const struct sl_store_meta_stream *stream =
			&dataplane->store.meta.streams[dataplane->store.meta_index_by_stream[i]];

		shm->streams[i] = (struct sl_shm_stream){
			.udp_port = dataplane->config.streams[i].udp_port,
			.first_partition = stream->first_partition,
			.class_index = (uint16_t)dataplane->config.streams[i].class_index,
			.partition_count = stream->partition_count,
		};
		snprintf(shm->streams[i].name, sizeof(shm->streams[i].name), "%s", stream->name);
	}
}

static int init_shm(struct sl_dataplane *dataplane, struct sl_err *err)
{
	bool has_rings = dataplane->memory.ring_count > 0;
	struct sl_shm_counts counts = {
		.port_count = dataplane->config.port_count,
		.lcore_count = dataplane->layout.lcore_count,
		.ring_count =
			has_rings ? dataplane->layout.rx_count * dataplane->steer->ring_count : 0,
		.lane_count = dataplane->store.lane_count,
		.stream_count = dataplane->config.stream_count,
		.partition_count = dataplane->store.meta.header.partition_count,
		.drive_count = dataplane->store.path_count,
	};

	if (!has_rings)
		dataplane->steer->ring_count = 0;
	if (sl_shm_create(&dataplane->shm, dataplane->config.runtime_dir, &counts, err) != 0)
		return err->code;
	describe(dataplane);
	return 0;
}

static void fini_shm(struct sl_dataplane *dataplane)
{
	sl_shm_remove(dataplane->config.runtime_dir);
	sl_shm_close(&dataplane->shm);
}

static int init_signals(struct sl_dataplane *dataplane SL_UNUSED, struct sl_err *err SL_UNUSED)
{
	sl_control_hold_signals();
	return 0;
}

static void *allocate_batches(uint64_t bytes)
{
	return rte_malloc("batches", bytes, SL_BLOCK_BYTES);
}

static int init_lanes(struct sl_dataplane *dataplane, struct sl_err *err)
{
	struct sl_store_start start = {
		.shm = &dataplane->shm,
		.allocate = allocate_batches,
	};

	sl_ledgers_first(dataplane);
	start.ledger = dataplane->ledgers.record;
	start.ledger_bytes = dataplane->ledgers.record_bytes;
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		uint32_t worker_index = dataplane->layout.lcores[i].worker_index;

		if (worker_index != SL_ROLE_NONE)
			start.counters_by_worker[worker_index] = &dataplane->shm.lcores[i].worker;
	}
	return sl_store_start(&dataplane->store, &start, err);
}

static void fini_lanes(struct sl_dataplane *dataplane)
{
	struct sl_err err = {0};

	if (sl_store_stop(&dataplane->store, &err) != 0)
		sl_log_error("store", "%s", err.text);
}

static int init_mempool(struct sl_dataplane *dataplane, struct sl_err *err)
{
	dataplane->mempool = sl_mempool_create(
		"mbufs", dataplane->memory.mbuf_count, dataplane->memory.mbuf_data_bytes, err);
	return dataplane->mempool == NULL ? err->code : 0;
}

static void fini_mempool(struct sl_dataplane *dataplane)
{
	rte_mempool_free(dataplane->mempool);
}

static void fini_ports(struct sl_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->config.port_count; i++)
		sl_port_close(&dataplane->ports[i]);
}

static int init_ports(struct sl_dataplane *dataplane, struct sl_err *err)
{
	for (uint32_t i = 0; i < dataplane->config.port_count; i++) {
		if (sl_port_open(&dataplane->ports[i], &dataplane->config.ports[i], i,
			    dataplane->queue_counts[i], dataplane->mempool, err) != 0) {
			fini_ports(dataplane);
			return sl_err_prefix(err, "%s", dataplane->config.path);
		}
	}
	return 0;
}

static void fini_lcores(struct sl_dataplane *dataplane)
{
	sl_lcores_join(dataplane);
	sl_lcores_free(dataplane);
}

static int init_lcores(struct sl_dataplane *dataplane, struct sl_err *err)
{
	int result = sl_lcores_launch(dataplane, err);

	if (result != 0)
		fini_lcores(dataplane);
	return result;
}

static int init_control(struct sl_dataplane *dataplane, struct sl_err *err)
{
	int result = sl_control_open(dataplane, err);

	if (result != 0)
		sl_control_close(dataplane);
	return result;
}

static int init_admission(struct sl_dataplane *dataplane, struct sl_err *err)
{
	uint16_t udp_ports[SL_STREAM_COUNT_MAX];

	for (uint32_t i = 0; i < dataplane->config.stream_count; i++)
		udp_ports[i] = dataplane->config.streams[i].udp_port;
	for (uint32_t i = 0; i < dataplane->config.port_count; i++) {
		if (sl_port_admit(&dataplane->ports[i], udp_ports, dataplane->config.stream_count,
			    err) != 0)
			return err->code;
	}
	sl_dataplane_publish_ports(dataplane);
	return 0;
}

static void fini_admission(struct sl_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->config.port_count; i++)
		sl_port_refuse(&dataplane->ports[i]);
}

struct module {
	const char *name;
	int (*init)(struct sl_dataplane *dataplane, struct sl_err *err);
	void (*fini)(struct sl_dataplane *dataplane); // NULL: nothing to undo
};

// Each module may use those above it. A failed init leaves nothing of its own, but for store and
// lanes, whose fini knows half-made ones.
static const struct module modules[] = {
	{"plan", sl_modules_plan, NULL},
	{"runtime directory", init_runtime, fini_runtime},
	{"clock", init_clock, NULL},
	{"EAL", init_eal, fini_eal},
	{"tables", init_tables, fini_tables},
	{"store", init_store, fini_store},
	{"stop signals", init_signals, NULL},
	{"shared memory", init_shm, fini_shm},
	{"lanes", init_lanes, fini_lanes},
	{"mempool", init_mempool, fini_mempool},
	{"ports", init_ports, fini_ports},
	{"lcores", init_lcores, fini_lcores},
	{"control", init_control, sl_control_close},
	{"admission", init_admission, fini_admission},
};

static void stop_from(struct sl_dataplane *dataplane, size_t count)
{
	while (count-- > 0) {
		if (modules[count].fini != NULL)
			modules[count].fini(dataplane);
	}
}

int sl_modules_start(struct sl_dataplane *dataplane, struct sl_err *err)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(modules); i++) {
		sl_log_debug("main", "starting: %s", modules[i].name);
		if (modules[i].init(dataplane, err) != 0) {
			bool may_be_half_made =
				modules[i].init == init_store || modules[i].init == init_lanes;

			stop_from(dataplane, may_be_half_made ? i + 1 : i);
			return err->code;
		}
	}
	sl_store_keep(&dataplane->store);
	// What recovery has freed: the memory plan does not have it.
	malloc_trim(0);
	return 0;
}

// Only what a signal handler may call. The drain is through: all events are stored or counted, but
// the last flush, which would say so on the disk, hangs.
static void on_signal_in_last_flush(int signal_number SL_UNUSED)
{
	static const char text[] =
		"error main: signal during the last flush: leaving without it; the next "
		"start recovers the lanes\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(SL_EXIT_ABANDONED);
	_exit(SL_EXIT_ABANDONED);
}

// The event loop serves signals no more. A thread that waits for a flush cannot be interrupted, so
// not this one: the kernel gives them to another one, as EAL has.
static void leave_at_signals(void)
{
	const struct sigaction leave = {.sa_handler = on_signal_in_last_flush};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaction(SIGTERM, &leave, NULL);
	sigaction(SIGINT, &leave, NULL);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

void sl_modules_quiesce(struct sl_dataplane *dataplane)
{
	struct sl_err err = {0};

	leave_at_signals();
	if (!dataplane->was_abandoned)
		sl_lcores_join(dataplane);
	sl_dataplane_publish_ports(dataplane);
	if (!dataplane->was_abandoned) {
		sl_ledgers_last(dataplane);
		if (sl_store_stop(&dataplane->store, &err) != 0) {
			sl_log_error("store", "%s", err.text);
			dataplane->exit_code = SL_EXIT_LANE_FAILED;
		}
	}
}

void sl_modules_stop(struct sl_dataplane *dataplane)
{
	stop_from(dataplane, SL_ARRAY_COUNT(modules));
}

void sl_modules_leave_at_once(struct sl_dataplane *dataplane)
{
	sl_control_close(dataplane);
	fini_ports(dataplane);
	sl_shm_remove(dataplane->config.runtime_dir);
}

void sl_dataplane_publish_ports(struct sl_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->config.port_count; i++)
		sl_port_publish(&dataplane->ports[i], &dataplane->shm.ports[i]);
	sl_gaps_note_ports(dataplane);
}
