/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl drops: every drop reason with its count; with --check the accounting identities.
#include "ctl/check.h"
#include "ctl/ctl.h"
#include "ctl/drops_docs.h"
#include "ctl/drops_offline.h"
#include "ctl/store_find.h"
#include "ledger.h"
#include "stats_json.h"

#include <string.h>

static const struct sl_output_column reason_columns[] = {
	{"reason", "reason", SL_CELL_TEXT},
	{"stage", "stage", SL_CELL_TEXT},
	{"count", "count", SL_CELL_COUNT},
	{"unit", "unit", SL_CELL_TEXT},
	{"help", "meaning", SL_CELL_TEXT},
};

static const struct sl_output_table drop_tables[] = {
	SL_OUTPUT_TABLE(NULL, "reasons", reason_columns),
};

static const struct sl_output_column identity_columns[] = {
	{"ok", "holds", SL_CELL_TEXT},
	{"name", "identity", SL_CELL_TEXT},
	{"left", "left", SL_CELL_RANGE},
	{"right", "right", SL_CELL_RANGE},
	{"unit", "unit", SL_CELL_TEXT},
	{"left_text", "left is", SL_CELL_TEXT},
	{"right_text", "right is", SL_CELL_TEXT},
};

static const struct sl_output_column verdict_columns[] = {
	{"ledger.ok", "all identities hold", SL_CELL_TEXT},
};

static const struct sl_output_table check_tables[] = {
	SL_OUTPUT_TABLE(NULL, "reasons", reason_columns),
	SL_OUTPUT_TABLE("IDENTITIES", "ledger.identities", identity_columns),
	SL_OUTPUT_TABLE(NULL, NULL, verdict_columns),
};

static const struct sl_option options[] = {
	{.name = "check",
		.short_name = 'c',
		.help = "take a snapshot and check the accounting identities"},
	{.name = "offline",
		.argument = "STORE",
		.help = "with --check: from the log of this store alone, running or not; again for each of its paths that is not where it was"},
	{.name = "degraded",
		.help = "with --offline: check what there is though a path of the store is not here, and say which"},
	{.name = "docs", .help = "print the table of docs/drops.md and do nothing else"},
	SL_CTL_COMMON_OPTIONS,
};

static const struct sl_command command = {
	.name = "sluicectl drops",
	.summary = "show what was dropped and why; check that nothing is unaccounted for",
	.description =
		"Shows every reason with its count since the start, the zero ones too.\n\n"
		"With --check every polling lcore copies its counters at one point of its own and "
		"sends a marker through its rings; then both sides of every identity are compared, "
		"under full load as well. What drivers and the kernel count meanwhile is known as a "
		"range between two samples, and must meet the other side's. The exit code is 0 only "
		"if all identities hold.\n\n"
		"With --check --offline STORE the identities are checked again from the disk alone: "
		"of each ledger that the data plane has written into its lanes (at its start, every "
		"store.ledger_interval_s, at its stop), of what the log holds against the newest "
		"ledger of each start (events against stored, gaps against drops), and of the offsets "
		"of each partition. What cannot be checked is said: above all what came after the "
		"newest ledger of a start that ended without a last one, as a crash does, and with "
		"--degraded what lies on a path that is not here. That is no "
		"failure; exit code 5 means that there is no ledger at all.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

struct request {
	struct sl_ctl *ctl;
	bool is_check, is_docs;
	struct sl_ctl_store_choice store; // with a path: offline
};

static int on_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct request *request = context;

	if (strcmp(option->name, "offline") == 0)
		return sl_ctl_store_choose(&request->store, value, err);
	if (strcmp(option->name, "degraded") == 0)
		request->store.is_degraded = true;
	else if (strcmp(option->name, "check") == 0)
		request->is_check = true;
	else if (strcmp(option->name, "docs") == 0)
		request->is_docs = true;
	else
		return sl_ctl_common_option(request->ctl, option, value, err);
	return 0;
}

// Takes over drops. NULL without memory.
static json_t *with_ledger(json_t *drops, const struct sl_ledger *ledger)
{
	if (json_object_set_new(drops, "ledger", sl_stats_json_ledger(ledger)) == 0)
		return drops;
	json_decref(drops);
	return NULL;
}

static int check(struct sl_ctl *ctl, const struct sl_shm *shm)
{
	struct sl_ledger ledger;
	struct sl_err err;

	int code = sl_check_run(&ledger, shm, ctl->runtime_dir, &err);
	if (code != SL_CTL_OK)
		return sl_ctl_fail((enum sl_ctl_exit)code, "%s", err.text);
	code = sl_ctl_print(ctl, with_ledger(sl_stats_json_drops(shm), &ledger), check_tables,
		SL_ARRAY_COUNT(check_tables));
	if (code == SL_CTL_OK && !sl_ledger_holds(&ledger))
		code = SL_CTL_CHECK_FAILED;
	sl_ledger_free(&ledger);
	return code;
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct request request = {.ctl = ctl};
	struct sl_shm shm;

	int code = sl_options_parse(&command, &argc, &argv, on_option, &request);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	if (request.is_docs) {
		sl_drops_docs(ctl->output.stream);
		return SL_CTL_OK;
	}
	if (request.store.path_count > 0 && !request.is_check)
		return sl_options_usage_error(&command, "--offline needs --check");
	if (request.store.is_degraded && request.store.path_count == 0)
		return sl_options_usage_error(&command, "--degraded needs --offline");
	if (request.store.path_count > 0)
		return sl_drops_offline(ctl, &request.store);
	code = sl_ctl_attach(ctl, &shm);
	if (code != SL_CTL_OK)
		return code;
	if (request.is_check)
		code = check(ctl, &shm);
	else
		code = sl_ctl_print(
			ctl, sl_stats_json_drops(&shm), drop_tables, SL_ARRAY_COUNT(drop_tables));
	sl_shm_close(&shm);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_drops = {.command = &command, .run = run};
