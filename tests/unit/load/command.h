/* SPDX-License-Identifier: BSD-3-Clause */
// Runs a subcommand of sluice-blast in a child, as main() would. Thread rule: one thread.
#pragma once

#include "base.h"

// argv ends with NULL; output receives what went to stdout and stderr, cut to output_bytes. Returns
// the exit code, or -1 when the child did not exit by itself.
int sl_test_command_run(int (*command)(int argc, char **argv), char *const *argv, char *output,
	size_t output_bytes);
