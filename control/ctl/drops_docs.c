/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/drops_docs.h"

#include "counters.h"

static const struct {
	enum sl_drop_stage stage;
	const char *title, *text;
} sections[] = {
	{SL_DROP_STAGE_PARSE, "parse", "Frames that end in the parser, counted by the RX lcore."},
	{SL_DROP_STAGE_STEER, "steer",
		"Events that never reached their worker, counted by the RX lcore."},
	{SL_DROP_STAGE_APPEND, "append", "Events that the worker refused."},
};

void sl_drops_docs(FILE *out)
{
	fputs("# Drop reasons\n\n"
	      "Every frame and every event that does not end on disk ends in exactly one of these "
	      "counters. `sluicectl drops` shows them, `sluicectl drops --check` proves that "
	      "nothing is missing, `sluicectl drops --check --offline STORE` the same from a store's log "
	      "alone, years later.\n"
	      "This page is made by `sluicectl drops --docs` from `common/drop_reasons.def`; a test "
	      "compares.\n",
		out);
	for (size_t i = 0; i < SL_ARRAY_COUNT(sections); i++) {
		fprintf(out, "\n## %s\n\n%s\n\n| reason | what it means |\n| --- | --- |\n",
			sections[i].title, sections[i].text);
		for (int reason = 0; reason < SL_DROP_REASON_COUNT; reason++)
			if (sl_drop_infos[reason].stage == sections[i].stage)
				fprintf(out, "| `%s` | %s |\n", sl_drop_infos[reason].name,
					sl_drop_infos[reason].help);
	}
}
