//! Kernels before 6.4 take no immediate that is stored to the context.

mod common;

use aya_linker::Options;
use common::link_code;

/// Constants of all widths to the context, at its begin and behind, and one on the stack.
const SOURCE: &str = "
#[repr(C)] struct Context { long: u64, word: u32, half: u16, byte: u8 }
#[unsafe(no_mangle)] #[unsafe(link_section = \"tc\")]
extern \"C\" fn program(c: *mut Context) -> u32 {
    unsafe {
        (&raw mut (*c).long).write_volatile(7);
        (&raw mut (*c).word).write_volatile(0xfedc_ba98);
        (&raw mut (*c).half).write_volatile(7);
        (&raw mut (*c).byte).write_volatile(7);
        let mut local = 0u32;
        (&raw mut local).write_volatile(7);
        (&raw const local).read_volatile()
    }
}";

#[test]
fn constants_go_to_the_context_by_registers() {
    let test = "context";
    let Some(code) = link_code(test, SOURCE, &Options::default(), "tc") else {
        return;
    };
    let opcodes: Vec<u8> = code.chunks(8).map(|each| each[0]).collect();
    let count = |opcode| opcodes.iter().filter(|each| **each == opcode).count();
    // BPF_STX | BPF_MEM with BPF_DW, BPF_W, BPF_H, BPF_B
    assert_eq!([0x7b, 0x63, 0x6b, 0x73].map(count), [1; 4], "{opcodes:x?}");
    // BPF_ST | BPF_MEM | BPF_W: the stack takes immediates everywhere.
    assert!(count(0x62) >= 1, "{opcodes:x?}");
    assert_eq!([0x7a, 0x6a, 0x72].map(count), [0; 3], "{opcodes:x?}");
}

/// A function that is given a struct with the context.
#[test]
fn also_behind_a_pointer() {
    const BEHIND: &str = "
#[repr(C)] struct Context { word: u32 }
struct Given { context: *mut Context, other: u32 }
#[unsafe(no_mangle)] #[unsafe(link_section = \"tc\")]
extern \"C\" fn program(context: *mut Context) -> u32 { set(&Given { context, other: 1 }) }
#[inline(never)]
fn set(given: &Given) -> u32 {
    let given = core::hint::black_box(given);
    unsafe { (&raw mut (*given.context).word).write_volatile(7) };
    given.other
}";
    let Some(code) = link_code("behind", BEHIND, &Options::default(), ".text") else {
        return;
    };
    let stores: Vec<u8> = code.chunks(8).map(|each| each[0]).collect();
    // BPF_STX | BPF_MEM | BPF_W
    assert!(stores.contains(&0x63), "{stores:x?}");
    assert!(!stores.contains(&0x62), "{stores:x?}");
}
