/* SPDX-License-Identifier: BSD-3-Clause */
// What an event of the load generator carries. Everything in a payload but its send time follows
// from (configuration, sequence), so that the verifier can rebuild it and compare every byte
// without a file of what was sent. README.md says the layouts byte by byte.
// Thread rule: pure functions, any thread.
#pragma once

#include "base.h"
#include "err.h"
#include "load/payload_key.h"

// The frame of 64 bytes leaves 18 for us: key 3, sequence 5, run id 3, send time 5, check 2.
#define SL_PAYLOAD_BINARY_BYTES 18u
#define SL_PAYLOAD_PLAY_BYTES 132u
// Ethernet, IPv4 and UDP headers and FCS: what a frame has around a payload.
#define SL_FRAME_OVERHEAD_BYTES (14u + 20u + 8u + 4u)
#define SL_PAYLOAD_BYTES_MAX 65507u // of a UDP datagram over IPv4

#define SL_RUN_ID_MAX 0xffffffu
#define SL_SEQUENCE_BITS 40
#define SL_SEQUENCE_COUNT_MAX (1ull << SL_SEQUENCE_BITS)
#define SL_KEY_COUNT_MAX (1u << 24)
#define SL_KEY_COUNT_PLAY_MAX 10000000u // seven digits
#define SL_FLOW_COUNT_MAX 1024u
#define SL_PAYLOAD_CYCLE_COUNT_MAX 64u

enum sl_payload_kind { SL_PAYLOAD_BINARY, SL_PAYLOAD_PLAY };

// What a run's events look like. Const once checked.
struct sl_payload_config {
	enum sl_payload_kind kind;
	uint32_t run_id; // at most SL_RUN_ID_MAX
	uint32_t bytes; // of every payload; with a cycle of sizes the largest
	uint32_t key_count; // distinct keys
	uint32_t flow_count; // source ports; every key stays on one of them
	uint64_t seed;
	uint32_t zipf_per_mille; // exponent of the keys' distribution; 0: uniform
	const struct sl_payload_zipf *zipf; // of zipf_per_mille and key_count; NULL: uniform
	// A mix of sizes: sequence s has cycle[s % cycle_count] bytes. Count 0: all have `bytes`.
	uint32_t cycle_count;
	uint32_t cycle[SL_PAYLOAD_CYCLE_COUNT_MAX];
};

// What an event says of itself.
struct sl_payload_id {
	uint64_t sequence;
	uint64_t sent_ns; // CLOCK_REALTIME; binary: only the low 40 bits (18 minutes)
	uint32_t run_id;
	uint32_t key;
};

enum sl_payload_verdict {
	SL_PAYLOAD_OK,
	SL_PAYLOAD_FOREIGN, // no event of this generator, or its head is damaged
	SL_PAYLOAD_OTHER_RUN, // whole head, another run id
	SL_PAYLOAD_CORRUPT, // of this run, but length, key or a byte behind the head is wrong
};

// Says what does not fit (sizes, key and flow counts) in one line. Returns 0 or -EINVAL.
int sl_payload_config_check(const struct sl_payload_config *config, struct sl_err *err);

// "binary", "play".
const char *sl_payload_kind_name(enum sl_payload_kind kind);
// Returns 0, or -EINVAL for another name.
int sl_payload_kind_parse(const char *name, enum sl_payload_kind *kind);
// Smallest payload of a kind.
uint32_t sl_payload_bytes_min(enum sl_payload_kind kind);
// The range for a stream's `key:`, as "OFFSET:LENGTH".
const char *sl_payload_key_range(enum sl_payload_kind kind);

// The size of a sequence's payload.
static inline uint32_t sl_payload_bytes(const struct sl_payload_config *config, uint64_t sequence)
{
	return config->cycle_count == 0 ? config->bytes
					: config->cycle[sequence % config->cycle_count];
}

// Takes a mix of frame sizes as testers write it, "COUNT:BYTES,...", bytes from the Ethernet header
// to the FCS, or "simple" (7:64,4:570,1:1518), and spreads the sizes evenly over a cycle; sets
// bytes, too. Returns 0, or -EINVAL with err.
int sl_payload_cycle_parse(struct sl_payload_config *config, const char *text, struct sl_err *err);

// The flow that every event of a key takes, below flow_count.
static inline uint32_t sl_payload_flow(const struct sl_payload_config *config, uint32_t key)
{
	return key % config->flow_count;
}

// Writes the payload of a sequence, sl_payload_bytes() long, to payload (any alignment).
void sl_payload_build(
	const struct sl_payload_config *config, uint64_t sequence, uint64_t sent_ns, void *payload);

// Takes a payload of any content apart and compares all of it with what was built. id is filled
// unless FOREIGN. With whole == false only kind and run_id of config are known (not size, keys,
// seed): a length that the head does not agree with is still found, a wrong key is not.
enum sl_payload_verdict sl_payload_check(const struct sl_payload_config *config, bool whole,
	const void *payload, uint32_t bytes, struct sl_payload_id *id);

// Nanoseconds from sending to near_ns, which must be within 9 minutes of it for binary payloads.
int64_t sl_payload_age_ns(const struct sl_payload_id *id, uint64_t near_ns);

// What both kinds share: a 16-bit check over the head and the length.
uint16_t sl_payload_head_check(const struct sl_payload_id *id, uint32_t bytes);

// ---- play: readable text (payload_play.c)

void sl_payload_play_build(const struct sl_payload_id *id, uint32_t bytes, char *payload);
// Reads the head of a text. Returns false when it is no play event of this generator.
bool sl_payload_play_parse(const char *payload, uint32_t bytes, struct sl_payload_id *id);
