/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats_json.h"

#include "ledger.h"
#include "made_segment.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static json_int_t integer_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "(none)" : text;
}

static void status_names_states_and_places(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	json_t *status = sl_stats_json_status(&made.shm);
	CU_ASSERT_PTR_NOT_NULL_FATAL(status);
	CU_ASSERT_STRING_EQUAL(text_at(status, "state"), "running");
	CU_ASSERT_STRING_EQUAL(text_at(status, "store"), "/var/lib/sluice");
	CU_ASSERT_EQUAL(integer_at(status, "pid"), getpid());
	const json_t *port = json_array_get(json_object_get(status, "ports"), 0);
	CU_ASSERT_STRING_EQUAL(text_at(port, "device"), "af_xdp:veth1");
	CU_ASSERT_STRING_EQUAL(text_at(port, "mac"), "02:00:00:00:00:01");
	CU_ASSERT_STRING_EQUAL(text_at(port, "ledger"), "exact");
	const json_t *lcores = json_object_get(status, "lcores");
	CU_ASSERT_EQUAL(json_array_size(lcores), 3);
	CU_ASSERT_STRING_EQUAL(text_at(json_array_get(lcores, 0), "role"), "rx");
	CU_ASSERT_STRING_EQUAL(text_at(json_array_get(lcores, 0), "stage"), "receive");
	CU_ASSERT_STRING_EQUAL(text_at(json_array_get(lcores, 1), "role"), "worker");
	CU_ASSERT_STRING_EQUAL(text_at(json_array_get(lcores, 2), "role"), "rx+worker");
	const json_t *lanes = json_object_get(status, "lanes");
	CU_ASSERT_STRING_EQUAL(text_at(json_array_get(lanes, 0), "durability"), "durable");
	CU_ASSERT_STRING_EQUAL(text_at(json_array_get(lanes, 1), "state"), "ownerless");
	CU_ASSERT(json_is_null(json_object_get(json_array_get(lanes, 1), "worker")));
	CU_ASSERT_EQUAL(json_array_size(json_object_get(status, "streams")), 2);
	json_decref(status);
	sl_made_segment_destroy(&made);
}

static void totals_are_the_sums_over_all_lcores(void)
{
	static const struct {
		const char *key;
		json_int_t value;
	} expected[] = {
		{"frames", 150},
		{"frame_bytes", 9000},
		{"datagrams", 144},
		{"events", 144},
		{"event_bytes", 1692},
		{"stored", 135},
		{"stored_bytes", 2430},
		{"written_bytes", 12288},
		{"batches", 5},
		{"open_events", 0},
		{"in_flight_events", 0},
		{"dropped_frames", 6},
		{"dropped_events", 9},
	};
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	json_t *totals = sl_stats_json_totals(&made.shm);
	for (size_t i = 0; i < SL_ARRAY_COUNT(expected); i++)
		CU_ASSERT_EQUAL(integer_at(totals, expected[i].key), expected[i].value);
	CU_ASSERT_EQUAL(json_object_size(totals), SL_ARRAY_COUNT(expected));
	json_decref(totals);
	sl_made_segment_destroy(&made);
}

