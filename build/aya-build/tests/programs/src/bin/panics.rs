//! Programs that panic when the first word of the packet says so.
#![no_std]
#![no_main]

use programs::{object, program, word};

object!(loop {});

#[inline(never)]
fn pick(values: &[u64; 8], index: usize) -> u64 {
    values[index]
}

#[inline(never)]
fn complain(what: u64) -> ! {
    panic!("cannot do {what}")
}

program!(index, "xdp", |context| {
    let values = [word(context, 8); 8];
    if pick(&values, word(context, 0) as usize) == 7 { 2 } else { 1 }
});

program!(unwrap_none, "xdp", |context| {
    let value = word(context, 0);
    let some = if value < 8 { Some(value) } else { None };
    if some.unwrap() < 8 { 2 } else { 1 }
});

program!(overflow, "xdp", |context| {
    let value = word(context, 0) as u8;
    if value.checked_add(250).expect("fits") >= 250 { 2 } else { 1 }
});

program!(subprogram, "tc", |context| {
    // the first field of `__sk_buff` is the packet's length
    let length = unsafe { context.cast::<u32>().read() };
    if length > 64 {
        complain(length.into());
    }
    0
});

program!(slice, "xdp", |context| {
    let values = [1u8, 2, 3, 4, 5, 6, 7, 8];
    let end = (word(context, 0) & 15) as usize;
    if values[..end].len() == end { 2 } else { 1 }
});

// LLVM would take the name for the section's.
program!(xdp, "xdp", |context| {
    if word(context, 0) == 3 { 2 } else { 1 }
});
