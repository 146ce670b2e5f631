/* SPDX-License-Identifier: BSD-3-Clause */
// The log on disk: the one definition of store.meta, lane.meta, batches, runs and footers.
// docs/format.md says the same byte by byte for people who write a reader in another language.
// Everything is little-endian. Thread rule: types and constants only.
#pragma once

#include "base.h"
#include "bounds.h"

// A reader refuses what it does not know. Of each magic below only the last byte goes with the
// version; the bytes before it, and what the first CRC covers, stay the same in all versions.
#define SL_FORMAT_VERSION 1
#define SL_BLOCK_BYTES 4096u // unit of alignment of every batch, and of O_DIRECT
#define SL_SALT_BYTES 16
#define SL_STEERING_KEY_BYTES 16

#define SL_STORE_LOCK_NAME "store.lock"
#define SL_STORE_META_NAME "store.meta"
#define SL_LANE_META_NAME "lane.meta"
#define SL_LANE_DIR_FORMAT "lane-%05u" // lane number
#define SL_SEGMENT_NAME_FORMAT "%016llx.seg" // segment number
#define SL_SEGMENT_TEMP_FORMAT "%016llx.tmp" // while it is being born
#define SL_LANE_NONE 0xffffu // a partition without a lane, a lane without a worker

// OFD lock bytes of a segment, far behind any data: the writer's and the readers'.
#define SL_SEGMENT_LOCK_WRITER (1ull << 62)
#define SL_SEGMENT_LOCK_READER ((1ull << 62) + 1)

enum sl_durability {
	SL_DURABILITY_NONE = 0, // received, nothing promised
	SL_DURABILITY_WRITTEN = 1, // O_DIRECT write completed: survives the process
	SL_DURABILITY_DURABLE =
		2, // RWF_DSYNC completed: survives power loss if the drive honours it
};

// ---- store.meta: two slots of SL_STORE_META_SLOT_BYTES; the valid one of the higher generation
// wins

#define SL_STORE_META_MAGIC 0x314d545345434c53ull // "SLCESTM1"
#define SL_STORE_META_SLOT_BYTES (4u * 1024 * 1024)

// Followed by class_count classes, stream_count streams, lane_count lanes, partition_count
// partitions, path_count paths. Each path of the store has a copy; they differ in path_index only.
struct sl_store_meta_header {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; // CRC-32C over byte_length bytes of the slot, this field as zero, no salt
	uint64_t generation;
	uint32_t byte_length; // of header and records
	uint32_t class_count;
	uint32_t stream_count;
	uint32_t lane_count;
	uint32_t partition_count;
	uint32_t reserved0;
	uint8_t salt[SL_SALT_BYTES];
	uint64_t segment_bytes; // at creation; each segment file's own length counts
	uint16_t path_index; // of the path that this copy lies on
	uint16_t path_count; // 0: one, which is not recorded
	uint16_t stale_paths; // a bit for each path that was missing at the start that wrote this
	uint8_t reserved[50];
} SL_PACKED;
static_assert(sizeof(struct sl_store_meta_header) == 128, "on-disk struct");

struct sl_store_meta_class { // index = class number
	char name[SL_NAME_BYTES_MAX];
	uint8_t durability; // enum sl_durability
	uint8_t reserved[15];
} SL_PACKED;
static_assert(sizeof(struct sl_store_meta_class) == 80, "on-disk struct");

struct sl_store_meta_stream { // index = stream number
	char name[SL_NAME_BYTES_MAX];
	uint32_t partition_count; // fixed at creation
	uint16_t first_partition; // the stream owns [first_partition, first_partition + count)
	uint16_t class_index;
	uint16_t udp_port; // when last started, for information
	uint8_t reserved[6];
	uint8_t steering_key[SL_STEERING_KEY_BYTES]; // SipHash-1-3 key: a restart moves nobody
} SL_PACKED;
static_assert(sizeof(struct sl_store_meta_stream) == 96, "on-disk struct");

