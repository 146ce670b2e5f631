/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/judgement.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPAIR "run 'sluicectl store repair'"
#define REPAIR_WITH_LOSS \
	"restore the file from a copy, or run 'sluicectl store repair --accept-loss'"
#define COPY "restore it from a copy: no repair can know what it said"

static const struct {
	const char *name;
	const char *remedy;
} kinds[SL_FINDING_KIND_COUNT] = {
	[SL_FINDING_META_SLOT] = {"meta_slot", REPAIR},
	[SL_FINDING_LANE_META] = {"lane_meta", REPAIR},
	[SL_FINDING_LANE_GONE] = {"lane_gone", "restore the lane's folder from a copy"},
	[SL_FINDING_LANE_UNNAMED] = {"lane_unnamed", "restore store.meta from a newer copy"},
	[SL_FINDING_HOLE] = {"hole", REPAIR_WITH_LOSS},
	[SL_FINDING_SEGMENT_GONE] = {"segment_gone", REPAIR_WITH_LOSS},
	[SL_FINDING_LENGTH] = {"length", REPAIR_WITH_LOSS},
	[SL_FINDING_UNREADABLE] = {"unreadable",
		"the drive fails: run 'sluicectl store repair', "
		"which writes the segment anew, or copy the store to another drive"},
	[SL_FINDING_FOOTER] = {"footer", REPAIR},
	[SL_FINDING_INDEX] = {"index", REPAIR ", or remove it: readers do without"},
	[SL_FINDING_UNSEALED] = {"unsealed", REPAIR " or start the appliance"},
	[SL_FINDING_HEADLESS] = {"headless", REPAIR ", which puts the file aside"},
	[SL_FINDING_TORN_TAIL] = {"torn_tail", "nothing: the next start goes on in front of it"},
	[SL_FINDING_LEFTOVER] = {"leftover", REPAIR " or start the appliance"},
	[SL_FINDING_CONTRADICTION] = {"contradiction",
		"restore the store from a copy, and report "
		"this: a program has written it so"},
	[SL_FINDING_TERMS] = {"terms", COPY},
	[SL_FINDING_FENCED] = {"fenced", "nothing: readers name what is lost"},
};

const char *sl_finding_kind_name(enum sl_finding_kind kind)
{
	return kinds[kind].name;
}

const char *sl_finding_grade_name(enum sl_finding_grade grade)
{
	static const char *const names[] = {[SL_FINDING_REMARK] = "remark",
		[SL_FINDING_ROT] = "rot",
		[SL_FINDING_LOSS] = "loss"};

	return names[grade];
}

const char *sl_finding_remedy(const struct sl_finding *finding)
{
	bool is_lossless = finding->grade != SL_FINDING_LOSS &&
		(finding->kind == SL_FINDING_HOLE || finding->kind == SL_FINDING_LENGTH);

	return is_lossless ? REPAIR : kinds[finding->kind].remedy;
}

struct sl_finding *sl_judgement_add(struct sl_judgement *judgement, enum sl_finding_kind kind,
	enum sl_finding_grade grade, uint16_t lane, const char *path, const char *format, ...)
{
	struct sl_finding *finding;
	va_list args;

	judgement->counts[grade]++;
	if (judgement->count == SL_FINDING_COUNT_MAX || judgement->out_of_memory) {
		judgement->unlisted_count++;
		return NULL;
	}
	if (judgement->count == judgement->capacity) {
		size_t capacity = SL_MAX(judgement->capacity * 2, (size_t)16);
		void *grown = realloc(judgement->findings, capacity * sizeof(*judgement->findings));

		if (grown == NULL) {
			judgement->out_of_memory = true;
			judgement->unlisted_count++;
			return NULL;
		}
		judgement->findings = grown;
		judgement->capacity = capacity;
	}
	finding = &judgement->findings[judgement->count++];
	*finding = (struct sl_finding){.kind = kind, .grade = grade, .lane = lane};
	snprintf(finding->path, sizeof(finding->path), "%s", path);
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
	return finding;
}

int sl_finding_add_lost(struct sl_finding *finding, const struct sl_lost_range *range)
{
	if (finding->lost_count == finding->lost_capacity) {
		size_t capacity = SL_MAX(finding->lost_capacity * 2, (size_t)8);
		void *grown = realloc(finding->lost, capacity * sizeof(*finding->lost));

		if (grown == NULL)
			return -ENOMEM;
		finding->lost = grown;
		finding->lost_capacity = capacity;
	}
	finding->lost[finding->lost_count++] = *range;
	return 0;
}

uint64_t sl_finding_lost_events(const struct sl_finding *finding, uint64_t *events_max)
{
	uint64_t certain = 0;

	for (size_t i = 0; i < finding->lost_count; i++)
		certain += finding->lost[i].is_bound ? 0 : finding->lost[i].count;
	if (finding->hole.is_event_count_exact)
		certain = SL_MAX(certain, finding->hole.event_count_max);
	*events_max = SL_MAX(certain, finding->hole.event_count_max);
	return certain;
}

void sl_judgement_free(struct sl_judgement *judgement)
{
	for (size_t i = 0; i < judgement->count; i++) {
		free(judgement->findings[i].lost);
		free(judgement->findings[i].states);
	}
	free(judgement->findings);
	*judgement = (struct sl_judgement){0};
}
