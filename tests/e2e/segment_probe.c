/* SPDX-License-Identifier: BSD-3-Clause */
// Looks at a data plane's shared memory segment, of a living one or of one that was killed, which
// sluicectl rightly refuses. Two uses:
//   segment_probe show DIR                      all figures, partitions too, as JSON
//   segment_probe kill DIR IN_FLIGHT STORED     waits until one lane has IN_FLIGHT batches under
//                                               way and STORED events are stored, then SIGKILL:
//                                               what is left shows that moment
#include "err.h"
#include "shm.h"
#include "stats_json.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t stored_events(const struct sl_shm *shm)
{
	uint64_t stored = 0;

	for (uint32_t i = 0; i < shm->header->lcore_count; i++)
		stored += SL_LOAD(shm->lcores[i].worker.stored);
	return stored;
}

static uint32_t batches_in_flight(const struct sl_shm *shm)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < shm->header->lane_count; i++)
		most = SL_MAX(most, SL_LOAD(shm->lanes[i].in_flight));
	return most;
}

static bool is_moment(const struct sl_shm *shm, uint32_t in_flight, uint64_t stored)
{
	return stored_events(shm) >= stored && batches_in_flight(shm) >= in_flight;
}

// No thread runs, nor can before SIGCONT: each is stopped, or would be on its way out of the
// kernel; or has ended.
static bool is_stopped(pid_t pid)
{
	char path[64], line[512];
	bool stopped = true;
	glob_t threads;

	snprintf(path, sizeof(path), "/proc/%d/task/*/stat", pid);
	if (glob(path, 0, NULL, &threads) != 0)
		return true; // it is gone
	for (size_t i = 0; i < threads.gl_pathc; i++) {
		FILE *file = fopen(threads.gl_pathv[i], "r");
		const char *state = NULL;

		if (file == NULL)
			continue;
		if (fgets(line, sizeof(line), file) != NULL)
			state = strrchr(line, ')');
		fclose(file);
		stopped = stopped && state != NULL && strchr("TDZX", state[2]) != NULL;
	}
	globfree(&threads);
	return stopped;
}

// Spins: the moment lasts for microseconds. A signal takes as long, and the data plane goes on
// meanwhile: it is killed only if the moment is still there once it has been stopped. Ends when the
// data plane does.
static int kill_at(const struct sl_shm *shm, const char *dir, uint32_t in_flight, uint64_t stored)
{
	pid_t pid = (pid_t)shm->header->pid;

	while (sl_shm_is_alive(shm, dir)) {
		if (!is_moment(shm, in_flight, stored))
			continue;
		kill(pid, SIGSTOP);
		while (!is_stopped(pid))
			;
		if (is_moment(shm, in_flight, stored))
			return kill(pid, SIGKILL) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		kill(pid, SIGCONT);
	}
	fprintf(stderr, "the data plane ended by itself\n");
	return EXIT_FAILURE;
}

static int show(const struct sl_shm *shm)
{
	json_t *document = json_pack("{s:o, s:o, s:o}", "status", sl_stats_json_status(shm),
		"stats", sl_stats_json_stats(shm), "partitions", sl_stats_json_partitions(shm));

	if (document == NULL || json_dumpf(document, stdout, JSON_COMPACT) != 0)
		return EXIT_FAILURE;
	json_decref(document);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct sl_shm shm = {0};
	struct sl_err err = {0};
	int status = EXIT_FAILURE;

	if (argc < 3 || sl_shm_open(&shm, argv[2], &err) != 0) {
		fprintf(stderr, "%s\n",
			argc < 3 ? "show DIR, or kill DIR IN_FLIGHT STORED" : err.text);
		return EXIT_FAILURE;
	}
	if (strcmp(argv[1], "show") == 0)
		status = show(&shm);
	else if (strcmp(argv[1], "kill") == 0 && argc == 5)
		status = kill_at(&shm, argv[2], (uint32_t)strtoul(argv[3], NULL, 10),
			strtoull(argv[4], NULL, 10));
	sl_shm_close(&shm);
	return status;
}
