/* SPDX-License-Identifier: BSD-3-Clause */
// Each value of the file against its row of keys.def. libcyaml reads "12x" as 12, "-1" as a huge
// number and any word as true: here they are errors.
#include "config_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define SL_CONFIG_SECTION -1
#define REQUIRED true
#define OPTIONAL false
#define SL_CONFIG_KEY(key_kind, key_section, key, need, default_value, min_value, max_value, \
	step_value, check_function, words_text, help_text) \
	[SL_CONFIG_KEY_##key_section##_##key] = { \
		.kind = SL_CONFIG_##key_kind, \
		.section = SL_CONFIG_##key_section, \
		.name = #key, \
		.is_required = need, \
		.default_text = default_value, \
		.min = min_value, \
		.max = max_value, \
		.step = step_value, \
		.check = check_function, \
		.words = words_text, \
		.help = help_text, \
	},
const struct sl_config_key sl_config_keys[SL_CONFIG_KEY_COUNT] = {
#include "config/keys.def"
};
#undef SL_CONFIG_KEY
#undef SL_CONFIG_SECTION

const struct sl_config_section_info sl_config_sections[SL_CONFIG_SECTION_COUNT] = {
	[SL_CONFIG_root] = {.name = "", .help = "keys at the top of the file"},
	[SL_CONFIG_ports] =
		{
			.name = "ports",
			.help = "where frames come from",
			.is_required = true,
			.count_max = SL_PORT_COUNT_MAX,
		},
	[SL_CONFIG_lcores] = {.name = "lcores", .help = "which CPUs do what"},
	[SL_CONFIG_memory] = {.name = "memory", .help = "sizes of pools and rings"},
	[SL_CONFIG_streams] =
		{
			.name = "streams",
			.help = "named classes of events, each with a UDP port",
			.is_required = true,
			.count_max = SL_STREAM_COUNT_MAX,
		},
	[SL_CONFIG_classes] =
		{
			.name = "classes",
			.help = "storage classes; without the section there is one, called default",
			.count_max = SL_CLASS_COUNT_MAX,
		},
	[SL_CONFIG_store] = {.name = "store", .help = "where events go", .is_required = true},
};

// ---- texts

bool sl_config_is_name(const char *text)
{
	size_t bytes = strlen(text);

	return bytes > 0 && bytes < SL_NAME_BYTES_MAX &&
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == bytes;
}

// Files are made below it: their names need the rest of SL_PATH_BYTES_MAX.
bool sl_config_is_path(const char *text)
{
	return text[0] == '/' && strlen(text) <= 900;
}

// A Unix socket's address is 108 bytes, of which "/dataplane.sock" and the zero take 16.
bool sl_config_is_runtime_dir(const char *text)
{
	static_assert(
		sizeof(((struct sockaddr_un *)NULL)->sun_path) == 92 + 16, "keys.def says 92");
	return text[0] == '/' && strlen(text) <= 92;
}

// Devargs start with a PCI address (hexadecimal up to the colon) or a driver's name, which a comma
// or the end follows: so a word before a colon is a prefix of ours, or mistyped.
bool sl_config_is_device(const char *text)
{
	size_t prefix_bytes = strcspn(text, ":,");
	bool has_rest = text[prefix_bytes] == ':' && text[prefix_bytes + 1] != '\0';

	if (text[0] == '\0' || strlen(text) > 255 || strpbrk(text, " \t\n") != NULL)
		return false;
	if (strncmp(text, "af_xdp:", 7) == 0)
		return has_rest && strlen(text + 7) < 16 && strchr(text + 7, '/') == NULL;
	if (strncmp(text, "memif:", 6) == 0 || strncmp(text, "memif-client:", 13) == 0 ||
		strncmp(text, "pcap:", 5) == 0)
		return has_rest;
	return text[prefix_bytes] != ':' || strspn(text, "0123456789abcdefABCDEF") == prefix_bytes;
}

bool sl_config_is_key(const char *text)
{
	char *end;

	if (strcmp(text, "flow") == 0)
		return true;
	if (!isdigit((unsigned char)text[0]) || strlen(text) > 16)
		return false;
	unsigned long offset = strtoul(text, &end, 10);
	if (*end != ':' || !isdigit((unsigned char)end[1]))
		return false;
	unsigned long bytes = strtoul(end + 1, &end, 10);
	return *end == '\0' && offset <= 65506 && bytes >= 1 && bytes <= 256;
}

int sl_config_choice(const struct sl_config_key *key, const char *word)
{
	size_t bytes = strlen(word);
	int index = 0;

	for (const char *at = key->words;; at += strcspn(at, "|") + 1, index++) {
		size_t at_bytes = strcspn(at, "|");
		if (at_bytes == bytes && memcmp(at, word, bytes) == 0)
			return index;
		if (at[at_bytes] == '\0')
			return -1;
	}
}

// ---- numbers

