//! Fields that lie at odd places of packet, stack and map: 2 if they arrive whole.
#![no_std]
#![no_main]

use core::hint::black_box;

use programs::{Context, Map, object, program};

object!(loop {});

/// Headers as `network-types` and others write them.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub struct Header {
    kind: u8,
    mac: [u8; 6],
    number: u32,
    mark: u16,
    wide: u64,
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
pub static HEADERS: Map<u32, [Header; 3]> = Map::new(2, 1);

#[inline(always)]
fn header(context: *mut Context) -> Option<*const Header> {
    let (start, end) = unsafe { ((*context).data as usize, (*context).data_end as usize) };
    (start + 1 + size_of::<Header>() <= end).then_some((start + 1) as *const Header)
}

#[inline(always)]
fn is_right(header: &Header) -> bool {
    let Header { kind, mac, number, mark, wide } = *header;
    kind == 2 && mac == [3, 4, 5, 6, 7, 8] && number == 0x0c0b_0a09 && mark == 0x0e0d && wide == 0x1615_1413_1211_100f
}

fn verdict(right: Option<bool>) -> u32 {
    if right == Some(true) { 2 } else { 1 }
}

program!(fields, "xdp", |context| verdict(header(context).map(|header| is_right(unsafe { &*header }))));

// A MAC address at each odd place of the stack.
program!(stack, "xdp", |context| {
    let Some(header) = header(context) else {
        return 1;
    };
    let mut local = [0u8; 40];
    let mac = unsafe { (*header).mac };
    let mut place = 1;
    while place < 34 {
        local[place..place + 6].copy_from_slice(&mac);
        place += 7;
    }
    let local = black_box(local);
    if local[1..7] == mac && local[29..35] == mac && local[28] == 0 { 2 } else { 1 }
});

program!(whole, "xdp", |context| {
    let Some(header) = header(context) else {
        return 1;
    };
    let local = black_box((1u8, unsafe { *header }));
    verdict(Some(is_right(&local.1)))
});

program!(map, "xdp", |context| verdict((|| {
    let (headers, header) = (HEADERS.get(&0)?, header(context)?);
    headers[1] = unsafe { *header };
    headers[2].mac = headers[1].mac;
    headers[2].number = headers[1].number;
    let number = headers[2].number;
    Some(is_right(&headers[1]) && headers[2].mac[5] == 8 && number == 0x0c0b_0a09)
})()));
