//! XDP programs that send packets elsewhere or hand them to each other, and the maps that say where to.
//! Where a packet goes is the digit that its payload begins with; packets without one pass.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, xdp_action},
    btf_maps,
    helpers::bpf_get_smp_processor_id,
    macros::{btf_map, map, xdp},
    maps::{
        Array, CpuMap, DevMap, DevMapHash, LpmTrie, ProgramArray, XskMap, lpm_trie::Key,
        xdp::DevMapValue,
    },
    programs,
    programs::XdpContext,
};
use aya_tests_ebpf::{PAYLOAD, SOURCE, read, source};

#[map]
static DEVICES: DevMap = DevMap::with_max_entries(4, 0);
/// The keys are [`FIRST_NUMBER`] and more.
#[map]
static BY_NUMBER: DevMapHash = DevMapHash::with_max_entries(4, 0);
#[btf_map]
static ALL: btf_maps::DevMap<4> = btf_maps::DevMap::new();
#[btf_map]
static ALL_BY_NUMBER: btf_maps::DevMapHash<4> = btf_maps::DevMapHash::new();
#[map]
static CPUS: CpuMap = CpuMap::with_max_entries(4, 0);
#[btf_map]
static OTHER_CPUS: btf_maps::CpuMap<4> = btf_maps::CpuMap::new();
#[map]
static SOCKETS: XskMap = XskMap::with_max_entries(2, 0);
#[btf_map]
static OTHER_SOCKETS: btf_maps::XskMap<2> = btf_maps::XskMap::new();
#[map]
static CLASSES: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(4, 0);
#[btf_map]
static OTHER_CLASSES: btf_maps::LpmTrie<[u8; 4], u32, 4> = btf_maps::LpmTrie::new();
#[map]
static NEXT: ProgramArray = ProgramArray::with_max_entries(3, 0);
/// Holds a program from the start.
#[btf_map]
static OTHER_NEXT: btf_maps::ProgramArray<3> =
    btf_maps::ProgramArray::new().programs(programs![_, left]);
/// What programs leave for the test: see [`slot`].
#[map]
static SLOTS: Array<u64> = Array::with_max_entries(8, 0);

const FIRST_NUMBER: u32 = 1000;

mod slot {
    /// What programs see of the place that the last packet was to go to: a device and its program, or a
    /// socket's queue; plus one.
    pub(crate) const DEVICE: u32 = 0;
    pub(crate) const PROGRAM: u32 = 1;
    pub(crate) const QUEUE: u32 = 2;
    /// What the program at a place saw: the devices that the packet came from and goes to, the CPU.
    pub(crate) const FROM: u32 = 3;
    pub(crate) const TO: u32 = 4;
    pub(crate) const CPU: u32 = 5;
    /// The class of the last packet's source.
    pub(crate) const CLASS: u32 = 6;
    /// The negated error of the last change of a class.
    pub(crate) const ERROR: u32 = 7;
}

fn put(slot: u32, value: u64) {
    if let Some(place) = SLOTS.get_ptr_mut(slot) {
        // SAFETY: tests send one packet at a time.
        unsafe { *place = value };
    }
}

/// The digit that the payload of an IPv4 packet begins with.
#[inline(always)]
fn digit(ctx: &XdpContext) -> Option<u32> {
    source(ctx)?;
    match read::<u8>(ctx, PAYLOAD)? {
        byte @ b'0'..=b'9' => Some(u32::from(byte - b'0')),
        _ => None,
    }
}

/// Puts a byte in the place of the payload's second one.
#[inline(always)]
fn stamp(ctx: &XdpContext, byte: u8) -> u32 {
    let at = ctx.data() + PAYLOAD + 1;
    if at + 1 > ctx.data_end() {
        return xdp_action::XDP_DROP;
    }
    // SAFETY: inside the packet, as compared.
    unsafe { *(at as *mut u8) = byte };
    xdp_action::XDP_PASS
}

#[inline(always)]
fn either(action: Result<u32, u32>) -> u32 {
    match action {
        Ok(action) | Err(action) => action,
    }
}

const ELSE_PASS: u64 = xdp_action::XDP_PASS as u64;

#[xdp]
fn pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

fn saw(device: Option<DevMapValue>) {
    let (device, program) = match device {
        Some(DevMapValue { if_index, prog_id }) => (if_index, prog_id.map_or(0, |id| id.get())),
        None => (0, 0),
    };
    put(slot::DEVICE, u64::from(device));
    put(slot::PROGRAM, u64::from(program));
}

#[xdp]
fn to_device(ctx: XdpContext) -> u32 {
    let Some(index) = digit(&ctx) else {
        return xdp_action::XDP_PASS;
    };
    saw(DEVICES.get(index));
    either(DEVICES.redirect(index, ELSE_PASS))
}

