/* SPDX-License-Identifier: BSD-3-Clause */
// What `send` leaves behind as JSON, and `verify` reads to know what must be stored.
// Thread rule: one thread, slow path.
#pragma once

#include "load/generator.h"
#include "load/verify.h"

// Everything of a run that is worth keeping. Strings are the caller's.
struct sl_sent {
	const struct sl_generator_config *config;
	const struct sl_generator *generator;
	const struct sl_generator_result *result;
	const struct sl_transport_report *transport;
	const char *to; // NULL for a replay
	const char *record; // path, or NULL
	const char *device; // devargs, or NULL: a socket
	const char *replay; // path, or NULL
};

// The summary as lines on stdout.
void sl_sent_print(const struct sl_sent *sent);

// Replaces path as a whole. Returns 0 or a negative errno with err naming the file.
int sl_sent_write(const struct sl_sent *sent, const char *path, struct sl_err *err);

// Fills payload, whole, sent_count and doubt_count of config; sl_payload_free_zipf() is due for
// payload afterwards. Returns 0 or a negative errno with err naming file and key.
int sl_sent_read(struct sl_verify_config *config, const char *path, struct sl_err *err);
