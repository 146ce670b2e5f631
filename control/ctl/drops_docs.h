/* SPDX-License-Identifier: BSD-3-Clause */
// docs/drops.md, generated from drop_reasons.def. Thread rule: any.
#pragma once

#include <stdio.h>

// Writes the whole page.
void sl_drops_docs(FILE *out);
