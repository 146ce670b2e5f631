/* SPDX-License-Identifier: BSD-3-Clause */
// sluice-sim: see usage(). Seeds are dealt to processes; each runs its share one after the other.
#include "run.h"
#include "sim.h"

#ifdef SL_FAULTS
#include "fault.h"
#endif

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOB_COUNT_MAX 64
#define FAILURE_COUNT_MAX 5

int __real_clock_gettime(clockid_t clock, struct timespec *time);

struct job {
	struct sim_counts counts;
	uint64_t seed; // at hand
	uint64_t done_count;
	uint64_t failure_count;
	struct {
		uint64_t seed;
		char text[1024];
	} failures[FAILURE_COUNT_MAX];
};

struct options {
	uint64_t seed, seed_count;
	uint32_t job_count;
	const char *json_path;
	const char *fault;
	const char *keep_path;
	bool find; // the seeds must find something
	bool is_verbose;
};

static struct job *jobs;

static void usage(FILE *file)
{
	fputs("usage: sluice-sim [--seeds N] [--seed S] [--jobs N] [--json FILE] [--verbose] [--keep DIR]"
#ifdef SL_FAULTS
	      " [--fault SPEC [--find]]"
#endif
	      "\nRuns seeds S to S + N - 1 of the deterministic simulation of the store. --keep leaves the\nstore of one seed in DIR, with what it must hold.\n",
		file);
}

static uint64_t parse_number(const char *text, uint64_t first)
{
	char *end;
	uint64_t number = strtoull(text, &end, 10);

	if (*text != '\0' && *end == '\0' && number >= first)
		return number;
	fprintf(stderr, "sluice-sim: '%s' is no number from %lu on\n", text, first);
	exit(2);
}

static void set_fault(const char *spec)
{
#ifdef SL_FAULTS
	struct sl_err err = {0};

	if (sl_fault_parse(spec, &err) == 0)
		return;
	fprintf(stderr, "sluice-sim: %s\n", err.text);
#else
	fprintf(stderr, "sluice-sim: --fault %s: only in builds with -Dfaults=true\n", spec);
#endif
	exit(2);
}

static void parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"seeds", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},
		{"jobs", required_argument, NULL, 'j'},
		{"json", required_argument, NULL, 'o'},
		{"fault", required_argument, NULL, 'f'},
		{"find", no_argument, NULL, 'F'},
		{"keep", required_argument, NULL, 'k'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'n':
			options->seed_count = parse_number(optarg, 1);
			break;
		case 's':
			options->seed = parse_number(optarg, 0);
			break;
		case 'j':
			options->job_count = (uint32_t)parse_number(optarg, 1);
			break;
		case 'o':
			options->json_path = optarg;
			break;
		case 'f':
			options->fault = optarg;
			break;
		case 'k':
			options->keep_path = optarg;
			break;
		case 'F':
			options->find = true;
			break;
		case 'v':
			options->is_verbose = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc || (options->keep_path != NULL && options->seed_count != 1)) {
		usage(stderr);
		exit(2);
	}
	options->job_count = SL_MIN(options->job_count, (uint32_t)JOB_COUNT_MAX);
	options->job_count = (uint32_t)SL_MIN(options->job_count, options->seed_count);
}

// ---- seeds

static bool any_found(void)
{
	for (uint32_t i = 0; i < JOB_COUNT_MAX; i++) {
		if (SL_LOAD(jobs[i].failure_count) > 0)
			return true;
	}
	return false;
}

static void note_failure(struct job *job, uint64_t seed, const char *text)
{
	if (job->failure_count < FAILURE_COUNT_MAX) {
		job->failures[job->failure_count].seed = seed;
		snprintf(job->failures[job->failure_count].text, sizeof(job->failures[0].text),
			"%s", text);
	}
	SL_STORE(job->failure_count, job->failure_count + 1);
}

static void run_job(struct job *job, const struct options *options, uint32_t index)
{
	for (uint64_t i = index; i < options->seed_count; i += options->job_count) {
		if (options->find && any_found())
			break;
		job->seed = options->seed + i;
		if (!sim_run_seed(job->seed, options->is_verbose, options->keep_path)) {
			note_failure(job, job->seed, sim_failure());
			if (options->seed_count == 1)
				sim_log_show();
		}
		job->done_count++;
		job->counts = sim_counts;
	}
}

static void run_jobs(const struct options *options)
{
	pid_t pids[JOB_COUNT_MAX];

	for (uint32_t i = 0; i < options->job_count; i++) {
		fflush(NULL);
		pids[i] = fork();
		if (pids[i] == 0) {
			run_job(&jobs[i], options, i);
			_exit(0);
		}
	}
	for (uint32_t i = 0; i < options->job_count; i++) {
		int status = 0;
		char text[64];

		if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || status == 0)
			continue;
		if (WIFSIGNALED(status))
			snprintf(text, sizeof(text), "the process died of signal %d (%s)",
				WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			snprintf(text, sizeof(text), "the process ended with exit code %d",
				WEXITSTATUS(status));
		note_failure(&jobs[i], jobs[i].seed, text);
	}
}

