/* SPDX-License-Identifier: BSD-3-Clause */
// Keys against each other and against the machine's CPUs. What needs more of the machine
// (interfaces, hugepages, the store's path) is the data plane's to check.
#include "config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT_BATCH_COUNT_MIN 8 // a checkpoint, an epoch start and room for events
#define SEGMENT_CHECKPOINT_BYTES (2ull * 1024 * 1024) // of 65,536 partitions, and two blocks
#define RETENTION_SEGMENT_COUNT_MIN 4 // the open one, its successor, and two to read

static struct sl_config_place place_of(
	enum sl_config_section section, uint32_t entry, const char *key)
{
	return (struct sl_config_place){.section = section, .entry = entry, .key = key, .item = -1};
}

// ---- ports

static int check_ports(const struct sl_config_reader *reader, const struct sl_config *config)
{
	for (uint32_t i = 0; i < config->port_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(config->ports[i].device, config->ports[j].device) == 0)
				return sl_config_fail(reader,
					place_of(SL_CONFIG_ports, i, "device"),
					"is the port of line %u already: list each device once",
					config->ports[j].line);
	return 0;
}

// ---- CPUs

// The kernel's list of CPUs that are online, as "0-3,8".
static void read_cpu_list(char *list, size_t bytes)
{
	int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, list, bytes - 1);

	if (fd >= 0)
		close(fd);
	list[got < 0 ? 0 : got] = '\0';
	list[strcspn(list, "\n")] = '\0';
	if (list[0] == '\0')
		snprintf(list, bytes, "0-%ld", sysconf(_SC_NPROCESSORS_ONLN) - 1);
}

static bool cpu_is_listed(const char *list, uint32_t cpu)
{
	char *at = (char *)list;

	while (*at != '\0') {
		unsigned long first = strtoul(at, &at, 10), last = first;
		if (*at == '-')
			last = strtoul(at + 1, &at, 10);
		if (cpu >= first && cpu <= last)
			return true;
		if (*at != ',')
			return false;
		at++;
	}
	return false;
}

static int check_cpu(const struct sl_config_reader *reader, const char *key, int item, uint32_t cpu)
{
	struct sl_config_place place = {.section = SL_CONFIG_lcores, .key = key, .item = item};
	char list[256];

	read_cpu_list(list, sizeof(list));
	if (cpu_is_listed(list, cpu))
		return 0;
	return sl_config_fail(
		reader, place, "is wrong: CPU %u does not exist; this machine has %s", cpu, list);
}

static int check_cpus_unique(const struct sl_config_reader *reader, const char *key,
	const uint32_t *cpus, uint32_t cpu_count)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct sl_config_place place = {
			.section = SL_CONFIG_lcores, .key = key, .item = (int)i};
		for (uint32_t j = 0; j < i; j++)
			if (cpus[i] == cpus[j])
				return sl_config_fail(
					reader, place, "is listed twice: list each CPU once");
	}
	return 0;
}

static int check_cpus_exist(const struct sl_config_reader *reader, const char *key,
	const uint32_t *cpus, uint32_t cpu_count)
{
	int code = 0;

	for (uint32_t i = 0; i < cpu_count && code == 0; i++)
		code = check_cpu(reader, key, (int)i, cpus[i]);
	return code;
}

// A CPU in both lists is one lcore.
static int check_lcore_count(const struct sl_config_reader *reader, const struct sl_config *config)
{
	uint32_t count = config->lcores.rx_cpu_count + config->lcores.worker_cpu_count;

	for (uint32_t i = 0; i < config->lcores.rx_cpu_count; i++)
		for (uint32_t j = 0; j < config->lcores.worker_cpu_count; j++)
			count -= config->lcores.rx_cpus[i] == config->lcores.worker_cpus[j];
	if (count <= SL_LCORE_COUNT_MAX)
		return 0;
	return sl_config_fail(reader, place_of(SL_CONFIG_lcores, 0, NULL),
		"has %u different CPUs in rx_cpus and worker_cpus: list at most %d", count,
		SL_LCORE_COUNT_MAX);
}

