//! Constants under the names of the kernel's headers.
#![allow(missing_docs)]
pub const BPF_F_SLEEPABLE: u32 = 1 << 4;
pub const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;
pub const BPF_F_NO_PREALLOC: u32 = 1;
pub const BPF_F_MMAPABLE: u32 = 1 << 10;
pub const BPF_JMP: u32 = 5;
pub const BPF_CALL: u32 = 0x80;
pub const BPF_EXIT: u32 = 0x90;
pub const BPF_LD: u32 = 0;
pub const BPF_DW: u32 = 0x18;
pub const BPF_IMM: u32 = 0;
pub const BPF_ALU64: u32 = 7;
pub const BPF_MOV: u32 = 0xb0;
pub const BPF_K: u32 = 0;
pub const BPF_X: u32 = 8;
pub const BPF_PSEUDO_CALL: u32 = 1;
pub const BPF_PSEUDO_KFUNC_CALL: u32 = 2;
pub const BPF_PSEUDO_MAP_FD: u32 = 1;
