/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/verify.h"

#include "bounds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const fault_names[] = {
	[SL_VERIFY_MISSING] = "missing",
	[SL_VERIFY_DOUBLED] = "doubled",
	[SL_VERIFY_REORDERED] = "reordered",
	[SL_VERIFY_CORRUPT] = "corrupt",
	[SL_VERIFY_STRAYED] = "strayed",
	[SL_VERIFY_OFFSET] = "offset",
	[SL_VERIFY_FOREIGN] = "foreign",
};
static_assert(SL_ARRAY_COUNT(fault_names) == SL_VERIFY_FAULT_COUNT, "every fault has a name");
static_assert(SL_PARTITION_COUNT_MAX <= 1u << 16, "a partition fits below a sequence");

const char *sl_verify_fault_name(enum sl_verify_fault fault)
{
	return fault_names[fault];
}

int sl_verify_init(
	struct sl_verify *verify, const struct sl_verify_config *config, struct sl_err *err)
{
	*verify = (struct sl_verify){.config = *config};
	verify->key_count = config->whole ? config->payload.key_count : SL_KEY_COUNT_MAX;
	if (config->sent_count > SL_SEQUENCE_COUNT_MAX)
		return sl_err_set(err, -EINVAL, "a run has at most 2^%u events, not %llu",
			SL_SEQUENCE_BITS, (unsigned long long)config->sent_count);
	if (config->whole && sl_payload_config_check(&config->payload, err) != 0)
		return err->code;
	// calloc gives untouched pages: keys that never come cost nothing.
	verify->seen =
		calloc((config->sent_count + config->doubt_count) / 64 + 1, sizeof(*verify->seen));
	verify->keys = calloc(verify->key_count, sizeof(*verify->keys));
	verify->next_offsets = calloc(SL_PARTITION_COUNT_MAX, sizeof(*verify->next_offsets));
	if (verify->seen == NULL || verify->keys == NULL || verify->next_offsets == NULL) {
		sl_verify_fini(verify);
		return sl_err_set(err, -ENOMEM, "no memory to verify %llu events",
			(unsigned long long)config->sent_count);
	}
	return 0;
}

void sl_verify_fini(struct sl_verify *verify)
{
	free(verify->seen);
	free(verify->keys);
	free(verify->next_offsets);
	verify->seen = verify->keys = verify->next_offsets = NULL;
}

static void add_fault(struct sl_verify *verify, enum sl_verify_fault fault,
	const struct sl_verify_example *example)
{
	uint32_t *count = &verify->example_counts[fault];

	verify->fault_counts[fault] += example->count;
	if (*count < SL_VERIFY_EXAMPLE_COUNT_MAX)
		verify->examples[fault][(*count)++] = *example;
}

static void fault_at(struct sl_verify *verify, enum sl_verify_fault fault,
	const struct sl_verify_event *event, const struct sl_payload_id *id)
{
	struct sl_verify_example example = {
		.sequence = id->sequence,
		.key = id->key,
		.count = 1,
		.offset = event->offset,
		.partition = event->partition,
	};

	add_fault(verify, fault, &example);
}

// The first offset of a partition may be any: older ones have expired.
static void check_offset(struct sl_verify *verify, const struct sl_verify_event *event)
{
	uint64_t *next = &verify->next_offsets[event->partition];

	if (*next == 0)
		verify->partition_count++;
	else if (*next != event->offset + 1)
		fault_at(verify, SL_VERIFY_OFFSET, event,
			&(struct sl_payload_id){.sequence = *next - 1});
	*next = event->offset + 2; // the next offset plus one: 0 stands for "none yet"
}

static void check_order(struct sl_verify *verify, const struct sl_verify_event *event,
	const struct sl_payload_id *id)
{
	uint64_t *last = &verify->keys[id->key];
	bool strayed = *last != 0 && (*last & 0xffff) != event->partition;

	if (strayed)
		fault_at(verify, SL_VERIFY_STRAYED, event, id);
	if (*last != 0 && id->sequence + 1 < *last >> 16) {
		fault_at(verify, SL_VERIFY_REORDERED, event, id);
		return;
	}
	// A stray does not move the key: its home is where it was first.
	*last = (id->sequence + 1) << 16 | (strayed ? *last & 0xffff : event->partition);
}

