/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/generator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Sent and recorded together.
#define CHUNK_COUNT 1024u
// Before a burst is due, with config->spin.
#define SPIN_NS (100 * SL_NS_PER_US)

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int record_chunk(
	struct sl_generator *generator, void *const *payloads, uint32_t count, struct sl_err *err)
{
	const struct sl_payload_config *payload = &generator->config->payload;

	for (uint32_t i = 0; i < count; i++) {
		bool written = fwrite(payloads[i], payload->bytes, 1, generator->record) == 1;

		if (written && payload->kind == SL_PAYLOAD_PLAY)
			written = putc('\n', generator->record) != EOF;
		if (!written)
			return sl_err_set(err, -errno, "--record: %s", strerror(errno));
	}
	return 0;
}

static void count_sent(struct sl_generator *generator, uint32_t count, uint64_t now_ns)
{
	if (count == 0)
		return;
	if (generator->sent_count == 0)
		generator->first_sent_ns = now_ns;
	generator->last_sent_ns = now_ns;
	generator->sent_count += count;
}

// For transports that write events themselves: what has left is built once more for the record.
static int record_again(
	struct sl_generator *generator, uint32_t count, uint64_t now_ns, struct sl_err *err)
{
	const struct sl_payload_config *payload = &generator->config->payload;
	void *event = malloc(payload->bytes);
	int rc = 0;

	if (event == NULL)
		return sl_err_set(err, -ENOMEM, "--record: no memory");
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		sl_payload_build(payload, generator->sent_count + i, now_ns, event);
		rc = record_chunk(generator, &event, 1, err);
	}
	free(event);
	return rc;
}

// Returns how many left, 0 when there was no room, or a negative errno.
static int send_directly(struct sl_generator *generator, uint32_t count, struct sl_err *err)
{
	uint64_t now_ns = clock_ns(CLOCK_REALTIME);
	int rc = generator->ops->send(generator->transport, generator->sent_count, now_ns,
		SL_MIN(count, SL_TRANSPORT_SEND_COUNT_MAX), err);

	if (rc < 0)
		return rc;
	if (generator->record != NULL && record_again(generator, (uint32_t)rc, now_ns, err) != 0)
		return err->code;
	count_sent(generator, (uint32_t)rc, now_ns);
	return rc;
}

// Builds, sends and records what fits into the transport's room. Only what has left is recorded.
// Returns how many events that were, or a negative errno.
static int send_chunk(struct sl_generator *generator, uint32_t count, struct sl_err *err)
{
	const struct sl_payload_config *payload = &generator->config->payload;
	uint64_t first = generator->sent_count;
	uint64_t now_ns = clock_ns(CLOCK_REALTIME);
	uint32_t flows[CHUNK_COUNT];
	void *payloads[CHUNK_COUNT];

	count = SL_MIN(count, CHUNK_COUNT);
	for (uint32_t i = 0; i < count; i++)
		flows[i] = sl_payload_flow(payload, sl_payload_key(payload, first + i));
	count = generator->ops->reserve(generator->transport, flows, payloads, count);
	for (uint32_t i = 0; i < count; i++)
		sl_payload_build(payload, first + i, now_ns, payloads[i]);
	int rc = generator->ops->flush(generator->transport, err);
	if (rc == 0 && generator->record != NULL)
		rc = record_chunk(generator, payloads, count, err);
	if (rc != 0)
		return rc;
	count_sent(generator, count, now_ns);
	return (int)count;
}

// Sends the next events, at most count: fewer when a device has no room. Returns 0 or a negative
// errno.
static int send_some(struct sl_generator *generator, uint32_t count, struct sl_err *err)
{
	bool directly = generator->ops->send != NULL;
	int rc = 1;

	while (count > 0 && rc > 0) {
		rc = directly ? send_directly(generator, count, err)
			      : send_chunk(generator, count, err);
		if (rc > 0)
			count -= (uint32_t)rc;
	}
	return SL_MIN(rc, 0);
}

int sl_generator_burst(struct sl_generator *generator, uint32_t count, struct sl_err *err)
{
	uint64_t target = generator->sent_count + count;
	int rc = 0;

	while (rc == 0 && generator->sent_count < target)
		rc = send_some(generator, (uint32_t)(target - generator->sent_count), err);
	return rc;
}

static void sleep_until(uint64_t when_ns)
{
	struct timespec when = {
		.tv_sec = (time_t)(when_ns / SL_NS_PER_S),
		.tv_nsec = (long)(when_ns % SL_NS_PER_S),
	};

	// A signal ends it early; the caller looks at the clock again anyway.
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static bool is_over(const struct sl_generator_config *config, uint64_t sent_count,
	uint64_t start_ns, uint64_t now_ns)
{
	return (config->count != 0 && sent_count >= config->count) ||
		(config->duration_ns != 0 && now_ns - start_ns >= config->duration_ns);
}

// One burst that is due: at most what the count leaves.
static int run_burst(
	struct sl_generator *generator, struct sl_pacer *pacer, uint32_t count, struct sl_err *err)
{
	const struct sl_generator_config *config = generator->config;

	if (config->count != 0)
		count = (uint32_t)SL_MIN(count, config->count - generator->sent_count);
	uint64_t before = generator->sent_count;
	int rc = send_some(generator, count, err);
	if (rc == 0)
		sl_pacer_sent(pacer, (uint32_t)(generator->sent_count - before),
			clock_ns(CLOCK_MONOTONIC));
	return rc;
}

// The kernel wakes a sleeper tens of microseconds late: too late for a device's rates.
static void wait_until(const struct sl_generator_config *config, uint64_t when_ns, uint64_t now_ns)
{
	if (!config->spin)
		sleep_until(when_ns);
	else if (when_ns - now_ns > 2 * SPIN_NS)
		sleep_until(when_ns - SPIN_NS);
	else
		__builtin_ia32_pause();
}

int sl_generator_run(struct sl_generator *generator, const volatile sig_atomic_t *stop,
	struct sl_generator_result *result, struct sl_err *err)
{
	const struct sl_generator_config *config = generator->config;
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t now_ns = start_ns;
	int rc = 0;

	*result = (struct sl_generator_result){0};
	sl_pacer_init(
		&result->pacer, config->rate, config->burst_count, config->catch_up_ns, start_ns);
	while (rc == 0 && !is_over(config, generator->sent_count, start_ns, now_ns)) {
		uint32_t count = sl_pacer_due(&result->pacer, now_ns);

		if (*stop) {
			result->interrupted = true;
			break;
		}
		if (count > 0)
			rc = run_burst(generator, &result->pacer, count, err);
		else
			wait_until(config, sl_pacer_next_ns(&result->pacer), now_ns);
		now_ns = clock_ns(CLOCK_MONOTONIC);
	}
	result->failed = rc != 0;
	// A device says exactly what it took; a socket that failed, or a record, does not.
	if (rc != 0 && (generator->ops->send == NULL || generator->record != NULL))
		result->doubt_count = CHUNK_COUNT;
	result->elapsed_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	return rc;
}
