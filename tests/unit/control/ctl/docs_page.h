/* SPDX-License-Identifier: BSD-3-Clause */
// What tests of pages in docs/ that are generated have in common. Thread rule: one test at a time.
#pragma once

#include <stdio.h>

typedef void docs_generator(FILE *out);

// Fails when docs/NAME is not what the generator writes.
void sl_assert_page_is_generated(const char *name, docs_generator *generate);

// Fails when the generated table has no row for NAME.
void sl_assert_page_has_row(docs_generator *generate, const char *name);
