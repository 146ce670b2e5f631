/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/config.h"

#include "config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX (256 * 1024)

// Owns what the strings of a config point into.
struct storage {
	struct sl_config_raw *raw;
	char path[];
};

// ---- raw keys to values, defaults where there are none

static uint64_t uint_of(const uint64_t *raw, enum sl_config_key_index key)
{
	return raw == NULL ? strtoull(sl_config_keys[key].default_text, NULL, 10) : *raw;
}

static bool bool_of(const bool *raw, enum sl_config_key_index key)
{
	return raw == NULL ? strcmp(sl_config_keys[key].default_text, "true") == 0 : *raw;
}

static const char *text_of(const char *raw, enum sl_config_key_index key)
{
	return raw == NULL ? sl_config_keys[key].default_text : raw;
}

static int choice_of(const char *raw, enum sl_config_key_index key)
{
	return sl_config_choice(&sl_config_keys[key], text_of(raw, key));
}

static uint32_t line_of(
	const struct sl_config_reader *reader, enum sl_config_section section, uint32_t entry)
{
	struct sl_config_place place = {.section = section, .entry = entry, .item = -1};

	return sl_config_line(reader, place);
}

static void complete_ports(const struct sl_config_reader *reader, struct sl_config *config)
{
	config->port_count = reader->raw->ports_count;
	for (uint32_t i = 0; i < config->port_count; i++) {
		const struct sl_config_raw_port *raw = &reader->raw->ports[i];
		config->ports[i] = (struct sl_config_port){
			.device = raw->device,
			.queues = (uint32_t)uint_of(raw->queues, SL_CONFIG_KEY_ports_queues),
			.rx_descriptors = (uint32_t)uint_of(
				raw->rx_descriptors, SL_CONFIG_KEY_ports_rx_descriptors),
			.line = line_of(reader, SL_CONFIG_ports, i),
		};
	}
}

static void complete_streams(const struct sl_config_reader *reader, struct sl_config *config)
{
	config->stream_count = reader->raw->streams_count;
	for (uint32_t i = 0; i < config->stream_count; i++) {
		const struct sl_config_raw_stream *raw = &reader->raw->streams[i];
		struct sl_config_stream *stream = &config->streams[i];
		*stream = (struct sl_config_stream){
			.name = raw->name,
			.udp_port = (uint16_t)*raw->port,
			.partition_count = (uint32_t)*raw->partitions,
			.key_kind = SL_KEY_FLOW,
			.keep_source = bool_of(raw->keep_source, SL_CONFIG_KEY_streams_keep_source),
			.line = line_of(reader, SL_CONFIG_streams, i),
		};
		const char *key = text_of(raw->key, SL_CONFIG_KEY_streams_key);
		if (sscanf(key, "%u:%u", &stream->key_offset, &stream->key_bytes) == 2)
			stream->key_kind = SL_KEY_BYTES;
	}
}

static void complete_classes(const struct sl_config_reader *reader, struct sl_config *config)
{
	const struct sl_config_raw_class none = {.name = "default"};
	uint32_t count = reader->raw->classes_count;

	config->class_count = SL_MAX(count, 1u);
	for (uint32_t i = 0; i < config->class_count; i++) {
		const struct sl_config_raw_class *raw =
			count == 0 ? &none : &reader->raw->classes[i];
		config->classes[i] = (struct sl_config_class){
			.name = raw->name,
			.durability = (enum sl_durability)choice_of(
				raw->durability, SL_CONFIG_KEY_classes_durability),
			.batch_bytes = (uint32_t)uint_of(
				raw->batch_bytes, SL_CONFIG_KEY_classes_batch_bytes),
			.linger_us =
				(uint32_t)uint_of(raw->linger_us, SL_CONFIG_KEY_classes_linger_us),
			.retention_bytes = uint_of(
				raw->retention_bytes, SL_CONFIG_KEY_classes_retention_bytes),
			.segment_age_s =
				uint_of(raw->segment_age_s, SL_CONFIG_KEY_classes_segment_age_s),
			.retention_age_s = uint_of(
				raw->retention_age_s, SL_CONFIG_KEY_classes_retention_age_s),
			.line = line_of(reader, SL_CONFIG_classes, i),
		};
	}
}

static uint32_t complete_cpus(uint32_t *cpus, const uint64_t *raw, uint32_t raw_count)
{
	for (uint32_t i = 0; i < raw_count; i++)
		cpus[i] = (uint32_t)raw[i];
	return raw_count;
}

static void complete_lcores(const struct sl_config_reader *reader, struct sl_config *config)
{
	const struct sl_config_raw_lcores none = {0};
	const struct sl_config_raw_lcores *raw =
		reader->raw->lcores == NULL ? &none : reader->raw->lcores;

	config->lcores.rx_cpu_count =
		complete_cpus(config->lcores.rx_cpus, raw->rx_cpus, raw->rx_cpus_count);
	config->lcores.worker_cpu_count =
		complete_cpus(config->lcores.worker_cpus, raw->worker_cpus, raw->worker_cpus_count);
	config->lcores.main_cpu = raw->main_cpu == NULL ? SL_CPU_AUTO : (uint32_t)*raw->main_cpu;
	config->lcores.stage_cycles = bool_of(raw->stage_cycles, SL_CONFIG_KEY_lcores_stage_cycles);
	config->lcores.line = line_of(reader, SL_CONFIG_lcores, 0);
}