static bool is_right_number(const struct sl_config_key *key, const char *text)
{
	size_t digit_count = strspn(text, "0123456789");

	// A leading zero is octal to libcyaml and to nobody else.
	if (digit_count == 0 || text[digit_count] != '\0' || (text[0] == '0' && digit_count > 1))
		return false;
	errno = 0;
	uint64_t number = strtoull(text, NULL, 10);
	if (errno != 0 || number < key->min || number > key->max)
		return false;
	if (key->step == SL_CONFIG_POWER_OF_TWO)
		return (number & (number - 1)) == 0;
	return number % key->step == 0;
}

static void describe_number(const struct sl_config_key *key, char text[SL_CONFIG_TEXT_BYTES_MAX])
{
	sl_config_append(text, "a number from %llu to %llu", (unsigned long long)key->min,
		(unsigned long long)key->max);
	if (key->step == SL_CONFIG_POWER_OF_TWO)
		sl_config_append(text, ", a power of two");
	else if (key->step > 1)
		sl_config_append(text, ", a multiple of %llu", (unsigned long long)key->step);
}

// ---- both

static void describe_choice(const struct sl_config_key *key, char text[SL_CONFIG_TEXT_BYTES_MAX])
{
	const char *at = key->words;

	if (strchr(at, '|') != NULL)
		sl_config_append(text, "one of ");
	while (*at != '\0') {
		size_t bytes = strcspn(at, "|");
		sl_config_append(text, "%s%.*s", at == key->words ? "" : ", ", (int)bytes, at);
		at += bytes + (at[bytes] == '|');
	}
}

void sl_config_describe(const struct sl_config_key *key, char text[SL_CONFIG_TEXT_BYTES_MAX])
{
	text[0] = '\0';
	switch (key->kind) {
	case SL_CONFIG_UINT:
	case SL_CONFIG_UINTS:
		describe_number(key, text);
		break;
	case SL_CONFIG_BOOL:
		sl_config_append(text, "true or false");
		break;
	case SL_CONFIG_CHOICE:
		describe_choice(key, text);
		break;
	default:
		sl_config_append(text, "%s", key->words);
		break;
	}
}

static bool is_right(const struct sl_config_key *key, const char *text)
{
	switch (key->kind) {
	case SL_CONFIG_UINT:
	case SL_CONFIG_UINTS:
		return is_right_number(key, text);
	case SL_CONFIG_BOOL:
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	case SL_CONFIG_CHOICE:
		return sl_config_choice(key, text) >= 0;
	default:
		return key->check(text);
	}
}

// node may be of any shape: what should be a scalar and is none is the schema's to refuse.
static int check_scalar(const struct sl_config_reader *reader, const struct sl_config_key *key,
	const yaml_node_t *node, uint32_t entry, int item)
{
	struct sl_config_place place = {
		.section = key->section, .entry = entry, .key = key->name, .item = item};
	const char *text = sl_yaml_text(node);
	char must_be[SL_CONFIG_TEXT_BYTES_MAX];

	if (text == NULL || is_right(key, text))
		return 0;
	sl_config_describe(key, must_be);
	return sl_config_fail(reader, place, "is wrong: must be %s", must_be);
}

static int check_key(const struct sl_config_reader *reader, const struct sl_config_key *key,
	const yaml_node_t *mapping, uint32_t entry)
{
	const yaml_node_t *node = sl_yaml_value(&reader->tree, mapping, key->name, NULL);
	const yaml_node_t *item;
	int code = 0;

	if (key->kind != SL_CONFIG_TEXTS && key->kind != SL_CONFIG_UINTS)
		return check_scalar(reader, key, node, entry, -1);
	for (int i = 0; (item = sl_yaml_item(&reader->tree, node, (uint32_t)i)) != NULL; i++)
		if ((code = check_scalar(reader, key, item, entry, i)) != 0)
			return code;
	return 0;
}

static int check_section_key(const struct sl_config_reader *reader, const struct sl_config_key *key)
{
	const struct sl_config_section_info *section = &sl_config_sections[key->section];
	const yaml_node_t *root = sl_yaml_root(&reader->tree), *node, *entry;
	int code = 0;

	if (key->section == SL_CONFIG_root)
		return check_key(reader, key, root, 0);
	node = sl_yaml_value(&reader->tree, root, section->name, NULL);
	if (section->count_max == 0)
		return check_key(reader, key, node, 0);
	for (uint32_t i = 0; (entry = sl_yaml_item(&reader->tree, node, i)) != NULL; i++)
		if ((code = check_key(reader, key, entry, i)) != 0)
			return code;
	return 0;
}

int sl_config_check_values(const struct sl_config_reader *reader)
{
	int code = 0;

	for (size_t i = 0; i < SL_CONFIG_KEY_COUNT && code == 0; i++)
		code = check_section_key(reader, &sl_config_keys[i]);
	return code;
}
