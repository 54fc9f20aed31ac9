//! Copies, fills and comparisons of every kind.
#![no_std]
#![no_main]

use core::hint::black_box;

use programs::{Context, Map, object, program, word};

object!(loop {});

#[repr(C)]
pub struct Block {
    bytes: [u8; 512],
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
#[allow(non_upper_case_globals)]
pub static maps: Map<u32, Block> = Map::new(2, 4);

// The map has the name of its section.
fn blocks<'a>() -> Option<(&'a mut Block, &'a mut Block)> {
    Some((maps.get(&0)?, maps.get(&1)?))
}

fn fill(context: *mut Context) -> Option<bool> {
    let (a, _) = blocks()?;
    let length = (word(context, 0) & 255) as usize;
    unsafe { core::ptr::write_bytes(a.bytes.as_mut_ptr(), 3, length) };
    Some(a.bytes[99] == 3 && a.bytes[100] == 0)
}

fn copy(context: *mut Context) -> Option<bool> {
    let (a, b) = blocks()?;
    a.bytes[511] = word(context, 0) as u8;
    unsafe { core::ptr::copy_nonoverlapping(a.bytes.as_ptr(), b.bytes.as_mut_ptr(), 512) };
    let same = a.bytes == b.bytes;
    b.bytes[500] ^= 1;
    Some(same && b.bytes[511] == 100 && a.bytes != b.bytes)
}

fn shift(context: *mut Context) -> Option<bool> {
    let (a, _) = blocks()?;
    a.bytes = [0; 512];
    a.bytes[7] = word(context, 0) as u8;
    unsafe { core::ptr::copy(a.bytes.as_ptr(), a.bytes.as_mut_ptr().add(1), 500) };
    Some(a.bytes[7] == 0 && a.bytes[8] == 100 && a.bytes[9] == 0)
}

fn verdict(right: Option<bool>) -> u32 {
    if right == Some(true) { 2 } else { 1 }
}

program!(fills, "xdp", |context| verdict(fill(context)));
program!(copies, "xdp", |context| verdict(copy(context)));
program!(shifts, "xdp", |context| verdict(shift(context)));

program!(stack, "xdp", |context| {
    let mut a = [0u64; 20];
    a[3] = word(context, 0);
    let b = black_box(a);
    if b[3] == word(context, 0) && b[4] == 0 { 2 } else { 1 }
});

// Bytes on the stack, whose address no function may return.
program!(bytes, "xdp", |context| {
    let mut a = [0u8; 300];
    let at = (word(context, 0) & 127) as usize;
    a[at] = 1;
    let b = black_box(&mut a);
    if b[100] == 1 && b[99] == 0 && b[299] == 0 { 2 } else { 1 }
});

program!(part, "xdp", |context| {
    let mut a = [1u8; 64];
    let length = (word(context, 0) & 31) as usize;
    unsafe { core::ptr::write_bytes(black_box(a.as_mut_ptr()), 7, length) };
    if a[3] == 7 && a[4] == 1 { 2 } else { 1 }
});
