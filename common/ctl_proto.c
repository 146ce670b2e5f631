/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl_proto.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

const char *const sl_ctl_command_names[SL_CTL_COMMAND_COUNT] = {
	[SL_CTL_SNAPSHOT] = "snapshot",
};

static int command_find(const char *name, enum sl_ctl_command *command, struct sl_err *err)
{
	for (int i = 0; i < SL_CTL_COMMAND_COUNT; i++) {
		if (strcmp(name, sl_ctl_command_names[i]) == 0) {
			*command = (enum sl_ctl_command)i;
			return 0;
		}
	}
	return sl_err_set(err, -EINVAL, "unknown command \"%.64s\"; known: snapshot", name);
}

int sl_ctl_request_parse(
	const char *line, size_t bytes, enum sl_ctl_command *command, struct sl_err *err)
{
	json_error_t json_err;
	const char *name;
	int rc;

	if (bytes > SL_CTL_LINE_BYTES_MAX)
		return sl_err_set(
			err, -EINVAL, "request is longer than %d bytes", SL_CTL_LINE_BYTES_MAX);
	json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &json_err);
	if (request == NULL)
		return sl_err_set(err, -EINVAL, "request is not JSON: %s", json_err.text);
	if (json_unpack_ex(request, &json_err, JSON_STRICT, "{s:s}", "command", &name) != 0)
		rc = sl_err_set(
			err, -EINVAL, "request is not {\"command\":\"NAME\"}: %s", json_err.text);
	else
		rc = command_find(name, command, err);
	json_decref(request);
	return rc;
}

// Takes over the reference.
static size_t answer_write(char *line, size_t line_bytes, json_t *answer)
{
	size_t bytes = answer == NULL ? 0 : json_dumpb(answer, line, line_bytes, JSON_COMPACT);

	json_decref(answer);
	// json_dumpb returns the length that it would need.
	if (bytes == 0 || bytes >= line_bytes)
		return 0;
	line[bytes] = '\n';
	return bytes + 1;
}

size_t sl_ctl_answer_snapshot(char *line, size_t line_bytes, uint64_t snapshot)
{
	return answer_write(line, line_bytes,
		json_pack("{s:b, s:I}", "ok", 1, "snapshot", (json_int_t)snapshot));
}

size_t sl_ctl_answer_error(char *line, size_t line_bytes, const char *text)
{
	return answer_write(line, line_bytes, json_pack("{s:b, s:s}", "ok", 0, "error", text));
}