static int check_lcores(const struct sl_config_reader *reader, const struct sl_config *config)
{
	const uint32_t *rx = config->lcores.rx_cpus, *worker = config->lcores.worker_cpus;
	uint32_t rx_count = config->lcores.rx_cpu_count;
	uint32_t worker_count = config->lcores.worker_cpu_count;
	int code = check_cpus_unique(reader, "rx_cpus", rx, rx_count);

	if (code == 0)
		code = check_cpus_unique(reader, "worker_cpus", worker, worker_count);
	if (code == 0)
		code = check_lcore_count(reader, config);
	if (code == 0)
		code = check_cpus_exist(reader, "rx_cpus", rx, rx_count);
	if (code == 0)
		code = check_cpus_exist(reader, "worker_cpus", worker, worker_count);
	if (code == 0 && config->lcores.main_cpu != SL_CPU_AUTO)
		code = check_cpu(reader, "main_cpu", -1, config->lcores.main_cpu);
	return code;
}

// ---- streams

static int check_stream_unique(
	const struct sl_config_reader *reader, const struct sl_config *config, uint32_t index)
{
	const struct sl_config_stream *stream = &config->streams[index];

	for (uint32_t i = 0; i < index; i++) {
		const struct sl_config_stream *other = &config->streams[i];
		if (strcmp(stream->name, other->name) == 0)
			return sl_config_fail(reader, place_of(SL_CONFIG_streams, index, "name"),
				"is the stream of line %u already: choose another name",
				other->line);
		if (stream->udp_port == other->udp_port)
			return sl_config_fail(reader, place_of(SL_CONFIG_streams, index, "port"),
				"is the port of stream '%s' (line %u) already: choose another port",
				other->name, other->line);
	}
	return 0;
}

static int check_partitions(const struct sl_config_reader *reader, const struct sl_config *config)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->stream_count; i++) {
		count += config->streams[i].partition_count;
		if (count > SL_PARTITION_COUNT_MAX)
			return sl_config_fail(reader, place_of(SL_CONFIG_streams, i, "partitions"),
				"makes %u partitions with those before: all streams together can "
				"have %d",
				count, SL_PARTITION_COUNT_MAX);
	}
	return 0;
}

