//! Addresses in an arena become the program's by one instruction.

mod common;

use aya_linker::Options;
use common::link_code;

/// Two places, one of them at a constant offset, and the number behind that one.
const SOURCE: &str = "
unsafe extern \"C\" {
    fn __aya_arena_cast(arena: *mut u8, address: u64) -> *mut u64;
}
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static ARENA: [u32; 10] = [33, 0, 0, 1, 1 << 10, 0, 0, 0, 0, 0];
#[unsafe(no_mangle)] #[unsafe(link_section = \"socket\")]
extern \"C\" fn program(context: *mut u64) -> u64 {
    unsafe {
        let arena = (&raw const ARENA).cast_mut().cast::<u8>();
        let given = __aya_arena_cast(arena, word(context, 0));
        let first = __aya_arena_cast(arena, 0);
        given.write_volatile(first.read_volatile() + first.add(1).read_volatile());
        0
    }
}";

#[test]
fn casts_are_one_instruction() {
    let Some(code) = link_code("arena", SOURCE, &Options::default(), "socket") else {
        return;
    };
    let instructions: Vec<&[u8]> = code.chunks(8).collect();
    // BPF_ALU64 | BPF_MOV | BPF_X with offset 1; to address space 0 from 1, as the kernel has it.
    let casts = instructions
        .iter()
        .filter(|each| each[0] == 0xbf && each[2..] == [1, 0, 1, 0, 0, 0]);
    assert_eq!(casts.count(), 2, "{instructions:x?}");
    // The map's address, by which the verifier knows the arena, and no call.
    assert!(
        instructions.iter().any(|each| each[0] == 0x18),
        "{instructions:x?}"
    );
    assert!(
        instructions.iter().all(|each| each[0] != 0x85),
        "{instructions:x?}"
    );
}