static void stats_have_every_counter_of_every_lcore(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	json_t *stats = sl_stats_json_stats(&made.shm);
	const json_t *rx = json_object_get(stats, "rx");
	const json_t *workers = json_object_get(stats, "workers");
	CU_ASSERT_EQUAL_FATAL(json_array_size(rx), 2);
	CU_ASSERT_EQUAL_FATAL(json_array_size(workers), 2);
	for (size_t i = 0; i < sl_rx_counter_count; i++)
		CU_ASSERT(integer_at(json_array_get(rx, 0), sl_rx_counter_infos[i].name) >= 0);
	for (size_t i = 0; i < sl_worker_counter_count; i++)
		CU_ASSERT(integer_at(json_array_get(workers, 0), sl_worker_counter_infos[i].name) >=
			0);
	CU_ASSERT_EQUAL(integer_at(json_array_get(rx, 1), "direct"), 50);
	CU_ASSERT_EQUAL(integer_at(json_array_get(workers, 0), "dequeued"), 90);
	const json_t *rx_drops = json_object_get(json_array_get(rx, 0), "drops");
	const json_t *worker_drops = json_object_get(json_array_get(workers, 0), "drops");
	CU_ASSERT_EQUAL(integer_at(rx_drops, "udp_checksum"), 3);
	CU_ASSERT_EQUAL(integer_at(worker_drops, "lane_full"), 5);
	// Each reason belongs to one side.
	CU_ASSERT_EQUAL(
		json_object_size(rx_drops) + json_object_size(worker_drops), SL_DROP_REASON_COUNT);
	const json_t *port = json_array_get(json_object_get(stats, "ports"), 0);
	CU_ASSERT_EQUAL(integer_at(json_object_get(port, "xdp"), "redirect"), 160);
	CU_ASSERT_EQUAL(integer_at(port, "frames"), 150);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(stats, "rings")), 2);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(stats, "lanes")), 2);
	const json_t *lane = json_array_get(json_object_get(stats, "lanes"), 0);
	CU_ASSERT_STRING_EQUAL(text_at(lane, "breaker"), "half_open");
	CU_ASSERT_STRING_EQUAL(text_at(lane, "write_error"), "Input/output error");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(lane, "writes_failed")), 3);
	lane = json_array_get(json_object_get(stats, "lanes"), 1);
	CU_ASSERT_STRING_EQUAL(text_at(lane, "breaker"), "closed");
	CU_ASSERT(json_is_null(json_object_get(lane, "write_error")));
	json_decref(stats);
	sl_made_segment_destroy(&made);
}

static void stages_are_listed_where_they_are_measured(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	json_t *none = sl_stats_json_stages(&made.shm);
	CU_ASSERT(json_is_array(none));
	CU_ASSERT_EQUAL(json_array_size(none), 0);
	json_decref(none);
	struct sl_lcore_cycles *cycles = &made.shm.lcores[2].cycles;
	cycles->elapsed = 10000;
	cycles->stages[SL_TIMED_RECEIVE_EMPTY] = (struct sl_stage_cycles){100, 5, 5, 30};
	cycles->stages[SL_TIMED_SUBMIT] = (struct sl_stage_cycles){500, 0, 2, 300};
	json_t *stages = sl_stats_json_stages(&made.shm);
	CU_ASSERT_EQUAL_FATAL(json_array_size(stages), 2);
	const json_t *polls = json_array_get(stages, 0);
	CU_ASSERT_EQUAL(integer_at(polls, "lcore"), 3);
	CU_ASSERT_STRING_EQUAL(text_at(polls, "stage"), "receive_empty");
	CU_ASSERT_STRING_EQUAL(text_at(polls, "unit"), "polls");
	CU_ASSERT_EQUAL(json_real_value(json_object_get(polls, "cycles_per_event")), 20);
	CU_ASSERT_EQUAL(json_real_value(json_object_get(polls, "share_percent")), 1);
	const json_t *submit = json_array_get(stages, 1);
	CU_ASSERT_EQUAL(integer_at(submit, "calls"), 2);
	CU_ASSERT_EQUAL(integer_at(submit, "cycles"), 500);
	CU_ASSERT_EQUAL(integer_at(submit, "cycles_max"), 300);
	CU_ASSERT(json_is_null(json_object_get(submit, "cycles_per_event")));
	json_decref(stages);
	json_t *stats = sl_stats_json_stats(&made.shm);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(stats, "stages")), 2);
	json_decref(stats);
	sl_made_segment_destroy(&made);
}

static void the_store_has_its_drives_with_breakers_and_its_lanes(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	made.shm.lanes[0].write_count = 4;
	made.shm.lanes[0].write_ns_total = 6000;
	json_t *store = sl_stats_json_store(&made.shm);

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	CU_ASSERT_EQUAL(
		json_array_size(json_object_get(store, "drives")), made.shm.header->drive_count);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(store, "lanes")), 2);
	const json_t *lane = json_array_get(json_object_get(store, "lanes"), 0);
	CU_ASSERT_STRING_EQUAL(text_at(lane, "breaker"), "half_open");
	CU_ASSERT_STRING_EQUAL(text_at(lane, "class"), "default");
	CU_ASSERT_EQUAL(json_real_value(json_object_get(lane, "write_us_mean")), 1.5);
	const json_t *drive = json_array_get(json_object_get(store, "drives"), 0);
	CU_ASSERT_STRING_EQUAL(text_at(drive, "breaker"), "half_open");
	json_decref(store);
	sl_made_segment_destroy(&made);
}

