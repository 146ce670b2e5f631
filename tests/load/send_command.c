/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/commands.h"

#include "load/send_settings.h"
#include "load/sent_file.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BUFFER_BYTES SL_MIB

const struct sl_transport_ops *sl_blast_device_transport;

static volatile sig_atomic_t stop;

// The second signal ends it at once.
static void on_signal(int signal_number)
{
	if (stop)
		_exit(128 + signal_number);
	stop = 1;
}

static int open_record(struct sl_generator *generator, const char *path, struct sl_err *err)
{
	if (path == NULL)
		return 0;
	generator->record = fopen(path, "we");
	if (generator->record == NULL)
		return sl_err_set(err, -errno, "--record %s: %s", path, strerror(errno));
	setvbuf(generator->record, NULL, _IOFBF, RECORD_BUFFER_BYTES);
	return 0;
}

// What is still in the buffer may fail to be written.
static int close_record(struct sl_generator *generator, const char *path, struct sl_err *err)
{
	if (generator->record != NULL && fclose(generator->record) != 0)
		return sl_err_set(err, -errno, "--record %s: %s", path, strerror(errno));
	return 0;
}

// Runs and sums up, whether the run failed or not. Returns 0, or the first error.
static int run(
	const struct sl_send_settings *settings, struct sl_generator *generator, struct sl_err *err)
{
	struct sl_generator_result result;
	struct sl_transport_report report;
	struct sl_sent sent = {
		.config = &settings->generator,
		.generator = generator,
		.result = &result,
		.transport = &report,
		.to = settings->transport.to,
		.record = settings->record,
		.device = settings->device.device,
		.replay = settings->replay,
	};
	struct sl_err later = {0};

	int rc = open_record(generator, settings->record, err);
	if (rc != 0)
		return rc;
	rc = sl_generator_run(generator, &stop, &result, err);
	if (close_record(generator, settings->record, &later) != 0 && rc == 0)
		rc = sl_err_set(err, later.code, "%s", later.text);
	if (generator->ops->drain != NULL)
		generator->ops->drain(generator->transport);
	generator->ops->report(generator->transport, &report);
	sl_sent_print(&sent);
	if (settings->json != NULL && sl_sent_write(&sent, settings->json, &later) != 0 && rc == 0)
		rc = sl_err_set(err, later.code, "%s", later.text);
	return rc;
}

// Until a line or the end comes on standard input, or a signal.
static void wait_for_input(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte = 0;

	while (!stop && byte != '\n') {
		int ready = poll(&input, 1, 10);

		if (ready > 0 && read(STDIN_FILENO, &byte, 1) != 1)
			return;
	}
}

// Until the next signal: one that ended the run does not count.
static void hold(void)
{
	const struct timespec pause = {.tv_nsec = 10 * SL_NS_PER_MS};

	fflush(stdout);
	stop = 0;
	while (!stop)
		nanosleep(&pause, NULL);
}

static const struct sl_transport_ops *choose_ops(const struct sl_send_settings *settings)
{
	return settings->device.device == NULL ? &sl_transport_kernel : sl_blast_device_transport;
}

// Signals are taken over before a device is waited for, and after EAL, which asks for none.
static int open_and_run(struct sl_send_settings *settings, struct sl_err *err)
{
	struct sigaction on_stop = {.sa_handler = on_signal};
	struct sl_generator generator = {
		.config = &settings->generator,
		.ops = choose_ops(settings),
	};

	if (generator.ops == NULL)
		return sl_err_set(err, -EINVAL, "--device: this program was built without DPDK");
	settings->transport.stop = &stop;
	sigaction(SIGINT, &on_stop, NULL);
	sigaction(SIGTERM, &on_stop, NULL);
	// virtio_user closes with a word on its socket, which the other end may have closed before.
	signal(SIGPIPE, SIG_IGN);
	int rc = generator.ops->open(&generator.transport, &settings->transport, err);
	if (rc == 0 && settings->begin_on_input)
		wait_for_input();
	if (rc == 0)
		rc = run(settings, &generator, err);
	if (rc == 0 && settings->hold)
		hold();
	generator.ops->close(generator.transport);
	return rc;
}

int sl_blast_send(int argc, char **argv)
{
	struct sl_send_settings settings;
	struct sl_err err = {0};

	int rc = sl_send_settings_parse(&settings, argc, argv);
	if (rc != SL_OPTIONS_GO_ON)
		return rc;
	rc = open_and_run(&settings, &err);
	sl_send_settings_fini(&settings);
	if (rc == 0)
		return 0;
	if (rc == -EINVAL)
		return sl_options_usage_error(&sl_blast_send_command, "%s", err.text);
	fprintf(stderr, "sluice-blast send: %s\n", err.text);
	return SL_BLAST_EXIT_FAILED;
}