struct sl_store_meta_lane {
	uint16_t lane;
	uint16_t class_index;
	uint16_t worker_index; // SL_LANE_NONE: no owner; sealed, readable, expires
	uint16_t path_index; // of store.paths
	uint8_t reserved[8];
} SL_PACKED;
static_assert(sizeof(struct sl_store_meta_lane) == 16, "on-disk struct");

struct sl_store_meta_partition { // index = partition number
	uint64_t term_start; // first offset the term owns
	uint32_t term; // from 1
	uint16_t lane;
	uint16_t reserved;
} SL_PACKED;
static_assert(sizeof(struct sl_store_meta_partition) == 16, "on-disk struct");

// A term that is a multiple of the step begins with a jump: a path was missing, and with it what
// was known of the offsets that are taken. Between the term below it and its first offset are
// offsets that were never given, or that lie on the path that was missing. A move adds 1.
#define SL_TERM_JUMP_STEP 65536u
#define SL_OFFSET_JUMP (1ull << 48)

static inline bool sl_term_has_jumped(uint32_t lower_term, uint32_t higher_term)
{
	return lower_term / SL_TERM_JUMP_STEP != higher_term / SL_TERM_JUMP_STEP;
}

struct sl_store_meta_path { // index = path index
	char path[SL_PATH_BYTES_MAX]; // when last started, zero-terminated
} SL_PACKED;
static_assert(sizeof(struct sl_store_meta_path) == 1024, "on-disk struct");
static_assert(sizeof(struct sl_store_meta_header) +
			SL_CLASS_COUNT_MAX * sizeof(struct sl_store_meta_class) +
			SL_STREAM_COUNT_MAX * sizeof(struct sl_store_meta_stream) +
			SL_LANE_COUNT_MAX * sizeof(struct sl_store_meta_lane) +
			SL_PARTITION_COUNT_MAX * sizeof(struct sl_store_meta_partition) +
			SL_STORE_PATH_COUNT_MAX * sizeof(struct sl_store_meta_path) <=
		SL_STORE_META_SLOT_BYTES,
	"a slot holds the largest store");

// ---- lane.meta: two slots of one block; the valid one of the higher generation wins

#define SL_LANE_META_MAGIC 0x314d454e414c4c53ull // "SLLANEM1"

struct sl_lane_meta {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; // CRC-32C over this struct, this field as zero, no salt
	uint64_t generation;
	uint64_t epoch; // persisted before the first write of the epoch
	uint16_t lane;
	uint16_t class_index;
	uint8_t reserved[28];
} SL_PACKED;
static_assert(sizeof(struct sl_lane_meta) == 64, "on-disk struct");

// ---- batches

#define SL_BATCH_MAGIC 0x31424c53u // "SLB1"
#define SL_BATCH_MAGIC_FAMILY 0x00ffffffu // what all versions share of it
#define SL_BATCH_HEADER_BYTES 128u
#define SL_BATCH_BODY_PREFIX_BYTES 16u // epoch and batch number again: no two bodies are equal
#define SL_BATCH_RUNS_OFFSET (SL_BATCH_HEADER_BYTES + SL_BATCH_BODY_PREFIX_BYTES)
#define SL_BATCH_EVENT_COUNT_MAX 65535u // table entries count in 16 bits

enum sl_batch_kind {
	SL_BATCH_EVENTS = 1,
	SL_BATCH_CHECKPOINT = 2, // at the head of a segment
	SL_BATCH_EPOCH_START = 3, // a checkpoint behind the last valid batch, by recovery
	SL_BATCH_MARK = 4, // empty: carries the durable mark of an idle or stopped lane
	SL_BATCH_LEDGER = 5, // never written: ledgers stand in batches of events, as gaps do
	SL_BATCH_PACKED = 6, // later: packed and compacted segments
	SL_BATCH_FENCE = 7, // by repair, in the place of batches that are gone: says what is lost
};

// Whether this version says what the body holds; other kinds are skipped by length and counted.
static inline bool sl_batch_kind_is_known(uint8_t kind)
{
	return (kind >= SL_BATCH_EVENTS && kind <= SL_BATCH_MARK) || kind == SL_BATCH_FENCE;
}

