/* SPDX-License-Identifier: BSD-3-Clause */
// `sluice-blast verify` on stores as they lie on disk: made by hand, spoilt by hand.
#include "load/commands.h"

#include "command.h"
#include "load/payload.h"
#include "store_maker.h"
#include "suite.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT 200u
#define PARTITION_COUNT 4u
#define BATCH_EVENT_COUNT 50u
#define SENT_NS 1699999999999000000ull // shortly before the maker's receive times

static const struct sl_payload_config run = {
	.kind = SL_PAYLOAD_BINARY,
	.run_id = 9,
	.bytes = 18,
	.key_count = 20,
	.flow_count = 2,
	.seed = 4,
};
static const char sent_json[] =
	"{\"payload\":\"binary\",\"run_id\":9,\"size\":18,\"keys\":20,\"flows\":2,\"seed\":4,"
	"\"sent\":200,\"in_doubt\":0}";

static struct sl_test_store made;
static uint64_t offsets[PARTITION_COUNT];
static char sent_path[64], json_path[64];
static char output[8192];

static void make_file(char *path, const char *text)
{
	strcpy(path, "/tmp/sluice-verify-XXXXXX");
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void put(const struct sl_payload_config *payload, uint64_t sequence, uint32_t term)
{
	uint16_t partition = (uint16_t)(sl_payload_key(payload, sequence) % PARTITION_COUNT);
	char event[SL_PAYLOAD_PLAY_BYTES];

	sl_payload_build(payload, sequence, SENT_NS, event);
	sl_test_batch_event(
		&made.batch, partition, term, offsets[partition]++, event, payload->bytes);
}

static void open_segment(unsigned lane, uint32_t term)
{
	struct sl_partition_state states[PARTITION_COUNT];

	for (uint16_t i = 0; i < PARTITION_COUNT; i++)
		states[i] = (struct sl_partition_state){.partition = i,
			.term = term,
			.term_start = term == 1 ? 0 : offsets[i],
			.next_offset = offsets[i]};
	sl_test_segment_open(&made, lane);
	sl_test_states_write(&made, lane, SL_BATCH_CHECKPOINT, states, PARTITION_COUNT);
}

// Sequences [first, first + count) but one, in batches.
static void put_range(const struct sl_payload_config *payload, unsigned lane, uint32_t term,
	uint64_t first, uint64_t count, uint64_t left_out)
{
	for (uint64_t i = first; i < first + count; i += BATCH_EVENT_COUNT) {
		sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
		for (uint64_t j = i; j < i + BATCH_EVENT_COUNT; j++) {
			if (j != left_out)
				put(payload, j, term);
		}
		sl_test_batch_write(&made, lane);
	}
}

static void setup(void)
{
	sl_test_store_create(&made, PARTITION_COUNT);
	memset(offsets, 0, sizeof(offsets));
	make_file(sent_path, sent_json);
	make_file(json_path, "");
}

static void teardown(void)
{
	sl_test_store_destroy(&made);
	unlink(sent_path);
	unlink(json_path);
}

// A store with all of the run but one sequence; COUNT leaves nothing out.
static void make_store(const struct sl_payload_config *payload, uint64_t left_out)
{
	setup();
	open_segment(0, 1);
	put_range(payload, 0, 1, 0, COUNT, left_out);
}

// Up to three options behind --store and --json.
static int verify(char *option1, char *option2, char *option3)
{
	char *argv[] = {"verify", "--store", made.path, "--json", json_path, option1, option2,
		option3, NULL};

	return sl_test_command_run(sl_blast_verify, argv, output, sizeof(output));
}

static json_int_t found(const char *key)
{
	json_t *document = json_load_file(json_path, 0, NULL);
	json_int_t value = json_integer_value(json_object_get(document, key));

	json_decref(document);
	return value;
}

static void a_whole_store_is_well(void)
{
	make_store(&run, COUNT);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, NULL), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "run 9: 200 of 200 events found, in 4 partitions"));
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "all is well"));
	CU_ASSERT_EQUAL(found("distinct"), COUNT);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, "--stream=plays"), 0);
	teardown();
}

static void a_count_is_enough_for_the_run_that_the_store_holds(void)
{
	struct sl_payload_config play = run;

	play.kind = SL_PAYLOAD_PLAY;
	play.bytes = SL_PAYLOAD_PLAY_BYTES;
	for (int i = 0; i < 2; i++) {
		make_store(i == 0 ? &run : &play, COUNT);
		CU_ASSERT_EQUAL(verify("--count=200", NULL, NULL), 0);
		CU_ASSERT_EQUAL(found("run_id"), 9);
		CU_ASSERT_EQUAL(
			verify("--count=200", i == 0 ? "--payload=binary" : "--payload=play",
				"--run-id=9"),
			0);
		CU_ASSERT_EQUAL(verify("--count=201", NULL, NULL), SL_BLAST_EXIT_FAILED);
		CU_ASSERT_EQUAL(verify("--count=200", "--run-id=8", NULL), SL_BLAST_EXIT_FAILED);
		CU_ASSERT_EQUAL(found("other_runs"), COUNT);
		teardown();
	}
}

static void a_lost_event_fails_unless_loss_is_allowed(void)
{
	make_store(&run, 77);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, NULL), SL_BLAST_EXIT_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "missing: sequence 77, of key"));
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "NOT WELL"));
	CU_ASSERT_EQUAL(found("missing"), 1);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, "--allow-missing"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "missing 1 (allowed)"));
	teardown();
}

