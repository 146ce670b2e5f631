/* SPDX-License-Identifier: BSD-3-Clause */
// keys.def as the Markdown tables of docs/configuration.md.
#include "config_internal.h"

#include <string.h>

static const char *kind_name(enum sl_config_kind kind)
{
	switch (kind) {
	case SL_CONFIG_UINT:
		return "number";
	case SL_CONFIG_BOOL:
		return "true or false";
	case SL_CONFIG_CHOICE:
		return "word";
	case SL_CONFIG_TEXTS:
		return "list of texts";
	case SL_CONFIG_UINTS:
		return "list of numbers";
	default:
		return "text";
	}
}

static void print_key(const struct sl_config_key *key, FILE *out)
{
	struct sl_config_place place = {.section = key->section, .key = key->name, .item = -1};
	char range[SL_CONFIG_TEXT_BYTES_MAX] = "";
	const char *quote = key->default_text[0] == '(' ? "" : "`";

	sl_config_describe_place(place, range);
	fprintf(out, "| `%s` | %s | ", key->name, kind_name(key->kind));
	if (key->is_required)
		fputs("*required*", out);
	else
		fprintf(out, "%s%s%s", quote, key->default_text, quote);
	fprintf(out, " | %s | %s |\n", range, key->help);
}

void sl_config_document(FILE *out)
{
	for (int i = 0; i < SL_CONFIG_SECTION_COUNT; i++) {
		const struct sl_config_section_info *section = &sl_config_sections[i];
		if (i == SL_CONFIG_root)
			fprintf(out, "### Top level\n\nThe %s.\n", section->help);
		else if (section->count_max > 0)
			fprintf(out, "\n### `%s`\n\nA list of 1 to %u (%s): %s.\n", section->name,
				section->count_max, section->is_required ? "required" : "optional",
				section->help);
		else
			fprintf(out, "\n### `%s`\n\nA mapping (%s): %s.\n", section->name,
				section->is_required ? "required" : "optional", section->help);
		fputs("\n| key | type | default | must be | meaning |\n"
		      "| --- | --- | --- | --- | --- |\n",
			out);
		for (size_t j = 0; j < SL_CONFIG_KEY_COUNT; j++)
			if ((int)sl_config_keys[j].section == i)
				print_key(&sl_config_keys[j], out);
	}
}
