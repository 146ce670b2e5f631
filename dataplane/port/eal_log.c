/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/eal_log.h"

#include "log.h"
#include "port/eal.h"

#include <errno.h>
#include <pthread.h>
#include <rte_log.h>
#include <stdio.h>
#include <string.h>

#define COMPONENT "dpdk"

static FILE *stream;
// What DPDK called errors since they were taken, from the innermost function to the outermost.
static pthread_mutex_t errors_lock = PTHREAD_MUTEX_INITIALIZER;
static char errors[512];

static void keep_error(const char *text, int length)
{
	pthread_mutex_lock(&errors_lock);
	size_t used = strlen(errors);
	snprintf(errors + used, sizeof(errors) - used, "%s%.*s", used == 0 ? "" : "; ", length,
		text);
	pthread_mutex_unlock(&errors_lock);
}

// DPDK flushes after each message, so that a call brings one; its level is the thread's own.
static ssize_t forward(void *cookie, const char *text, size_t bytes)
{
	int length = (int)bytes;

	(void)cookie;
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	if (length == 0)
		return (ssize_t)bytes;
	bool is_error = rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR;
	if (is_error)
		keep_error(text, length);
	sl_log(is_error ? SL_LOG_INFO : SL_LOG_DEBUG, COMPONENT, "%.*s", length, text);
	return (ssize_t)bytes;
}

int sl_eal_log_open(void)
{
	const cookie_io_functions_t functions = {.write = forward};

	stream = fopencookie(NULL, "w", functions);
	if (stream == NULL)
		return -errno;
	rte_openlog_stream(stream);
	return 0;
}

void sl_eal_log_close(void)
{
	if (stream == NULL)
		return;
	rte_openlog_stream(NULL);
	fclose(stream);
	stream = NULL;
}

const char *sl_eal_take_errors(void)
{
	static char taken[sizeof(errors)];

	pthread_mutex_lock(&errors_lock);
	memcpy(taken, errors, sizeof(taken));
	errors[0] = 0;
	pthread_mutex_unlock(&errors_lock);
	return taken;
}