#define SL_BATCH_FLAG_CHECKPOINT_END 0x01 // last batch of a checkpoint or epoch start
#define SL_BATCH_FLAG_CLEAN_STOP 0x02 // MARK written by a clean stop

struct sl_batch_header {
	uint32_t magic;
	uint16_t version;
	uint16_t header_bytes; // 128
	uint32_t header_crc; // CRC-32C over salt and the header, this field as zero
	uint32_t body_crc; // CRC-32C over salt and bytes [header_bytes, byte_length)
	uint32_t prev_body_crc; // body_crc of the lane's batch number - 1; 0 for number 1
	uint8_t kind; // enum sl_batch_kind; unknown ones are skipped by length and counted
	uint8_t flags;
	uint16_t lane;
	uint64_t segment;
	uint64_t position; // of this batch in its segment file
	uint64_t epoch;
	uint64_t number; // dense in the lane, from 1
	uint64_t durable_mark; // last batch known to be on stable storage when this was sealed
	uint32_t byte_length; // header and body, without the padding to the next block
	uint32_t table_offset; // of the partition table, from the batch's first byte
	uint32_t table_count; // entries
	uint32_t run_count;
	uint32_t event_count;
	uint32_t reserved0;
	uint64_t time_base_ns; // CLOCK_REALTIME; runs count from it
	uint64_t time_last_ns; // receive time of the last event
	uint8_t reserved[24];
} SL_PACKED;
static_assert(sizeof(struct sl_batch_header) == SL_BATCH_HEADER_BYTES, "on-disk struct");

struct sl_batch_table_entry {
	uint64_t first_offset; // of the partition's first event in this batch
	uint32_t term;
	uint16_t partition;
	uint16_t event_count;
} SL_PACKED;
static_assert(sizeof(struct sl_batch_table_entry) == 16, "on-disk struct");

// ---- runs: from SL_BATCH_RUNS_OFFSET on, run_count of them, back to back, unaligned

enum sl_run_type {
	SL_RUN_EVENT = 1, // one anonymous APPEND without key: what follows is its value
	SL_RUN_SOURCE = 2, // struct sl_run_source: the next entry of the batch's dictionary
	SL_RUN_TIME = 3, // uint64_t: a new time base for the runs behind it
	SL_RUN_PARTITION_STATE = 4, // array of struct sl_partition_state
	SL_RUN_RICH = 5, // struct sl_run_rich_header, then events with attributes
	SL_RUN_GAP = 6, // struct sl_run_gap: what is known to be missing
	SL_RUN_SESSION_STATE = 7, // array of struct sl_session_state
	SL_RUN_LEDGER = 8, // struct sl_run_ledger (run_ledger.h): what was counted
	SL_RUN_LOST = 9, // in fences: array of struct sl_lost_offsets
	SL_RUN_FILLER = 10, // says nothing: room that must be taken
};

#define SL_RUN_SOURCE_NONE 0 // dictionary entries count from 1

struct sl_run_header {
	uint32_t length_type; // bits 0..23: bytes behind this header; bits 24..31: enum sl_run_type
	uint32_t time_delta_ns; // receive time minus the time base in force
	uint16_t partition;
	uint16_t source; // SL_RUN_SOURCE_NONE, or an entry of the batch's dictionary
} SL_PACKED;
static_assert(sizeof(struct sl_run_header) == 12, "a run costs at most 12 bytes over its payload");

#define SL_RUN_LENGTH_MAX 0xffffffu
#define SL_RUN_LENGTH_TYPE(length, type) ((uint32_t)(length) | (uint32_t)(type) << 24)
#define SL_RUN_LENGTH(length_type) ((length_type)&SL_RUN_LENGTH_MAX)
#define SL_RUN_TYPE(length_type) ((length_type) >> 24)

struct sl_run_source {
	uint8_t family; // 4 or 6
	uint8_t reserved;
	uint16_t port;
	uint8_t address[16]; // network byte order; IPv4 in the first four, the rest zero
} SL_PACKED;
static_assert(sizeof(struct sl_run_source) == 20, "on-disk struct");

