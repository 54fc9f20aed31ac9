/* The little that the test programs need of the kernel's interface. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

struct xdp_md {
	__u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

enum { XDP_ABORTED, XDP_DROP, XDP_PASS };
enum { HASH = 1, ARRAY = 2, PERCPU_ARRAY = 6, RINGBUF = 27, PERF_EVENT_ARRAY = 4 };

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*ringbuf_output)(void *map, void *data, __u64 size, __u64 flags, void *ctx) = (void *)130;
