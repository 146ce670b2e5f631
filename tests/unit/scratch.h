/* SPDX-License-Identifier: BSD-3-Clause */
// Directories of tests: never in the source tree, whoever ends the test.
#pragma once

#include <stdbool.h>

// A new directory whose file system takes O_DIRECT: in TMPDIR, /var/tmp or /tmp, the first that
// does. False, with an assertion failed, when there is none.
bool sl_fixture_make_directory(char path[64]);

void sl_fixture_remove_directory(const char *path); // with everything in it
