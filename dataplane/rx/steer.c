/* SPDX-License-Identifier: BSD-3-Clause */
#include "rx/steer.h"

#include <rte_mbuf.h>
#include <string.h>

#include "hotpath.h"

// Key bytes that do not lie in the first segment are gathered here; longer keys are cut (the
// configuration allows no more).
#define SL_KEY_BYTES_MAX 256

// Source address, destination address, source port, destination port: as docs/format.md says.
static uint64_t hash_flow(const struct sl_steer_stream *stream, const struct rte_mbuf *mbuf,
	const struct sl_datagram *datagram)
{
	uint8_t header[40 + 4];
	uint32_t address_offset = datagram->ip_version == 4 ? 12 : 8;
	uint32_t address_bytes = datagram->ip_version == 4 ? 8 : 32;
	const uint8_t *addresses = rte_pktmbuf_read(
		mbuf, datagram->l3_offset + address_offset, address_bytes + 4, header);
	uint8_t flow[32 + 4];

	// Accepted datagrams have no options and no extension headers, so the UDP ports follow the
	// addresses.
	memcpy(flow, addresses, address_bytes + 4);
	return sl_siphash13(&stream->key, flow, address_bytes + 4);
}

static uint64_t hash_payload(const struct sl_steer_stream *stream, const struct rte_mbuf *mbuf,
	const struct sl_datagram *datagram)
{
	uint8_t gathered[SL_KEY_BYTES_MAX];
	uint32_t offset = SL_MIN((uint32_t)stream->key_offset, datagram->payload_bytes);
	uint32_t bytes = SL_MIN((uint32_t)stream->key_bytes, datagram->payload_bytes - offset);

	offset += datagram->payload_offset;
	if (sl_likely(offset + bytes <= mbuf->data_len))
		return sl_siphash13(
			&stream->key, rte_pktmbuf_mtod_offset(mbuf, const void *, offset), bytes);
	// Behind the last segment rte_pktmbuf_read finds none.
	if (bytes == 0)
		return sl_siphash13(&stream->key, gathered, 0);
	return sl_siphash13(&stream->key, rte_pktmbuf_read(mbuf, offset, bytes, gathered), bytes);
}

void sl_steer_burst(const struct sl_steer_table *table, struct sl_burst *burst)
{
	for (uint32_t i = 0; i < burst->count; i++) {
		struct sl_datagram *datagram = &burst->datagrams[i];
		const struct sl_steer_stream *stream = &table->streams[datagram->stream];
		uint64_t hash = stream->by_flow ? hash_flow(stream, burst->mbufs[i], datagram)
						: hash_payload(stream, burst->mbufs[i], datagram);

		datagram->partition = (uint16_t)(stream->first_partition +
			sl_hash_to_index(hash, stream->partition_count));
	}
}
