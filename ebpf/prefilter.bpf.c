/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
// The pre-filter, first version: UDP for one of our ports goes to the AF_XDP socket of its receive
// queue, everything else to the kernel. It decides by the destination port alone; whether the
// datagram is well-formed is the parser's business, which counts each one by reason. So a datagram
// for our port is redirected even with IPv4 options, behind IPv6 extension headers or as the first
// fragment. Later fragments carry no port and pass.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "prefilter_shared.h"

#define VLAN_TAG_COUNT_MAX 2
#define IPV4_FRAGMENT_OFFSET_MASK 0x1fff
#define IPV6_FRAGMENT_OFFSET_MASK 0xfff8
#define IPPROTO_HIP 139 // RFC 7401
#define IPPROTO_SHIM6 140 // RFC 5533

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, SL_PREFILTER_QUEUE_COUNT_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SL_PREFILTER_PORT_WORD_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} sl_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_prefilter_control);
} sl_control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_PREFILTER_VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} sl_verdicts SEC(".maps");

struct vlan_tag {
	__be16 control;
	__be16 ethertype;
};

// RFC 8200 4.5; the other extension headers share its first two bytes.
struct ipv6_extension {
	__u8 next_header;
	__u8 length;
	__be16 fragment_offset; // of a fragment header
	__be32 identification;
};

// What is left of the frame.
struct cursor {
	void *at;
	void *end;
};

static __always_inline void count_verdict(enum sl_prefilter_verdict verdict)
{
	__u32 key = verdict;
	__u64 *counter = bpf_map_lookup_elem(&sl_verdicts, &key);

	if (counter)
		(*counter)++; // per CPU, and XDP is not preempted by XDP
}

// Returns the ethertype behind at most two tags, in network order; 0 when the frame ends before.
static __always_inline __be16 skip_ethernet(struct cursor *cursor)
{
	struct ethhdr *ethernet = cursor->at;
	__be16 ethertype;

	if ((void *)(ethernet + 1) > cursor->end)
		return 0;
	ethertype = ethernet->h_proto;
	cursor->at = ethernet + 1;
#pragma unroll
	for (int i = 0; i < VLAN_TAG_COUNT_MAX; i++) {
		struct vlan_tag *tag = cursor->at;

		if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > cursor->end)
			return 0;
		ethertype = tag->ethertype;
		cursor->at = tag + 1;
	}
	return ethertype;
}

// True when a UDP header follows at cursor->at.
static __always_inline bool skip_ipv4(struct cursor *cursor)
{
	struct iphdr *ip = cursor->at;

	if ((void *)(ip + 1) > cursor->end)
		return false;
	if (ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_UDP)
		return false;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET_MASK))
		return false;
	cursor->at = (void *)ip + ip->ihl * 4;
	return true;
}

// Bytes of an extension header; 0 for one that ends the walk (RFC 8200 4, RFC 4302 2.2).
static __always_inline __u32 extension_bytes(__u8 header, const struct ipv6_extension *extension)
{
	switch (header) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case IPPROTO_HIP:
	case IPPROTO_SHIM6:
		return (extension->length + 1) * 8;
	case IPPROTO_AH:
		return (extension->length + 2) * 4;
	case IPPROTO_FRAGMENT:
		if (extension->fragment_offset & bpf_htons(IPV6_FRAGMENT_OFFSET_MASK))
			return 0;
		return sizeof(*extension);
	default:
		return 0;
	}
}

static __always_inline bool skip_ipv6(struct cursor *cursor)
{
	struct ipv6hdr *ip = cursor->at;
	__u8 header;

	if ((void *)(ip + 1) > cursor->end || ip->version != 6)
		return false;
	header = ip->nexthdr;
	cursor->at = ip + 1;
	for (int i = 0; i < SL_PREFILTER_IPV6_CHAIN_MAX && header != IPPROTO_UDP; i++) {
		struct ipv6_extension *extension = cursor->at;
		__u32 bytes;

		if ((void *)(extension + 1) > cursor->end)
			return false;
		bytes = extension_bytes(header, extension);
		if (bytes == 0)
			return false;
		header = extension->next_header;
		cursor->at += bytes;
	}
	return header == IPPROTO_UDP;
}

static __always_inline bool is_ours(struct cursor *cursor)
{
	__be16 ethertype = skip_ethernet(cursor);
	__be16 *ports;
	__u64 *word;

	if (ethertype == bpf_htons(ETH_P_IP)) {
		if (!skip_ipv4(cursor))
			return false;
	} else if (ethertype == bpf_htons(ETH_P_IPV6)) {
		if (!skip_ipv6(cursor))
			return false;
	} else {
		return false;
	}
	// Of the UDP header only the ports are needed: one cut off behind them is the parser's.
	ports = cursor->at;
	if ((void *)(ports + 2) > cursor->end)
		return false;
	__u16 target = bpf_ntohs(ports[1]);
	__u32 word_index = target / 64;
	word = bpf_map_lookup_elem(&sl_ports, &word_index);
	return word && (*word >> (target % 64) & 1);
}

SEC("xdp")
int sl_prefilter(struct xdp_md *context)
{
	struct cursor cursor = {(void *)(long)context->data, (void *)(long)context->data_end};
	__u32 key = 0;

	if (!is_ours(&cursor)) {
		count_verdict(SL_PREFILTER_PASS);
		return XDP_PASS;
	}
	struct sl_prefilter_control *control = bpf_map_lookup_elem(&sl_control, &key);
	if (!control || !control->redirect) {
		count_verdict(SL_PREFILTER_PASS_OFF);
		return XDP_PASS;
	}
	int action = bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
	count_verdict(action == XDP_REDIRECT ? SL_PREFILTER_REDIRECT : SL_PREFILTER_PASS_NO_SOCKET);
	return action;
}

// The kernel asks for a license that it knows.
char sl_license[] SEC("license") = "Dual BSD/GPL";
