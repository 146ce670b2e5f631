/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/time_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int sl_time_parse(const char *text, uint64_t *ns, struct sl_err *err)
{
	struct tm utc = {0};
	const char *rest;
	char *end;

	if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
		errno = 0;
		*ns = strtoull(text, &end, 10);
		if (errno == 0)
			return 0;
	}
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	if (rest != NULL && (rest[0] == '\0' || strcmp(rest, "Z") == 0)) {
		time_t seconds = timegm(&utc);

		if (seconds >= 0) {
			*ns = (uint64_t)seconds * SL_NS_PER_S;
			return 0;
		}
	}
	return sl_err_set(
		err, -EINVAL, "must be UTC as 2026-11-21T08:43:52, or nanoseconds since 1970");
}
