/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger_record.h"

#include "ledger_offline.h"
#include "made_segment.h"
#include "suite.h"

#include <string.h>

static const struct sl_ledger_stamp stamp = {
	.boot = 0x1234, .sequence = 5, .time_ns = 77, .lane_count = 2};
static char record[SL_LEDGER_BYTES_MAX];

static uint32_t make(const struct sl_made_segment *made, bool at_rest)
{
	if (at_rest)
		return sl_ledger_record_at_rest(record, &made->shm, NULL, &stamp);
	return sl_ledger_record_at_snapshot(record, &made->shm, made->ports_before, &stamp);
}

static const char *first_broken(void)
{
	static char name[SL_LEDGER_NAME_BYTES_MAX];
	struct sl_ledger ledger;

	name[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(sl_ledger_of_record(&ledger, record), 0);
	for (size_t i = ledger.line_count; i > 0; i--) {
		if (!ledger.lines[i - 1].ok)
			strcpy(name, ledger.lines[i - 1].name);
	}
	sl_ledger_free(&ledger);
	return name;
}

static void records_of_an_honest_segment_hold_and_check(void)
{
	struct sl_made_segment made;
	struct sl_run_ledger header;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	for (int at_rest = 0; at_rest < 2; at_rest++) {
		uint32_t bytes = make(&made, at_rest);

		CU_ASSERT(sl_run_ledger_check(record, bytes));
		CU_ASSERT_FALSE(sl_run_ledger_check(record, bytes - 1));
		CU_ASSERT_STRING_EQUAL(first_broken(), "");
		sl_run_ledger_header(record, &header);
		CU_ASSERT_EQUAL(header.boot, 0x1234);
		CU_ASSERT_EQUAL(header.sequence, 5);
		CU_ASSERT_EQUAL(header.time_ns, 77);
		CU_ASSERT_EQUAL(header.lane_count, 2);
		CU_ASSERT_EQUAL(header.port_count, made.shm.header->port_count);
		CU_ASSERT_EQUAL(header.flags, at_rest ? SL_LEDGER_LAST : 0);
		CU_ASSERT(header.frames > 0 && header.stored > 0 && header.drop_count > 0);
	}
	sl_made_segment_destroy(&made);
}

// Each counter of the header that is wrong by one is found: it stands in some identity.
static void every_counter_that_is_wrong_is_found(void)
{
	const size_t first = offsetof(struct sl_run_ledger, frames);
	const size_t last = offsetof(struct sl_run_ledger, in_flight);
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	for (size_t offset = first; offset <= last; offset += sizeof(uint64_t)) {
		uint64_t word;

		make(&made, true);
		memcpy(&word, record + offset, sizeof(word));
		word++;
		memcpy(record + offset, &word, sizeof(word));
		// What rings had been given afterwards only bounds what they had at the marker.
		if (offset == offsetof(struct sl_run_ledger, enqueued_after))
			continue;
		CU_ASSERT_STRING_NOT_EQUAL(first_broken(), "");
	}
	sl_made_segment_destroy(&made);
}

static void drops_and_ports_that_are_wrong_are_found(void)
{
	const size_t ports = sizeof(struct sl_run_ledger);
	struct sl_run_ledger_drop drop;
	struct sl_run_ledger_port port;
	struct sl_run_ledger header;
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	make(&made, true);
	sl_run_ledger_header(record, &header);
	size_t drops = ports + header.port_count * sizeof(port);
	for (uint32_t i = 0; i < header.drop_count; i++) {
		make(&made, true);
		sl_run_ledger_drop(record, i, &drop);
		drop.count++;
		memcpy(record + drops + i * sizeof(drop), &drop, sizeof(drop));
		CU_ASSERT_STRING_NOT_EQUAL(first_broken(), "");
	}
	make(&made, true);
	sl_run_ledger_port(record, 0, &port);
	port.frames--;
	memcpy(record + ports, &port, sizeof(port));
	CU_ASSERT_STRING_NOT_EQUAL(first_broken(), "");
	make(&made, true);
	sl_run_ledger_port(record, 0, &port);
	CU_ASSERT(port.flags & SL_LEDGER_PORT_REDIRECTS);
	port.xsk_ring_full++;
	memcpy(record + ports, &port, sizeof(port));
	CU_ASSERT_STRING_EQUAL(first_broken(), "port 0 redirect");
	sl_made_segment_destroy(&made);
}

static void the_first_record_counts_nothing(void)
{
	struct sl_made_segment made;
	struct sl_run_ledger header;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	uint32_t bytes = sl_ledger_record_first(record, &made.shm, &stamp);
	CU_ASSERT(sl_run_ledger_check(record, bytes));
	sl_run_ledger_header(record, &header);
	CU_ASSERT_EQUAL(header.frames + header.stored + header.drop_count, 0);
	sl_made_segment_destroy(&made);
}

static void a_record_of_a_later_program_is_read_by_its_lengths(void)
{
	struct sl_run_ledger header = {.boot = 1,
		.header_bytes = sizeof(struct sl_run_ledger) + 8,
		.port_bytes = sizeof(struct sl_run_ledger_port) + 16,
		.drop_bytes = sizeof(struct sl_run_ledger_drop) + 24,
		.port_count = 2,
		.drop_count = 1};
	struct sl_run_ledger_drop drop = {.reason = "of_later_days", .count = 9};
	struct sl_run_ledger_port port = {.device = "net_null1", .frames = 3};
	size_t port_at = header.header_bytes + header.port_bytes;
	size_t drop_at = header.header_bytes + 2u * header.port_bytes;
	uint32_t bytes = (uint32_t)drop_at + header.drop_bytes;

	memset(record, 0xee, sizeof(record));
	memcpy(record, &header, sizeof(header));
	memcpy(record + port_at, &port, sizeof(port));
	memcpy(record + drop_at, &drop, sizeof(drop));
	CU_ASSERT(sl_run_ledger_check(record, bytes));
	CU_ASSERT(sl_run_ledger_check(record, bytes + 100));
	CU_ASSERT_FALSE(sl_run_ledger_check(record, bytes - 1));
	memset(&port, 0, sizeof(port));
	memset(&drop, 0, sizeof(drop));
	sl_run_ledger_port(record, 1, &port);
	sl_run_ledger_drop(record, 0, &drop);
	CU_ASSERT_EQUAL(port.frames, 3);
	CU_ASSERT_STRING_EQUAL(drop.reason, "of_later_days");
	header.boot = 0;
	memcpy(record, &header, sizeof(header));
	CU_ASSERT_FALSE(sl_run_ledger_check(record, bytes));
	header.boot = 1;
	header.drop_bytes = sizeof(struct sl_run_ledger_drop) - 1;
	memcpy(record, &header, sizeof(header));
	CU_ASSERT_FALSE(sl_run_ledger_check(record, bytes));
	header.drop_bytes = sizeof(struct sl_run_ledger_drop) + 24;
	memcpy(record, &header, sizeof(header));
	drop.reason[0] = ' ';
	memcpy(record + drop_at, &drop, sizeof(drop));
	CU_ASSERT_FALSE(sl_run_ledger_check(record, bytes));
}

static const struct sl_test tests[] = {
	SL_TEST(records_of_an_honest_segment_hold_and_check),
	SL_TEST(every_counter_that_is_wrong_is_found),
	SL_TEST(drops_and_ports_that_are_wrong_are_found),
	SL_TEST(the_first_record_counts_nothing),
	SL_TEST(a_record_of_a_later_program_is_read_by_its_lengths),
};
SL_SUITE(common_ledger_record);