static void segments_before_the_first_wanted_one_are_not_read(void)
{
	struct sl_payload_config earlier = run;

	earlier.run_id = 8;
	make_store(&earlier, COUNT);
	sl_test_segment_seal(&made, 0);
	open_segment(0, 1);
	put_range(&run, 0, 1, 0, COUNT, COUNT);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, NULL), 0);
	CU_ASSERT_EQUAL(found("other_runs"), COUNT);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, "--segment-from=2"), 0);
	CU_ASSERT_EQUAL(found("distinct"), COUNT);
	CU_ASSERT_EQUAL(found("other_runs"), 0);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, "--segment-from=3"), SL_BLAST_EXIT_FAILED);
	CU_ASSERT_EQUAL(found("missing"), COUNT);
	teardown();
}

static void foreign_events_fail_unless_they_are_allowed(void)
{
	make_store(&run, COUNT);
	sl_test_events_write(&made, 0, 2, 1, offsets[2], 3);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, NULL), SL_BLAST_EXIT_FAILED);
	CU_ASSERT_EQUAL(found("foreign"), 3);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, "--allow-foreign"), 0);
	teardown();
}

// Term 1 in lane 1, term 2 in lane 0: lane by lane the later offsets would come first.
static void partitions_that_moved_are_read_in_the_order_of_their_offsets(void)
{
	setup();
	open_segment(1, 1);
	put_range(&run, 1, 1, 0, COUNT / 2, COUNT);
	for (unsigned i = 0; i < PARTITION_COUNT; i++)
		made.meta.partitions[i] = (struct sl_store_meta_partition){
			.term = 2, .term_start = offsets[i], .lane = 0};
	sl_test_store_write_meta(&made);
	open_segment(0, 2);
	put_range(&run, 0, 2, COUNT / 2, COUNT / 2, COUNT);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, NULL), 0);
	CU_ASSERT_EQUAL(found("distinct"), COUNT);
	CU_ASSERT_EQUAL(verify("--count=200", NULL, NULL), 0);
	teardown();
}

static void a_store_that_cannot_be_read_has_its_own_exit_code(void)
{
	char *nowhere[] = {"verify", "--store", "/nonexistent", "--count", "1", NULL};

	CU_ASSERT_EQUAL(sl_test_command_run(sl_blast_verify, nowhere, output, sizeof(output)),
		SL_BLAST_EXIT_STORE);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "/nonexistent"));

	make_store(&run, COUNT);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, "--stream=nosuch"), SL_BLAST_EXIT_STORE);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "plays"));
	sl_test_segment_seal(&made, 0);
	sl_test_segment_flip(&made, 0, 1, 3 * SL_BLOCK_BYTES + 200);
	CU_ASSERT_EQUAL(verify("--sent", sent_path, NULL), SL_BLAST_EXIT_STORE);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "0000000000000001.seg"));
	teardown();
}

static void a_store_without_a_run_cannot_tell_which_one_to_look_for(void)
{
	setup();
	open_segment(0, 1);
	sl_test_events_write(&made, 0, 0, 1, 0, 3);
	CU_ASSERT_EQUAL(verify("--count=3", NULL, NULL), SL_BLAST_EXIT_STORE);
	CU_ASSERT_PTR_NOT_NULL(strstr(output, "holds no event of sluice-blast"));
	teardown();
}

static void wrong_options_are_refused_by_name(void)
{
	static const struct {
		char *arguments[8];
		const char *text;
	} cases[] = {
		{{"verify", "--count", "3"}, "--store DIR is missing"},
		{{"verify", "--store", "/x"}, "give one of --sent FILE and --count N"},
		{{"verify", "--store", "/x", "--sent", "/y", "--count", "3"}, "give one of"},
		{{"verify", "--store", "/x", "--sent", "/y", "--run-id", "3"}, "go with --count"},
		{{"verify", "--store", "/x", "--sent", "/nonexistent"}, "/nonexistent"},
		{{"verify", "--store", "/x", "--count", "-1"}, "--count: value '-1'"},
		{{"verify", "--store", "/x", "--count", "1", "--payload", "wav"}, "binary or play"},
		{{"verify", "--store", "/x", "--count", "1", "--run-id", "16777216"}, "--run-id"},
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		char *argv[9] = {0};

		memcpy(argv, cases[i].arguments, sizeof(cases[i].arguments));
		CU_ASSERT_EQUAL(sl_test_command_run(sl_blast_verify, argv, output, sizeof(output)),
			SL_EXIT_USAGE);
		CU_ASSERT_PTR_NOT_NULL(strstr(output, cases[i].text));
	}
}

static const struct sl_test tests[] = {
	SL_TEST(a_whole_store_is_well),
	SL_TEST(a_count_is_enough_for_the_run_that_the_store_holds),
	SL_TEST(a_lost_event_fails_unless_loss_is_allowed),
	SL_TEST(segments_before_the_first_wanted_one_are_not_read),
	SL_TEST(foreign_events_fail_unless_they_are_allowed),
	SL_TEST(partitions_that_moved_are_read_in_the_order_of_their_offsets),
	SL_TEST(a_store_that_cannot_be_read_has_its_own_exit_code),
	SL_TEST(a_store_without_a_run_cannot_tell_which_one_to_look_for),
	SL_TEST(wrong_options_are_refused_by_name),
};
SL_SUITE(load_verify_command);
