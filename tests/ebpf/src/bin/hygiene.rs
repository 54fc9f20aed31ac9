//! A crate without a prelude, with strict lints and with names of its own where the macros' code could
//! mean others; log statements with no, many and early-returning arguments.
#![no_std]
#![no_main]
#![no_implicit_prelude]
#![deny(unsafe_op_in_unsafe_fn, missing_docs, warnings)]
#![allow(dead_code, reason = "the names are what matters")]

use ::aya_ebpf::{macros, maps::HashMap, programs::XdpContext};
use ::aya_log_ebpf as alog;

mod core {}
mod log {}
mod aya_ebpf {}
struct Result;
struct Option;
fn info() {}
fn drop() {}

type Outcome = ::core::result::Result<u32, u32>;

#[macros::map]
static SEEN: HashMap<u32, u64> = HashMap::with_max_entries(4, 0);

#[inline(always)]
fn length(ctx: &XdpContext) -> Outcome {
    match ctx.data_end() - ctx.data() {
        length if length > 14 => Outcome::Ok(length as u32),
        _ => Outcome::Err(1),
    }
}

#[inline(always)]
fn attempt(ctx: &XdpContext) -> Outcome {
    alog::info!(ctx, "nothing");
    alog::info!(ctx, "{}", length(ctx)?);
    alog::warn!(ctx, "{} {:mac}", [7u8, 8][1], [1u8, 2, 3, 4, 5, 6]);
    alog::error!(
        ctx,
        "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
        1u8,
        2u16,
        3u32,
        4u64,
        5i8,
        6i16,
        7i32,
        8i64,
        true,
        10u8,
        11u8,
        12u8,
        13u8,
        14u8,
        15u8,
        length(ctx)? as u8,
    );
    Outcome::Ok(2)
}

// Named as its section.
#[macros::xdp]
fn xdp(ctx: XdpContext) -> u32 {
    match attempt(&ctx) {
        Outcome::Ok(verdict) | Outcome::Err(verdict) => verdict,
    }
}

::aya_ebpf::panic_handler!();
