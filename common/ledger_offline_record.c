/* SPDX-License-Identifier: BSD-3-Clause */
// The identities within one record: docs/format.md, "Ledgers".
#include "ledger_lines.h"
#include "ledger_offline_internal.h"
#include "shm.h"

#include <errno.h>

#define LINES_FIXED 11
#define LINES_PER_PORT 2
#define LINES_SINCE 9

struct drop_sums {
	uint64_t by_stage[SL_LEDGER_APPEND + 1];
};

static struct drop_sums drop_sums(const void *record, const struct sl_run_ledger *header)
{
	struct sl_run_ledger_drop drop;
	struct drop_sums sums = {0};

	for (uint32_t i = 0; i < header->drop_count; i++) {
		sl_run_ledger_drop(record, i, &drop);
		sums.by_stage[drop.stage] += drop.count;
	}
	return sums;
}

static void rx_lines(struct sl_ledger *ledger, const struct sl_run_ledger *header,
	const struct drop_sums *drops, uint64_t port_frames)
{
	sl_ledger_set(sl_ledger_add(ledger, "frames", "ports"), "frames",
		sl_ledger_exactly(header->frames), "frames by port",
		sl_ledger_exactly(port_frames));
	sl_ledger_set(sl_ledger_add(ledger, "frames", "parse"), "frames",
		sl_ledger_exactly(header->frames), "datagrams + drops in parse",
		sl_ledger_exactly(header->datagrams + drops->by_stage[SL_LEDGER_PARSE]));
	sl_ledger_set(sl_ledger_add(ledger, "events", "decode"), "datagrams",
		sl_ledger_exactly(header->datagrams), "events", sl_ledger_exactly(header->events));
	sl_ledger_set(sl_ledger_add(ledger, "events", "steer"), "events",
		sl_ledger_exactly(header->events), "enqueued + direct + drops in steer",
		sl_ledger_exactly(header->enqueued + header->direct_given +
			drops->by_stage[SL_LEDGER_STEER]));
}

static void worker_lines(
	struct sl_ledger *ledger, const struct sl_run_ledger *header, const struct drop_sums *drops)
{
	uint64_t waiting = header->open + header->in_flight;

	// A ring that was full got its marker some turns before the lcore copied its counters.
	sl_ledger_set(sl_ledger_add(ledger, "events", "to rings"), "enqueued",
		sl_ledger_exactly(header->enqueued), "enqueued by ring",
		sl_ledger_between(header->enqueued_at_marker, header->enqueued_after));
	sl_ledger_set(sl_ledger_add(ledger, "events", "rings"), "enqueued",
		sl_ledger_exactly(header->enqueued_at_marker), "dequeued",
		sl_ledger_exactly(header->dequeued_at_marker));
	sl_ledger_set(sl_ledger_add(ledger, "events", "direct"), "given by RX stages",
		sl_ledger_exactly(header->direct_given), "taken by workers",
		sl_ledger_exactly(header->direct_taken));
	sl_ledger_set(sl_ledger_add(ledger, "events", "workers"), "dequeued + direct",
		sl_ledger_exactly(header->dequeued + header->direct_taken),
		"stored + open + in flight + drops in append",
		sl_ledger_exactly(header->stored + waiting + drops->by_stage[SL_LEDGER_APPEND]));
	if ((header->flags & SL_LEDGER_LAST) == 0) {
		sl_ledger_set(sl_ledger_add(ledger, "events", "from rings"), "dequeued",
			sl_ledger_exactly(header->dequeued), "at most what was enqueued",
			sl_ledger_between(0, header->enqueued_after));
		return;
	}
	sl_ledger_set(sl_ledger_add(ledger, "events", "from rings"), "dequeued",
		sl_ledger_exactly(header->dequeued), "enqueued",
		sl_ledger_exactly(header->enqueued));
	sl_ledger_set(sl_ledger_add(ledger, "events", "at rest"), "open + in flight",
		sl_ledger_exactly(waiting), "nothing", sl_ledger_exactly(0));
}

