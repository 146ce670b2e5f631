/* SPDX-License-Identifier: BSD-3-Clause */
#include "err.h"

#include <stdio.h>
#include <string.h>

// An error is one line wherever it is printed: what comes from a file or an argument may not break
// it.
static void flatten(char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\n' || *text == '\r')
			*text = ' ';
}

int sl_err_set_list(struct sl_err *err, int code, const char *format, va_list args)
{
	if (err == NULL)
		return code;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, args);
	flatten(err->text);
	return code;
}

int sl_err_set(struct sl_err *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	sl_err_set_list(err, code, format, args);
	va_end(args);
	return code;
}

int sl_err_prefix(struct sl_err *err, const char *format, ...)
{
	char context[SL_ERR_TEXT_BYTES_MAX];
	va_list args;

	if (err == NULL)
		return 0;
	va_start(args, format);
	int written = vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	flatten(context);

	// The older text is the cause: it keeps its beginning, its end falls off when both are too
	// long.
	size_t context_bytes = written < 0 ? 0 : SL_MIN((size_t)written, sizeof(context) - 1);
	size_t room = sizeof(err->text) - context_bytes;
	if (room <= 2)
		return err->code;
	size_t kept = SL_MIN(strlen(err->text), room - 3);
	memmove(err->text + context_bytes + 2, err->text, kept);
	memcpy(err->text, context, context_bytes);
	memcpy(err->text + context_bytes, ": ", 2);
	err->text[context_bytes + 2 + kept] = '\0';
	return err->code;
}
