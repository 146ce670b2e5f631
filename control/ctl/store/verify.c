/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl store verify: reads everything and says what is wrong.
#include "ctl/store/findings.h"
#include "ctl/store/store.h"
#include "ctl/store_find.h"
#include "format/meta.h"
#include "format/store_judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct sl_option options[] = {
	{.name = "all",
		.short_name = 'a',
		.help = "report every damage, not only the first; remarks too"},
	SL_CTL_COMMON_OPTIONS,
};

const struct sl_command sl_ctl_store_verify_command = {
	.name = "sluicectl store verify",
	SL_CTL_STORE_ARGUMENT,
	.summary = "read all of a store, and say what is damaged",
	.description =
		"Reads every batch of every segment, checks header and body, the chain, epochs, "
		"durable marks, footers, terms, tables against runs, and the lanes against each "
		"other and against the metadata. Says where the first damage is, which offsets are "
		"gone, and what can be done; with --all, all of it. Exit code 1 means damage.\n\n"
		"A torn tail (what a crash left behind the last batch that anything says to be "
		"stored), an unfinished birth and a segment that is whole but not sealed are no "
		"damage: --all remarks on them. Behind the last durable mark, rot cannot be told "
		"from a torn tail.\n\n"
		"Works while a data plane writes the store: then everything that it had stored "
		"when the check began is checked, but for segments that expire before their turn, "
		"and its --runtime-dir must be the one given. "
		"Nothing is written, and no lock is taken that a writer waits for.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

struct request {
	struct sl_ctl *ctl;
	bool is_all;
};

// What a running writer had stored when the check began.
struct marks {
	bool is_known[UINT16_MAX + 1]; // by lane
	uint64_t numbers[UINT16_MAX + 1];
};

static int on_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct request *request = context;

	if (strcmp(option->name, "all") == 0) {
		request->is_all = true;
		return 0;
	}
	return sl_ctl_common_option(request->ctl, option, value, err);
}

static uint64_t number_max(void *context, uint16_t lane)
{
	const struct marks *marks = context;

	return marks->is_known[lane] ? marks->numbers[lane] : UINT64_MAX;
}

static struct marks *marks_take(const struct sl_shm *shm)
{
	struct marks *marks = calloc(1, sizeof(*marks));

	for (uint32_t i = 0; marks != NULL && i < shm->header->lane_count; i++) {
		const struct sl_shm_lane *lane = &shm->lanes[i];

		// Nobody writes one without an owner.
		if (SL_LOAD(lane->state) == SL_LANE_OWNERLESS)
			continue;
		marks->is_known[lane->lane] = true;
		marks->numbers[lane->lane] = SL_LOAD(lane->watermark_number);
	}
	return marks;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) +
		(double)(now.tv_nsec - start->tv_nsec) / (double)SL_NS_PER_S;
}

static const struct sl_output_column columns[] = {
	{"store", "store", SL_CELL_TEXT},
	{"sound", "sound", SL_CELL_TEXT},
	{"lanes", "lanes", SL_CELL_COUNT},
	{"segments", "segments", SL_CELL_COUNT},
	{"batches", "batches", SL_CELL_COUNT},
	{"events", "events", SL_CELL_COUNT},
	{"bytes", "read", SL_CELL_BYTES},
	{"bytes_per_s", "per second", SL_CELL_BYTES},
	{"loss", "losses", SL_CELL_COUNT},
	{"rot", "other damage", SL_CELL_COUNT},
	{"remarks", "remarks", SL_CELL_COUNT},
};

static const struct sl_output_table tables[] = {SL_OUTPUT_TABLE(NULL, NULL, columns)};

static json_t *summary(const struct request *request, const char *path, bool is_live,
	const struct sl_judgement *judgement, double seconds)
{
	const uint64_t *counts = judgement->counts;
	bool is_sound = counts[SL_FINDING_ROT] + counts[SL_FINDING_LOSS] == 0;

	return json_pack(
		"{s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I}",
		"store", path, "sound", is_sound, "complete", is_sound || request->is_all, "live",
		is_live, "lanes", (json_int_t)judgement->lane_count, "segments",
		(json_int_t)judgement->segment_count, "batches", (json_int_t)judgement->batch_count,
		"events", (json_int_t)judgement->event_count, "bytes",
		(json_int_t)judgement->byte_count, "seconds", seconds, "bytes_per_s",
		(json_int_t)((double)judgement->byte_count / SL_MAX(seconds, 1e-6)),
		"unknown_batches", (json_int_t)judgement->unknown_batch_count, "loss",
		(json_int_t)counts[SL_FINDING_LOSS], "rot", (json_int_t)counts[SL_FINDING_ROT],
		"remarks", (json_int_t)counts[SL_FINDING_REMARK], "unlisted",
		(json_int_t)judgement->unlisted_count);
}

static int report(const struct request *request, const char *path, bool is_live,
	const struct sl_judgement *judgement, double seconds)
{
	struct sl_store_meta meta = {0};
	json_t *document = summary(request, path, is_live, judgement, seconds);
	json_t *findings;
	int code;

	// Streams only give names to partitions here.
	(void)sl_store_meta_read(&meta, path, NULL);
	findings = sl_ctl_store_findings(judgement, &meta, request->is_all ? SIZE_MAX : 1,
		request->is_all || request->ctl->output.is_json);
	sl_store_meta_free(&meta);
	if (!request->ctl->output.is_json)
		sl_ctl_store_print_findings(request->ctl, findings);
	json_object_set_new(document, "findings", findings);
	code = sl_ctl_print(request->ctl, document, tables, SL_ARRAY_COUNT(tables));
	if (code == SL_CTL_OK &&
		judgement->counts[SL_FINDING_ROT] + judgement->counts[SL_FINDING_LOSS] > 0)
		code = SL_CTL_CHECK_FAILED;
	return code;
}

static int verify(const struct request *request, const char *path, struct marks *marks)
{
	const struct sl_store_judge_config config = {
		.path = path,
		.first_only = !request->is_all,
		.number_max = marks == NULL ? NULL : number_max,
		.context = marks,
	};
	struct sl_judgement judgement;
	struct timespec start;
	struct sl_err err;
	int code;

	clock_gettime(CLOCK_MONOTONIC, &start);
	int rc = sl_store_judge(&config, &judgement, &err);
	if (rc < 0)
		code = sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text);
	else
		code = report(request, path, marks != NULL, &judgement, seconds_since(&start));
	sl_judgement_free(&judgement);
	return code;
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct request request = {.ctl = ctl};
	struct marks *marks = NULL;
	struct sl_shm shm;

	int code =
		sl_options_parse(&sl_ctl_store_verify_command, &argc, &argv, on_option, &request);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	code = sl_ctl_store_writer(ctl, argv[0], &shm);
	if (code != SL_CTL_OK)
		return code;
	if (shm.header != NULL) {
		marks = marks_take(&shm);
		sl_shm_close(&shm);
		if (marks == NULL)
			return sl_ctl_fail(SL_CTL_FAILED, "no memory to verify %s", argv[0]);
	}
	code = verify(&request, argv[0], marks);
	free(marks);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_store_verify = {
	.command = &sl_ctl_store_verify_command, .run = run};
