//! Programs that choose among sockets with one port, and those that hand streams to other sockets.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::sk_action,
    btf_maps::{self, SockHash, SockMap},
    macros::{btf_map, map, sk_reuseport, sk_skb, stream_parser, stream_verdict},
    maps::{Array, ReusePortSockArray},
    programs::{SkBuffContext, SkReuseportContext},
};
use aya_log_ebpf::info;

#[map]
static SHARING: ReusePortSockArray = ReusePortSockArray::with_max_entries(3, 0);
#[btf_map]
static LISTENERS: btf_maps::ReusePortSockArray<3> = btf_maps::ReusePortSockArray::new();
#[btf_map]
static SLOTS: SockMap<3> = SockMap::new();
/// By the port that data arrives at: where it goes instead.
#[btf_map]
static BY_PORT: SockHash<u32, 4> = SockHash::new();
/// What the test says and is told: see [`note`].
#[map]
static NOTES: Array<u64> = Array::with_max_entries(8, 0);

mod note {
    /// The slot of new connections, and of those whose listener was closed.
    pub(crate) const NEW: u32 = 0;
    pub(crate) const ORPHANS: u32 = 1;
    /// The negated error of the last choice.
    pub(crate) const ERROR: u32 = 2;
    /// What the context says of the last packet: lengths, protocols, the local port by its sockets.
    pub(crate) const LENGTHS: u32 = 3;
    pub(crate) const PROTOCOLS: u32 = 4;
    pub(crate) const PORT: u32 = 5;
    /// The remote port of the last connection whose listener was closed.
    pub(crate) const ORPHAN: u32 = 6;
}

fn put(note: u32, value: u64) {
    if let Some(place) = NOTES.get_ptr_mut(note) {
        // SAFETY: tests cause one event at a time.
        unsafe { *place = value };
    }
}

fn slot(note: u32) -> u32 {
    NOTES.get(note).map_or(u32::MAX, |slot| *slot as u32)
}

/// The digit that a datagram's payload begins with, behind its header.
#[inline(always)]
fn digit(ctx: &SkReuseportContext) -> Option<u32> {
    match ctx.load::<u8>(8) {
        Ok(byte @ b'0'..=b'9') => Some(u32::from(byte - b'0')),
        _ => None,
    }
}

#[inline(always)]
fn verdict(chosen: Result<(), i64>) -> u32 {
    put(note::ERROR, chosen.err().map_or(0, i64::unsigned_abs));
    match chosen {
        Ok(()) => sk_action::SK_PASS,
        Err(_) => sk_action::SK_DROP,
    }
}

/// The socket that the datagram names; else the kernel chooses.
#[sk_reuseport]
fn select(ctx: SkReuseportContext) -> u32 {
    let there = (ctx.data_end() - ctx.data()) as u64;
    put(note::LENGTHS, (there << 32) | ctx.len() as u64);
    let protocol = u64::from(u16::from_be(ctx.eth_protocol() as u16));
    put(
        note::PROTOCOLS,
        (protocol << 32) | u64::from(ctx.ip_protocol()),
    );
    info!(
        &ctx,
        "{} bytes to sockets at any address: {}",
        ctx.len(),
        ctx.bind_inany()
    );
    match digit(&ctx) {
        Some(index) => verdict(SHARING.select_reuseport(&ctx, index)),
        None => sk_action::SK_PASS,
    }
}

/// The same by the other maps of sockets.
#[sk_reuseport]
fn select_of_slots(ctx: SkReuseportContext) -> u32 {
    match digit(&ctx) {
        Some(index @ 0..3) => verdict(SLOTS.select_reuseport(&ctx, index)),
        Some(key) => verdict(BY_PORT.select_reuseport(&ctx, key)),
        None => sk_action::SK_PASS,
    }
}

/// New connections, by the test's choice.
#[sk_reuseport]
fn connections(ctx: SkReuseportContext) -> u32 {
    verdict(LISTENERS.select_reuseport(&ctx, slot(note::NEW)))
}

/// New connections, and those that lose their listener.
#[sk_reuseport(migrate)]
fn migrate(ctx: SkReuseportContext) -> u32 {
    put(note::PORT, u64::from(ctx.sk().src_port()));
    let slot = match ctx.migrating_sk() {
        Some(orphan) => {
            put(note::ORPHAN, u64::from(orphan.family()));
            slot(note::ORPHANS)
        }
        None => slot(note::NEW),
    };
    verdict(LISTENERS.select_reuseport(&ctx, slot))
}

/// What has arrived is a message.
#[stream_parser]
fn whole(ctx: SkBuffContext) -> u32 {
    ctx.len()
}

/// Hands what arrives at a port to the socket behind that port in the map, which sends it.
#[stream_verdict]
fn forward(ctx: SkBuffContext) -> u32 {
    let mut port = ctx.skb.local_port();
    BY_PORT.redirect_skb(&ctx, &mut port, 0) as u32
}

/// The same without a parser, and into the socket's own queue, so that it reads the data.
#[sk_skb(verdict)]
fn hand_over(ctx: SkBuffContext) -> u32 {
    const BPF_F_INGRESS: u64 = 1;
    let mut port = ctx.skb.local_port();
    BY_PORT.redirect_skb(&ctx, &mut port, BPF_F_INGRESS) as u32
}

aya_ebpf::panic_handler!();
