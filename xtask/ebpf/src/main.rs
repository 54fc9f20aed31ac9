//! Builds the eBPF package that the two arguments name, `NAME ROOT_DIR`, into `OUT_DIR`, as a build
//! script would. A program of its own, so that `xtask` need not compile the linker to do other things.
#![forbid(unsafe_code)]

use aya_build::{Package, Toolchain};

fn main() -> aya_build::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, root_dir] = arguments.as_slice() else {
        eprintln!("usage: OUT_DIR=DIR xtask-ebpf NAME ROOT_DIR");
        std::process::exit(2);
    };
    let package = Package {
        name,
        root_dir,
        ..Package::default()
    };
    aya_build::build_ebpf([package], Toolchain::default())
}
