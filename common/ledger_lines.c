/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger_lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int sl_ledger_init(struct sl_ledger *ledger, size_t line_count_max)
{
	*ledger = (struct sl_ledger){.lines = calloc(line_count_max, sizeof(*ledger->lines))};
	return ledger->lines == NULL ? -ENOMEM : 0;
}

struct sl_ledger_line *sl_ledger_add(
	struct sl_ledger *ledger, const char *unit, const char *name_format, ...)
{
	struct sl_ledger_line *line = &ledger->lines[ledger->line_count++];
	va_list args;

	va_start(args, name_format);
	vsnprintf(line->name, sizeof(line->name), name_format, args);
	va_end(args);
	line->unit = unit;
	return line;
}

void sl_ledger_set(struct sl_ledger_line *line, const char *left_text, struct sl_ledger_range left,
	const char *right_text, struct sl_ledger_range right)
{
	line->left_text = left_text;
	line->right_text = right_text;
	line->left = left;
	line->right = right;
	line->ok = left.low <= right.high && right.low <= left.high;
}

bool sl_ledger_holds(const struct sl_ledger *ledger)
{
	for (size_t i = 0; i < ledger->line_count; i++)
		if (!ledger->lines[i].ok)
			return false;
	return true;
}

void sl_ledger_free(struct sl_ledger *ledger)
{
	free(ledger->lines);
	*ledger = (struct sl_ledger){0};
}
