/* SPDX-License-Identifier: BSD-3-Clause */
// Reads a store back with the reader of common/format, which has a struct of its own.
#include "format/store_reader.h"

#include "store_fixture.h"
#include "suite.h"

#include <stdlib.h>

void sl_store_fixture_expect_dense(
	const struct sl_store_fixture *fixture, const uint64_t *counts, uint32_t partition_count)
{
	struct sl_store_report report = {0};
	struct sl_store_reader *reader;
	struct sl_store_count *found;
	struct sl_err err = {0};

	if (sl_store_reader_open(&reader, fixture->path, &err) != 0)
		CU_FAIL_FATAL(err.text);
	CU_ASSERT_EQUAL_FATAL(reader->meta.header.partition_count, partition_count);
	found = calloc(partition_count, sizeof(*found));
	if (sl_store_count(reader, found, NULL, &report, &err) != 0)
		CU_FAIL(err.text);
	for (uint32_t i = 0; i < partition_count; i++) {
		CU_ASSERT_EQUAL(found[i].event_count, counts[i]);
		CU_ASSERT_EQUAL(found[i].double_count, 0);
		if (counts[i] > 0) {
			CU_ASSERT_EQUAL(found[i].first_offset, 0);
			CU_ASSERT_EQUAL(found[i].last_offset, counts[i] - 1);
		}
	}
	free(found);
	sl_store_reader_close(reader);
}
