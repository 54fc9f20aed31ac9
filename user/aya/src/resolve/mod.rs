//! Names to what programs are for: what the kernel and files say about functions, tracepoints and
//! hooks.
//!
//! Everything here reads; what is loaded and attached with the answers is `attach`'s business.
//!
//! | module | from | to |
//! | --- | --- | --- |
//! | `kallsyms` | a function of the kernel | its size, or close names |
//! | `file` | a library's name, and a process | its path, by `proc_maps` and `ld_cache` |
//! | `elf` | functions of a file | their offsets, by its symbols or those that `debuglink` finds |
//! | `tracefs`, `trace_event` | a trace event | its number and fields |
//! | `kernel` | what a program is checked against | its type in the kernel or a module |

mod debuglink;
pub(crate) mod elf;
pub(crate) mod file;
pub(crate) mod kallsyms;
pub(crate) mod kernel;
mod ld_cache;
pub(crate) mod proc_maps;
pub(crate) mod trace_event;
pub(crate) mod tracefs;

pub(crate) use aya_obj::similar;