static void latency_is_that_of_all_lanes_and_of_each(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	sl_latency_record(&made.shm.lanes[0].latency, 100000, 99);
	sl_latency_record(&made.shm.lanes[1].latency, 1000000, 1);
	json_t *latency = sl_stats_json_latency(&made.shm);
	CU_ASSERT_EQUAL(integer_at(latency, "events"), 100);
	CU_ASSERT_EQUAL(json_real_value(json_object_get(latency, "p99_us")), 100.351);
	CU_ASSERT_EQUAL(json_real_value(json_object_get(latency, "p999_us")), 1000);
	CU_ASSERT_EQUAL(json_real_value(json_object_get(latency, "max_us")), 1000);
	const json_t *buckets = json_object_get(latency, "buckets");
	CU_ASSERT_EQUAL_FATAL(json_array_size(buckets), 2);
	CU_ASSERT_EQUAL(integer_at(json_array_get(buckets, 0), "last_ns"), 100351);
	CU_ASSERT_EQUAL(integer_at(json_array_get(buckets, 0), "events"), 99);
	const json_t *lanes = json_object_get(latency, "lanes");
	CU_ASSERT_EQUAL_FATAL(json_array_size(lanes), 2);
	CU_ASSERT_EQUAL(integer_at(json_array_get(lanes, 1), "lane"), 1);
	CU_ASSERT_EQUAL(integer_at(json_array_get(lanes, 1), "events"), 1);
	json_decref(latency);
	sl_made_segment_destroy(&made);
}

static void drops_list_every_reason_with_its_sum(void)
{
	struct sl_made_segment made;
	json_int_t frames = 0, events = 0;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	made.shm.lcores[2].rx.drops[SL_DROP_RUNT] = 10;
	json_t *drops = sl_stats_json_drops(&made.shm);
	const json_t *reasons = json_object_get(drops, "reasons");
	CU_ASSERT_EQUAL_FATAL(json_array_size(reasons), SL_DROP_REASON_COUNT);
	CU_ASSERT_STRING_EQUAL(text_at(json_array_get(reasons, SL_DROP_RUNT), "reason"), "runt");
	CU_ASSERT_EQUAL(integer_at(json_array_get(reasons, SL_DROP_RUNT), "count"), 11);
	for (size_t i = 0; i < SL_DROP_REASON_COUNT; i++) {
		const json_t *reason = json_array_get(reasons, i);
		*(strcmp(text_at(reason, "unit"), "frames") == 0 ? &frames : &events) +=
			integer_at(reason, "count");
	}
	CU_ASSERT_EQUAL(integer_at(drops, "dropped_frames"), frames);
	CU_ASSERT_EQUAL(integer_at(drops, "dropped_events"), events);
	CU_ASSERT_EQUAL(frames, 16);
	CU_ASSERT_EQUAL(events, 9);
	json_decref(drops);
	sl_made_segment_destroy(&made);
}

static void partitions_are_listed_stream_by_stream(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	json_t *partitions = sl_stats_json_partitions(&made.shm);
	const json_t *streams = json_object_get(partitions, "streams");
	CU_ASSERT_EQUAL_FATAL(json_array_size(streams), 2);
	const json_t *likes = json_array_get(streams, 1);
	CU_ASSERT_STRING_EQUAL(text_at(likes, "stream"), "likes");
	const json_t *partition = json_array_get(json_object_get(likes, "partitions"), 0);
	CU_ASSERT_EQUAL(integer_at(partition, "partition"), 0);
	CU_ASSERT_EQUAL(integer_at(partition, "number"), 2);
	CU_ASSERT_EQUAL(integer_at(partition, "watermark"), 50);
	json_decref(partitions);
	sl_made_segment_destroy(&made);
}

