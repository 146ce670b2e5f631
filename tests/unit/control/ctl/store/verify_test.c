/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/format/reader_fixture.h"
#include "control/ctl/store/command.h"
#include "format/crc32c.h"
#include "format/store_judge.h"
#include "made_segment.h"

// All three segments of the fixture, and behind them a batch that says they are durable.
static void make_marked_store(void)
{
	make_three_segments();
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
}

static void judge(struct sl_judgement *judgement)
{
	const struct sl_store_judge_config config = {.path = made.path};
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_store_judge(&config, judgement, &err), 0);
}

static const struct sl_finding *find(
	const struct sl_judgement *judgement, enum sl_finding_kind kind)
{
	static const struct sl_finding none = {.kind = SL_FINDING_KIND_COUNT};

	for (size_t i = 0; i < judgement->count; i++)
		if (judgement->findings[i].kind == kind)
			return &judgement->findings[i];
	return &none;
}

static bool is_lost(const struct sl_finding *finding, uint16_t partition, uint64_t first,
	uint64_t count, bool is_bound)
{
	for (size_t i = 0; i < finding->lost_count; i++) {
		const struct sl_lost_range *lost = &finding->lost[i];

		if (lost->partition == partition && lost->first == first && lost->count == count &&
			lost->is_bound == is_bound)
			return true;
	}
	return false;
}

static uint64_t damage_count(const struct sl_judgement *judgement)
{
	return judgement->counts[SL_FINDING_ROT] + judgement->counts[SL_FINDING_LOSS];
}

static void a_whole_store_is_sound(void)
{
	struct sl_judgement judgement;

	make_marked_store();
	judge(&judgement);
	CU_ASSERT_EQUAL(judgement.count, 0);
	CU_ASSERT_EQUAL(judgement.lane_count, SL_TEST_LANE_COUNT);
	CU_ASSERT_EQUAL(judgement.segment_count, 3);
	CU_ASSERT_EQUAL(judgement.batch_count, 13);
	CU_ASSERT_EQUAL(judgement.event_count, 41);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

// One that counts: it opens with a whole checkpoint.
static void open_segment(void)
{
	const struct sl_partition_state states[] = {state(0, 1, 0, 30), state(1, 1, 0, 6)};

	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 2);
}

