/* SPDX-License-Identifier: BSD-3-Clause */
// sluice-dataplane: command line, the table of what is started and stopped, the final report.
#include "dataplane.h"
#include "fault.h"
#include "ledger.h"
#include "log.h"
#include "modules.h"
#include "options.h"
#include "stats_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct sl_option options[] = {
	{.name = "config",
		.short_name = 'c',
		.argument = "FILE",
		.help = "configuration to run (docs/configuration.md)"},
	{.name = "check",
		.help = "check the configuration, also against the store that is there, list the memory it takes, and exit"},
	{.name = "degraded",
		.help = "start though a path of the store is missing: say what cannot be read, and let the offsets of its partitions jump"},
	{.name = "report",
		.argument = "FILE",
		.help = "write the final accounting as JSON when it has stopped"},
#ifdef SL_FAULTS
	{.name = "fault",
		.argument = "SPEC",
		.help = "break something on purpose (tests only; this is a test build)"},
#endif
};

static const struct sl_exit_code exit_codes[] = {
	{SL_EXIT_OK,
		"stopped by a signal, everything received is stored or counted; with --check: the configuration is right"},
	{SL_EXIT_START_FAILED,
		"could not start, also because the configuration does not fit the memory or the store; the line on stderr says why and what to do"},
	{SL_EXIT_USAGE, "wrong options"},
	{SL_EXIT_CONFIG,
		"the configuration is wrong; with --check also: it does not fit the memory or the store"},
	{SL_EXIT_LANE_FAILED,
		"stopped, but a lane had failed or could not be ended: what it had not stored is counted as lane_failed, drive_failed or disk_full"},
	{SL_EXIT_ABANDONED,
		"a second signal gave up events that were not stored, or the end of the lanes that was still to be written"},
	{SL_EXIT_CORRUPT, "a lane of the store is CORRUPT, and left as it is but for its epoch"},
};

static const struct sl_command command = {
	.name = "sluice-dataplane",
	.summary = "receive datagrams from network ports and store them",
	.description =
		"Receives UDP datagrams through DPDK, spreads them over partitions and writes them to lane logs through "
		"io_uring. Runs in the foreground until SIGTERM or SIGINT, then stores what has arrived and reports. "
		"A second signal gives up what is not stored yet.",
	.options = options,
	.option_count = SL_ARRAY_COUNT(options),
	.exit_codes = exit_codes,
	.exit_code_count = SL_ARRAY_COUNT(exit_codes),
	.man_section = 8,
};

struct arguments {
	const char *config_path;
	const char *report_path;
	bool check;
	bool degraded;
};

static int on_option(void *context, const struct sl_option *option, const char *value,
	struct sl_err *err SL_UNUSED)
{
	struct arguments *arguments = context;

	if (strcmp(option->name, "config") == 0)
		arguments->config_path = value;
	else if (strcmp(option->name, "report") == 0)
		arguments->report_path = value;
	else if (strcmp(option->name, "check") == 0)
		arguments->check = true;
	else if (strcmp(option->name, "degraded") == 0)
		arguments->degraded = true;
#ifdef SL_FAULTS
	else if (strcmp(option->name, "fault") == 0)
		return sl_fault_parse(value, err);
#endif
	return 0;
}

static void say_result(const struct sl_dataplane *dataplane, bool holds)
{
	uint64_t frames = 0, events = 0, stored = 0, dropped = 0;

	for (uint32_t i = 0; i < dataplane->shm.header->lcore_count; i++) {
		const struct sl_shm_lcore *lcore = &dataplane->shm.lcores[i];

		frames += lcore->rx.frames;
		events += lcore->rx.events;
		stored += lcore->worker.stored;
		for (uint32_t reason = 0; reason < SL_DROP_REASON_COUNT; reason++)
			dropped += lcore->rx.drops[reason] + lcore->worker.drops[reason];
	}
	sl_log_notice("main",
		"stopped: %lu frames received, %lu events, %lu stored, %lu dropped by reason; %s",
		frames, events, stored, dropped,
		holds ? "every identity holds"
		      : "THE ACCOUNTING DOES NOT ADD UP, see sluicectl's drops --check");
}

// What became of every frame, while the counters are still there.
static void report(struct sl_dataplane *dataplane)
{
	struct sl_ledger ledger = {0};
	struct sl_err err = {0};
	json_t *document;

	SL_STORE(dataplane->shm.header->state, SL_DATAPLANE_STOPPED);
	if (sl_ledger_at_rest(&ledger, &dataplane->shm) != 0) {
		sl_log_error("main", "no report: out of memory");
		return;
	}
	say_result(dataplane, sl_ledger_holds(&ledger));
	if (dataplane->report_path != NULL) {
		document = sl_stats_json_report(&dataplane->shm, &ledger);
		if (document == NULL ||
			sl_stats_json_write(document, dataplane->report_path, &err) != 0)
			sl_log_error("main", "no report: %s",
				document == NULL ? "out of memory" : err.text);
		json_decref(document);
	}
	sl_ledger_free(&ledger);
}

static int check(struct sl_dataplane *dataplane)
{
	struct sl_err err = {0};

	if (sl_modules_plan(dataplane, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return SL_EXIT_CONFIG;
	}
	printf("%s is right\n", dataplane->config.path);
	sl_memory_plan_print(&dataplane->memory, stdout);
	return SL_EXIT_OK;
}

static int run(struct sl_dataplane *dataplane)
{
	struct sl_err err = {0};
	int result = sl_modules_start(dataplane, &err);

	if (result != 0) {
		sl_log_error("main", "%s", err.text);
		return result == -EUCLEAN ? SL_EXIT_CORRUPT : SL_EXIT_START_FAILED;
	}
	SL_STORE(dataplane->shm.header->state,
		sl_store_has_missing(&dataplane->store) ? SL_DATAPLANE_DEGRADED
							: SL_DATAPLANE_RUNNING);
	sl_log_notice("main", "ready");
	sl_control_run(dataplane);
	sl_modules_quiesce(dataplane);
	report(dataplane);
	if (dataplane->was_abandoned) {
		// Writes that will never end would hold up every orderly way out.
		sl_modules_leave_at_once(dataplane);
		_exit(SL_EXIT_ABANDONED);
	}
	sl_modules_stop(dataplane);
	return (int)dataplane->exit_code;
}

int main(int argc, char **argv)
{
	static struct sl_dataplane dataplane; // the context of the process
	struct arguments arguments = {0};
	struct sl_err err = {0};
	int result;

	dataplane.program = argv[0];
	result = sl_options_parse(&command, &argc, &argv, on_option, &arguments);
	if (result != SL_OPTIONS_GO_ON)
		return result;
	if (arguments.config_path == NULL)
		return sl_options_usage_error(&command, "--config FILE is missing");
	dataplane.config_path = arguments.config_path;
	dataplane.report_path = arguments.report_path;
	if (sl_config_load(&dataplane.config, arguments.config_path, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return SL_EXIT_CONFIG;
	}
	dataplane.config.store.is_degraded = arguments.degraded;
	sl_log_set_level(dataplane.config.log_level);
	result = arguments.check ? check(&dataplane) : run(&dataplane);
	sl_config_free(&dataplane.config);
	return result;
}
