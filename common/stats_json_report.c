/* SPDX-License-Identifier: BSD-3-Clause */
// The ledger, and the final report with everything in it.
#include "bounds.h"
#include "ledger.h"
#include "stats_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

json_t *sl_stats_json_ledger_line(const struct sl_ledger_line *line)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:b}", "name", line->name,
		"unit", line->unit, "left_text", line->left_text, "left",
		(json_int_t)line->left.high, "left_low", (json_int_t)line->left.low, "right_text",
		line->right_text, "right", (json_int_t)line->right.high, "right_low",
		(json_int_t)line->right.low, "ok", (int)line->ok);
}

json_t *sl_stats_json_ledger(const struct sl_ledger *ledger)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < ledger->line_count; i++) {
		if (json_array_append_new(lines, sl_stats_json_ledger_line(&ledger->lines[i])) !=
			0) {
			json_decref(lines);
			return NULL;
		}
	}
	return json_pack("{s:b, s:o}", "ok", (int)sl_ledger_holds(ledger), "identities", lines);
}

json_t *sl_stats_json_report(const struct sl_shm *shm, const struct sl_ledger *ledger)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "status", sl_stats_json_status(shm), "stats",
		sl_stats_json_stats(shm), "drops", sl_stats_json_drops(shm), "partitions",
		sl_stats_json_partitions(shm), "ledger", sl_stats_json_ledger(ledger));
}

int sl_stats_json_write(const json_t *document, const char *path, struct sl_err *err)
{
	char temp_path[SL_PATH_BYTES_MAX + 32];

	int written = snprintf(temp_path, sizeof(temp_path), "%s.%d.tmp", path, (int)getpid());
	if (written < 0 || (size_t)written >= sizeof(temp_path))
		return sl_err_set(err, -ENAMETOOLONG, "%s: path is longer than %d bytes", path,
			SL_PATH_BYTES_MAX);
	if (json_dump_file(document, temp_path, JSON_INDENT(2)) != 0) {
		int code = errno == 0 ? -EIO : -errno;
		unlink(temp_path);
		return sl_err_set(err, code,
			"%s: cannot write: %s; choose a path in a writable folder", path,
			strerror(-code));
	}
	if (rename(temp_path, path) != 0) {
		int code = -errno;
		unlink(temp_path);
		return sl_err_set(err, code, "%s: cannot be replaced: %s", path, strerror(-code));
	}
	return 0;
}
