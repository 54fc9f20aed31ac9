/* A map that is shared by name; SIZE makes another shape of it. */
#include "defs.h"

#ifndef SIZE
#define SIZE 8
#endif

struct {
	__uint(type, ARRAY);
	__uint(max_entries, SIZE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, 1);
} SHARED SEC(".maps");

SEC("xdp")
int counts(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *value = map_lookup_elem(&SHARED, &key);

	if (value)
		*value += 1;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
