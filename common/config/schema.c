/* SPDX-License-Identifier: BSD-3-Clause */
// The shape of the file by libcyaml: unknown and missing keys, lists and mappings, counts; and from
// text to C structs. What it logs about an error becomes one line of ours.
#include "config_internal.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <string.h>

// ---- the schema, from keys.def

static const cyaml_schema_value_t uint_value = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint64_t)};
static const cyaml_schema_value_t text_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};

#define REQUIRED 0
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define FIELD_TEXT(key, need, min, max) \
	CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER | (need), RAW, key, 0, CYAML_UNLIMITED),
#define FIELD_CHOICE(key, need, min, max) FIELD_TEXT(key, need, min, max)
#define FIELD_UINT(key, need, min, max) \
	CYAML_FIELD_UINT_PTR(#key, CYAML_FLAG_POINTER | (need), RAW, key),
#define FIELD_BOOL(key, need, min, max) \
	CYAML_FIELD_BOOL_PTR(#key, CYAML_FLAG_POINTER | (need), RAW, key),
#define FIELD_UINTS(key, need, min, max) \
	CYAML_FIELD_SEQUENCE( \
		#key, CYAML_FLAG_POINTER | (need), RAW, key, &uint_value, 1, SL_LCORE_COUNT_MAX),
#define FIELD_TEXTS(key, need, min, max) \
	CYAML_FIELD_SEQUENCE(#key, CYAML_FLAG_POINTER | (need), RAW, key, &text_value, min, max),
#define SL_CONFIG_KEY(kind, section, key, need, default, min, max, ...) \
	FIELD_##kind(key, need, min, max)

#define RAW struct sl_config_raw_port
#define SL_CONFIG_SECTION 1
static const cyaml_schema_field_t port_fields[] = {
#include "config/keys.def"
	CYAML_FIELD_END};
static const cyaml_schema_value_t port_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, RAW, port_fields)};
#undef RAW
#undef SL_CONFIG_SECTION

#define RAW struct sl_config_raw_lcores
#define SL_CONFIG_SECTION 2
static const cyaml_schema_field_t lcores_fields[] = {
#include "config/keys.def"
	CYAML_FIELD_END};
#undef RAW
#undef SL_CONFIG_SECTION

#define RAW struct sl_config_raw_memory
#define SL_CONFIG_SECTION 3
static const cyaml_schema_field_t memory_fields[] = {
#include "config/keys.def"
	CYAML_FIELD_END};
#undef RAW
#undef SL_CONFIG_SECTION

#define RAW struct sl_config_raw_stream
#define SL_CONFIG_SECTION 4
static const cyaml_schema_field_t stream_fields[] = {
#include "config/keys.def"
	CYAML_FIELD_END};
static const cyaml_schema_value_t stream_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, RAW, stream_fields)};
#undef RAW
#undef SL_CONFIG_SECTION

#define RAW struct sl_config_raw_class
#define SL_CONFIG_SECTION 5
static const cyaml_schema_field_t class_fields[] = {
#include "config/keys.def"
	CYAML_FIELD_END};
static const cyaml_schema_value_t class_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, RAW, class_fields)};
#undef RAW
#undef SL_CONFIG_SECTION

#define RAW struct sl_config_raw_store
#define SL_CONFIG_SECTION 6
static const cyaml_schema_field_t store_fields[] = {
#include "config/keys.def"
	CYAML_FIELD_END};
#undef RAW
#undef SL_CONFIG_SECTION

#define RAW struct sl_config_raw
#define SL_CONFIG_SECTION 0
static const cyaml_schema_field_t root_fields[] = {
#include "config/keys.def"
	CYAML_FIELD_SEQUENCE(
		"ports", CYAML_FLAG_POINTER, RAW, ports, &port_value, 1, SL_PORT_COUNT_MAX),
	CYAML_FIELD_MAPPING_PTR(
		"lcores", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, RAW, lcores, lcores_fields),
	CYAML_FIELD_MAPPING_PTR(
		"memory", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, RAW, memory, memory_fields),
	CYAML_FIELD_SEQUENCE(
		"streams", CYAML_FLAG_POINTER, RAW, streams, &stream_value, 1, SL_STREAM_COUNT_MAX),
	CYAML_FIELD_SEQUENCE("classes", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, RAW, classes,
		&class_value, 1, SL_CLASS_COUNT_MAX),
	CYAML_FIELD_MAPPING_PTR("store", CYAML_FLAG_POINTER, RAW, store, store_fields),
	CYAML_FIELD_END};
static const cyaml_schema_value_t root_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, RAW, root_fields)};

// ---- what it says about an error

#define TRACE_COUNT_MAX 8

// libcyaml logs one message, then where: the innermost place first.
struct complaint {
	char message[256];
	struct {
		char field[64]; // "" for an entry of a list
		uint32_t entry; // counted from 1, 0 before the first
	} trace[TRACE_COUNT_MAX];
	size_t trace_count;
};

static void note_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct complaint *complaint = context;
	char line[256];
	char *text = line;

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(text, "Load: ", 6) == 0)
		text += 6;
	if (complaint->trace_count < TRACE_COUNT_MAX) {
		__typeof__(complaint->trace[0]) *trace = &complaint->trace[complaint->trace_count];
		if (sscanf(text, " in mapping field '%63[^']'", trace->field) == 1 ||
			sscanf(text, " in sequence entry '%u'", &trace->entry) == 1) {
			complaint->trace_count++;
			return;
		}
	}
	if (complaint->message[0] == '\0' && strcmp(text, "Backtrace:") != 0)
		snprintf(complaint->message, sizeof(complaint->message), "%s", text);
}

