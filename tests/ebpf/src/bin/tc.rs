//! Traffic control programs and socket filters: what they see, change and send elsewhere.
#![no_std]
#![no_main]

use aya_ebpf::{
    Global,
    bindings::{BPF_F_INGRESS, TC_ACT_OK, TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::{classifier, map, socket_filter, socket_filter_reuseport},
    maps::{Array, CgroupArray, HashMap},
    programs::{SkBuffContext, TcContext},
};
use aya_log_ebpf::info;

/// Where the IPv4 header begins.
const IPV4: usize = 14;
/// Where its checksum and addresses are.
const IPV4_CHECKSUM: usize = IPV4 + 10;
const SOURCE: usize = IPV4 + 12;
const DESTINATION: usize = IPV4 + 16;
/// Where the UDP header begins, in a frame; it has 8 bytes.
const UDP: usize = IPV4 + 20;
const UDP_CHECKSUM: usize = UDP + 6;
const PAYLOAD: usize = UDP + 8;

/// Addresses that are dropped.
#[map]
static BLOCKED: HashMap<u32, u32> = HashMap::with_max_entries(16, 0);
/// One cgroup.
#[map]
static CGROUPS: CgroupArray = CgroupArray::with_max_entries(2, 0);
/// What programs leave for the test: see [`slot`].
#[map]
static SLOTS: Array<u64> = Array::with_max_entries(8, 0);

mod slot {
    /// The programs that ran, a decimal digit each.
    pub(crate) const ORDER: u32 = 0;
    /// Packets that [`super::count`] has seen.
    pub(crate) const COUNT: u32 = 1;
    /// What [`super::copy`] has copied: how many bytes, and their sum.
    pub(crate) const COPIED: u32 = 2;
    pub(crate) const SUM: u32 = 3;
    /// What [`super::second`] has found in the packet's mark.
    pub(crate) const MARK: u32 = 4;
    /// What [`super::member`] was told of either slot of the map.
    pub(crate) const MEMBER: u32 = 6;
    pub(crate) const NOBODY: u32 = 7;
    /// The interface that [`super::count`] ran at.
    pub(crate) const INTERFACE: u32 = 5;
}

/// The interface that [`elsewhere`] sends packets to.
#[unsafe(no_mangle)]
static TARGET: Global<u32> = Global::new(0);

fn update(slot: u32, change: impl Fn(u64) -> u64) {
    if let Some(value) = SLOTS.get_ptr_mut(slot) {
        // SAFETY: tests send one packet at a time.
        unsafe { *value = change(*value) };
    }
}

/// The IPv4 address at `offset`; `None` for other packets.
fn address(ctx: &TcContext, offset: usize) -> Option<u32> {
    match ctx.load::<[u8; 2]>(12) {
        Ok([8, 0]) => ctx.load::<[u8; 4]>(offset).ok().map(u32::from_be_bytes),
        _ => None,
    }
}

/// Drops packets from or to an address of the map.
#[classifier]
fn block(ctx: TcContext) -> i32 {
    let (Some(from), Some(to)) = (address(&ctx, SOURCE), address(&ctx, DESTINATION)) else {
        return TC_ACT_OK;
    };
    // SAFETY: the values are not read.
    let blocked = unsafe { BLOCKED.get(&from).is_some() || BLOCKED.get(&to).is_some() };
    info!(
        &ctx,
        "{:i} to {:i}: {}",
        from,
        to,
        if blocked { 1u32 } else { 0 }
    );
    if blocked { TC_ACT_SHOT } else { TC_ACT_OK }
}

#[classifier]
fn first(ctx: TcContext) -> i32 {
    update(slot::ORDER, |order| order * 10 + 1);
    ctx.set_mark(0xabc);
    TC_ACT_UNSPEC
}

/// The older spelling of the context.
#[classifier]
fn second(ctx: SkBuffContext) -> i32 {
    update(slot::ORDER, |order| order * 10 + 2);
    let mark = ctx.mark();
    update(slot::MARK, |_| u64::from(mark));
    TC_ACT_UNSPEC
}

#[classifier]
fn third(_ctx: TcContext) -> i32 {
    update(slot::ORDER, |order| order * 10 + 3);
    TC_ACT_UNSPEC
}

/// Changes a datagram in place, in both ways there are: the first bytes of its payload by address, its
/// source by a helper; and mends the checksums.
#[classifier]
fn rewrite(ctx: TcContext) -> i32 {
    match try_rewrite(&ctx) {
        Ok(()) | Err(0) => TC_ACT_OK,
        Err(_) => TC_ACT_SHOT,
    }
}

fn try_rewrite(ctx: &TcContext) -> Result<(), i64> {
    const NEW_SOURCE: [u8; 4] = [10, 99, 0, 77];
    // UDP's own checksum, the address being in it too.
    const ADDRESS: u64 = 0x10 | 4;
    if address(ctx, SOURCE).is_none() {
        return Err(0);
    }
    let old: [u8; 4] = ctx.load(SOURCE)?;
    let [old, new] = [old, NEW_SOURCE].map(|address| u64::from(u32::from_ne_bytes(address)));
    ctx.l4_csum_replace(UDP_CHECKSUM, old, new, ADDRESS)?;
    ctx.l3_csum_replace(IPV4_CHECKSUM, old, new, 4)?;
    ctx.store(SOURCE, &NEW_SOURCE, 0)?;
    ctx.pull_data(ctx.len())?;
    let (start, end) = (ctx.data(), ctx.data_end());
    if start + PAYLOAD + 4 > end {
        return Err(-1);
    }
    let payload = (start + PAYLOAD) as *mut [u8; 4];
    // SAFETY: inside the packet, as compared.
    let before = unsafe { payload.read() };
    let after = before.map(|byte| byte.to_ascii_uppercase());
    // SAFETY: as before.
    unsafe { payload.write(after) };
    let [before, after] = [before, after].map(|bytes| u64::from(u32::from_ne_bytes(bytes)));
    ctx.l4_csum_replace(UDP_CHECKSUM, before, after, 4)
}

/// Copies as much of the payload as there is, up to 16 bytes.
#[classifier]
fn copy(ctx: TcContext) -> i32 {
    if address(&ctx, SOURCE).is_none() {
        return TC_ACT_OK;
    }
    let mut bytes = [0; 16];
    let len = ctx.load_bytes(PAYLOAD, &mut bytes).unwrap_or(0);
    let sum = bytes.iter().map(|byte| u64::from(*byte)).sum();
    update(slot::COPIED, |_| len as u64);
    update(slot::SUM, |_| sum);
    TC_ACT_OK
}

/// Asks whether the packet's sender is in a cgroup.
#[classifier]
fn member(ctx: TcContext) -> i32 {
    if address(&ctx, SOURCE).is_some() {
        let ask = |index| match ctx.skb_under_cgroup(&CGROUPS, index) {
            Ok(member) => u64::from(member),
            Err(error) => error as u64,
        };
        update(slot::MEMBER, |_| ask(0));
        update(slot::NOBODY, |_| ask(1));
    }
    TC_ACT_OK
}

/// Sends IPv4 packets into another interface.
#[classifier]
fn elsewhere(ctx: TcContext) -> i32 {
    match address(&ctx, SOURCE) {
        Some(_) => ctx.redirect(TARGET.load(), BPF_F_INGRESS as u64),
        None => TC_ACT_OK,
    }
}

/// Counts IPv4 packets and drops them.
#[classifier]
fn count(ctx: TcContext) -> i32 {
    if address(&ctx, SOURCE).is_none() {
        return TC_ACT_OK;
    }
    update(slot::COUNT, |count| count + 1);
    let interface = ctx.ifindex();
    update(slot::INTERFACE, |_| u64::from(interface));
    TC_ACT_SHOT
}

/// Keeps datagrams whose payload begins with `k`. A filter on a UDP socket sees the packet from its UDP
/// header on.
#[socket_filter]
fn keep(ctx: SkBuffContext) -> i64 {
    match ctx.load::<u8>(8) {
        Ok(b'k') => {
            info!(&ctx, "kept {}", ctx.len());
            -1
        }
        _ => 0,
    }
}

/// Keeps the UDP header and four bytes.
#[socket_filter]
fn cut(_ctx: SkBuffContext) -> u32 {
    12
}

/// Picks the socket whose number the payload begins with.
#[socket_filter_reuseport]
fn pick(ctx: SkBuffContext) -> i32 {
    // Here the packet begins with its payload.
    match ctx.load::<u8>(0) {
        Ok(digit @ b'0'..=b'9') => i32::from(digit - b'0'),
        _ => 0,
    }
}

aya_ebpf::panic_handler!();
