/* SPDX-License-Identifier: BSD-3-Clause */
// What one gets without kernel bypass, done well: receives UDP datagrams from a kernel socket with
// recvmmsg and writes them durably to a file. The bench holds the appliance against it.
#include "options.h"
#include "udp_file.h"
#include "udp_socket.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_FAILED 1

static const struct sl_option options[] = {
	{.name = "address",
		.argument = "IPV4",
		.help = "where to listen",
		.default_text = "127.0.0.1"},
	{.name = "port",
		.argument = "N",
		.help = "UDP port; 0: the kernel chooses, and the first line says which",
		.default_text = "0"},
	{.name = "file",
		.argument = "FILE",
		.help = "what is written, from its start, round and round"},
	{.name = "file-mib", .argument = "N", .help = "its size in MiB", .default_text = "1024"},
	{.name = "writes",
		.argument = "N",
		.help = "blocks of 512 KiB being written at a time",
		.default_text = "8"},
	{.name = "batch",
		.argument = "N",
		.help = "datagrams taken by one system call",
		.default_text = "256"},
	{.name = "buffer-mib",
		.argument = "N",
		.help = "receive buffer of the socket in MiB, beyond the system's limit for root",
		.default_text = "64"},
	{.name = "gro",
		.help = "let the kernel hand over trains of equal datagrams of one flow (UDP_GRO)"},
	{.name = "cpu", .argument = "N", .help = "run on this CPU alone"},
	{.name = "json", .argument = "FILE", .help = "write the counts at the end"},
};

static const struct sl_exit_code exit_codes[] = {
	{0, "SIGINT or SIGTERM ended it, and all that was received is on disk"},
	{EXIT_FAILED, "the socket or the file failed"},
};

static const struct sl_command command = {
	.name = "sluice-udp-sink",
	.summary = "UDP datagrams from a kernel socket, durably to a file",
	.description =
		"A block is written when it is full, and the last one at the end. The first line "
		"on stdout, `listening on ADDRESS:PORT`, comes when all is ready.",
	.options = options,
	.option_count = SL_ARRAY_COUNT(options),
	.exit_codes = exit_codes,
	.exit_code_count = SL_ARRAY_COUNT(exit_codes),
};

struct settings {
	struct sl_udp_socket_config socket;
	const char *file, *json;
	uint64_t file_mib, write_count;
	int cpu; // -1: any
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int take_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct settings *settings = context;
	const char *name = option->name;
	uint64_t number = 0;
	int rc = 0;

	if (strcmp(name, "address") == 0) {
		settings->socket.address = value;
	} else if (strcmp(name, "port") == 0) {
		rc = sl_option_number(value, 0, UINT16_MAX, &number, err);
		settings->socket.port = (uint16_t)number;
	} else if (strcmp(name, "file") == 0) {
		settings->file = value;
	} else if (strcmp(name, "file-mib") == 0) {
		rc = sl_option_number(value, 1, 1u << 20, &settings->file_mib, err);
	} else if (strcmp(name, "writes") == 0) {
		rc = sl_option_number(value, 1, SL_UDP_WRITES_MAX, &settings->write_count, err);
	} else if (strcmp(name, "batch") == 0) {
		rc = sl_option_number(value, 1, 1024, &number, err);
		settings->socket.batch_count = (uint32_t)number;
	} else if (strcmp(name, "buffer-mib") == 0) {
		rc = sl_option_number(value, 1, 1023, &number, err);
		settings->socket.buffer_bytes = (uint32_t)(number * SL_MIB);
	} else if (strcmp(name, "gro") == 0) {
		settings->socket.gro = true;
	} else if (strcmp(name, "cpu") == 0) {
		rc = sl_option_number(value, 0, CPU_SETSIZE - 1, &number, err);
		settings->cpu = (int)number;
	} else {
		settings->json = value;
	}
	return rc;
}

static int pin(int cpu, struct sl_err *err)
{
	cpu_set_t cpus;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		return sl_err_set(err, -errno, "--cpu %d: %s", cpu, strerror(errno));
	return 0;
}

static int append(void *context, const void *payload, uint32_t bytes, struct sl_err *err)
{
	return sl_udp_file_append(context, payload, bytes, err);
}

