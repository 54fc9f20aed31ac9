// SPDX-License-Identifier: MIT OR Apache-2.0
// The peer of examples/xdp-drop: parse, look the source up, send the same record through a ring buffer.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} LOGS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} BLOCKLIST SEC(".maps");

struct record {
	__u64 id;
	__u32 source;
	__u32 action;
};

SEC("xdp")
int xdp_drop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct record *record;
	__u32 source, action;

	if ((void *)(eth + 1) > end)
		return XDP_ABORTED;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if ((void *)(ip + 1) > end)
		return XDP_ABORTED;
	source = bpf_ntohl(ip->saddr);
	action = bpf_map_lookup_elem(&BLOCKLIST, &source) ? XDP_DROP : XDP_PASS;
	record = bpf_ringbuf_reserve(&LOGS, sizeof(*record), 0);
	if (record) {
		record->id = 1;
		record->source = source;
		record->action = action;
		bpf_ringbuf_submit(record, 0);
	}
	return action;
}

char _license[] SEC("license") = "GPL";
