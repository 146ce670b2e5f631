/* SPDX-License-Identifier: BSD-3-Clause */
// What parsing and printing of options share. Thread rule: constants and pure functions.
#pragma once

#include "options.h"

// The options that every command has, in the order of enum builtin_option.
enum builtin_option {
	BUILTIN_HELP,
	BUILTIN_VERSION,
	BUILTIN_MAN, // from here on: not in the help
	BUILTIN_COMPLETE,
	BUILTIN_COUNT,
	BUILTIN_SHOWN_COUNT = BUILTIN_MAN,
};
extern const struct sl_option sl_options_builtin[BUILTIN_COUNT];

// "sluicectl read" below "sluicectl" is "read".
const char *sl_options_last_word(const struct sl_command *command);
