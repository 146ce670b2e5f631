/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/rates.h"

#include "base.h"

#include <errno.h>
#include <string.h>

static bool is_gauge(const char *key)
{
	return strcmp(key, "open_events") == 0 || strcmp(key, "in_flight_events") == 0;
}

static int rates_fill(json_t *rates, json_t *totals, const json_t *totals_before, double seconds)
{
	const char *key;
	json_t *value;

	json_object_foreach(totals, key, value) {
		if (is_gauge(key))
			continue;
		json_int_t grown = json_integer_value(value) -
			json_integer_value(json_object_get(totals_before, key));
		if (json_object_set_new(rates, key, json_real((double)grown / seconds)) != 0)
			return -ENOMEM;
	}
	return 0;
}

int sl_rates_add(json_t *sample, const json_t *before)
{
	json_t *rates = json_object();
	int rc = rates == NULL ? -ENOMEM : 0;

	json_int_t elapsed_ns = json_integer_value(json_object_get(sample, "time_ns")) -
		json_integer_value(json_object_get(before, "time_ns"));
	if (rc == 0 && before != NULL && elapsed_ns > 0)
		rc = rates_fill(rates, json_object_get(sample, "totals"),
			json_object_get(before, "totals"), (double)elapsed_ns / 1e9);
	if (rc != 0) {
		json_decref(rates);
		return rc;
	}
	return json_object_set_new(sample, "rates", rates) == 0 ? 0 : -ENOMEM;
}
