// SPDX-License-Identifier: MIT OR Apache-2.0
// The peer of benches/ebpf/src/bin/probe_argument.rs.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} WANTED SEC(".maps");

SEC("kprobe/vfs_read")
int probe_argument(struct pt_regs *ctx)
{
	__u32 key = 0;
	__u64 *wanted = bpf_map_lookup_elem(&WANTED, &key);

	if (wanted)
		*wanted += PT_REGS_PARM3(ctx);
	return 0;
}

char _license[] SEC("license") = "GPL";
