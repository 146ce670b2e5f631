/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/run_ledger.h"

#include "format/run_gap.h"

#include <string.h>

void sl_run_ledger_header(const void *data, struct sl_run_ledger *header)
{
	memcpy(header, data, sizeof(*header));
}

void sl_run_ledger_port(const void *data, uint32_t index, struct sl_run_ledger_port *port)
{
	struct sl_run_ledger header;

	sl_run_ledger_header(data, &header);
	assert(index < header.port_count);
	memcpy(port, (const char *)data + header.header_bytes + (size_t)index * header.port_bytes,
		sizeof(*port));
	port->device[sizeof(port->device) - 1] = '\0';
}

void sl_run_ledger_drop(const void *data, uint32_t index, struct sl_run_ledger_drop *drop)
{
	struct sl_run_ledger header;

	sl_run_ledger_header(data, &header);
	assert(index < header.drop_count);
	memcpy(drop,
		(const char *)data + header.header_bytes +
			(size_t)header.port_count * header.port_bytes +
			(size_t)index * header.drop_bytes,
		sizeof(*drop));
}

static bool lengths_fit(const struct sl_run_ledger *header, uint32_t bytes)
{
	return header->header_bytes >= sizeof(*header) &&
		header->port_bytes >= sizeof(struct sl_run_ledger_port) &&
		header->drop_bytes >= sizeof(struct sl_run_ledger_drop) &&
		(uint64_t)header->header_bytes + (uint64_t)header->port_count * header->port_bytes +
			(uint64_t)header->drop_count * header->drop_bytes <=
		bytes;
}

bool sl_run_ledger_check(const void *data, uint32_t bytes)
{
	struct sl_run_ledger header;
	struct sl_run_ledger_drop drop;

	if (bytes < sizeof(header))
		return false;
	sl_run_ledger_header(data, &header);
	if (header.boot == 0 || !lengths_fit(&header, bytes))
		return false;
	for (uint32_t i = 0; i < header.drop_count; i++) {
		sl_run_ledger_drop(data, i, &drop);
		if (drop.count == 0 || drop.stage > SL_LEDGER_APPEND || drop.unit > SL_GAP_FRAMES ||
			!sl_run_gap_is_reason(drop.reason))
			return false;
	}
	return true;
}
