// SPDX-License-Identifier: MIT OR Apache-2.0
// The peer of examples/xdp-hello: one record of the same size per packet, sent through a ring buffer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} LOGS SEC(".maps");

SEC("xdp")
int xdp_hello(struct xdp_md *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&LOGS, sizeof(*record), 0);

	if (record) {
		*record = 1;
		bpf_ringbuf_submit(record, 0);
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