static void redirect_line(struct sl_ledger *ledger, uint32_t index,
	const struct sl_run_ledger_port *port, bool is_last)
{
	struct sl_ledger_line *line = sl_ledger_add(ledger, "frames", "port %u redirect", index);
	uint64_t received = port->received_after + port->xsk_ring_full + port->xsk_fill_empty +
		port->xsk_rx_dropped + port->in_ring;

	if (is_last)
		sl_ledger_set(line, "redirected by XDP", sl_ledger_exactly(port->redirected_after),
			"driver + socket losses + in ring", sl_ledger_exactly(received));
	else
		sl_ledger_set(line, "redirected by XDP",
			sl_ledger_between(port->redirected_before, port->redirected_after),
			"driver + socket losses + in ring",
			sl_ledger_between(port->received_before + port->lost_before, received));
}

static void port_lines(struct sl_ledger *ledger, uint32_t index,
	const struct sl_run_ledger_port *port, bool is_last)
{
	bool is_exact = port->ledger == SL_LEDGER_EXACT;
	uint64_t low = is_last ? port->received_after : port->received_before;

	if (is_exact && (port->flags & SL_LEDGER_PORT_REDIRECTS) != 0)
		redirect_line(ledger, index, port, is_last);
	if (port->ledger != SL_LEDGER_BLIND)
		sl_ledger_set(sl_ledger_add(ledger, "frames", "port %u driver", index),
			"received by the driver",
			sl_ledger_between(is_exact ? low : 0, port->received_after),
			"frames of all RX lcores", sl_ledger_exactly(port->frames));
}

int sl_ledger_of_record(struct sl_ledger *ledger, const void *record)
{
	struct sl_run_ledger_port port;
	struct sl_run_ledger header;
	struct drop_sums drops;
	uint64_t port_frames = 0;

	sl_run_ledger_header(record, &header);
	if (sl_ledger_init(ledger, LINES_FIXED + (size_t)LINES_PER_PORT * header.port_count) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < header.port_count; i++) {
		sl_run_ledger_port(record, i, &port);
		port_frames += port.frames;
		port_lines(ledger, i, &port, (header.flags & SL_LEDGER_LAST) != 0);
	}
	drops = drop_sums(record, &header);
	rx_lines(ledger, &header, &drops, port_frames);
	worker_lines(ledger, &header, &drops);
	return 0;
}

static void not_falling(
	struct sl_ledger *ledger, const char *name, uint64_t before, uint64_t counter)
{
	sl_ledger_set(sl_ledger_add(ledger, "counted", "%s never falls", name),
		"in the ledger before", sl_ledger_exactly(before), "at most that of this one",
		sl_ledger_between(0, counter));
}

int sl_ledger_since(struct sl_ledger *ledger, const struct sl_run_ledger *before,
	const struct sl_run_ledger *header)
{
	if (sl_ledger_init(ledger, LINES_SINCE) != 0)
		return -ENOMEM;
	not_falling(ledger, "sequence", before->sequence + 1, header->sequence);
	not_falling(ledger, "frames", before->frames, header->frames);
	not_falling(ledger, "datagrams", before->datagrams, header->datagrams);
	not_falling(ledger, "events", before->events, header->events);
	not_falling(ledger, "direct", before->direct_given, header->direct_given);
	not_falling(ledger, "enqueued", before->enqueued, header->enqueued);
	not_falling(ledger, "dequeued", before->dequeued, header->dequeued);
	not_falling(ledger, "stored", before->stored, header->stored);
	return 0;
}

int sl_ledger_of_copies(struct sl_ledger *ledger, bool are_equal)
{
	if (sl_ledger_init(ledger, 1) != 0)
		return -ENOMEM;
	sl_ledger_set(sl_ledger_add(ledger, "ledgers", "copies"), "other copies of it",
		sl_ledger_exactly(are_equal ? 0 : 1), "none", sl_ledger_exactly(0));
	return 0;
}
