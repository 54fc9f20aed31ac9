/* Writes a record to the ring buffer of the logging crates, with the context as fifth argument. */
#include "defs.h"

struct {
	__uint(type, RINGBUF);
	__uint(max_entries, 4096);
} AYA_LOGS SEC(".maps");

volatile __u64 AYA_LOG_LOST;

SEC("xdp")
int logs(struct xdp_md *ctx)
{
	__u64 record[2] = { 1, 0x1122334455667788 };

	if (ringbuf_output(&AYA_LOGS, record, sizeof(record), 0, ctx))
		AYA_LOG_LOST += 1;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
