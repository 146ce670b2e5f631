/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/event_source.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>

#include "hotpath.h"

void sl_event_source(const struct sl_event *event, struct sl_run_source *source)
{
	uint8_t gathered[sizeof(struct ip6_hdr) + sizeof(struct udphdr)];
	// Accepted datagrams have neither options nor extension headers.
	const uint8_t *l3 = rte_pktmbuf_read(
		event->mbuf, event->l3_offset, event->payload_offset - event->l3_offset, gathered);
	bool is_v4 = (l3[0] >> 4) == 4;
	const uint8_t *ports = l3 + (is_v4 ? sizeof(struct ip) : sizeof(struct ip6_hdr));

	memset(source, 0, sizeof(*source));
	source->family = is_v4 ? 4 : 6;
	source->port = (uint16_t)(ports[0] << 8 | ports[1]);
	memcpy(source->address,
		l3 + (is_v4 ? offsetof(struct ip, ip_src) : offsetof(struct ip6_hdr, ip6_src)),
		is_v4 ? 4 : 16);
}

void sl_event_note_gap(
	struct sl_gap_table *table, const struct sl_event *event, enum sl_drop_reason reason)
{
	struct sl_gap_key key = {
		.reason = sl_drop_infos[reason].name,
		.stream = SL_GAP_STREAM_NONE,
		.sources = SL_GAP_SOURCES_ONE,
	};
	const struct sl_gap_stream *stream;
	struct sl_run_source source;

	if (table == NULL)
		return;
	sl_event_source(event, &source);
	memcpy(key.address, source.address, sizeof(key.address));
	key.family = source.family;
	stream = sl_gap_stream_of(table->streams, event->partition);
	if (stream != NULL)
		key.stream = stream->stream;
	sl_gap_note(table, &key, 1, sl_mbuf_receive_ns(event->mbuf));
}
