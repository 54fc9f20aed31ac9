//! Tables of addresses: 2 if what they lead to is right for the words of the packet, 3 and 5.
#![no_std]
#![no_main]

use programs::{Context, object, program, word};

object!(loop {});

static NAMES: [&str; 3] = ["alpha", "be", "gamma"];

#[repr(C)]
struct Row {
    id: u32,
    name: &'static [u8],
    weight: u64,
}
static ROWS: [Row; 4] = [
    Row { id: 7, name: b"x", weight: 1 },
    Row { id: 8, name: b"xy", weight: 2 },
    Row { id: 9, name: b"xyz", weight: 3 },
    Row { id: 10, name: b"tuvw", weight: 4 },
];

#[inline(always)]
fn index(context: *mut Context, offset: usize, count: u64) -> usize {
    (word(context, offset) % count) as usize
}

// Three names: 3 % 3 and 5 % 3.
program!(names, "xdp", |context| {
    let (a, b) = (NAMES[index(context, 0, 3)], NAMES[index(context, 8, 3)]);
    if a.len() == 5 && a.as_bytes()[4] == b'a' && b.len() == 5 && b.as_bytes()[0] == b'g' { 2 } else { 1 }
});

program!(rows, "xdp", |context| {
    let row = &ROWS[index(context, 0, 4)];
    if row.id == 10 && row.weight == 4 && row.name.len() == 4 && row.name[3] == b'w' { 2 } else { 1 }
});

fn named(number: u64) -> &'static [u8] {
    match number {
        0 => b"zero",
        1 => b"one",
        2 => b"two",
        3 => b"three",
        4 => b"four",
        5 => b"five",
        _ => b"many",
    }
}

// A `match` that LLVM makes a table of.
program!(matched, "xdp", |context| {
    let (a, b) = (named(word(context, 0)), named(word(context, 8)));
    if a.len() == 5 && a[4] == b'e' && b.len() == 4 && b[1] == b'i' { 2 } else { 1 }
});
