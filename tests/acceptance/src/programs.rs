//! What the documents print, and what they take for granted beside it.

/// A program of two halves, as users keep them.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the package and of the folder of its source.
    pub name: &'static str,
    /// The name of the object, where it is not the package's.
    pub object: &'static str,
    /// Whose user-space half it is.
    pub user: User,
    /// The crate that both halves share: its name and its source.
    pub common: Option<(&'static str, &'static str)>,
    /// The kernel's types that `vmlinux.rs` beside the source must have.
    pub types: &'static [&'static str],
    /// References to a `static mut`, which edition 2024 denies.
    pub static_mut: bool,
}

/// Where a user-space half comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The document prints it.
    Document,
    /// The document leaves it out: ours, in `users/`.
    Ours,
    /// There is nothing to run.
    Missing,
}

const fn program(name: &'static str) -> Program {
    Program {
        name,
        object: name,
        user: User::Document,
        common: None,
        types: &[],
        static_mut: false,
    }
}

/// All programs that must compile.
pub const PROGRAMS: &[Program] = &[
    program("xdp-hello"),
    program("xdp-log"),
    program("xdp-drop"),
    program("simple-xdp-program"),
    program("old-myapp"),
    Program {
        types: &["sock", "sock_common"],
        ..program("kprobetcp")
    },
    program("tc-egress"),
    Program {
        common: Some((
            "cgroup_skb_egress_common",
            "#![no_std]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PacketLog {
    pub ipv4_address: u32,
    pub action: i32,
}
",
        )),
        ..program("cgroup-skb-egress")
    },
    Program {
        types: &["task_struct"],
        ..program("lsm-nice")
    },
    Program {
        user: User::Ours,
        types: &["task_struct"],
        ..program("task-alloc")
    },
    Program {
        user: User::Ours,
        static_mut: true,
        ..program("slides-fentry")
    },
    Program {
        object: "tc-filter",
        common: Some(("packet_common", PACKET_COMMON)),
        static_mut: true,
        ..program("blog-tc-ingress")
    },
    Program {
        user: User::Ours,
        common: Some((
            "runc_common",
            "#![no_std]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RuncEvent {
    pub pid: u32,
}
",
        )),
        static_mut: true,
        ..program("blog-runc")
    },
];

/// The headers are those of `linux/if_ether.h` and `linux/ip.h`.
const PACKET_COMMON: &str = "#![no_std]
#![allow(non_camel_case_types)]
#[repr(C, packed)]
pub struct ethhdr {
    pub h_dest: [u8; 6],
    pub h_source: [u8; 6],
    pub h_proto: u16,
}
#[repr(C)]
pub struct iphdr {
    pub version_ihl: u8,
    pub tos: u8,
    pub tot_len: u16,
    pub id: u16,
    pub frag_off: u16,
    pub ttl: u8,
    pub protocol: u8,
    pub check: u16,
    pub saddr: u32,
    pub daddr: u32,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub enum TrafficDirection {
    Ingress,
    Egress,
}
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OobBuffer {
    pub direction: TrafficDirection,
    pub size: usize,
}
";

/// The one that must not.
pub const REFUSED: Program = Program {
    user: User::Missing,
    ..program("type-safety")
};
