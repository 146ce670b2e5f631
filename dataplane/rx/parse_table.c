/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/config.h"
#include "rx/parse.h"

void sl_parse_init(struct sl_parse_table *table, const struct sl_config *config)
{
	for (uint32_t port = 0; port < SL_ARRAY_COUNT(table->stream_by_port); port++)
		table->stream_by_port[port] = SL_STREAM_NONE;
	for (uint32_t i = 0; i < config->stream_count; i++)
		table->stream_by_port[config->streams[i].udp_port] = (uint16_t)i;
}
