//! Builds the eBPF programs of the tests in both modes: `OUT_DIR/<mode>/<binary>`, and a table of them
//! in `OUT_DIR/objects.rs`.
//!
//! A mode comes from the environment, which a process cannot change for itself safely, so this script
//! runs itself once for each.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use aya_build::{Package, Toolchain};

/// Packages, where they are, and their binaries.
const PACKAGES: &[(&str, &str, &[&str])] = &[
    (
        "aya-tests-ebpf",
        "../ebpf",
        &[
            "callbacks",
            "channels",
            "cgroup",
            "digest",
            "events",
            "hygiene",
            "loading",
            "logs",
            "maps_arena",
            "maps_bloom",
            "maps_cgroup",
            "maps_cgroups",
            "maps_elements",
            "maps_net",
            "maps_of_maps",
            "maps_rhash",
            "maps_sock",
            "maps_storage",
            "maps_tasks",
            "panics",
            "probes",
            "rings",
            "tc",
            "sockets",
            "stacks",
            "tracing",
            "user_rings",
            "variants",
            "xdp",
        ],
    ),
    (
        "aya-tests-definitions-ebpf",
        "../definitions",
        &[
            "arena",
            "definitions",
            "distant",
            "locked",
            "nested",
            "newer",
            "newest",
            "recent",
            "shared",
        ],
    ),
    (
        "xdp-hello-ebpf",
        "../../examples/xdp-hello/xdp-hello-ebpf",
        &["xdp-hello-ebpf"],
    ),
    (
        "xdp-log-ebpf",
        "../../examples/xdp-log/xdp-log-ebpf",
        &["xdp-log-ebpf"],
    ),
    (
        "xdp-drop-ebpf",
        "../../examples/xdp-drop/xdp-drop-ebpf",
        &["xdp-drop-ebpf"],
    ),
];
const MODES: &[&str] = &["donor", "native"];
const CHILD: &str = "AYA_TESTS_BUILD";

fn main() -> Result<(), Box<dyn Error>> {
    if env::var_os(CHILD).is_some() {
        let packages = PACKAGES.iter().map(|&(name, root_dir, _)| Package {
            name,
            root_dir,
            ..Package::default()
        });
        return Ok(aya_build::build_ebpf(packages, Toolchain::default())?);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut table = String::new();
    for mode in MODES {
        if build(mode, &out)? {
            for binary in PACKAGES.iter().flat_map(|package| package.2) {
                let path = out.join(mode).join(binary);
                fs::rename(out.join(binary), &path)?;
                table +=
                    &format!("({mode:?}, {binary:?}, aya::include_bytes_aligned!({path:?})),\n");
            }
        }
    }
    fs::write(out.join("objects.rs"), format!("&[\n{table}]\n"))?;
    Ok(())
}

/// Builds all programs in one mode; false when this machine has no toolchain for it.
fn build(mode: &str, out: &Path) -> Result<bool, Box<dyn Error>> {
    fs::create_dir_all(out.join(mode))?;
    let child = Command::new(env::current_exe()?)
        .env(CHILD, "1")
        .env("AYA_EBPF_MODE", mode)
        .output()?;
    let said = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    if child.status.success() {
        print!("{said}");
        return Ok(true);
    }
    // The package's name begins what is wrong with the programs; else there is no toolchain.
    if PACKAGES.iter().any(|package| errors.contains(package.0)) {
        print!("{said}");
        return Err(format!("{mode} mode: {errors}").into());
    }
    for line in said
        .lines()
        .filter(|line| line.starts_with("cargo:rerun-if"))
    {
        println!("{line}");
    }
    println!(
        "cargo:warning=tests of {mode} mode will be skipped: {}",
        errors.trim().replace('\n', " ")
    );
    Ok(false)
}
