//! Logs where from and where to of each TCP connection, when the kernel is about to open it.
#![no_std]
#![no_main]

use aya_ebpf::{helpers::bpf_probe_read_kernel, macros::kprobe, programs::ProbeContext};
use aya_log_ebpf::info;

/// The kernel's types, by `build.rs`.
#[allow(
    clippy::all,
    dead_code,
    improper_ctypes_definitions,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    reason = "the names are the kernel's"
)]
mod vmlinux {
    include!(concat!(env!("OUT_DIR"), "/vmlinux.rs"));
}

use vmlinux::sock;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

#[kprobe]
fn kprobetcp(ctx: ProbeContext) -> u32 {
    // Memory that cannot be read is no reason to stop the connection, and a probe could not.
    let _unreadable = connection(&ctx);
    0
}

/// The first argument of `tcp_connect` is the socket, whose addresses are chosen by then.
fn connection(ctx: &ProbeContext) -> Result<(), i64> {
    let socket: *const sock = ctx.arg(0).ok_or(1_i64)?;
    // SAFETY: the helper checks the address; the kernel's structure has these types.
    let common = unsafe { bpf_probe_read_kernel(&raw const (*socket).__sk_common)? };
    match common.skc_family {
        AF_INET => {
            // SAFETY: a socket of this family has IPv4 addresses.
            let addresses = unsafe { common.__bindgen_anon_1.__bindgen_anon_1 };
            info!(
                ctx,
                "AF_INET src address: {:i}, dest address: {:i}",
                u32::from_be(addresses.skc_rcv_saddr),
                u32::from_be(addresses.skc_daddr)
            );
        }
        AF_INET6 => {
            // SAFETY: a socket of this family has IPv6 addresses, which are plain bytes.
            let (from, to) = unsafe {
                (
                    common.skc_v6_rcv_saddr.in6_u.u6_addr8,
                    common.skc_v6_daddr.in6_u.u6_addr8,
                )
            };
            info!(ctx, "AF_INET6 src addr: {:i}, dest addr: {:i}", from, to);
        }
        _ => {}
    }
    Ok(())
}

aya_ebpf::panic_handler!();
