// SPDX-License-Identifier: MIT OR Apache-2.0
// The peer of benches/ebpf/src/bin/records.rs: the same records through the same kind of buffers.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct record_64 {
	__u64 number;
	__u32 len;
	__u32 queue;
	__u64 mark;
	__u64 room[5];
};

struct record_32 {
	__u64 number;
	__u32 len;
	__u32 queue;
	__u64 mark;
	__u64 room[1];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} RECORDS SEC(".maps");

#define RING(name, type) \
	SEC("xdp") \
	int name(struct xdp_md *ctx) \
	{ \
		struct type *record = bpf_ringbuf_reserve(&RECORDS, sizeof(*record), 0); \
\
		if (record) { \
			*record = (struct type) { \
				.number = 1, \
				.len = ctx->data_end - ctx->data, \
				.queue = ctx->rx_queue_index, \
				.mark = 0x0123456789abcdef, \
			}; \
			bpf_ringbuf_submit(record, 0); \
		} \
		return XDP_PASS; \
	}

RING(ring_64, record_64)
RING(ring_32, record_32)

char _license[] SEC("license") = "GPL";