static void a_segment_with_foreign_words_still_gives_a_document(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	made.shm.header->state = 99;
	made.shm.lanes[0].state = 99;
	made.shm.ports[0].ledger = 99;
	made.shm.lcores[0].stage = 99;
	strcpy(made.shm.header->store_path, "/srv/\xff\xfe");
	memset(made.shm.ports[0].device, 'x', sizeof(made.shm.ports[0].device));
	made.shm.streams[1].partition_count = 1000000;
	json_t *status = sl_stats_json_status(&made.shm);
	CU_ASSERT_PTR_NOT_NULL_FATAL(status);
	CU_ASSERT_STRING_EQUAL(text_at(status, "state"), "unknown");
	CU_ASSERT_STRING_EQUAL(text_at(status, "store"), "/srv/??");
	const json_t *port = json_array_get(json_object_get(status, "ports"), 0);
	CU_ASSERT_EQUAL(strlen(text_at(port, "device")), sizeof(made.shm.ports[0].device));
	json_decref(status);
	json_t *partitions = sl_stats_json_partitions(&made.shm);
	CU_ASSERT_PTR_NOT_NULL(partitions);
	json_decref(partitions);
	sl_made_segment_destroy(&made);
}

static void the_report_holds_every_document_and_is_replaced_as_a_whole(void)
{
	static const char *const keys[] = {"status", "stats", "drops", "partitions", "ledger"};
	struct sl_made_segment made;
	struct sl_ledger ledger;
	struct sl_err err;
	struct stat status;
	char path[128], temp_path[192];

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	CU_ASSERT_EQUAL_FATAL(sl_ledger_at_rest(&ledger, &made.shm), 0);
	json_t *report = sl_stats_json_report(&made.shm, &ledger);
	CU_ASSERT_PTR_NOT_NULL_FATAL(report);
	CU_ASSERT(json_is_true(json_object_get(json_object_get(report, "ledger"), "ok")));
	snprintf(path, sizeof(path), "%s/report.json", made.runtime_dir);
	snprintf(temp_path, sizeof(temp_path), "%s.%d.tmp", path, (int)getpid());
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(sl_stats_json_write(report, path, &err), 0);
	CU_ASSERT_NOT_EQUAL(stat(temp_path, &status), 0);
	json_t *read_back = json_load_file(path, 0, NULL);
	CU_ASSERT(json_equal(read_back, report));
	for (size_t i = 0; i < SL_ARRAY_COUNT(keys); i++)
		CU_ASSERT(json_is_object(json_object_get(read_back, keys[i])));
	json_decref(read_back);
	json_decref(report);
	sl_ledger_free(&ledger);
	unlink(path);
	sl_made_segment_destroy(&made);
}

static void a_report_that_cannot_be_written_is_an_error_that_names_the_file(void)
{
	json_t *document = json_pack("{s:i}", "a", 1);
	char long_path[SL_PATH_BYTES_MAX + 64];
	struct sl_err err;

	CU_ASSERT_EQUAL(sl_stats_json_write(document, "/nonexistent/report.json", &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/report.json"));
	// The target is a folder: written beside it, it cannot be renamed over it.
	CU_ASSERT_EQUAL(sl_stats_json_write(document, "/tmp", &err), -EISDIR);
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	CU_ASSERT_EQUAL(sl_stats_json_write(document, long_path, &err), -ENAMETOOLONG);
	json_decref(document);
}

static const struct sl_test tests[] = {
	SL_TEST(status_names_states_and_places),
	SL_TEST(totals_are_the_sums_over_all_lcores),
	SL_TEST(stats_have_every_counter_of_every_lcore),
	SL_TEST(stages_are_listed_where_they_are_measured),
	SL_TEST(the_store_has_its_drives_with_breakers_and_its_lanes),
	SL_TEST(latency_is_that_of_all_lanes_and_of_each),
	SL_TEST(drops_list_every_reason_with_its_sum),
	SL_TEST(partitions_are_listed_stream_by_stream),
	SL_TEST(a_segment_with_foreign_words_still_gives_a_document),
	SL_TEST(the_report_holds_every_document_and_is_replaced_as_a_whole),
	SL_TEST(a_report_that_cannot_be_written_is_an_error_that_names_the_file),
};
SL_SUITE(common_stats_json);
