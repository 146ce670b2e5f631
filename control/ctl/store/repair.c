/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl store repair: mends what can be mended, and says what that costs before it does.
#include "ctl/store/findings.h"
#include "ctl/store/repair_plan.h"
#include "ctl/store/store.h"
#include "ctl/store_find.h"
#include "format/store_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const struct sl_option options[] = {
	{.name = "accept-loss", .help = "mend also where events are gone for good"},
	{.name = "dry-run",
		.short_name = 'n',
		.help = "say what would be done, and change nothing"},
	{.name = "no-originals",
		.help = "do not keep damaged segments beside the mended ones as NUMBER.seg.damaged"},
	SL_CTL_COMMON_OPTIONS,
};

const struct sl_command sl_ctl_store_repair_command = {
	.name = "sluicectl store repair",
	SL_CTL_STORE_ARGUMENT,
	.summary = "mend a damaged store",
	.description =
		"For a store that nobody writes: it is locked while this runs. Everything is read "
		"first, as 'sluicectl store verify --all' does.\n\n"
		"What costs nothing is mended at once: a slot of metadata beside a good one, a "
		"footer, a checkpoint whose content the batches in front of it tell, leftovers of "
		"unfinished births. Where events are gone, nothing is changed without "
		"--accept-loss, and it is said how many, of which partitions, at which offsets. "
		"With it, fences take the place of the batches that are gone: everything that is "
		"left stays readable, readers name the lost offsets, and no offset is ever given "
		"twice. Where it is not known what was there, more offsets are skipped than can "
		"have been lost.\n\n"
		"A segment is mended as a copy that takes its place in one step; the damaged one "
		"stays beside it as NUMBER.seg.damaged until somebody removes it. The drive needs "
		"room for one segment. Killed anywhere, run it again.\n\n"
		"Blocks that the drive cannot read are damage as any other. What it could read "
		"when everything was read, and cannot when a segment is copied, ends the repair "
		"with exit code 6: that segment stays as it is.\n\n"
		"Batches that are whole but contradict each other, a lane's folder that is gone, "
		"and metadata that is older than the log cannot be mended: restore them from a "
		"copy. So must a store with more than 10,000 findings: nothing of it is changed. "
		"Exit code 1: damage is left.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

struct request {
	struct sl_ctl *ctl;
	const char *path;
	bool accepts_loss, is_dry_run, keep_originals;
};

static int on_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct request *request = context;

	if (strcmp(option->name, "accept-loss") == 0)
		request->accepts_loss = true;
	else if (strcmp(option->name, "dry-run") == 0)
		request->is_dry_run = true;
	else if (strcmp(option->name, "no-originals") == 0)
		request->keep_originals = false;
	else
		return sl_ctl_common_option(request->ctl, option, value, err);
	return 0;
}

// Returns the lock's file, or -1 after a line on stderr with the exit code in *code.
static int lock(const char *path_of_store, int *code)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[SL_PATH_BYTES_MAX + sizeof(SL_STORE_LOCK_NAME) + 1];
	int fd;

	snprintf(path, sizeof(path), "%s/" SL_STORE_LOCK_NAME, path_of_store);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		*code = sl_ctl_fail(SL_CTL_FAILED, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return fd;
	*code = sl_ctl_fail(SL_CTL_FAILED,
		"'%s' is in use: stop its data plane (or the repair that is running) first",
		path_of_store);
	close(fd);
	return -1;
}

// Each path of the store has its own lock.
static int lock_all(const struct sl_store_paths *paths, int fds[SL_STORE_PATH_COUNT_MAX])
{
	int code = SL_CTL_OK;

	for (uint32_t i = 0; i < paths->count; i++)
		fds[i] = -1;
	for (uint32_t i = 0; code == SL_CTL_OK && i < paths->count; i++) {
		if (paths->paths[i][0] == '\0')
			code = sl_ctl_fail(SL_CTL_FAILED,
				"path %u of the store is not here: repair needs all of them", i);
		else
			fds[i] = lock(paths->paths[i], &code);
	}
	return code;
}

static const struct sl_output_column columns[] = {
	{"store", "store", SL_CELL_TEXT},
	{"mended", "mended", SL_CELL_COUNT},
	{"needs_accept_loss", "wait for --accept-loss", SL_CELL_COUNT},
	{"not_mendable", "cannot be mended", SL_CELL_COUNT},
	{"lost_events", "events lost for certain", SL_CELL_COUNT},
	{"lost_events_max", "at most", SL_CELL_COUNT},
	{"sound", "sound now", SL_CELL_TEXT},
};

static const struct sl_output_table tables[] = {SL_OUTPUT_TABLE(NULL, NULL, columns)};

static uint64_t sum_lost(const struct sl_judgement *judgement, uint64_t *events_max)
{
	uint64_t events = 0;

	*events_max = 0;
	for (size_t i = 0; i < judgement->count; i++) {
		uint64_t most;

		events += sl_finding_lost_events(&judgement->findings[i], &most);
		*events_max += most;
	}
	return events;
}

