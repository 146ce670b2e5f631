/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/event_text.h"

#include "format/store_reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

static int stream_error(FILE *out)
{
	if (!ferror(out))
		return 0;
	return errno == 0 ? -EIO : -errno;
}

int sl_event_write_raw(FILE *out, const struct sl_store_event *event, uint32_t partition)
{
	(void)partition;
	if (fwrite(event->value, 1, event->value_bytes, out) < event->value_bytes)
		return stream_error(out);
	return 0;
}

int sl_event_write_lines(FILE *out, const struct sl_store_event *event, uint32_t partition)
{
	sl_event_write_raw(out, event, partition);
	fputc('\n', out);
	return stream_error(out);
}

static void write_source(FILE *out, const struct sl_run_source *source)
{
	int family = source->family == 6 ? AF_INET6 : AF_INET;
	char address[INET6_ADDRSTRLEN];

	if (inet_ntop(family, source->address, address, sizeof(address)) == NULL)
		return;
	fprintf(out, family == AF_INET6 ? ",\"source\":\"[%s]:%u\"" : ",\"source\":\"%s:%u\"",
		address, source->port);
}

static void write_base64(FILE *out, const uint8_t *bytes, size_t count)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < count; i += 3) {
		size_t left = count - i;
		uint32_t group = (uint32_t)bytes[i] << 16 |
			(left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
			(left > 2 ? bytes[i + 2] : 0);
		fputc(digits[group >> 18], out);
		fputc(digits[group >> 12 & 63], out);
		fputc(left > 1 ? digits[group >> 6 & 63] : '=', out);
		fputc(left > 2 ? digits[group & 63] : '=', out);
	}
}

int sl_event_write_json(FILE *out, const struct sl_store_event *event, uint32_t partition)
{
	fprintf(out, "{\"partition\":%" PRIu32 ",\"offset\":%" PRIu64 ",\"receive_ns\":%" PRIu64,
		partition, event->offset, event->receive_ns);
	if (event->source != NULL)
		write_source(out, event->source);
	// NULL when the payload is not UTF-8.
	json_t *text = json_stringn(event->value, event->value_bytes);
	if (text != NULL) {
		fputs(",\"value\":", out);
		json_dumpf(text, out, JSON_ENCODE_ANY);
		json_decref(text);
	} else {
		fputs(",\"value_base64\":\"", out);
		write_base64(out, event->value, event->value_bytes);
		fputc('"', out);
	}
	fputs("}\n", out);
	return stream_error(out);
}