// Until told to stop, and then until nothing more lies in the socket.
static int receive(struct sl_udp_socket *udp, struct sl_udp_file *file, struct sl_err *err)
{
	bool stopping = false;
	int count = 0;

	while (!stopping || count > 0) {
		stopping = stop;
		count = sl_udp_socket_read(udp, append, file, err);
		if (count < 0)
			return count;
		int rc = sl_udp_file_reap(file, err);
		if (rc != 0)
			return rc;
	}
	return sl_udp_file_finish(file, err);
}

static void print(FILE *out, const struct settings *settings, const struct sl_udp_socket *udp,
	const struct sl_udp_file *file)
{
	const struct sl_udp_socket_counters *in = sl_udp_socket_counters(udp);
	const struct sl_udp_file_counters *written = sl_udp_file_counters(file);

	fprintf(out,
		"{\"received\":%" PRIu64 ",\"received_bytes\":%" PRIu64 ",\"truncated\":%" PRIu64
		",\"dropped\":%u,\"calls\":%" PRIu64 ",\"first_ns\":%" PRIu64
		",\"last_ns\":%" PRIu64 ",\"buffer_bytes\":%u,\"gro\":%s,",
		in->datagram_count, in->datagram_bytes, in->truncated_count,
		sl_udp_socket_drop_count(udp), in->call_count, in->first_ns, in->last_ns,
		sl_udp_socket_buffer_bytes(udp), settings->socket.gro ? "true" : "false");
	fprintf(out,
		"\"written\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"written_bytes\":%" PRIu64
		",\"waits\":%" PRIu64 ",\"write_ns_max\":%" PRIu64 ",\"write_ns_total\":%" PRIu64
		"}\n",
		written->record_count, written->block_count,
		written->block_count * SL_UDP_BLOCK_BYTES, written->wait_count,
		written->write_ns_max, written->write_ns_total);
}

static int report(const struct settings *settings, const struct sl_udp_socket *udp,
	const struct sl_udp_file *file, struct sl_err *err)
{
	FILE *out;

	print(stdout, settings, udp, file);
	if (settings->json == NULL)
		return 0;
	out = fopen(settings->json, "we");
	if (out != NULL)
		print(out, settings, udp, file);
	if (out == NULL || fclose(out) != 0)
		return sl_err_set(err, -errno, "--json %s: %s", settings->json, strerror(errno));
	return 0;
}

static int run(const struct settings *settings, struct sl_err *err)
{
	struct sigaction on_stop = {.sa_handler = on_signal}; // no SA_RESTART: ends a wait
	struct sl_udp_socket *udp = NULL;
	struct sl_udp_file *file = NULL;

	int rc = pin(settings->cpu, err);
	if (rc == 0)
		rc = sl_udp_file_open(&file, settings->file, settings->file_mib * SL_MIB,
			(uint32_t)settings->write_count, err);
	if (rc == 0)
		rc = sl_udp_socket_open(&udp, &settings->socket, err);
	if (rc == 0) {
		sigaction(SIGINT, &on_stop, NULL);
		sigaction(SIGTERM, &on_stop, NULL);
		printf("listening on %s:%u\n", settings->socket.address, sl_udp_socket_port(udp));
		fflush(stdout);
		rc = receive(udp, file, err);
	}
	if (rc == 0)
		rc = report(settings, udp, file, err);
	sl_udp_socket_close(udp);
	sl_udp_file_close(file);
	return rc;
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.socket = {.address = "127.0.0.1", .batch_count = 256, .buffer_bytes = 64 * SL_MIB},
		.file_mib = 1024,
		.write_count = 8,
		.cpu = -1,
	};
	struct sl_err err = {0};

	int rc = sl_options_parse(&command, &argc, &argv, take_option, &settings);
	if (rc != SL_OPTIONS_GO_ON)
		return rc;
	if (settings.file == NULL)
		return sl_options_usage_error(&command, "--file is missing");
	if (run(&settings, &err) == 0)
		return 0;
	fprintf(stderr, "sluice-udp-sink: %s\n", err.text);
	return EXIT_FAILED;
}
