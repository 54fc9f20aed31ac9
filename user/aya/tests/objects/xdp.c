/* Maps, globals of all three kinds, a subprogram, and programs for all places XDP runs in. */
#include "defs.h"

struct {
	__uint(type, HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} SEEN SEC(".maps");

struct {
	__uint(type, PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} PER_CPU SEC(".maps");

const volatile __u32 VERDICT = XDP_PASS;
volatile __u64 COUNT;
volatile __u32 STEP = 1;

static __attribute__((noinline)) __u64 count(__u64 by)
{
	COUNT += by;
	return COUNT;
}

SEC("xdp")
int verdict(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 seen = count(STEP);

	map_update_elem(&SEEN, &key, &seen, 0);
	return VERDICT;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp/devmap")
int for_devmap(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp/cpumap")
int for_cpumap(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int reads_null(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *value = map_lookup_elem(&SEEN, &key);

	return *value; /* the mistake */
}

SEC("lwt_in")
int not_supported_yet(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
