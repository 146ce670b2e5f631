/* SPDX-License-Identifier: BSD-3-Clause */
// Rates between two samples of `stats`. Thread rule: pure.
#pragma once

#include <jansson.h>

// Adds the member "rates" to a document of sl_stats_json_stats(): for every counter of "totals" how
// much it grew a second since `before`, by the two documents' own times. Gauges have no rate. Empty
// when before is NULL or not older. Returns 0, or -ENOMEM with sample as it was.
int sl_rates_add(json_t *sample, const json_t *before);
