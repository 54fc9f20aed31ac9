//! Programs on TCP connections and on what is sent on their sockets.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
        BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB,
        BPF_SOCK_OPS_TIMEOUT_INIT, sk_action,
    },
    macros::{map, sk_msg, sock_ops, stream_parser, stream_verdict},
    maps::{Array, RingBuf, SockHash, SockMap},
    programs::{SkBuffContext, SkMsgContext, SockOpsContext},
};
use aya_log_ebpf::info;

/// What [`events`] reports.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    op: u32,
    old_state: u32,
    new_state: u32,
    local_port: u32,
    remote_port: u32,
    remote_ip4: u32,
    congestion: [u8; 4],
    flags: u32,
}

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static SOCKETS: SockMap = SockMap::with_max_entries(4, 0);
#[map]
static BY_PORT: SockHash<u32> = SockHash::with_max_entries(4, 0);
/// 0: the port to redirect to.
#[map]
static TARGET: Array<u32> = Array::with_max_entries(1, 0);

const SOL_SOCKET: i32 = 1;
const SO_RCVBUF: i32 = 8;
const IPPROTO_TCP: i32 = 6;
const TCP_CONGESTION: i32 = 13;

/// Reports the events of connections; those that are made get a small buffer.
#[sock_ops]
fn events(ctx: SockOpsContext) -> u32 {
    let op = ctx.op();
    let mut congestion = [0; 4];
    match op {
        BPF_SOCK_OPS_TCP_CONNECT_CB => {
            // The report shows what came of it.
            let _ = ctx.set_sockopt(SOL_SOCKET, SO_RCVBUF, &4096i32);
            let _ = ctx.set_cb_flags(BPF_SOCK_OPS_STATE_CB_FLAG as i32);
        }
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => {
            let _ = ctx.set_sockopt(IPPROTO_TCP, TCP_CONGESTION, b"reno\0");
            if let Ok([a, b, c, d, ..]) = ctx.get_sockopt::<[u8; 16]>(IPPROTO_TCP, TCP_CONGESTION) {
                congestion = [a, b, c, d];
            }
            info!(
                &ctx,
                "connected to port {}",
                u32::from_be(ctx.remote_port())
            );
        }
        BPF_SOCK_OPS_TIMEOUT_INIT => {
            ctx.set_reply(500);
            return 1;
        }
        BPF_SOCK_OPS_STATE_CB | BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => {}
        _ => return 1,
    }
    if let Some(mut event) = EVENTS.reserve::<Event>(0) {
        event.write(Event {
            op,
            old_state: ctx.arg(0),
            new_state: ctx.arg(1),
            local_port: ctx.local_port(),
            remote_port: u32::from_be(ctx.remote_port()),
            remote_ip4: u32::from_be(ctx.remote_ip4()),
            congestion,
            flags: ctx.cb_flags(),
        });
        event.submit(0);
    }
    1
}

/// Puts the sockets of both ends into the maps: by their local port, and the first into slot 0.
#[sock_ops]
fn collect(ctx: SockOpsContext) -> u32 {
    if let BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB | BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB = ctx.op() {
        let mut port = ctx.local_port();
        // SAFETY: the context is the kernel's.
        let ops = unsafe { &mut *ctx.ops };
        // A socket that is not in the map is not redirected to, which the test sees.
        let _ = BY_PORT.update(&mut port, ops, 0);
        // SAFETY: the context is the kernel's.
        let _ = unsafe { SOCKETS.update(0, ctx.ops, 1) };
    }
    1
}

/// Drops what begins with `drop`, shortens `cut…` and lengthens `add…`.
#[sk_msg]
fn verdict(ctx: SkMsgContext) -> u32 {
    info!(&ctx, "{} bytes from port {}", ctx.size(), ctx.local_port());
    if ctx.pull_data(0, 4, 0).is_err() {
        return sk_action::SK_PASS;
    }
    let at = ctx.data();
    if at + 4 > ctx.data_end() {
        return sk_action::SK_PASS;
    }
    // SAFETY: the bytes are there.
    let word = unsafe { (at as *const [u8; 4]).read_unaligned() };
    let done = match &word {
        b"drop" => return sk_action::SK_DROP,
        b"cut!" => ctx.pop_data(0, 4, 0),
        b"add!" => add(&ctx),
        _ => Ok(()),
    };
    match done {
        Ok(()) => sk_action::SK_PASS,
        Err(_) => sk_action::SK_DROP,
    }
}

/// Puts `++` in front.
fn add(ctx: &SkMsgContext) -> Result<(), i32> {
    ctx.push_data(0, 2, 0)?;
    ctx.pull_data(0, 2, 0)?;
    let at = ctx.data();
    if at + 2 > ctx.data_end() {
        return Err(-1);
    }
    // SAFETY: the bytes are there.
    unsafe { (at as *mut [u8; 2]).write_unaligned(*b"++") };
    Ok(())
}

const BPF_F_INGRESS: u64 = 1;

/// Hands data to the reader of the socket in slot 0.
#[sk_msg]
fn to_slot(ctx: SkMsgContext) -> u32 {
    SOCKETS.redirect_msg(&ctx, 0, BPF_F_INGRESS) as u32
}

/// Hands data to the reader of the socket with the port in `TARGET`.
#[sk_msg]
fn to_port(ctx: SkMsgContext) -> u32 {
    let Some(port) = TARGET.get(0) else {
        return sk_action::SK_DROP;
    };
    let mut port = *port;
    BY_PORT.redirect_msg(&ctx, &mut port, BPF_F_INGRESS) as u32
}

/// Messages of four bytes.
#[stream_parser]
fn four_bytes(_ctx: SkBuffContext) -> u32 {
    4
}

/// Echoes messages that begin with `e` to where they came from, drops those with `d`.
#[stream_verdict]
fn echo(ctx: SkBuffContext) -> u32 {
    match ctx.load::<u8>(0) {
        Ok(b'e') => SOCKETS.redirect_skb(&ctx, 0, 0) as u32,
        Ok(b'd') | Err(_) => sk_action::SK_DROP,
        Ok(_) => sk_action::SK_PASS,
    }
}

aya_ebpf::panic_handler!();
