//! Attribute macros for eBPF programs and maps.
//!
//! Use them through `aya_ebpf::macros`. There is one attribute per row of
//! [the program table](aya_uapi::programs), all with one implementation, and [`#[map]`](macro@map).
//!
//! An attribute leaves the function it stands on callable, and adds the function that the kernel
//! calls: exported under the program's name, in the section that the table names, taking the raw
//! context and handing it on as the typed one. A context or return type that does not belong to the
//! kind of program does not compile. Where the kernel acts on nothing that programs return (probes and
//! tracepoints), they may return nothing.
//!
//! | argument | for | what |
//! | --- | --- | --- |
//! | `name = "…"` | all | the program's or map's name, if not the item's |
//! | `category = "…"`, `name = "…"` | `tracepoint` | the event; without a category, `name` is the program's |
//! | `frags` | `xdp` | accepts packets in several fragments (Linux 5.18) |
//! | `map = "cpumap"`, `map = "devmap"` | `xdp` | runs from an entry of such a map (Linux 5.9, 5.8) |
//! | `function = "…"`, `offset = "…"` | `kprobe`, `kretprobe` | the kernel function, and how many bytes behind its begin |
//! | `path = "…"`, `function = "…"`, `offset = "…"` | `uprobe`, `uretprobe` | the file, and a place in it likewise |
//! | `function = "…"` | `fentry`, `fexit`, `btf_tracepoint` | the kernel function, or tracepoint |
//! | `tracepoint = "…"` | `raw_tracepoint` | the tracepoint, without its category |
//! | `hook = "…"` | `lsm`, `lsm_cgroup` | the hook, as `lsm_hook_defs.h` calls it |
//! | `sleepable` | `fentry`, `fexit`, `lsm`; `uprobe`, `uretprobe`; `tracepoint` | may sleep (Linux 5.10; 6.0; 7.2) |
//! | `migrate` | `sk_reuseport` | also says who takes over a closed listener's connections (Linux 5.14) |
//! | a hook: `egress`, `setsockopt`, `connect4`, … | programs on cgroups and socket maps | where it runs: the last part of its section's name |
//!
//! | file | stage |
//! | --- | --- |
//! | `args` | the attribute's arguments |
//! | `hook`, `target` | the arguments that say where a program runs |
//! | `item` | the item's signature |
//! | `krate` | the path to `aya-ebpf` |
//! | `program`, `map` | the code that comes out |
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod args;
mod hook;
mod item;
mod krate;
mod map;
mod program;
mod target;

/// Turns a static into a map of the object.
///
/// The type must be one of `aya_ebpf::maps` or `aya_ebpf::btf_maps`. `#[map(name = "…")]` gives the map another name than
/// the static's. Both `static` and `static mut` are accepted.
///
/// ```text
/// #[map]
/// static BLOCKLIST: HashMap<u32, u32> = HashMap::with_max_entries(1024, 0);
/// ```
#[proc_macro_attribute]
pub fn map(args: TokenStream, item: TokenStream) -> TokenStream {
    map::expand(args.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// The same as [`#[map]`](macro@map): both take the types of `aya_ebpf::maps` and `aya_ebpf::btf_maps`.
///
/// ```text
/// #[btf_map]
/// static BLOCKLIST: HashMap<u32, u32, 1024> = HashMap::new();
/// ```
#[proc_macro_attribute]
pub fn btf_map(args: TokenStream, item: TokenStream) -> TokenStream {
    map(args, item)
}

macro_rules! attributes {
    ($($handle:ident: $prog_type:ident {$(
        $(#[doc = $doc:literal])*
        $name:ident {
            since: ($major:literal, $minor:literal), context: $context:ident, $($rest:tt)*
        }
    )*})*) => {$($(
        $(#[doc = $doc])*
        ///
        #[doc = concat!("Context: `aya_ebpf::programs::", stringify!($context), "`. Program type: `BPF_PROG_TYPE_", stringify!($prog_type), "`.")]
        #[doc = concat!("Since Linux ", $major, ".", $minor, ".")]
        #[proc_macro_attribute]
        pub fn $name(args: TokenStream, item: TokenStream) -> TokenStream {
            program::expand(stringify!($name), args.into(), item.into())
                .unwrap_or_else(syn::Error::into_compile_error)
                .into()
        }
    )*)*};
}
aya_uapi::for_each_program!(attributes);
