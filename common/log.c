/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 2048

static const struct {
	const char *name;
	int priority; // sd-daemon(3), syslog(3)
} levels[] = {
	[SL_LOG_ERROR] = {"error", 3},
	[SL_LOG_WARNING] = {"warning", 4},
	[SL_LOG_NOTICE] = {"notice", 5},
	[SL_LOG_INFO] = {"info", 6},
	[SL_LOG_DEBUG] = {"debug", 7},
};

static enum sl_log_level level_max = SL_LOG_INFO;

void sl_log_set_level(enum sl_log_level level)
{
	SL_STORE(level_max, level);
}

// A shell started from a unit inherits its environment; what it shows on a terminal is for people.
static bool journal_reads_stderr(void)
{
	return (getenv("JOURNAL_STREAM") != NULL || getenv("INVOCATION_ID") != NULL) &&
		isatty(STDERR_FILENO) == 0;
}

static void write_line(const char *line, size_t bytes)
{
	ssize_t written;

	do {
		written = write(STDERR_FILENO, line, bytes);
	} while (written < 0 && errno == EINTR);
}

void sl_log(enum sl_log_level level, const char *component, const char *format, ...)
{
	char line[LINE_BYTES_MAX];
	int errno_saved = errno;
	va_list args;

	if (level > SL_LOAD(level_max))
		return;
	size_t bytes = 0;
	if (journal_reads_stderr())
		bytes = (size_t)snprintf(line, sizeof(line), "<%d>", levels[level].priority);
	int written = snprintf(
		line + bytes, sizeof(line) - bytes, "%s %s: ", levels[level].name, component);
	bytes = SL_MIN(bytes + (size_t)written, sizeof(line) - 1);
	va_start(args, format);
	written = vsnprintf(line + bytes, sizeof(line) - bytes, format, args);
	va_end(args);
	if (written > 0)
		bytes = SL_MIN(bytes + (size_t)written, sizeof(line) - 1);
	for (size_t i = 0; i < bytes; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[bytes] = '\n'; // over the terminating zero
	write_line(line, bytes + 1);
	errno = errno_saved;
}
