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

// "192.0.2.1:4000", "[2001:db8::1]:4000"; false for an address of no family.
static bool source_text(char *text, size_t bytes, const struct sl_run_source *source)
{
	int family = source->family == 6 ? AF_INET6 : AF_INET;
	char address[INET6_ADDRSTRLEN];

	if (inet_ntop(family, source->address, address, sizeof(address)) == NULL)
		return false;
	snprintf(text, bytes, family == AF_INET6 ? "[%s]:%u" : "%s:%u", address, source->port);
	return true;
}

// Bytes under a name: as text when they are UTF-8, else in base64. The two formats differ in what
// stands around the name and before a base64 string.
struct bytes_style {
	const char *before_name, *before_text, *before_base64;
};

static const struct bytes_style json_style = {",\"", "\":", "_base64\":"};
static const struct bytes_style text_style = {" ", "=", "_base64="};

static void write_bytes(FILE *out, const struct bytes_style *style, const char *name,
	const void *bytes, size_t count)
{
	// NULL when the bytes are not UTF-8.
	json_t *text = json_stringn(bytes, count);

	fprintf(out, "%s%s%s", style->before_name, name,
		text != NULL ? style->before_text : style->before_base64);
	if (text != NULL) {
		json_dumpf(text, out, JSON_ENCODE_ANY);
		json_decref(text);
		return;
	}
	fputc('"', out);
	write_base64(out, bytes, count);
	fputc('"', out);
}

static const char *const operation_names[] = {
	[SL_OPERATION_APPEND] = "append",
	[SL_OPERATION_PUT] = "put",
	[SL_OPERATION_REMOVE] = "remove",
};

int sl_event_write_json(FILE *out, const struct sl_store_event *event, uint32_t partition)
{
	const struct sl_run_event *attributes = &event->attributes;
	char source[INET6_ADDRSTRLEN + 16];

	fprintf(out, "{\"partition\":%" PRIu32 ",\"offset\":%" PRIu64 ",\"receive_ns\":%" PRIu64,
		partition, event->offset, event->receive_ns);
	if (event->source != NULL && source_text(source, sizeof(source), event->source))
		fprintf(out, ",\"source\":\"%s\"", source);
	if (attributes->operation != SL_OPERATION_APPEND)
		fprintf(out, ",\"op\":\"%s\"", operation_names[attributes->operation]);
	if (attributes->has_event_time)
		fprintf(out, ",\"event_ns\":%" PRId64, attributes->event_time_ns);
	if (attributes->has_weight)
		fprintf(out, ",\"weight\":%" PRIu32, attributes->weight);
	if (attributes->has_sequence)
		fprintf(out, ",\"session\":\"%016" PRIx64 "\",\"sequence\":%" PRIu64,
			attributes->session, attributes->sequence);
	if (attributes->has_key)
		write_bytes(out, &json_style, "key", attributes->key, attributes->key_bytes);
	write_bytes(out, &json_style, "value", event->value, event->value_bytes);
	fputs("}\n", out);
	return stream_error(out);
}

int sl_event_write_text(FILE *out, const struct sl_store_event *event, uint32_t partition)
{
	const struct sl_run_event *attributes = &event->attributes;
	char source[INET6_ADDRSTRLEN + 16];

	fprintf(out, "partition=%" PRIu32 " offset=%" PRIu64 " receive_ns=%" PRIu64, partition,
		event->offset, event->receive_ns);
	if (event->source != NULL && source_text(source, sizeof(source), event->source))
		fprintf(out, " source=%s", source);
	if (attributes->operation != SL_OPERATION_APPEND)
		fprintf(out, " op=%s", operation_names[attributes->operation]);
	if (attributes->has_event_time)
		fprintf(out, " event_ns=%" PRId64, attributes->event_time_ns);
	if (attributes->has_weight)
		fprintf(out, " weight=%" PRIu32, attributes->weight);
	if (attributes->has_sequence)
		fprintf(out, " session=%016" PRIx64 " sequence=%" PRIu64, attributes->session,
			attributes->sequence);
	if (attributes->has_key)
		write_bytes(out, &text_style, "key", attributes->key, attributes->key_bytes);
	write_bytes(out, &text_style, "value", event->value, event->value_bytes);
	fputc('\n', out);
	return stream_error(out);
}
