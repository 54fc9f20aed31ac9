//! Builds the eBPF half into `OUT_DIR`, where `main.rs` includes it from.

use aya_build::{Package, Toolchain};

fn main() -> anyhow::Result<()> {
    let ebpf = Package {
        name: "task-alloc-ebpf",
        root_dir: "../task-alloc-ebpf",
        ..Package::default()
    };
    aya_build::build_ebpf([ebpf], Toolchain::default())
}