static enum sl_config_section section_called(const char *name)
{
	for (int i = 1; i < SL_CONFIG_SECTION_COUNT; i++)
		if (strcmp(sl_config_sections[i].name, name) == 0)
			return (enum sl_config_section)i;
	return SL_CONFIG_root;
}

// The place of the trace. Its key is NULL and its item 0 where it is a whole entry of a section;
// item -1 where it is the section.
static struct sl_config_place place_of(const struct complaint *complaint)
{
	struct sl_config_place place = {.section = SL_CONFIG_root, .item = -1};

	for (size_t i = complaint->trace_count; i-- > 0;) {
		const char *field = complaint->trace[i].field;
		int index = SL_MAX((int)complaint->trace[i].entry, 1) - 1;
		if (field[0] == '\0' && place.key == NULL) {
			place.entry = (uint32_t)index;
			place.item = 0;
		} else if (field[0] == '\0') {
			place.item = index;
		} else if (place.section == SL_CONFIG_root &&
			section_called(field) != SL_CONFIG_root) {
			place.section = section_called(field);
		} else {
			place.key = field;
			place.item = -1;
		}
	}
	return place;
}

static const char *name_in(const struct complaint *complaint)
{
	const char *colon = strrchr(complaint->message, ':');

	return colon == NULL ? "" : colon + 2;
}

// The mapping is on the trace when the key is unknown, and below the last key seen when one is
// missing.
static int fail_key(
	const struct sl_config_reader *reader, struct complaint *complaint, bool is_missing)
{
	char must_be[SL_CONFIG_TEXT_BYTES_MAX] = "";
	const char *name = name_in(complaint);

	if (is_missing && complaint->trace_count > 0 && complaint->trace[0].field[0] != '\0') {
		complaint->trace_count--;
		memmove(complaint->trace, complaint->trace + 1,
			complaint->trace_count * sizeof(complaint->trace[0]));
	}
	struct sl_config_place place = place_of(complaint);
	if (!is_missing) {
		sl_config_list_keys(place.section, must_be);
		place.key = name;
		place.item = -1;
		return sl_config_fail(
			reader, place, "is for an unknown key: must be one of %s", must_be);
	}
	if (place.section == SL_CONFIG_root && section_called(name) != SL_CONFIG_root)
		place = (struct sl_config_place){.section = section_called(name), .item = -1};
	else
		place.key = name;
	place.item = -1;
	sl_config_describe_place(place, must_be);
	return sl_config_fail(reader, place, "is missing: must be %s", must_be);
}

static int fail_shape(const struct sl_config_reader *reader, const struct complaint *complaint,
	const char *problem)
{
	struct sl_config_place place = place_of(complaint);
	char must_be[SL_CONFIG_TEXT_BYTES_MAX] = "";

	sl_config_describe_place(place, must_be);
	return sl_config_fail(reader, place, "%s: must be %s", problem, must_be);
}

// A count is wrong: the trace ends at an entry, the place is the list.
static int fail_count(
	const struct sl_config_reader *reader, struct complaint *complaint, const char *problem)
{
	struct sl_config_place place = place_of(complaint);
	char must_be[SL_CONFIG_TEXT_BYTES_MAX] = "";

	place.item = -1;
	sl_config_describe_place(place, must_be);
	return sl_config_fail(reader, place, "%s: must be %s", problem, must_be);
}

static int fail(
	const struct sl_config_reader *reader, cyaml_err_t code, struct complaint *complaint)
{
	switch (code) {
	case CYAML_ERR_INVALID_KEY:
		return fail_key(reader, complaint, false);
	case CYAML_ERR_MAPPING_FIELD_MISSING:
		return fail_key(reader, complaint, true);
	case CYAML_ERR_INVALID_VALUE:
		return fail_shape(reader, complaint, "has the wrong shape");
	case CYAML_ERR_SEQUENCE_ENTRIES_MIN:
		return fail_count(reader, complaint, "has too few entries");
	case CYAML_ERR_SEQUENCE_ENTRIES_MAX:
		return fail_count(reader, complaint, "has too many entries");
	case CYAML_ERR_ALIAS:
		return fail_shape(reader, complaint, "is an alias, which is not supported");
	case CYAML_ERR_OOM:
		return sl_err_set(reader->err, -ENOMEM, "%s: out of memory", reader->path);
	default:
		return sl_config_fail(reader, place_of(complaint), "is refused: %s (libcyaml: %s)",
			complaint->message, cyaml_strerror(code));
	}
}

static cyaml_config_t make_cyaml_config(struct complaint *complaint)
{
	return (cyaml_config_t){
		.log_fn = note_log,
		.log_ctx = complaint,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

int sl_config_apply_schema(struct sl_config_reader *reader)
{
	struct complaint complaint = {0};
	cyaml_config_t cyaml_config = make_cyaml_config(&complaint);
	cyaml_data_t *data = NULL;

	cyaml_err_t code = cyaml_load_data((const uint8_t *)reader->text, reader->text_bytes,
		&cyaml_config, &root_value, &data, NULL);
	if (code != CYAML_OK)
		return fail(reader, code, &complaint);
	reader->raw = data;
	if (data == NULL) { // libcyaml takes a file without any key for a right one
		snprintf(complaint.message, sizeof(complaint.message), "empty: ports");
		return fail_key(reader, &complaint, true);
	}
	return 0;
}

void sl_config_free_raw(struct sl_config_raw *raw)
{
	struct complaint complaint = {0};
	cyaml_config_t cyaml_config = make_cyaml_config(&complaint);

	if (raw != NULL)
		cyaml_free(&cyaml_config, &root_value, raw, 0);
}