static void complete_memory(const struct sl_config_reader *reader, struct sl_config *config)
{
	const struct sl_config_raw_memory none = {0};
	const struct sl_config_raw_memory *raw =
		reader->raw->memory == NULL ? &none : reader->raw->memory;

	config->memory.mbuf_count = (uint32_t)uint_of(raw->mbufs, SL_CONFIG_KEY_memory_mbufs);
	config->memory.ring_entries = raw->ring_entries == NULL ? 0 : (uint32_t)*raw->ring_entries;
	config->memory.line = line_of(reader, SL_CONFIG_memory, 0);
}

void sl_config_complete(const struct sl_config_reader *reader, struct sl_config *config)
{
	const struct sl_config_raw *raw = reader->raw;

	// The words stand in the order of the enums.
	static_assert(SL_LOG_ERROR == 0 && SL_LOG_DEBUG == 4, "keys.def: log_level");
	static_assert(
		SL_DURABILITY_NONE == 0 && SL_DURABILITY_DURABLE == 2, "keys.def: durability");
	config->runtime_dir = text_of(raw->runtime_dir, SL_CONFIG_KEY_root_runtime_dir);
	config->log_level =
		(enum sl_log_level)choice_of(raw->log_level, SL_CONFIG_KEY_root_log_level);
	complete_ports(reader, config);
	complete_lcores(reader, config);
	complete_memory(reader, config);
	complete_streams(reader, config);
	complete_classes(reader, config);
	config->store.path_count = raw->store->paths_count;
	for (uint32_t i = 0; i < config->store.path_count; i++)
		config->store.paths[i] = raw->store->paths[i];
	config->store.segment_bytes =
		uint_of(raw->store->segment_bytes, SL_CONFIG_KEY_store_segment_bytes);
	config->store.format_bytes_per_s =
		uint_of(raw->store->format_bytes_per_s, SL_CONFIG_KEY_store_format_bytes_per_s);
	config->store.reserve_bytes = raw->store->reserve_bytes == NULL
		? config->store.segment_bytes
		: *raw->store->reserve_bytes;
	config->store.in_flight_max =
		(uint32_t)uint_of(raw->store->in_flight_max, SL_CONFIG_KEY_store_in_flight_max);
	config->store.retry_limit =
		(uint32_t)uint_of(raw->store->retry_limit, SL_CONFIG_KEY_store_retry_limit);
	config->store.backoff_us_min =
		uint_of(raw->store->backoff_us_min, SL_CONFIG_KEY_store_backoff_us_min);
	config->store.backoff_us_max =
		uint_of(raw->store->backoff_us_max, SL_CONFIG_KEY_store_backoff_us_max);
	config->store.ledger_interval_s =
		uint_of(raw->store->ledger_interval_s, SL_CONFIG_KEY_store_ledger_interval_s);
	config->store.line = line_of(reader, SL_CONFIG_store, 0);
}

// ---- load

static int read_fd(int fd, const char *path, char *text, size_t *text_bytes, struct sl_err *err)
{
	ssize_t bytes;

	*text_bytes = 0;
	while ((bytes = read(fd, text + *text_bytes, FILE_BYTES_MAX + 1 - *text_bytes)) > 0)
		*text_bytes += (size_t)bytes;
	if (bytes < 0)
		return sl_err_set(
			err, -errno, "%s: cannot read it: %s; name a file", path, strerror(errno));
	if (*text_bytes > FILE_BYTES_MAX)
		return sl_err_set(err, -EFBIG,
			"%s: is larger than %d bytes; name a configuration file", path,
			FILE_BYTES_MAX);
	return 0;
}

// The caller frees *text.
static int read_file(const char *path, char **text, size_t *text_bytes, struct sl_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return sl_err_set(err, -errno, "%s: cannot open it: %s; name a file that is there",
			path, strerror(errno));
	*text = malloc(FILE_BYTES_MAX + 1);
	int code = *text == NULL ? sl_err_set(err, -ENOMEM, "%s: out of memory", path)
				 : read_fd(fd, path, *text, text_bytes, err);
	close(fd);
	return code;
}

static int check_and_complete(struct sl_config_reader *reader, struct sl_config *config)
{
	int code = sl_config_check_values(reader);

	if (code == 0)
		code = sl_config_apply_schema(reader);
	if (code != 0)
		return code;
	sl_config_complete(reader, config);
	return sl_config_check_meaning(reader, config);
}

static int keep_storage(
	struct sl_config *config, const char *path, struct sl_config_raw *raw, struct sl_err *err)
{
	struct storage *storage = malloc(sizeof(*storage) + strlen(path) + 1);

	if (storage == NULL)
		return sl_err_set(err, -ENOMEM, "%s: out of memory", path);
	storage->raw = raw;
	strcpy(storage->path, path);
	config->path = storage->path;
	config->storage = storage;
	return 0;
}

int sl_config_load(struct sl_config *config, const char *path, struct sl_err *err)
{
	struct sl_config_reader reader = {.path = path, .err = err};
	char *text = NULL;

	memset(config, 0, sizeof(*config));
	int code = read_file(path, &text, &reader.text_bytes, err);
	if (code == 0) {
		reader.text = text;
		code = sl_yaml_parse(&reader.tree, path, text, reader.text_bytes, err);
	}
	if (code == 0)
		code = check_and_complete(&reader, config);
	if (code == 0)
		code = keep_storage(config, path, reader.raw, err);
	if (code != 0) {
		sl_config_free_raw(reader.raw);
		memset(config, 0, sizeof(*config));
	}
	sl_yaml_free(&reader.tree);
	free(text);
	return code;
}

void sl_config_free(struct sl_config *config)
{
	struct storage *storage = config->storage;

	if (storage != NULL)
		sl_config_free_raw(storage->raw);
	free(storage);
	memset(config, 0, sizeof(*config));
}
