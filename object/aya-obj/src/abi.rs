//! Numbers of the kernel's interface (`linux/bpf.h`) that the stages write into instructions.

/// A 64-bit load whose immediate is a map's file descriptor.
pub(crate) const BPF_PSEUDO_MAP_FD: u8 = 1;
/// A 64-bit load of an address in the first element of a map.
pub(crate) const BPF_PSEUDO_MAP_VALUE: u8 = 2;
/// A 64-bit load of a function's address.
pub(crate) const BPF_PSEUDO_FUNC: u8 = 4;
/// A call of a function of the program.
pub(crate) const BPF_PSEUDO_CALL: u8 = 1;
/// The map cannot be written by programs.
pub(crate) const BPF_F_RDONLY_PROG: u32 = 1 << 7;
/// The helper `bpf_perf_event_output`.
pub(crate) const BPF_FUNC_PERF_EVENT_OUTPUT: u32 = 25;
/// The helper `bpf_ringbuf_output`.
pub(crate) const BPF_FUNC_RINGBUF_OUTPUT: u32 = 130;
/// To the perf event of the CPU that the program runs on.
pub(crate) const BPF_F_CURRENT_CPU: u32 = u32::MAX;
