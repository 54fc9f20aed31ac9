//! Builds the eBPF half into `OUT_DIR`, where `main.rs` includes it from.

use aya_build::{Package, Toolchain};

fn main() -> aya_build::Result<()> {
    let ebpf = Package {
        name: "{{project-name}}-ebpf",
        root_dir: "../{{project-name}}-ebpf",
        ..Package::default()
    };
    aya_build::build_ebpf([ebpf], Toolchain::default())
}
