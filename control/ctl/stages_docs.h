/* SPDX-License-Identifier: BSD-3-Clause */
// docs/stages.md, generated from timed_stages.def. Thread rule: any.
#pragma once

#include <stdio.h>

// Writes the whole page.
void sl_stages_docs(FILE *out);
