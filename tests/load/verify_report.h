/* SPDX-License-Identifier: BSD-3-Clause */
// What a verification found, for people and as JSON. Thread rule: one thread, slow path.
#pragma once

#include "load/verify.h"

#include <jansson.h>
#include <stdio.h>

// Totals, then each fault with its first examples, then the verdict.
void sl_verify_print(const struct sl_verify *verify, FILE *out);

// A new reference, or NULL without memory. README.md lists the keys.
json_t *sl_verify_json(const struct sl_verify *verify);