// One partition in a checkpoint, as assigned by all batches before it.
struct sl_partition_state {
	uint64_t next_offset;
	uint64_t term_start;
	uint32_t term;
	uint16_t partition;
	uint16_t reserved;
} SL_PACKED;
static_assert(sizeof(struct sl_partition_state) == 24, "on-disk struct");

// Next sequence of one session in one partition: in checkpoints and epoch starts, and in the batch
// that begins a partition's term, as assigned by everything before it.
struct sl_session_state {
	uint64_t session; // never 0
	uint64_t next_sequence;
	uint64_t last_use_ns; // CLOCK_REALTIME of its last event: the retention window counts from
			      // it
	uint16_t partition;
	uint8_t reserved[6];
} SL_PACKED;
static_assert(sizeof(struct sl_session_state) == 32, "on-disk struct");

// ---- runs of type SL_RUN_GAP

#define SL_GAP_STREAM_NONE 0xffff
#define SL_GAP_REASON_BYTES_MAX 24 // with the terminating zero

enum sl_gap_unit {
	SL_GAP_EVENTS = 0,
	SL_GAP_FRAMES = 1, // lost before anybody saw whose they were
};

enum sl_gap_sources {
	SL_GAP_SOURCES_UNKNOWN = 0,
	SL_GAP_SOURCES_ONE = 1, // family and address say which
	SL_GAP_SOURCES_MANY = 2,
};

struct sl_run_gap {
	uint64_t count; // never 0
	uint64_t first_ns, last_ns; // CLOCK_REALTIME, when they were lost
	uint16_t stream; // index in store.meta; SL_GAP_STREAM_NONE: unknown
	uint8_t unit; // enum sl_gap_unit
	uint8_t sources; // enum sl_gap_sources
	uint8_t family; // 4 or 6; 0 unless SL_GAP_SOURCES_ONE
	uint8_t port; // number of the port that lost them, counted from 1; 0 unknown
	uint8_t reserved[2];
	uint8_t address[16]; // network byte order; IPv4 in the first four, the rest zero
	char reason[SL_GAP_REASON_BYTES_MAX]; // a name of a-z, 0-9 and _, zero-terminated
} SL_PACKED;
static_assert(sizeof(struct sl_run_gap) == 72, "on-disk struct");

// ---- runs of type SL_RUN_RICH: what an event does not use takes no room

#define SL_RICH_SESSION 0x01 // struct sl_run_rich_session follows

struct sl_run_rich_header {
	uint16_t event_count; // never 0
	uint8_t flags; // SL_RICH_*; any other bit is damage
	uint8_t reserved;
} SL_PACKED;
static_assert(sizeof(struct sl_run_rich_header) == 4, "on-disk struct");

struct sl_run_rich_session {
	uint64_t session; // never 0
	uint64_t first_sequence; // of the run's first event; the others follow densely
} SL_PACKED;
static_assert(sizeof(struct sl_run_rich_session) == 16, "on-disk struct");

enum sl_operation {
	SL_OPERATION_APPEND = 0,
	SL_OPERATION_PUT = 1, // has a key
	SL_OPERATION_REMOVE = 2, // has a key and no value
};

// An event: one byte of flags, then in this order what they name, then the bytes of key, further
// attributes and value. Bit 7 and operation 3 are damage.
#define SL_EVENT_OPERATION_MASK 0x03 // enum sl_operation
#define SL_EVENT_KEY 0x04 // u16 length of the key
#define SL_EVENT_TIME 0x08 // i64 nanoseconds since 1970, by the producer's clock
#define SL_EVENT_WEIGHT 0x10 // u32, at least 1: how many events this one stands for
#define SL_EVENT_LONG 0x20 // the value's length is an u32, else an u16
#define SL_EVENT_FURTHER 0x40 // u16 length of attributes of later programs: skipped, counted
#define SL_EVENT_UNKNOWN 0x80
// Offsets of one partition that nobody can read any more: the next event has first_offset + count.
struct sl_lost_offsets {
	uint64_t first_offset;
	uint64_t count;
	uint32_t term;
	uint16_t partition;
	uint16_t reserved;
} SL_PACKED;
static_assert(sizeof(struct sl_lost_offsets) == 24, "on-disk struct");

