/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/recovery_internal.h"

#include "bounds.h"
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

// Behind the last valid batch there must be room for an epoch start of any layout; else the segment
// is sealed and the next one opens with the checkpoint that serves as epoch start.
#define ROOM_BYTES (4ull * 1024 * 1024)
static_assert(ROOM_BYTES >= 2 * SL_PARTITION_COUNT_MAX * sizeof(struct sl_partition_state),
	"an epoch start of all partitions, in batches of any size, fits");
static_assert(ROOM_BYTES < SL_SEGMENT_BYTES_MIN / 2, "a new segment is not full at once");

static int sync_directory(const struct sl_recoverer *r)
{
	int fd = open(r->lane_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (result < 0)
		return sl_err_set(r->err, result, "cannot flush the directory %s: %s", r->lane_path,
			strerror(-result));
	return 0;
}

static struct sl_segment *locked_segment(const struct sl_recoverer *r, uint32_t index)
{
	return r->locked[index - r->tail_index];
}

// Half-born, void and spare segments behind the end. They go before anything else is written, so
// that no later recovery sees them beside a longer log.
static int remove_behind(struct sl_recoverer *r)
{
	uint32_t first = sl_recovery_first_behind(r);
	int result = 0;

	for (uint32_t i = first; result == 0 && i < r->entry_count; i++)
		result = sl_segment_remove(r->lane_path, r->entries[i].number, r->err);
	SL_FAULT_POINT(RECOVERY_REMOVED);
	if (result == 0 && first < r->entry_count)
		result = sync_directory(r);
	return result;
}

static void set_footer_fields(struct sl_segment *segment, const struct sl_recovery_reach *reach)
{
	segment->first_number = reach->first_number;
	segment->last_number = reach->last_number;
	segment->end_position = reach->end_position;
	segment->event_count = reach->event_count;
	segment->time_first_ns = reach->time_first_ns;
	segment->time_last_ns = reach->time_last_ns;
	segment->last_body_crc = reach->last_body_crc;
}

static int seal(struct sl_recoverer *r, uint32_t index)
{
	struct sl_segment *segment = locked_segment(r, index);

	set_footer_fields(segment, &r->reaches[index]);
	// The footer's epoch is that of the last batch: the next segment may open in the same one.
	return sl_segment_seal(segment, r->lane, r->reaches[index].epoch, r->salt_crc, r->err);
}

// One in front of the end in which nothing counts, because a later one took over, goes.
static int close_before(struct sl_recoverer *r, uint32_t index)
{
	if (r->reaches[index].first_number != 0)
		return seal(r, index);
	return sl_segment_discard(r->lane_path, r->entries[index].number, r->err);
}

// Goes on in the last segment when there is room, else seals it. Whoever goes on checks for its own
// layout, so a segment smaller than any configuration allows may have less.
static int take_last(struct sl_recoverer *r)
{
	const struct sl_recovery_reach *reach = &r->reaches[r->end_index];
	struct sl_segment *segment = locked_segment(r, r->end_index);
	uint64_t room_bytes = SL_MIN(ROOM_BYTES, segment->file_bytes / 4);
	int result;

	if (reach->end_position + room_bytes > sl_segment_usable_bytes(segment))
		return seal(r, r->end_index);
	// The tail must be durable before a term, an offset or an answer is built on it.
	if (fdatasync(segment->fd) < 0) {
		result = -errno;
		return sl_err_set(r->err, result, "cannot flush segment %" PRIu64 " of %s: %s",
			segment->number, r->lane_path, strerror(-result));
	}
	SL_FAULT_POINT(RECOVERY_FLUSHED);
	set_footer_fields(segment, reach);
	r->recovery->segment = segment;
	r->recovery->chain.position = reach->end_position;
	r->locked[r->end_index - r->tail_index] = NULL;
	return 0;
}

// A lane without anything that counts may have had it all, and lost it by expiry: what numbers it
// used is not known, but no start uses 2^32 of them.
static uint64_t unused_number(const struct sl_lane_recovery *recovery)
{
	return recovery->epoch > 1 ? recovery->epoch << 32 : 1;
}

int sl_recovery_finish(struct sl_recoverer *r)
{
	struct sl_lane_recovery *recovery = r->recovery;
	bool is_end_sealed = r->end_index == SL_RECOVERY_NO_INDEX || r->end_index < r->tail_index;
	int result = remove_behind(r);

	recovery->next_segment = r->entry_count > 0 ? r->entries[r->entry_count - 1].number + 1
						    : unused_number(recovery);
	recovery->chain = (struct sl_lane_chain){
		.next_number = unused_number(recovery), .time_last_ns = r->time_last_ns};
	if (r->end_index != SL_RECOVERY_NO_INDEX) {
		const struct sl_recovery_reach *reach = &r->reaches[r->end_index];

		recovery->chain.next_number = reach->last_number + 1;
		recovery->chain.prev_body_crc = reach->last_body_crc;
		// True at once: all of it is flushed below or was sealed.
		recovery->chain.durable_mark = reach->last_number;
	}
	if (result == 0)
		result = sl_recovery_rewrite(r);
	for (uint32_t i = r->tail_index; result == 0 && !is_end_sealed && i < r->end_index; i++)
		result = close_before(r, i);
	if (result == 0 && !is_end_sealed)
		result = take_last(r);
	return result;
}
