//! Arithmetic on a packet's bytes, of every width: what one compiler mode makes of it the other must
//! make too, and the host as well.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::Array,
    programs::XdpContext,
};
use aya_tests_ebpf::{IPV4, read};

/// Results of the last packet: sum and product of two numbers, quotient and remainder, overflow of the
/// sum, a signed comparison and shift, a sum over bytes, a rotation.
#[map]
static RESULTS: Array<u64> = Array::with_max_entries(8, 0);

#[inline(always)]
fn put(index: u32, value: u64) -> Option<()> {
    RESULTS.set(index, value, 0).ok()
}

#[inline(always)]
fn digest(ctx: &XdpContext) -> Option<u32> {
    let a: u64 = read(ctx, IPV4)?;
    let b: u64 = read(ctx, IPV4 + 8)?;
    let c = read::<u64>(ctx, IPV4 + 16)?;
    let bytes: [u8; 32] = read(ctx, IPV4 + 24)?;

    put(0, a.wrapping_add(b))?;
    put(1, a.wrapping_mul(b))?;
    put(2, a / (c | 1))?;
    put(3, u64::from(a as u32 % (c as u32 | 1)))?;
    put(4, u64::from(a.checked_add(b).is_none()))?;
    put(5, ((a as i64).max(b as i64) >> (c & 63)) as u64)?;
    let sum = bytes.iter().fold(0u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(*byte))
    });
    put(6, u64::from(sum))?;
    put(7, a.rotate_left((b & 63) as u32) ^ b.swap_bytes())?;
    Some(if sum & 1 == 0 {
        xdp_action::XDP_PASS
    } else {
        xdp_action::XDP_DROP
    })
}

#[xdp]
fn arithmetic(ctx: XdpContext) -> u32 {
    digest(&ctx).unwrap_or(xdp_action::XDP_ABORTED)
}

aya_ebpf::panic_handler!();
