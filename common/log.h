/* SPDX-License-Identifier: BSD-3-Clause */
// Log lines to stderr: one line an event, "LEVEL component: text", with systemd's <N> priority
// prefix when started by systemd (JOURNAL_STREAM or INVOCATION_ID set and stderr is no terminal). A
// newline in the text becomes a space. Thread rule: any thread but a polling lcore (hotpath.h
// poisons these names); one write(2) a line.
#pragma once

#include "base.h"

enum sl_log_level { SL_LOG_ERROR, SL_LOG_WARNING, SL_LOG_NOTICE, SL_LOG_INFO, SL_LOG_DEBUG };

// Sets the highest level that is written; the default is SL_LOG_INFO.
void sl_log_set_level(enum sl_log_level level);

void sl_log(enum sl_log_level level, const char *component, const char *format, ...)
	SL_PRINTF(3, 4);

#define sl_log_error(component, ...) sl_log(SL_LOG_ERROR, component, __VA_ARGS__)
#define sl_log_warning(component, ...) sl_log(SL_LOG_WARNING, component, __VA_ARGS__)
#define sl_log_notice(component, ...) sl_log(SL_LOG_NOTICE, component, __VA_ARGS__)
#define sl_log_info(component, ...) sl_log(SL_LOG_INFO, component, __VA_ARGS__)
#define sl_log_debug(component, ...) sl_log(SL_LOG_DEBUG, component, __VA_ARGS__)