#[xdp]
fn to_number(ctx: XdpContext) -> u32 {
    let Some(index) = digit(&ctx) else {
        return xdp_action::XDP_PASS;
    };
    let key = FIRST_NUMBER + index;
    saw(BY_NUMBER.get(key));
    either(BY_NUMBER.redirect(key, ELSE_PASS))
}

const ALL_OTHERS: u64 = (BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS) as u64;

/// To all devices of the map but the one that the packet came from.
#[xdp]
fn to_devices(ctx: XdpContext) -> u32 {
    match digit(&ctx) {
        Some(_) => either(ALL.redirect(0, ALL_OTHERS)),
        None => xdp_action::XDP_PASS,
    }
}

#[xdp]
fn to_numbers(ctx: XdpContext) -> u32 {
    match digit(&ctx) {
        Some(_) => either(ALL_BY_NUMBER.redirect(0, ALL_OTHERS)),
        None => xdp_action::XDP_PASS,
    }
}

/// On packets that go out of a device of a map.
#[xdp(map = "devmap")]
fn at_device(ctx: XdpContext) -> u32 {
    put(slot::FROM, ctx.ingress_ifindex() as u64);
    put(slot::TO, u64::from(ctx.egress_ifindex()));
    stamp(&ctx, b'd')
}

/// Defines a program for a map of either form.
macro_rules! of_both_forms {
    ($($(#[$doc:meta])* $name:ident, $other:ident: $body:ident($map:ident, $other_map:ident);)*) => {$(
        $(#[$doc])*
        #[xdp]
        fn $name(ctx: XdpContext) -> u32 {
            $body(&ctx, &$map)
        }

        /// The same by the map of the other form.
        #[xdp]
        fn $other(ctx: XdpContext) -> u32 {
            $body(&ctx, &$other_map)
        }
    )*};
}

of_both_forms! {
    to_cpu, to_other_cpu: send_to_cpu(CPUS, OTHER_CPUS);
    to_socket, to_other_socket: send_to_socket(SOCKETS, OTHER_SOCKETS);
    /// Drops packets of class 0 and those without any. `+` puts their source into a class of its own, `-`
    /// takes that back.
    classify, classify_other: judge(CLASSES, OTHER_CLASSES);
    /// Goes on in the program that the packet names, if there is one.
    enter, enter_other: go_on(NEXT, OTHER_NEXT);
}

#[inline(always)]
fn send_to_cpu(ctx: &XdpContext, cpus: &CpuMap) -> u32 {
    match digit(ctx) {
        Some(index) => either(cpus.redirect(index, ELSE_PASS)),
        None => xdp_action::XDP_PASS,
    }
}

/// On packets that were sent to a CPU of a map.
#[xdp(map = "cpumap")]
fn at_cpu(ctx: XdpContext) -> u32 {
    put(slot::FROM, ctx.ingress_ifindex() as u64);
    put(slot::CPU, u64::from(bpf_get_smp_processor_id()) + 1);
    stamp(&ctx, b'c')
}

#[inline(always)]
fn send_to_socket(ctx: &XdpContext, sockets: &XskMap) -> u32 {
    let Some(index) = digit(ctx) else {
        return xdp_action::XDP_PASS;
    };
    let queue = sockets.get(index).map_or(0, |queue| queue + 1);
    put(slot::QUEUE, u64::from(queue));
    either(sockets.redirect(index, ELSE_PASS))
}

/// The class of packets whose sender said `+`.
const LEARNED: u32 = 99;

#[inline(always)]
fn judge(ctx: &XdpContext, classes: &LpmTrie<[u8; 4], u32>) -> u32 {
    let (Some(_), Some(source), Some(said)) = (
        source(ctx),
        read::<[u8; 4]>(ctx, SOURCE),
        read::<u8>(ctx, PAYLOAD),
    ) else {
        return xdp_action::XDP_PASS;
    };
    let source = Key::new(32, source);
    let done = match said {
        b'+' => classes.insert(&source, LEARNED, 0),
        b'-' => classes.remove(&source),
        _ => Ok(()),
    };
    put(
        slot::ERROR,
        done.err()
            .map_or(0, |error| u64::from(error.unsigned_abs())),
    );
    let class = classes.get(&source).copied().unwrap_or(0);
    put(slot::CLASS, u64::from(class));
    if class == 0 {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

#[inline(always)]
fn go_on(ctx: &XdpContext, next: &ProgramArray) -> u32 {
    let Some(index) = digit(ctx) else {
        return xdp_action::XDP_PASS;
    };
    // SAFETY: nothing is held.
    unsafe { next.tail_call(ctx, index) };
    stamp(ctx, b'?')
}

#[xdp]
fn left(ctx: XdpContext) -> u32 {
    stamp(&ctx, b'l')
}

#[xdp]
fn right(ctx: XdpContext) -> u32 {
    stamp(&ctx, b'r')
}

aya_ebpf::panic_handler!();