// What a kill leaves between a roll and the old segment's footer.
static void two_segments_and_a_spare_may_be_without_a_footer(void)
{
	struct sl_judgement judgement;

	make_three_segments();
	open_segment();
	sl_test_segment_open(&made, 0);
	judge(&judgement);
	CU_ASSERT_EQUAL(damage_count(&judgement), 0);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void a_third_segment_without_a_footer_is_damage(void)
{
	struct sl_judgement judgement;

	make_three_segments();
	open_segment();
	open_segment();
	judge(&judgement);
	CU_ASSERT_EQUAL(find(&judgement, SL_FINDING_UNSEALED)->kind, SL_FINDING_UNSEALED);
	CU_ASSERT_EQUAL(damage_count(&judgement), 1);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

// The reader must say the same, and must never hand out a wrong byte.
static void expect_found(const char *what, uint64_t number)
{
	struct sl_store_report report;
	struct sl_judgement judgement;
	struct sl_err err = {0};
	struct seen seen = {0};

	judge(&judgement);
	if (damage_count(&judgement) == 0) {
		printf("%s %llu is not found\n", what, (unsigned long long)number);
		CU_FAIL("damage that is not found");
	}
	sl_judgement_free(&judgement);
	(void)read_stream(&seen, &report, &err);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
}

static void every_bit_flip_of_a_header_is_found(void)
{
	make_marked_store();
	// A checkpoint, events in a sealed segment, events in the unsealed one.
	for (unsigned batch = 0; batch < 3; batch++) {
		const uint64_t segment = batch < 2 ? 2 : 3;
		const uint64_t position = batch * SL_BLOCK_BYTES;

		for (unsigned byte = 0; byte < SL_BATCH_HEADER_BYTES; byte += batch == 1 ? 1 : 3) {
			sl_test_segment_flip(&made, 0, segment, position + byte);
			expect_found("header byte", position + byte);
			sl_test_segment_flip(&made, 0, segment, position + byte);
		}
	}
	sl_test_store_destroy(&made);
}

static void sampled_bit_flips_of_bodies_are_found(void)
{
	make_marked_store();
	for (unsigned segment = 1; segment <= 3; segment++)
		for (unsigned batch = 0; batch < 4; batch++)
			for (unsigned byte = SL_BATCH_HEADER_BYTES; byte < 200; byte += 9) {
				const uint64_t position = batch * SL_BLOCK_BYTES + byte;

				sl_test_segment_flip(&made, 0, segment, position);
				expect_found("body byte", position);
				sl_test_segment_flip(&made, 0, segment, position);
			}
	sl_test_store_destroy(&made);
}

static void every_bit_flip_of_a_footer_is_found(void)
{
	make_marked_store();
	// Without that of segment 2 its lane is as a kill may leave it.
	for (unsigned i = 0; i < 2 * sizeof(struct sl_segment_footer); i++) {
		const uint64_t segment = 1 + i % 2;
		const uint64_t position = SL_TEST_SEGMENT_BYTES - SL_BLOCK_BYTES + i / 2;

		sl_test_segment_flip(&made, 0, segment, position);
		expect_found("footer byte", position);
		sl_test_segment_flip(&made, 0, segment, position);
	}
	sl_test_store_destroy(&made);
}

static void swapped_doubled_and_shifted_batches_are_found(void)
{
	char blocks[4][SL_BLOCK_BYTES];

	make_marked_store();
	for (unsigned segment = 1; segment <= 3; segment++) {
		for (unsigned i = 0; i < 4; i++)
			sl_test_segment_peek(
				&made, 0, segment, i * SL_BLOCK_BYTES, blocks[i], SL_BLOCK_BYTES);
		for (unsigned kind = 0; kind < 4; kind++) {
			// 0: swapped, 1: doubled, 2: shifted by a block, 3: written over by zeros.
			static const unsigned sources[4][4] = {
				{0, 2, 1, 3}, {0, 1, 1, 3}, {0, 0, 1, 2}, {0, 4, 2, 3}};
			static const char zeros[SL_BLOCK_BYTES];

			for (unsigned i = 0; i < 4; i++)
				sl_test_segment_poke(&made, 0, segment, i * SL_BLOCK_BYTES,
					sources[kind][i] == 4 ? zeros : blocks[sources[kind][i]],
					SL_BLOCK_BYTES);
			expect_found("rearrangement", kind);
			for (unsigned i = 0; i < 4; i++)
				sl_test_segment_poke(&made, 0, segment, i * SL_BLOCK_BYTES,
					blocks[i], SL_BLOCK_BYTES);
		}
	}
	sl_test_store_destroy(&made);
}

static void what_a_damaged_batch_held_is_named(void)
{
	struct sl_judgement judgement;
	const struct sl_finding *finding;
	uint64_t events_max;

	make_marked_store();
	sl_test_segment_flip(&made, 0, 2, SL_BLOCK_BYTES + 200); // 10 to 16 of partition 0
	judge(&judgement);
	finding = find(&judgement, SL_FINDING_HOLE);
	CU_ASSERT_EQUAL(damage_count(&judgement), 1);
	CU_ASSERT_EQUAL(finding->grade, SL_FINDING_LOSS);
	CU_ASSERT_EQUAL(finding->segment, 2);
	CU_ASSERT_EQUAL(finding->position, SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(finding->hole.first_number, 6);
	CU_ASSERT_EQUAL(finding->hole.last_number, 6);
	CU_ASSERT_EQUAL(finding->lost_count, 1);
	CU_ASSERT(is_lost(finding, 0, 10, 7, false));
	CU_ASSERT_EQUAL(sl_finding_lost_events(finding, &events_max), 7);
	CU_ASSERT_EQUAL(events_max, 7);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void the_next_checkpoint_says_what_a_segments_end_held(void)
{
	struct sl_judgement judgement;
	const struct sl_finding *finding;

	make_marked_store();
	sl_test_segment_flip(&made, 0, 2, 2 * SL_BLOCK_BYTES + 20); // 2 and 3 of partition 1
	sl_test_segment_flip(&made, 0, 2, 3 * SL_BLOCK_BYTES + 20); // 17 to 19 of partition 0
	judge(&judgement);
	finding = find(&judgement, SL_FINDING_HOLE);
	CU_ASSERT_EQUAL(damage_count(&judgement), 1);
	CU_ASSERT_EQUAL(finding->hole.first_number, 7);
	CU_ASSERT_EQUAL(finding->hole.last_number, 8);
	CU_ASSERT(is_lost(finding, 0, 17, 3, false));
	CU_ASSERT(is_lost(finding, 1, 2, 2, false));
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void a_damaged_checkpoint_costs_nothing(void)
{
	struct sl_judgement judgement;
	const struct sl_finding *finding;

	make_marked_store();
	sl_test_segment_flip(&made, 0, 3, 30);
	judge(&judgement);
	finding = find(&judgement, SL_FINDING_HOLE);
	CU_ASSERT_EQUAL(damage_count(&judgement), 1);
	CU_ASSERT_EQUAL(finding->grade, SL_FINDING_ROT);
	CU_ASSERT_PTR_NOT_NULL_FATAL(finding->states);
	CU_ASSERT_EQUAL(finding->states[0].next_offset, 20);
	CU_ASSERT_EQUAL(finding->states[1].next_offset, 4);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void a_missing_segment_is_named_with_what_it_held(void)
{
	struct sl_judgement judgement;
	const struct sl_finding *finding;

	make_marked_store();
	CU_ASSERT_EQUAL(unlink(sl_test_segment_path(&made, 0, 2)), 0);
	judge(&judgement);
	finding = find(&judgement, SL_FINDING_SEGMENT_GONE);
	CU_ASSERT_EQUAL(damage_count(&judgement), 1);
	CU_ASSERT_EQUAL(finding->segment, 2);
	CU_ASSERT_EQUAL(finding->hole.first_number, 5);
	CU_ASSERT_EQUAL(finding->hole.last_number, 8);
	CU_ASSERT(is_lost(finding, 0, 10, 10, false));
	CU_ASSERT(is_lost(finding, 1, 2, 2, false));
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void a_truncated_file_is_named_with_what_it_held(void)
{
	struct sl_judgement judgement;

	make_marked_store();
	CU_ASSERT_EQUAL(truncate(sl_test_segment_path(&made, 0, 2), 2 * SL_BLOCK_BYTES + 100), 0);
	judge(&judgement);
	CU_ASSERT_EQUAL(find(&judgement, SL_FINDING_LENGTH)->segment, 2);
	CU_ASSERT(is_lost(find(&judgement, SL_FINDING_HOLE), 0, 17, 3, false));
	CU_ASSERT(is_lost(find(&judgement, SL_FINDING_HOLE), 1, 2, 2, false));
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void the_end_below_a_mark_is_bounded(void)
{
	struct sl_judgement judgement;
	const struct sl_finding *finding;

	make_marked_store();
	// The last but one, 27 to 29, and the body of the last, 30 to 34, which alone knows better.
	sl_test_segment_flip(&made, 0, 3, 3 * SL_BLOCK_BYTES + 200);
	sl_test_segment_flip(&made, 0, 3, 4 * SL_BLOCK_BYTES + 200);
	judge(&judgement);
	finding = find(&judgement, SL_FINDING_HOLE);
	CU_ASSERT_EQUAL(damage_count(&judgement), 1);
	CU_ASSERT_EQUAL(finding->hole.first_number, 12);
	CU_ASSERT_EQUAL(finding->hole.last_number, 12);
	CU_ASSERT_EQUAL(finding->lost_count, 4);
	CU_ASSERT(finding->lost[0].is_bound);
	CU_ASSERT(finding->lost[0].count >= 8);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void a_torn_tail_is_a_remark(void)
{
	struct sl_judgement judgement;

	make_marked_store();
	sl_test_segment_flip(&made, 0, 3, 4 * SL_BLOCK_BYTES + 200);
	judge(&judgement);
	CU_ASSERT_EQUAL(damage_count(&judgement), 0);
	CU_ASSERT_EQUAL(find(&judgement, SL_FINDING_TORN_TAIL)->position, 4 * SL_BLOCK_BYTES);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void a_rotten_slot_of_lane_meta_is_found(void)
{
	struct sl_lane_meta meta = {.epoch = 2};
	struct sl_judgement judgement;
	char path[256];
	int fd;

	make_marked_store();
	CU_ASSERT_EQUAL(sl_lane_meta_write(&meta, made.lanes[0].path, NULL), 0);
	snprintf(path, sizeof(path), "%s/" SL_LANE_META_NAME, made.lanes[0].path);
	fd = open(path, O_RDWR);
	CU_ASSERT_EQUAL(pwrite(fd, "x", 1, SL_BLOCK_BYTES + 30), 1);
	close(fd);
	judge(&judgement);
	CU_ASSERT_EQUAL(find(&judgement, SL_FINDING_META_SLOT)->grade, SL_FINDING_ROT);
	sl_judgement_free(&judgement);
	CU_ASSERT_EQUAL(truncate(path, 0), 0);
	judge(&judgement);
	CU_ASSERT_EQUAL(find(&judgement, SL_FINDING_LANE_META)->grade, SL_FINDING_ROT);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void lanes_that_contradict_each_other_are_found(void)
{
	const struct sl_partition_state states[] = {state(0, 1, 0, 35)};
	struct sl_judgement judgement;

	make_marked_store();
	sl_test_segment_open(&made, 1);
	sl_test_states_write(&made, 1, SL_BATCH_CHECKPOINT, states, 1);
	sl_test_events_write(&made, 1, 0, 1, 35, 2);
	judge(&judgement);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(find(&judgement, SL_FINDING_TERMS)->what, "store.meta gives this term"));
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static void the_command_says_the_first_or_all(void)
{
	const struct outcome *outcome;
	json_t *document;

	make_marked_store();
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_verify, made.path)->code, SL_CTL_OK);
	sl_test_segment_flip(&made, 0, 1, SL_BLOCK_BYTES + 200);
	sl_test_segment_flip(&made, 0, 3, SL_BLOCK_BYTES + 200);
	outcome = RUN(sl_ctl_store_verify, made.path);
	CU_ASSERT_EQUAL(outcome->code, SL_CTL_CHECK_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->out, "7 events: plays/0 offsets 0 to 6"));
	CU_ASSERT_PTR_NULL(strstr(outcome->out, "offsets 20 to 26"));
	outcome = RUN(sl_ctl_store_verify, made.path, "--all", "--json");
	CU_ASSERT_EQUAL(outcome->code, SL_CTL_CHECK_FAILED);
	document = json_loads(outcome->out, 0, NULL);
	CU_ASSERT(json_is_false(member(document, "sound")));
	CU_ASSERT_EQUAL(number_at(document, "loss"), 2);
	CU_ASSERT_EQUAL(number_at(document, "findings.0.lost.0.last_offset"), 6);
	CU_ASSERT_EQUAL(number_at(document, "findings.1.segment"), 3);
	CU_ASSERT_EQUAL(number_at(document, "findings.1.lost.0.first_offset"), 20);
	json_decref(document);
	sl_test_store_destroy(&made);
}

static uint64_t up_to(void *context, uint16_t lane)
{
	return lane == 0 ? *(const uint64_t *)context : UINT64_MAX;
}

static void a_running_store_is_judged_up_to_its_watermark(void)
{
	uint64_t number = 11;
	const struct sl_store_judge_config config = {
		.path = made.path, .number_max = up_to, .context = &number};
	struct sl_judgement judgement;
	struct sl_err err = {0};

	make_marked_store();
	sl_test_segment_flip(&made, 0, 3, 3 * SL_BLOCK_BYTES + 200); // batch 12
	CU_ASSERT_EQUAL(sl_store_judge(&config, &judgement, &err), 0);
	CU_ASSERT_EQUAL(damage_count(&judgement), 0);
	CU_ASSERT_EQUAL(judgement.batch_count, 11);
	sl_judgement_free(&judgement);
	number = 12;
	CU_ASSERT_EQUAL(sl_store_judge(&config, &judgement, &err), 0);
	CU_ASSERT_EQUAL(damage_count(&judgement), 1);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

// A write that failed, and landed all the same: the next segment has it again.
static void what_a_later_segment_takes_over_is_no_damage(void)
{
	const struct sl_partition_state states[] = {state(0, 1, 0, 30), state(1, 1, 0, 6)};
	struct sl_judgement judgement;
	uint64_t number;
	uint32_t prev_body_crc;

	make_three_segments();
	number = made.lanes[0].number;
	prev_body_crc = made.lanes[0].prev_body_crc;
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
	sl_test_events_write(&made, 0, 0, 1, 35, 5);
	made.lanes[0].number = number;
	made.lanes[0].prev_body_crc = prev_body_crc;
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 2);
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
	sl_test_events_write(&made, 0, 0, 1, 35, 5);
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 40, 5);
	judge(&judgement);
	CU_ASSERT_EQUAL(damage_count(&judgement), 0);
	CU_ASSERT_EQUAL(judgement.event_count, 51);
	sl_judgement_free(&judgement);
	sl_test_store_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(a_whole_store_is_sound),
	SL_TEST(two_segments_and_a_spare_may_be_without_a_footer),
	SL_TEST(a_third_segment_without_a_footer_is_damage),
	SL_TEST(every_bit_flip_of_a_header_is_found),
	SL_TEST(sampled_bit_flips_of_bodies_are_found),
	SL_TEST(every_bit_flip_of_a_footer_is_found),
	SL_TEST(swapped_doubled_and_shifted_batches_are_found),
	SL_TEST(what_a_damaged_batch_held_is_named),
	SL_TEST(the_next_checkpoint_says_what_a_segments_end_held),
	SL_TEST(a_damaged_checkpoint_costs_nothing),
	SL_TEST(a_missing_segment_is_named_with_what_it_held),
	SL_TEST(a_truncated_file_is_named_with_what_it_held),
	SL_TEST(the_end_below_a_mark_is_bounded),
	SL_TEST(a_torn_tail_is_a_remark),
	SL_TEST(a_rotten_slot_of_lane_meta_is_found),
	SL_TEST(lanes_that_contradict_each_other_are_found),
	SL_TEST(the_command_says_the_first_or_all),
	SL_TEST(a_running_store_is_judged_up_to_its_watermark),
	SL_TEST(what_a_later_segment_takes_over_is_no_damage),
};
SL_SUITE(control_ctl_store_verify);
