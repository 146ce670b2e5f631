/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/io_fault.h"

#include "format/log_format.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>

#define SPOILED_COUNT_MAX 64

struct numbered {
	struct sl_io_request *request;
	uint64_t number; // of the writes queued
};

struct io_fault {
	struct sl_io io; // first
	struct sl_io *inner;
	struct sl_io_fault fault;
	uint64_t queued_count;
	// Completions that no kernel will send.
	struct sl_io_request *spoiled[SPOILED_COUNT_MAX];
	uint32_t spoiled_count;
	// The write that was cut: the real one runs with these, the caller's is restored when it
	// comes back.
	struct sl_io_request *cut;
	uint32_t cut_bytes;
	// Written, and to come back with -EIO.
	struct sl_io_request *landed[SPOILED_COUNT_MAX];
	uint32_t landed_count;
	// With reverse: with the real one, and come back from it and not handed over yet.
	struct numbered under_way[SPOILED_COUNT_MAX], held[SPOILED_COUNT_MAX];
	uint32_t under_way_count, held_count;
	uint64_t overtaken_count; // handed over behind a later one
};

static int spoil(struct io_fault *io_fault, struct sl_io_request *request, int result)
{
	if (io_fault->spoiled_count == SPOILED_COUNT_MAX)
		return -EAGAIN;
	request->result = result;
	io_fault->spoiled[io_fault->spoiled_count++] = request;
	return 0;
}

static bool is_among(uint64_t number, uint64_t first, uint64_t count)
{
	return first != 0 && number >= first && number - first < SL_MAX(count, (uint64_t)1);
}

static void spoil_landed(struct io_fault *io_fault, struct sl_io_request *request)
{
	for (uint32_t i = 0; i < io_fault->landed_count; i++) {
		if (io_fault->landed[i] != request)
			continue;
		request->result = -EIO;
		io_fault->landed[i] = io_fault->landed[--io_fault->landed_count];
		return;
	}
}

static int fault_queue(struct sl_io *io, struct sl_io_request *request)
{
	struct io_fault *io_fault = (struct io_fault *)io;
	uint64_t number = ++io_fault->queued_count;
	int result;

	if (is_among(number, io_fault->fault.eio_number, io_fault->fault.eio_count)) {
		if (!io_fault->fault.eio_lands)
			return spoil(io_fault, request, -EIO);
		assert(io_fault->landed_count < SPOILED_COUNT_MAX);
		io_fault->landed[io_fault->landed_count++] = request;
	}
	if (is_among(number, io_fault->fault.full_number, io_fault->fault.full_count))
		return spoil(io_fault, request, -ENOSPC);
	if (number == io_fault->fault.eagain_number)
		return spoil(io_fault, request, -EAGAIN);
	if (io_fault->fault.hang_number != 0 && number >= io_fault->fault.hang_number)
		return 0;
	if (is_among(number, io_fault->fault.short_number, UINT64_MAX) &&
		request->bytes > SL_BLOCK_BYTES) {
		io_fault->fault.short_number = 0;
		io_fault->cut = request;
		io_fault->cut_bytes = request->bytes;
		request->bytes = SL_BLOCK_BYTES;
	}
	result = io_fault->inner->ops->queue(io_fault->inner, request);
	if (result == 0 && io_fault->fault.reverse) {
		assert(io_fault->under_way_count < SPOILED_COUNT_MAX);
		io_fault->under_way[io_fault->under_way_count++] =
			(struct numbered){request, number};
	}
	if (result != 0 && io_fault->cut == request) {
		io_fault->fault.short_number = number;
		request->bytes = io_fault->cut_bytes;
		io_fault->cut = NULL;
	}
	return result;
}

static int fault_attach(struct sl_io *io, uint32_t helper_cpu)
{
	struct io_fault *io_fault = (struct io_fault *)io;

	return io_fault->inner->ops->attach(io_fault->inner, helper_cpu);
}

static int fault_submit(struct sl_io *io)
{
	struct io_fault *io_fault = (struct io_fault *)io;

	return io_fault->inner->ops->submit(io_fault->inner);
}

// The one that was queued last goes to the end.
static void hold(struct io_fault *io_fault, struct sl_io_request *request)
{
	uint32_t at = 0, to = io_fault->held_count++;

	while (io_fault->under_way[at].request != request)
		at++;
	struct numbered done = io_fault->under_way[at];
	io_fault->under_way[at] = io_fault->under_way[--io_fault->under_way_count];
	for (; to > 0 && io_fault->held[to - 1].number > done.number; to--)
		io_fault->held[to] = io_fault->held[to - 1];
	io_fault->held[to] = done;
}

static uint32_t reap_reversed(
	struct io_fault *io_fault, struct sl_io_request **done, uint32_t count_max)
{
	struct sl_io_request *reaped[SPOILED_COUNT_MAX];
	uint32_t count = io_fault->inner->ops->reap(
		io_fault->inner, reaped, SPOILED_COUNT_MAX - io_fault->held_count);

	for (uint32_t i = 0; i < count; i++)
		hold(io_fault, reaped[i]);
	if (io_fault->held_count < 2 && io_fault->under_way_count > 0)
		return 0;
	for (count = 0; io_fault->held_count > 0 && count < count_max; count++)
		done[count] = io_fault->held[--io_fault->held_count].request;
	io_fault->overtaken_count += count > 0 ? count - 1 : 0;
	return count;
}

static uint32_t fault_reap(struct sl_io *io, struct sl_io_request **done, uint32_t count_max)
{
	struct io_fault *io_fault = (struct io_fault *)io;
	uint32_t count = 0;

	while (io_fault->spoiled_count > 0 && count < count_max)
		done[count++] = io_fault->spoiled[--io_fault->spoiled_count];
	if (io_fault->fault.reverse)
		count += reap_reversed(io_fault, done + count, count_max - count);
	else
		count += io_fault->inner->ops->reap(
			io_fault->inner, done + count, count_max - count);
	for (uint32_t i = 0; i < count; i++) {
		spoil_landed(io_fault, done[i]);
		if (done[i] == io_fault->cut) {
			done[i]->bytes = io_fault->cut_bytes;
			io_fault->cut = NULL;
		}
	}
	return count;
}

static void fault_destroy(struct sl_io *io)
{
	struct io_fault *io_fault = (struct io_fault *)io;

	if (io_fault->fault.reverse)
		sl_log_notice("fault", "%lu writes came back behind a later one",
			io_fault->overtaken_count);
	io_fault->inner->ops->destroy(io_fault->inner);
	free(io_fault);
}

static const struct sl_io_ops fault_ops = {
	.attach = fault_attach,
	.queue = fault_queue,
	.submit = fault_submit,
	.reap = fault_reap,
	.destroy = fault_destroy,
};

struct sl_io *sl_io_fault_create(struct sl_io *inner, const struct sl_io_fault *fault)
{
	struct io_fault *io_fault = calloc(1, sizeof(*io_fault));

	if (io_fault == NULL) {
		inner->ops->destroy(inner);
		return NULL;
	}
	io_fault->io.ops = &fault_ops;
	io_fault->inner = inner;
	io_fault->fault = *fault;
	return &io_fault->io;
}
