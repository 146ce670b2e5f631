/* SPDX-License-Identifier: BSD-3-Clause */
// An error on its way up: one line of text that names what failed, its value and the remedy.
// Thread rule: the struct belongs to its caller; nothing is shared. Slow path only.
#pragma once

#include "base.h"

#include <stdarg.h>

#define SL_ERR_TEXT_BYTES_MAX 1024

struct sl_err {
	int code; // negative errno, 0 while nothing failed
	char text[SL_ERR_TEXT_BYTES_MAX];
};

// Sets code and text. Returns code, so that `return sl_err_set(err, -EINVAL, ...)` reads well. err
// may be NULL.
int sl_err_set(struct sl_err *err, int code, const char *format, ...) SL_PRINTF(3, 4);

// The same for a function with arguments of its own.
int sl_err_set_list(struct sl_err *err, int code, const char *format, va_list args) SL_PRINTF(3, 0);

// Puts "CONTEXT: " before the text that is there. Returns err->code.
int sl_err_prefix(struct sl_err *err, const char *format, ...) SL_PRINTF(2, 3);
