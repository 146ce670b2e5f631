/* SPDX-License-Identifier: BSD-3-Clause */
// Play events of a music service as text of fixed width:
// u0000042 track=t0012345 start=2026-03-01T08:41:44Z listened=0215s run=00123456
// seq=0000000000123 sent=1772354504123456789 check=abcd (one line, blanks between)
#include "load/payload_head.h"

#include <string.h>
#include <time.h>

// Where the value of each field stands, and how many characters it has.
#define USER_AT 1u
#define USER_DIGITS 7u
#define TRACK_AT 16u
#define TRACK_DIGITS 7u
#define START_AT 30u
#define LISTENED_AT 60u
#define LISTENED_DIGITS 4u
#define RUN_AT 70u
#define RUN_DIGITS 8u
#define SEQUENCE_AT 83u
#define SEQUENCE_DIGITS 13u
#define SENT_AT 102u
#define SENT_DIGITS 19u
#define CHECK_AT 128u
#define CHECK_DIGITS 4u

static const char template[] =
	"u0000000 track=t0000000 start=0000-00-00T00:00:00Z listened=0000s run=00000000 "
	"seq=0000000000000 sent=0000000000000000000 check=0000";
static_assert(sizeof(template) - 1 == SL_PAYLOAD_PLAY_BYTES, "fixed width");
static_assert(CHECK_AT + CHECK_DIGITS == SL_PAYLOAD_PLAY_BYTES, "the check ends the text");

#define SECONDS_A_DAY 86400u

static void put_decimal(char *out, unsigned digits, uint64_t value)
{
	while (digits-- > 0) {
		out[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

static bool get_decimal(const char *in, unsigned digits, uint64_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < digits; i++) {
		if (in[i] < '0' || in[i] > '9')
			return false;
		*value = *value * 10 + (uint64_t)(in[i] - '0');
	}
	return true;
}

static void put_hex(char *out, unsigned digits, uint64_t value)
{
	while (digits-- > 0) {
		out[digits] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
}

// gmtime_r once a day of event time, not once an event.
static void put_time(char *out, uint64_t seconds)
{
	static _Thread_local struct {
		time_t day;
		char date[11];
	} cache = {.day = -1};
	time_t day = (time_t)(seconds / SECONDS_A_DAY);
	unsigned rest = (unsigned)(seconds % SECONDS_A_DAY);

	if (day != cache.day) {
		time_t midnight = day * (time_t)SECONDS_A_DAY;
		struct tm tm;

		gmtime_r(&midnight, &tm);
		put_decimal(cache.date, 4, (uint64_t)tm.tm_year + 1900);
		cache.date[4] = cache.date[7] = '-';
		put_decimal(cache.date + 5, 2, (uint64_t)tm.tm_mon + 1);
		put_decimal(cache.date + 8, 2, (uint64_t)tm.tm_mday);
		cache.day = day;
	}
	memcpy(out, cache.date, 10);
	put_decimal(out + 11, 2, rest / 3600);
	put_decimal(out + 14, 2, rest / 60 % 60);
	put_decimal(out + 17, 2, rest % 60);
}

// Behind the text, when more bytes are asked for: a blank and letters that follow from the event.
static void put_letters(const struct sl_payload_id *id, char *out, uint32_t bytes)
{
	uint64_t word = 0;

	if (bytes == 0)
		return;
	out[0] = ' ';
	for (uint32_t i = 1; i < bytes; i++) {
		if (i % 16 == 1)
			word = sl_payload_mix(id->sequence ^ (uint64_t)i << 40 ^ id->run_id);
		out[i] = (char)('a' + (word & 15));
		word >>= 4;
	}
}

void sl_payload_play_build(const struct sl_payload_id *id, uint32_t bytes, char *payload)
{
	uint64_t random = sl_payload_mix((uint64_t)id->run_id << SL_SEQUENCE_BITS | id->sequence);
	uint64_t listened_s = 30 + (random & 0xffff) % 600;

	memcpy(payload, template, SL_PAYLOAD_PLAY_BYTES);
	put_decimal(payload + USER_AT, USER_DIGITS, id->key);
	put_decimal(payload + TRACK_AT, TRACK_DIGITS, (random >> 16) % 10000000);
	// An event is sent when the listener stops.
	put_time(payload + START_AT, id->sent_ns / SL_NS_PER_S - listened_s);
	put_decimal(payload + LISTENED_AT, LISTENED_DIGITS, listened_s);
	put_decimal(payload + RUN_AT, RUN_DIGITS, id->run_id);
	put_decimal(payload + SEQUENCE_AT, SEQUENCE_DIGITS, id->sequence);
	put_decimal(payload + SENT_AT, SENT_DIGITS, id->sent_ns);
	put_hex(payload + CHECK_AT, CHECK_DIGITS, sl_payload_head_check(id, bytes));
	put_letters(id, payload + SL_PAYLOAD_PLAY_BYTES, bytes - SL_PAYLOAD_PLAY_BYTES);
}

bool sl_payload_play_parse(const char *payload, uint32_t bytes, struct sl_payload_id *id)
{
	char check[CHECK_DIGITS];
	uint64_t key, run_id;

	if (bytes < SL_PAYLOAD_PLAY_BYTES || payload[0] != 'u')
		return false;
	if (!get_decimal(payload + USER_AT, USER_DIGITS, &key) ||
		!get_decimal(payload + RUN_AT, RUN_DIGITS, &run_id) ||
		!get_decimal(payload + SEQUENCE_AT, SEQUENCE_DIGITS, &id->sequence) ||
		!get_decimal(payload + SENT_AT, SENT_DIGITS, &id->sent_ns))
		return false;
	if (run_id > SL_RUN_ID_MAX || id->sequence >= SL_SEQUENCE_COUNT_MAX)
		return false;
	id->key = (uint32_t)key;
	id->run_id = (uint32_t)run_id;
	put_hex(check, CHECK_DIGITS, sl_payload_head_check(id, bytes));
	return memcmp(payload + CHECK_AT, check, CHECK_DIGITS) == 0;
}
