//! The versions of LLVM that the linker knows: the one place where they differ.

/// What is particular about one major version.
pub(crate) struct Version {
    pub(crate) major: u32,
    /// Options of LLVM's own command line that make CPU `v4` run on kernels of CPU `v3` (5.10 and
    /// newer): of what v4 brings only the store of an immediate stays, which every kernel knows but
    /// for the context (`lower/context.rs`).
    /// The second half turns off what newer kernels alone accept. LLVM ends the process on an option
    /// it does not have.
    pub(crate) baseline: &'static [&'static str],
}

/// Oldest first.
pub(crate) const VERSIONS: &[Version] = &[Version {
    major: 22,
    baseline: &[
        "-disable-ldsx",
        "-disable-movsx",
        "-disable-bswap",
        "-disable-sdiv-smod",
        "-disable-gotol",
        "-disable-load-acq-store-rel",
        "-bpf-disable-trap-unreachable",
        // merged comparisons become memcmp calls, or loads that are not aligned
        "-disable-mergeicmps",
        // eBPF has no vectors: what is combined is taken apart again, by way of the stack
        "-vectorize-loops=false",
        "-vectorize-slp=false",
    ],
}];

pub(crate) fn find(major: u32) -> Option<&'static Version> {
    VERSIONS.iter().find(|version| version.major == major)
}

/// The supported majors, for messages.
pub(crate) fn supported() -> String {
    let majors: Vec<_> = VERSIONS
        .iter()
        .map(|version| version.major.to_string())
        .collect();
    majors.join(", ")
}
