//! What the tests of maps ask their programs for: each does to its map what a packet says, and answers
//! with an error number, 0 if there is none, and the value in the packet.

use aya_ebpf::programs::XdpContext;

use crate::read;

/// No such element.
pub const ENOENT: i32 = 2;
const EINVAL: u32 = 22;

/// What a program is asked to do, as it stands in the packet.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Request {
    /// What, by the constants below.
    pub operation: u32,
    /// With which element.
    pub number: u32,
    /// With which value.
    pub value: u64,
}

/// Gets the value.
pub const GET: u32 = 0;
/// Sets the value, or puts it in.
pub const SET: u32 = 1;
/// Removes the element.
pub const REMOVE: u32 = 2;
/// Adds to the value in place.
pub const ADD: u32 = 3;
/// Sets what is not there.
pub const NEW: u32 = 4;
/// Sets what is there; drops the oldest for it.
pub const OLD: u32 = 5;
/// Takes a value out.
pub const POP: u32 = 6;
/// Adds up so many values from this one on.
pub const SUM: u32 = 7;
/// Sets the upper half of a value.
pub const HALF: u32 = 8;

/// `BPF_NOEXIST`
pub const NOEXIST: u64 = 1;
/// `BPF_EXIST`
pub const EXIST: u64 = 2;

/// Keys, of more than one word.
pub type Key = [u32; 2];
/// Values, of more than one word.
pub type Value = [u64; 2];

/// A key, from its number.
pub const fn key(number: u32) -> Key {
    [number, !number]
}

/// A value, from its number.
pub const fn value(number: u64) -> Value {
    [number, !number]
}

/// Hands the packet's request to `act`, which has `None` for those that it does not know.
#[inline(always)]
pub fn run(ctx: &XdpContext, act: impl FnOnce(Request) -> Option<Result<u64, i32>>) -> u32 {
    let Some(request) = read::<Request>(ctx, 0) else {
        return EINVAL;
    };
    match act(request) {
        Some(Ok(value)) => answer(ctx, value),
        Some(Err(error)) => error.unsigned_abs(),
        None => EINVAL,
    }
}

#[inline(always)]
fn answer(ctx: &XdpContext, value: u64) -> u32 {
    let at = ctx.data() + core::mem::offset_of!(Request, value);
    if at + size_of::<u64>() > ctx.data_end() {
        return EINVAL;
    }
    // SAFETY: the bytes are inside the packet.
    unsafe { (at as *mut u64).write_unaligned(value) };
    0
}

/// The number in the value at an address.
#[inline(always)]
pub fn number(place: Option<*mut Value>) -> Result<u64, i32> {
    // SAFETY: the value is valid while the program runs.
    place.map(|value| unsafe { (*value)[0] }).ok_or(-ENOENT)
}

/// Adds to the value at an address.
#[inline(always)]
pub fn add(place: Option<*mut Value>, more: u64) -> Result<u64, i32> {
    let place = place.ok_or(-ENOENT)?;
    // SAFETY: the value is valid while the program runs.
    unsafe {
        *place = value((*place)[0] + more);
        Ok((*place)[0])
    }
}

/// A program for a table: `program: MAP` for each.
#[macro_export]
macro_rules! tables {
    ($($program:ident: $map:ident;)*) => {$(
        #[xdp]
        fn $program(ctx: XdpContext) -> u32 {
            use $crate::requests::*;
            run(&ctx, |request| {
                let key = key(request.number);
                let set = |flags| {
                    let value = value(request.value);
                    $map.insert(&key, &value, flags).map(|()| 0)
                };
                Some(match request.operation {
                    GET => number($map.get_ptr_mut(&key)),
                    ADD => add($map.get_ptr_mut(&key), request.value),
                    SET => set(0),
                    NEW => set(NOEXIST),
                    OLD => set(EXIST),
                    REMOVE => $map.remove(&key).map(|()| 0),
                    _ => return None,
                })
            })
        }
    )*};
}
