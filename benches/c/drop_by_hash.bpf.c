// SPDX-License-Identifier: MIT OR Apache-2.0
// The peer of benches/ebpf/src/bin/drop_by_hash.rs.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} BLOCKLIST SEC(".maps");

SEC("xdp")
int drop_by_hash(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	__u32 source;

	if ((void *)(eth + 1) > end)
		return XDP_ABORTED;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if ((void *)(ip + 1) > end)
		return XDP_ABORTED;
	source = bpf_ntohl(ip->saddr);
	return bpf_map_lookup_elem(&BLOCKLIST, &source) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
