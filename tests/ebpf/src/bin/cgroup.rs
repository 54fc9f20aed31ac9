//! Programs on cgroups: packets, kernel parameters, socket options.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{cgroup_skb, cgroup_sockopt, cgroup_sysctl, map},
    maps::{Array, HashMap},
    programs::{SkBuffContext, SockoptContext, SysctlContext},
};
use aya_log_ebpf::info;

const IPV4_SOURCE: usize = 12;
const IPV4_DESTINATION: usize = 16;

/// Addresses that packets are not exchanged with.
#[map]
static BLOCKED: HashMap<u32, u32> = HashMap::with_max_entries(16, 0);
/// How often each of the counting programs ran.
#[map]
static RUNS: Array<u64> = Array::with_max_entries(4, 0);

fn count(index: u32) {
    if let Some(runs) = RUNS.get_ptr_mut(index) {
        // SAFETY: the map's value is valid while the program runs.
        unsafe { aya_ebpf::atomic_add_u64(runs, 1) };
    }
}

/// 1 unless the address at `offset` of the IPv4 header is blocked.
fn unblocked(ctx: &SkBuffContext, offset: usize) -> i32 {
    let Ok(address) = ctx.load::<u32>(offset) else {
        return 0;
    };
    let address = u32::from_be(address);
    // SAFETY: the value is not read.
    let blocked = unsafe { BLOCKED.get(&address) }.is_some();
    info!(ctx, "{:i} blocked: {}", address, u32::from(blocked));
    i32::from(!blocked)
}

/// The direction is said when it is attached.
#[cgroup_skb]
fn by_destination(ctx: SkBuffContext) -> i32 {
    unblocked(&ctx, IPV4_DESTINATION)
}

#[cgroup_skb(ingress)]
fn by_source(ctx: SkBuffContext) -> i32 {
    unblocked(&ctx, IPV4_SOURCE)
}

/// 3 asks for slower sending and lets the packet pass: for egress only.
#[cgroup_skb(egress)]
fn congested(_ctx: SkBuffContext) -> i32 {
    3
}

#[cgroup_skb]
fn count_first(_ctx: SkBuffContext) -> i32 {
    count(0);
    1
}

#[cgroup_skb]
fn count_second(_ctx: SkBuffContext) -> i32 {
    count(1);
    1
}

#[cgroup_skb]
fn refuse(_ctx: SkBuffContext) -> i32 {
    0
}

/// What may be written and read of the parameter that the test uses; others are left alone.
#[cgroup_sysctl]
fn sysctl(ctx: SysctlContext) -> i32 {
    let mut buffer = [0; 64];
    let Ok(name) = ctx.base_name(&mut buffer) else {
        return 1;
    };
    if name != b"ip_default_ttl" {
        return 1;
    }
    info!(&ctx, "write {} at {}", ctx.write(), ctx.file_pos());
    if !ctx.is_write() {
        let mut value = [0; 16];
        let Ok(value) = ctx.current_value(&mut value) else {
            return 0;
        };
        // 99 is a secret.
        return i32::from(!value.starts_with(b"99"));
    }
    let mut value = [0; 16];
    let Ok(value) = ctx.new_value(&mut value) else {
        return 0;
    };
    match value.first() {
        Some(b'1') => 1,
        Some(b'2') => i32::from(ctx.set_new_value(b"77").is_ok()),
        Some(b'9') => 1,
        _ => 0,
    }
}

const SOL_SOCKET: i32 = 1;
const SO_PRIORITY: i32 = 12;
const SO_SNDTIMEO: i32 = 21;
const SO_MARK: i32 = 36;
const SOL_TCP: i32 = 6;
/// The kernel does not know it of other protocols.
const TCP_USER_TIMEOUT: i32 = 18;

/// The value as a number, if there is room for one.
fn number(ctx: &SockoptContext) -> Option<*mut i32> {
    let at = ctx.optval();
    (at + size_of::<i32>() <= ctx.optval_end()).then_some(at as *mut i32)
}

#[cgroup_sockopt(setsockopt)]
fn set_option(ctx: SockoptContext) -> i32 {
    match (ctx.level(), ctx.optname()) {
        // Refused.
        (SOL_SOCKET, SO_MARK) => 0,
        // Halved.
        (SOL_SOCKET, SO_PRIORITY) => {
            let Some(value) = number(&ctx) else {
                return 0;
            };
            // SAFETY: inside the value.
            unsafe { *value /= 2 };
            1
        }
        // Handled here: the kernel does not know it.
        (SOL_TCP, TCP_USER_TIMEOUT) => {
            let Some(value) = number(&ctx) else {
                return 0;
            };
            // SAFETY: inside the value.
            let value = unsafe { *value };
            info!(&ctx, "own option: {}", value);
            if RUNS.set(2, value as u64, 0).is_err() {
                return 0;
            }
            ctx.set_optlen(-1);
            1
        }
        _ => 1,
    }
}

#[cgroup_sockopt(getsockopt)]
fn get_option(ctx: SockoptContext) -> i32 {
    match (ctx.level(), ctx.optname()) {
        (SOL_SOCKET, SO_SNDTIMEO) => 0,
        (SOL_SOCKET, SO_PRIORITY) => {
            let Some(value) = number(&ctx) else {
                return 0;
            };
            // SAFETY: inside the value.
            unsafe { *value += 100 };
            1
        }
        // Handled here: what the kernel said is forgotten.
        (SOL_TCP, TCP_USER_TIMEOUT) => {
            let (Some(value), Some(kept)) = (number(&ctx), RUNS.get(2)) else {
                return 0;
            };
            info!(&ctx, "kernel: {}", ctx.retval());
            // SAFETY: inside the value.
            unsafe { *value = *kept as i32 };
            ctx.set_optlen(4);
            ctx.set_retval(0);
            1
        }
        _ => 1,
    }
}

aya_ebpf::panic_handler!();