static int class_called(const struct sl_config *config, const char *name)
{
	for (uint32_t i = 0; i < config->class_count; i++)
		if (strcmp(config->classes[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void list_classes(const struct sl_config *config, char *text, size_t bytes)
{
	size_t used = 0;

	for (uint32_t i = 0; i < config->class_count && used < bytes; i++)
		used += (size_t)snprintf(text + used, bytes - used, "%s%s", i == 0 ? "" : ", ",
			config->classes[i].name);
}

static int choose_class(
	const struct sl_config_reader *reader, struct sl_config *config, uint32_t index)
{
	const char *name = reader->raw->streams[index].class;
	struct sl_config_place place = place_of(SL_CONFIG_streams, index, "class");
	char classes[SL_CLASS_COUNT_MAX * (SL_NAME_BYTES_MAX + 2)];
	int class_index = class_called(config, name == NULL ? "default" : name);

	if (class_index < 0 && name == NULL && config->class_count == 1)
		class_index = 0;
	if (class_index >= 0) {
		config->streams[index].class_index = (uint32_t)class_index;
		return 0;
	}
	list_classes(config, classes, sizeof(classes));
	return sl_config_fail(reader, place, "%s: the classes are %s",
		name == NULL ? "is missing" : "is no class", classes);
}

static int check_streams(const struct sl_config_reader *reader, struct sl_config *config)
{
	int code = 0;

	for (uint32_t i = 0; i < config->stream_count && code == 0; i++) {
		code = check_stream_unique(reader, config, i);
		if (code == 0)
			code = choose_class(reader, config, i);
	}
	return code != 0 ? code : check_partitions(reader, config);
}

// ---- classes and store

static int check_class(
	const struct sl_config_reader *reader, const struct sl_config *config, uint32_t index)
{
	const struct sl_config_class *class = &config->classes[index];
	uint64_t segment_bytes = config->store.segment_bytes;
	uint32_t besides = config->store.path_count > 1 ? 4 : 2;

	if (class_called(config, class->name) != (int)index)
		return sl_config_fail(reader, place_of(SL_CONFIG_classes, index, "name"),
			"is the class of line %u already: choose another name",
			config->classes[class_called(config, class->name)].line);
	if (class->retention_bytes != 0 &&
		class->retention_bytes < RETENTION_SEGMENT_COUNT_MIN * segment_bytes)
		return sl_config_fail(reader, place_of(SL_CONFIG_classes, index, "retention_bytes"),
			"is less than %d segments: must be 0 or at least %llu",
			RETENTION_SEGMENT_COUNT_MIN,
			(unsigned long long)(RETENTION_SEGMENT_COUNT_MIN * segment_bytes));
	// Else the events of a stream that is nearly silent would never expire.
	if (class->retention_age_s != 0 &&
		(class->segment_age_s == 0 || class->segment_age_s > class->retention_age_s))
		return sl_config_fail(reader, place_of(SL_CONFIG_classes, index, "retention_age_s"),
			"needs segments that end by age: set segment_age_s to at least 1 and at most %llu",
			(unsigned long long)class->retention_age_s);
	if (segment_bytes < SEGMENT_BATCH_COUNT_MIN * (uint64_t) class->batch_bytes)
		return sl_config_fail(reader, place_of(SL_CONFIG_store, 0, "segment_bytes"),
			"is less than %d batches of class '%s': must be at least %llu",
			SEGMENT_BATCH_COUNT_MIN, class->name,
			(unsigned long long)(SEGMENT_BATCH_COUNT_MIN *
				(uint64_t) class->batch_bytes));
	// What is not stored when a write fails goes to the next segment in one piece
	// (dataplane/store/lane_mend.c): its checkpoint, all batches under way, and the open one;
	// with several paths, two of another lane (dataplane/store/lane_leave.c).
	if (segment_bytes <
		(config->store.in_flight_max + besides) * (uint64_t) class->batch_bytes +
			SEGMENT_CHECKPOINT_BYTES)
		return sl_config_fail(reader, place_of(SL_CONFIG_store, 0, "segment_bytes"),
			"is less than in_flight_max + %u batches of class '%s' and %llu bytes: must be at least %llu",
			besides, class->name, SEGMENT_CHECKPOINT_BYTES,
			(unsigned long long)((config->store.in_flight_max + besides) *
					(uint64_t) class->batch_bytes +
				SEGMENT_CHECKPOINT_BYTES));
	return 0;
}

static int check_paths(const struct sl_config_reader *reader, const struct sl_config *config)
{
	for (uint32_t i = 0; i < config->store.path_count; i++) {
		struct sl_config_place place = {
			.section = SL_CONFIG_store, .key = "paths", .item = (int)i};

		for (uint32_t j = 0; j < i; j++)
			if (strcmp(config->store.paths[i], config->store.paths[j]) == 0)
				return sl_config_fail(
					reader, place, "is listed twice: list each path once");
	}
	return 0;
}

static int check_backoff(const struct sl_config_reader *reader, const struct sl_config *config)
{
	if (config->store.backoff_us_max >= config->store.backoff_us_min)
		return 0;
	return sl_config_fail(reader, place_of(SL_CONFIG_store, 0, "backoff_us_max"),
		"is less than backoff_us_min: must be at least %llu",
		(unsigned long long)config->store.backoff_us_min);
}

int sl_config_check_meaning(const struct sl_config_reader *reader, struct sl_config *config)
{
	int code = check_ports(reader, config);

	if (code == 0)
		code = check_lcores(reader, config);
	if (code == 0)
		code = check_paths(reader, config);
	for (uint32_t i = 0; i < config->class_count && code == 0; i++)
		code = check_class(reader, config, i);
	if (code == 0)
		code = check_backoff(reader, config);
	return code != 0 ? code : check_streams(reader, config);
}
