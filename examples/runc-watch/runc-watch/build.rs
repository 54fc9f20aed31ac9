//! Builds the eBPF half into `OUT_DIR`, where `main.rs` includes it from.

use aya_build::{Package, Toolchain};

fn main() -> anyhow::Result<()> {
    let ebpf = Package {
        name: "runc-watch-ebpf",
        root_dir: "../runc-watch-ebpf",
        ..Package::default()
    };
    aya_build::build_ebpf([ebpf], Toolchain::default())
}
