/* SPDX-License-Identifier: BSD-3-Clause */
// What the steps of loading a configuration share: text -> yaml_tree (lines, syntax) -> values
// (each scalar against keys.def) -> schema (libcyaml: shape, C structs) -> meaning (keys against
// each other and the machine). Thread rule: the loading thread.
#pragma once

#include "bounds.h"
#include "config/config.h"
#include "config/yaml_tree.h"

#include <stdio.h>

#define SL_CONFIG_POWER_OF_TWO 0 // as the step of a number
#define SL_CONFIG_CPU_MAX 1023
#define SL_CONFIG_TEXT_BYTES_MAX 512 // of a description made by the functions below

enum sl_config_kind {
	SL_CONFIG_TEXT,
	SL_CONFIG_UINT,
	SL_CONFIG_BOOL,
	SL_CONFIG_CHOICE,
	SL_CONFIG_TEXTS,
	SL_CONFIG_UINTS,
};

// The numbers are those of keys.def.
enum sl_config_section {
	SL_CONFIG_root = 0,
	SL_CONFIG_ports = 1,
	SL_CONFIG_lcores = 2,
	SL_CONFIG_memory = 3,
	SL_CONFIG_streams = 4,
	SL_CONFIG_classes = 5,
	SL_CONFIG_store = 6,
	SL_CONFIG_SECTION_COUNT,
};

struct sl_config_section_info {
	const char *name;
	const char *help;
	bool is_required;
	uint32_t count_max; // entries of a list; 0: a mapping
};

struct sl_config_key {
	enum sl_config_kind kind;
	enum sl_config_section section;
	const char *name;
	bool is_required;
	const char *default_text;
	uint64_t min, max, step;
	bool (*check)(const char *text);
	const char *words;
	const char *help;
};

#define SL_CONFIG_SECTION -1
#define SL_CONFIG_KEY(kind, section, key, ...) SL_CONFIG_KEY_##section##_##key,
enum sl_config_key_index {
#include "config/keys.def"
	SL_CONFIG_KEY_COUNT
};
#undef SL_CONFIG_KEY
#undef SL_CONFIG_SECTION

extern const struct sl_config_key sl_config_keys[SL_CONFIG_KEY_COUNT];
extern const struct sl_config_section_info sl_config_sections[SL_CONFIG_SECTION_COUNT];

// ---- what libcyaml fills: a NULL pointer is a key that the file does not have

#define RAW_TEXT(key) char *key;
#define RAW_UINT(key) uint64_t *key;
#define RAW_BOOL(key) bool *key;
#define RAW_CHOICE(key) char *key;
#define RAW_TEXTS(key) \
	char **key; \
	uint32_t key##_count;
#define RAW_UINTS(key) \
	uint64_t *key; \
	uint32_t key##_count;
#define SL_CONFIG_KEY(kind, section, key, ...) RAW_##kind(key)

struct sl_config_raw_port {
#define SL_CONFIG_SECTION 1
#include "config/keys.def"
#undef SL_CONFIG_SECTION
};
struct sl_config_raw_lcores {
#define SL_CONFIG_SECTION 2
#include "config/keys.def"
#undef SL_CONFIG_SECTION
};
struct sl_config_raw_memory {
#define SL_CONFIG_SECTION 3
#include "config/keys.def"
#undef SL_CONFIG_SECTION
};
struct sl_config_raw_stream {
#define SL_CONFIG_SECTION 4
#include "config/keys.def"
#undef SL_CONFIG_SECTION
};
struct sl_config_raw_class {
#define SL_CONFIG_SECTION 5
#include "config/keys.def"
#undef SL_CONFIG_SECTION
};
struct sl_config_raw_store {
#define SL_CONFIG_SECTION 6
#include "config/keys.def"
#undef SL_CONFIG_SECTION
};
struct sl_config_raw {
#define SL_CONFIG_SECTION 0
#include "config/keys.def"
#undef SL_CONFIG_SECTION
	struct sl_config_raw_port *ports;
	uint32_t ports_count;
	struct sl_config_raw_lcores *lcores;
	struct sl_config_raw_memory *memory;
	struct sl_config_raw_stream *streams;
	uint32_t streams_count;
	struct sl_config_raw_class *classes;
	uint32_t classes_count;
	struct sl_config_raw_store *store;
};
#undef SL_CONFIG_KEY
#undef RAW_TEXT
#undef RAW_UINT
#undef RAW_BOOL
#undef RAW_CHOICE
#undef RAW_TEXTS
#undef RAW_UINTS

// One load under way.
struct sl_config_reader {
	const char *path;
	const char *text;
	size_t text_bytes;
	struct sl_yaml_tree tree;
	struct sl_config_raw *raw; // NULL until the schema has been applied
	struct sl_err *err;
};

// Names a place in the file: a section, its entry when it is a list, a key in it (NULL: the section
// itself), and an item when the key is a list (-1: the whole).
struct sl_config_place {
	enum sl_config_section section;
	uint32_t entry;
	const char *key;
	int item;
};

// Sets err to "FILE:LINE: KEY: value 'VALUE' TEXT", without the value where the place is no scalar,
// and with the line of what is around it where the file does not have the place. Returns -EINVAL.
int sl_config_fail(const struct sl_config_reader *reader, struct sl_config_place place,
	const char *format, ...) SL_PRINTF(3, 4);

// The line of a place, for later errors.
uint32_t sl_config_line(const struct sl_config_reader *reader, struct sl_config_place place);

// Puts a piece behind a text that is being made; what does not fit is cut.
void sl_config_append(char text[SL_CONFIG_TEXT_BYTES_MAX], const char *format, ...) SL_PRINTF(2, 3);

// "a number from 1 to 65535", "one of none, written, durable": what a value of the key must be.
// This and the next two start a text of their own.
void sl_config_describe(const struct sl_config_key *key, char text[SL_CONFIG_TEXT_BYTES_MAX]);

// "a list of 1 to 8 entries, each with device, queues, rx_descriptors": what a place must be.
void sl_config_describe_place(struct sl_config_place place, char text[SL_CONFIG_TEXT_BYTES_MAX]);

// The keys of a section (for the root: the sections too): "device, queues, rx_descriptors".
void sl_config_list_keys(enum sl_config_section section, char text[SL_CONFIG_TEXT_BYTES_MAX]);

// The index of the word in a CHOICE key's words, -1 when it is none of them.
int sl_config_choice(const struct sl_config_key *key, const char *word);

// Checks of texts, named in keys.def.
bool sl_config_is_name(const char *text);
bool sl_config_is_path(const char *text);
bool sl_config_is_runtime_dir(const char *text);
bool sl_config_is_device(const char *text);
bool sl_config_is_key(const char *text);

// The steps. Each returns 0 or a negative errno with reader->err filled.
int sl_config_check_values(const struct sl_config_reader *reader);
int sl_config_apply_schema(struct sl_config_reader *reader);
void sl_config_free_raw(struct sl_config_raw *raw);
void sl_config_complete(const struct sl_config_reader *reader, struct sl_config *config);
int sl_config_check_meaning(const struct sl_config_reader *reader, struct sl_config *config);

// The tables of docs/configuration.md, from keys.def.
void sl_config_document(FILE *out);
