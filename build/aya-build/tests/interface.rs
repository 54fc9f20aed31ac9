//! The interface as existing build scripts use it: all that matters here is that it compiles.
#![allow(dead_code, reason = "signatures are the point")]

use aya_build::{Package, Toolchain};

const EMIT: fn() -> aya_build::Result<()> = aya_build::emit_bpf_target_arch_cfg;

/// As the template's `build.rs` calls it.
fn template() -> aya_build::Result<()> {
    let package = Package {
        name: "firewall-ebpf",
        root_dir: "../firewall-ebpf",
        ..Default::default()
    };
    aya_build::build_ebpf([package], Toolchain::default())
}

fn all_fields(root: String, toolchain: &str) -> anyhow::Result<()> {
    let packages = vec![Package {
        name: "firewall-ebpf",
        root_dir: root.as_str(),
        no_default_features: true,
        features: &["feature"],
    }];
    aya_build::build_ebpf(packages, Toolchain::Custom(toolchain))?;
    let none: [Package<'_>; 0] = [];
    aya_build::build_ebpf(none, Toolchain::Nightly)
}
