/* SPDX-License-Identifier: BSD-3-Clause */
// From a place in the configuration to its line, its value, its name, and what it must be.
#include "config_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define VALUE_BYTES_MAX 80 // of a value in a message

// The node of a place (NULL: the file has none) and the line to name.
static const yaml_node_t *find(
	const struct sl_config_reader *reader, struct sl_config_place place, uint32_t *line)
{
	const struct sl_config_section_info *section = &sl_config_sections[place.section];
	const yaml_node_t *node = sl_yaml_root(&reader->tree), *key = NULL;

	*line = 1;
	if (place.section != SL_CONFIG_root) {
		node = sl_yaml_value(&reader->tree, node, section->name, &key);
		if (node == NULL)
			return NULL;
		*line = sl_yaml_line(key);
		const yaml_node_t *entry = sl_yaml_item(&reader->tree, node, place.entry);
		if (section->count_max > 0 && entry != NULL) {
			node = entry;
			*line = sl_yaml_line(node);
		}
	}
	if (place.key == NULL)
		return node;
	// The key's line, not the value's: an empty value has no place of its own.
	node = sl_yaml_value(&reader->tree, node, place.key, &key);
	if (node == NULL)
		return NULL;
	*line = sl_yaml_line(key);
	if (place.item < 0)
		return node;
	node = sl_yaml_item(&reader->tree, node, (uint32_t)place.item);
	if (node != NULL)
		*line = sl_yaml_line(node);
	return node;
}

uint32_t sl_config_line(const struct sl_config_reader *reader, struct sl_config_place place)
{
	uint32_t line;

	find(reader, place, &line);
	return line;
}

static void print_name(struct sl_config_place place, char *name, size_t bytes)
{
	const char *section = sl_config_sections[place.section].name;

	if (place.section == SL_CONFIG_root)
		snprintf(name, bytes, "%s", place.key == NULL ? "the file" : place.key);
	else
		snprintf(name, bytes, "%s%s%s", section, place.key == NULL ? "" : ".",
			place.key == NULL ? "" : place.key);
}

int sl_config_fail(const struct sl_config_reader *reader, struct sl_config_place place,
	const char *format, ...)
{
	char text[SL_ERR_TEXT_BYTES_MAX], value[VALUE_BYTES_MAX + 16] = "", name[160];
	uint32_t line;
	va_list args;

	const char *scalar = sl_yaml_text(find(reader, place, &line));
	if (scalar != NULL)
		snprintf(value, sizeof(value), "value '%.*s%s' ", VALUE_BYTES_MAX, scalar,
			strlen(scalar) > VALUE_BYTES_MAX ? ".." : "");
	print_name(place, name, sizeof(name));
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return sl_err_set(
		reader->err, -EINVAL, "%s:%u: %s: %s%s", reader->path, line, name, value, text);
}

void sl_config_append(char text[SL_CONFIG_TEXT_BYTES_MAX], const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, SL_CONFIG_TEXT_BYTES_MAX - used, format, args);
	va_end(args);
}

void sl_config_list_keys(enum sl_config_section section, char text[SL_CONFIG_TEXT_BYTES_MAX])
{
	text[0] = '\0';
	for (size_t i = 0; i < SL_CONFIG_KEY_COUNT; i++)
		if (sl_config_keys[i].section == section)
			sl_config_append(
				text, "%s%s", text[0] == '\0' ? "" : ", ", sl_config_keys[i].name);
	for (size_t i = 1; i < SL_CONFIG_SECTION_COUNT && section == SL_CONFIG_root; i++)
		sl_config_append(text, ", %s", sl_config_sections[i].name);
}

static void describe_section(
	struct sl_config_place place, bool is_entry, char text[SL_CONFIG_TEXT_BYTES_MAX])
{
	const struct sl_config_section_info *section = &sl_config_sections[place.section];
	char keys[SL_CONFIG_TEXT_BYTES_MAX];

	sl_config_list_keys(place.section, keys);
	if (section->count_max > 0 && !is_entry)
		sl_config_append(text, "a list of 1 to %u entries, each ", section->count_max);
	sl_config_append(text, "a mapping with the keys %s", keys);
}

static void describe_list(const struct sl_config_key *key, char text[SL_CONFIG_TEXT_BYTES_MAX])
{
	uint32_t count_max = key->kind == SL_CONFIG_UINTS ? SL_LCORE_COUNT_MAX : (uint32_t)key->max;
	char item[SL_CONFIG_TEXT_BYTES_MAX];

	sl_config_describe(key, item);
	if (count_max == 1)
		sl_config_append(text, "a list of one entry, %s", item);
	else
		sl_config_append(text, "a list of 1 to %u entries, each %s", count_max, item);
}

void sl_config_describe_place(struct sl_config_place place, char text[SL_CONFIG_TEXT_BYTES_MAX])
{
	text[0] = '\0';
	if (place.key == NULL) {
		describe_section(place, place.item >= 0, text);
		return;
	}
	for (size_t i = 0; i < SL_CONFIG_KEY_COUNT; i++) {
		const struct sl_config_key *key = &sl_config_keys[i];
		if (key->section != place.section || strcmp(key->name, place.key) != 0)
			continue;
		if ((key->kind == SL_CONFIG_TEXTS || key->kind == SL_CONFIG_UINTS) &&
			place.item < 0)
			describe_list(key, text);
		else
			sl_config_describe(key, text);
		return;
	}
}