// ---- the report

static struct sim_counts sum_counts(void)
{
	uint64_t sums[sizeof(struct sim_counts) / sizeof(uint64_t)] = {0};
	struct sim_counts result;

	for (uint32_t i = 0; i < JOB_COUNT_MAX; i++) {
		uint64_t parts[SL_ARRAY_COUNT(sums)];

		memcpy(parts, &jobs[i].counts, sizeof(parts));
		for (size_t n = 0; n < SL_ARRAY_COUNT(sums); n++)
			sums[n] += parts[n];
	}
	memcpy(&result, sums, sizeof(result));
	return result;
}

static void print_failures(const struct options *options)
{
	for (uint32_t i = 0; i < JOB_COUNT_MAX; i++) {
		for (uint64_t f = 0; f < SL_MIN(jobs[i].failure_count, FAILURE_COUNT_MAX); f++)
			printf("     seed %lu: %s\n     again: scripts/test sim --seed %lu --seeds 1%s%s\n",
				jobs[i].failures[f].seed, jobs[i].failures[f].text,
				jobs[i].failures[f].seed, options->fault != NULL ? " --fault " : "",
				options->fault != NULL ? options->fault : "");
	}
}

static int write_json(const struct options *options, double seconds)
{
	struct sim_counts sum = sum_counts();
	FILE *file = fopen(options->json_path, "w");

	if (file == NULL ||
		fprintf(file,
			"[{\"row\": \"S14\", \"seed\": %lu, \"cycles\": %lu, \"injected\": %lu, "
			"\"at_stake\": %lu, \"lost\": %lu, \"seconds\": %.1f}]\n",
			options->seed, sum.cycles, sum.injected, sum.at_stake, sum.lost,
			seconds) < 0 ||
		fclose(file) != 0) {
		fprintf(stderr, "sluice-sim: cannot write %s: %s\n", options->json_path,
			strerror(errno));
		return 1;
	}
	return 0;
}

static void print_counts(const struct sim_counts *sum)
{
	printf("     %lu starts (%lu refused), %lu power cuts, %lu kills, %lu errors injected; %lu sectors at stake\n",
		sum->starts, sum->failed_starts, sum->power_cuts, sum->cycles - sum->power_cuts,
		sum->injected - sum->cycles, sum->at_stake);
	printf("     %lu events, %lu acknowledged, %lu lost; %lu rolls, %lu recycled, %lu expired, %lu moves, %lu re-homed, %lu live reads; digest %016lx\n",
		sum->events, sum->acknowledged, sum->lost, sum->rolls, sum->recycled, sum->expired,
		sum->moves, sum->rehomes, sum->live_reads, sum->digest);
}

static int report(const struct options *options, double seconds)
{
	struct sim_counts sum = sum_counts();
	uint64_t done_count = 0, failure_count = 0;
	bool is_good;

	for (uint32_t i = 0; i < JOB_COUNT_MAX; i++) {
		done_count += jobs[i].done_count;
		failure_count += jobs[i].failure_count;
	}
	is_good = options->find ? failure_count > 0 : failure_count == 0;
	if (options->find)
		printf("%s sim/%s is found (%lu seeds, %.1f s)\n", is_good ? "ok  " : "FAIL",
			options->fault == NULL ? "nothing" : options->fault, done_count, seconds);
	else
		printf("%s sim/seeds %lu to %lu%s%s (%lu run, %lu failed, %.1f s)\n",
			is_good ? "ok  " : "FAIL", options->seed,
			options->seed + options->seed_count - 1,
			options->fault != NULL ? " with " : "",
			options->fault != NULL ? options->fault : "", done_count, failure_count,
			seconds);
	print_failures(options);
	if (!options->find)
		print_counts(&sum);
	if (options->json_path != NULL && write_json(options, seconds) != 0)
		return 1;
	return is_good ? 0 : 1;
}

static double seconds_now(void)
{
	struct timespec now;

	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct options options = {
		.seed = 1,
		.seed_count = 100,
		.job_count = (uint32_t)SL_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1),
	};
	double start = seconds_now();

	parse_options(&options, argc, argv);
	if (options.fault != NULL)
		set_fault(options.fault);
	jobs = mmap(NULL, JOB_COUNT_MAX * sizeof(*jobs), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (jobs == MAP_FAILED) {
		fprintf(stderr, "sluice-sim: no memory\n");
		return 1;
	}
	// Readers take and give back windows of 2 MiB all the time; the slots of store.meta, 4 MiB
	// each, come as zero pages.
	mallopt(M_MMAP_THRESHOLD, 3 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (options.seed_count == 1)
		run_job(&jobs[0], &options, 0);
	else
		run_jobs(&options);
	return report(&options, seconds_now() - start);
}
