/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/stages_docs.h"

#include "counters.h"

void sl_stages_docs(FILE *out)
{
	fputs("# What the stages cost\n\n"
	      "With `stage_cycles: true` in the configuration's section `lcores`, each polling "
	      "lcore measures how many cycles of the TSC every stage takes, and `sluicectl stats` "
	      "shows it, a row for each lcore and stage that ran: how often it ran (calls), how "
	      "much it dealt with (count), cycles, those of the longest call (longest), cycles "
	      "each, and its share of the lcore's time since start. In the JSON these are `stages[]` ([json.md](json.md)).\n\n"
	      "- The loops are compiled twice, and the variant is chosen once, at start: where the "
	      "key is off, none of it is left.\n"
	      "- Where it is on, a stage's figure holds one read of the TSC for each call, some 20 "
	      "to 40 cycles: of a burst of 32, about one cycle an event.\n"
	      "- A stage within another one (sealing a batch while appending) counts for itself "
	      "only. So the cycles of all stages of an lcore stay below the cycles that have "
	      "passed; what is missing was spent between the stages: heartbeat, snapshots, idling.\n"
	      "- What the kernel does on other CPUs, and interrupts, are not told apart: an "
	      "interrupt counts for the stage that it met.\n\n"
	      "This page is made by `sluicectl stats --docs` from `common/timed_stages.def`; a test "
	      "compares.\n\n"
	      "| stage | counts | what it is |\n| --- | --- | --- |\n",
		out);
	for (int i = 0; i < SL_TIMED_STAGE_COUNT; i++)
		fprintf(out, "| `%s` | %s | %s |\n", sl_timed_stage_infos[i].name,
			sl_timed_stage_infos[i].unit, sl_timed_stage_infos[i].help);
}