static int report(const struct request *request, const struct sl_repair_plan *plan,
	const struct sl_judgement *judgement, const struct sl_store_meta *meta, bool is_sound)
{
	struct sl_ctl *ctl = request->ctl;
	json_t *findings = sl_ctl_store_findings(judgement, meta, SIZE_MAX, true);
	uint64_t events_max, events = sum_lost(judgement, &events_max);
	json_t *document = json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "store",
		request->path, "dry_run", request->is_dry_run, "sound", is_sound, "mended",
		(json_int_t)plan->done_count, "needs_accept_loss", (json_int_t)plan->refused_count,
		"not_mendable", (json_int_t)plan->unmendable_count, "lost_events",
		(json_int_t)events, "lost_events_max", (json_int_t)events_max);

	if (!ctl->output.is_json)
		sl_ctl_store_print_findings(ctl, findings);
	json_object_set_new(document, "findings", findings);
	return sl_ctl_print(ctl, document, tables, SL_ARRAY_COUNT(tables));
}

// 1 when it is, 0 when not, or a negative errno with err when nobody can say.
static int is_sound(const char *path, struct sl_err *err)
{
	const struct sl_store_judge_config config = {.path = path, .first_only = true};
	struct sl_judgement judgement;
	int result = sl_store_judge(&config, &judgement, err);

	if (result == 0)
		result = judgement.counts[SL_FINDING_ROT] + judgement.counts[SL_FINDING_LOSS] == 0;
	sl_judgement_free(&judgement);
	return result;
}

static int mend(const struct request *request, const struct sl_judgement *judgement,
	const struct sl_store_paths *paths, struct sl_store_meta *meta)
{
	struct sl_repair_plan plan = {
		.paths = paths,
		.meta = meta,
		.judgement = judgement,
		.accepts_loss = request->accepts_loss,
		.is_dry_run = request->is_dry_run,
		.keep_originals = request->keep_originals,
	};
	struct sl_err err;
	int rc = sl_repair_run(&plan, &err);
	int code, sound;

	if (rc < 0)
		return sl_ctl_fail(SL_CTL_FAILED, "%s", err.text);
	sound = is_sound(request->path, &err);
	code = report(request, &plan, judgement, meta, sound > 0);
	if (code == SL_CTL_OK && sound < 0)
		return sl_ctl_fail(SL_CTL_FAILED,
			"%s: what was mended is, but it cannot be said whether the store is sound now; "
			"run sluicectl store verify %s",
			err.text, request->path);
	if (code != SL_CTL_OK || sound > 0)
		return code;
	if (plan.refused_count > 0 && !request->accepts_loss)
		return sl_ctl_fail(SL_CTL_CHECK_FAILED,
			"events are gone: nothing was changed there; restore '%s' from a copy, or "
			"accept the loss with --accept-loss",
			request->path);
	return SL_CTL_CHECK_FAILED;
}

// A segment is mended up to the first damage that is not on the list, and cut off there.
static bool is_beyond_the_list(const struct sl_judgement *judgement)
{
	return judgement->unlisted_count > 0 &&
		judgement->counts[SL_FINDING_ROT] + judgement->counts[SL_FINDING_LOSS] > 0;
}

// With the store locked: what it says now holds until the end.
static int repair(const struct request *request)
{
	const struct sl_store_judge_config config = {.path = request->path};
	struct sl_judgement judgement;
	struct sl_store_meta meta = {0};
	struct sl_store_paths paths;
	struct sl_err err;
	int code;

	int rc = sl_store_judge(&config, &judgement, &err);
	if (rc == 0)
		rc = sl_store_paths_find(&paths, &meta, &request->path, 1, &err);
	if (rc < 0)
		code = sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text);
	else if (is_beyond_the_list(&judgement))
		code = sl_ctl_fail(SL_CTL_CHECK_FAILED,
			"more than %u findings, too many to mend: nothing was changed; restore '%s' from a copy",
			SL_FINDING_COUNT_MAX, request->path);
	else
		code = mend(request, &judgement, &paths, &meta);
	sl_store_meta_free(&meta);
	sl_judgement_free(&judgement);
	return code;
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct request request = {.ctl = ctl, .keep_originals = true};
	int fds[SL_STORE_PATH_COUNT_MAX];
	struct sl_store_meta meta = {0};
	struct sl_store_paths paths;
	struct sl_err err;

	int code =
		sl_options_parse(&sl_ctl_store_repair_command, &argc, &argv, on_option, &request);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	request.path = argv[0];
	// Before the lock: a directory that is no store is left as it is.
	int rc = sl_store_paths_find(&paths, &meta, &request.path, 1, &err);
	if (rc < 0)
		return sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text);
	sl_store_meta_free(&meta);
	code = lock_all(&paths, fds);
	if (code == SL_CTL_OK)
		code = repair(&request);
	for (uint32_t i = 0; i < paths.count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_store_repair = {
	.command = &sl_ctl_store_repair_command, .run = run};
