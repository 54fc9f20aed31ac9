//! How packets are read depends on the kernel's architecture, and on nothing of the build machine.

mod common;

use aya_linker::Options;
use common::link_code;

/// A field of a packed header in the packet, and one on the stack, which must lie as LLVM puts it.
const SOURCE: &str = "
#[repr(C, packed)] #[derive(Clone, Copy)]
struct Header { kind: u8, number: u32 }
#[repr(C)] struct Context { data: u32, end: u32 }
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut Context) -> u64 {
    let (start, end) = unsafe { ((*c).data as usize, (*c).end as usize) };
    if start + 5 > end { return 0 }
    let header = unsafe { *(start as *const Header) };
    let local = core::hint::black_box(header);
    u64::from(header.number) ^ u64::from(local.number)
}";

/// The loads of bytes and of words in the program for an architecture.
fn loads(arch: &str) -> Option<(usize, usize)> {
    let test = format!("packet-{arch}");
    let options = Options {
        arch: arch.to_owned(),
        ..Options::default()
    };
    let code = link_code(&test, SOURCE, &options, "xdp")?;
    // BPF_LDX | BPF_MEM, with BPF_B and BPF_W
    let count = |opcode: u8| {
        code.chunks(8)
            .filter(|each| each.first() == Some(&opcode))
            .count()
    };
    Some((count(0x71), count(0x61)))
}

#[test]
fn whole_reads_where_the_kernel_allows_them() {
    let (Some(whole), Some(bytes)) = (loads("x86_64"), loads("riscv64")) else {
        return;
    };
    // two words are the context's; the number on the stack is read by bytes everywhere
    assert_eq!(whole.1, 3, "{whole:?}");
    assert_eq!(bytes.1, 2, "{bytes:?}");
    assert_eq!(bytes.0, whole.0 + 4, "{whole:?} {bytes:?}");
    assert!(whole.0 >= 4, "{whole:?}");
}

/// eBPF has no vectors: sums are taken byte by byte, and nothing is kept on the stack meanwhile.
#[test]
fn nothing_is_vectorised() {
    const SUM: &str = "
#[unsafe(no_mangle)] #[unsafe(link_section = \"tc\")]
extern \"C\" fn program(c: *mut u64) -> u64 {
    let mut bytes = [0u8; 64];
    type Load = unsafe extern \"C\" fn(*mut u64, u32, *mut u8, u32) -> i64;
    let load = unsafe { core::mem::transmute::<usize, Load>(26) };
    if unsafe { load(c, 14, bytes.as_mut_ptr(), 64) } != 0 { return 0 }
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}";
    let Some(code) = link_code("vectors", SUM, &Options::default(), "tc") else {
        return;
    };
    let slots = code.len() / 8;
    // A load and an addition each, and the rest.
    assert!(slots <= 2 * 64 + 20, "{slots}");
}