// ---- footer: the last block of a sealed segment's file

#define SL_FOOTER_MAGIC 0x31464c53u // "SLF1"
#define SL_FOOTER_MAGIC_FAMILY 0x00ffffffu

struct sl_segment_footer {
	uint32_t magic;
	uint16_t version;
	uint16_t footer_bytes; // 128
	uint32_t footer_crc; // CRC-32C over salt and the footer, this field as zero
	uint32_t last_body_crc;
	uint16_t lane;
	uint16_t reserved0;
	uint32_t reserved1;
	uint64_t segment;
	uint64_t epoch;
	uint64_t first_number; // of the segment's batches
	uint64_t last_number;
	uint64_t end_position; // first byte behind the last batch's block
	uint64_t event_count;
	uint64_t time_first_ns;
	uint64_t time_last_ns;
	uint8_t reserved[40];
} SL_PACKED;
static_assert(sizeof(struct sl_segment_footer) == 128, "on-disk struct");

// ---- bookmark: in the same block of the segment that a lane ended in by a clean stop

#define SL_BOOKMARK_MAGIC 0x314b4253u // "SBK1"

// Followed by state_count struct sl_partition_state, of the lane's partitions, and zeros.
struct sl_segment_bookmark {
	uint32_t magic;
	uint16_t version;
	uint16_t bookmark_bytes; // 128
	uint32_t bookmark_crc; // CRC-32C over salt and these 128 bytes, this field as zero
	uint32_t last_body_crc;
	uint16_t lane;
	uint16_t reserved0;
	uint32_t state_count;
	uint64_t segment;
	uint64_t epoch; // of the stop: it counts for the next start alone
	uint64_t first_number; // from here on as the footer would say
	uint64_t last_number;
	uint64_t end_position;
	uint64_t event_count;
	uint64_t time_first_ns;
	uint64_t time_last_ns;
	uint32_t states_crc; // CRC-32C over salt and the rest of the block
	uint8_t reserved[36];
} SL_PACKED;
static_assert(sizeof(struct sl_segment_bookmark) == 128, "on-disk struct");

// ---- segment index: a file of its own beside a sealed segment; made again when it is missing

#define SL_SEGMENT_INDEX_NAME_FORMAT "%016llx.idx" // segment number
#define SL_SEGMENT_INDEX_MAGIC 0x315845444e494c53ull // "SLINDEX1"

// Followed by batch_count batches, partition_count partitions, and their lists and bitmaps.
struct sl_segment_index_header {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; // CRC-32C over salt and byte_length bytes, this field as zero
	uint64_t byte_length; // of the file
	uint64_t segment;
	uint64_t end_position; // the footer's
	uint32_t last_body_crc; // the footer's: an index of another life of the file is not its own
	uint16_t lane;
	uint16_t reserved0;
	uint32_t batch_count;
	uint32_t partition_count;
	uint64_t reserved1;
} SL_PACKED;
static_assert(sizeof(struct sl_segment_index_header) == 64, "on-disk struct");

struct sl_segment_index_batch { // in order of positions; the first has the footer's first_number
	uint64_t position;
	uint64_t time_base_ns, time_last_ns;
	uint32_t body_crc;
	uint8_t kind;
	uint8_t reserved[3];
} SL_PACKED;
static_assert(sizeof(struct sl_segment_index_batch) == 32, "on-disk struct");

enum sl_segment_index_form {
	SL_SEGMENT_INDEX_LIST = 0, // u32 places in the table of batches, ascending
	SL_SEGMENT_INDEX_BITMAP = 1, // bit i % 8 of byte i / 8: batch i
};

struct sl_segment_index_partition { // ascending by partition, then by term
	uint64_t first_offset, next_offset; // of its events in the segment
	uint32_t term;
	uint32_t batch_count; // that hold events of it
	uint32_t data_position; // in the index file
	uint16_t partition;
	uint8_t form; // enum sl_segment_index_form
	uint8_t reserved;
} SL_PACKED;
static_assert(sizeof(struct sl_segment_index_partition) == 32, "on-disk struct");