static void count_times(struct sl_verify *verify, const struct sl_verify_event *event,
	const struct sl_payload_id *id)
{
	int64_t age_ns = sl_payload_age_ns(id, event->receive_ns);
	bool first = verify->stored_count == 1;

	if (first || event->receive_ns < verify->first_receive_ns)
		verify->first_receive_ns = event->receive_ns;
	if (first || event->receive_ns > verify->last_receive_ns)
		verify->last_receive_ns = event->receive_ns;
	if (first || age_ns < verify->age_ns_min)
		verify->age_ns_min = age_ns;
	if (first || age_ns > verify->age_ns_max)
		verify->age_ns_max = age_ns;
	verify->age_ns_sum += age_ns;
}

static void check_sequence(struct sl_verify *verify, const struct sl_verify_event *event,
	const struct sl_payload_id *id)
{
	uint64_t *word = &verify->seen[id->sequence / 64];
	uint64_t bit = 1ull << id->sequence % 64;

	verify->stored_count++;
	count_times(verify, event, id);
	if (*word & bit) {
		// Nothing more is said of a second copy: where it lies follows from the first.
		fault_at(verify, SL_VERIFY_DOUBLED, event, id);
		return;
	}
	*word |= bit;
	verify->distinct_count++;
	check_order(verify, event, id);
}

void sl_verify_event(struct sl_verify *verify, const struct sl_verify_event *event)
{
	struct sl_payload_id id = {0};

	assert(event->partition < SL_PARTITION_COUNT_MAX);
	verify->event_count++;
	check_offset(verify, event);
	switch (sl_payload_check(
		&verify->config.payload, verify->config.whole, event->data, event->bytes, &id)) {
	case SL_PAYLOAD_OTHER_RUN:
		verify->other_run_count++;
		break;
	case SL_PAYLOAD_FOREIGN:
		fault_at(verify, SL_VERIFY_FOREIGN, event, &(struct sl_payload_id){0});
		break;
	case SL_PAYLOAD_CORRUPT:
		fault_at(verify, SL_VERIFY_CORRUPT, event, &id);
		break;
	case SL_PAYLOAD_OK:
		if (id.sequence >= verify->config.sent_count + verify->config.doubt_count)
			fault_at(verify, SL_VERIFY_CORRUPT, event, &id); // never sent
		else
			check_sequence(verify, event, &id);
		break;
	}
}

// The key of a missing sequence and the partition that the key's other events went to.
static struct sl_verify_example missing_example(struct sl_verify *verify, uint64_t sequence)
{
	struct sl_verify_example example = {
		.sequence = sequence,
		.count = 1,
		.partition = SL_VERIFY_NOWHERE,
	};

	if (verify->config.whole) {
		example.key = sl_payload_key(&verify->config.payload, sequence);
		if (verify->keys[example.key] != 0)
			example.partition = verify->keys[example.key] & 0xffff;
	}
	return example;
}

void sl_verify_finish(struct sl_verify *verify)
{
	struct sl_verify_example gap = {0};

	for (uint64_t sequence = 0; sequence < verify->config.sent_count; sequence++) {
		uint64_t word = verify->seen[sequence / 64];

		if (word == UINT64_MAX && gap.count == 0) {
			sequence |= 63;
			continue;
		}
		bool seen = (word >> sequence % 64 & 1) != 0;
		if (!seen && gap.count++ == 0)
			gap = missing_example(verify, sequence);
		if (seen && gap.count != 0) {
			add_fault(verify, SL_VERIFY_MISSING, &gap);
			gap.count = 0;
		}
	}
	if (gap.count != 0)
		add_fault(verify, SL_VERIFY_MISSING, &gap);
}

bool sl_verify_is_good(const struct sl_verify *verify)
{
	for (int fault = 0; fault < SL_VERIFY_FAULT_COUNT; fault++) {
		if (verify->fault_counts[fault] == 0)
			continue;
		if (fault == SL_VERIFY_MISSING && verify->config.allow_missing)
			continue;
		if (fault == SL_VERIFY_FOREIGN && verify->config.allow_foreign)
			continue;
		return false;
	}
	return true;
}
