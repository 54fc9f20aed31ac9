//! What programs at functions and tracepoints of the kernel have in common: why they cannot be there.

use std::{error::Error, fmt};

use aya_sys::Errno;

use crate::{resolve::similar::did_you_mean, sys::SyscallError};

/// Why a program could not be loaded for, or attached to, a function or tracepoint of the kernel.
#[derive(Debug)]
#[non_exhaustive]
pub enum TracingError {
    /// Neither the kernel nor a module that is loaded has it.
    UnknownTarget {
        /// The program's name.
        name: String,
        /// What it is for: `kernel function`, `tracepoint` or `LSM hook`.
        what: &'static str,
        /// The name that was looked for.
        target: String,
        /// Those that come close.
        similar: Vec<String>,
    },
    /// The kernel was built without security modules in eBPF.
    NoBpfLsm {
        /// The program's name.
        name: String,
    },
    /// The kernel was booted without security modules in eBPF: the program would never run.
    BpfLsmDisabled {
        /// The program's name.
        name: String,
        /// The modules that are active, as the kernel lists them.
        active: String,
    },
    /// The kernel does not attach the program.
    Refused {
        /// The program's name.
        name: String,
        /// What the kernel said.
        source: SyscallError,
    },
}

/// What the kernel answers to what its processor's code lacks (`ENOTSUPP`, which C libraries do not
/// know).
const NOT_SUPPORTED: Errno = Errno(524);

impl fmt::Display for TracingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTarget {
                name,
                what,
                target,
                similar,
            } => {
                write!(
                    f,
                    "program `{name}`: neither the kernel nor a module that is loaded has a {what} \
                     `{target}`"
                )?;
                f.write_str(&match similar.as_slice() {
                    [] => ": check its name, or load the module that has it".to_owned(),
                    similar => did_you_mean(similar),
                })
            }
            Self::NoBpfLsm { name } => write!(
                f,
                "program `{name}`: this kernel has no LSM hooks for eBPF: use one built with \
                 CONFIG_BPF_LSM"
            ),
            Self::BpfLsmDisabled { name, active } => write!(
                f,
                "program `{name}`: it would never run, since `bpf` is not among the active security \
                 modules: boot the kernel with `lsm={active}{}bpf`",
                if active.is_empty() { "" } else { "," }
            ),
            Self::Refused { name, source } => {
                write!(f, "program `{name}`: the kernel does not attach it: ")?;
                f.write_str(match source.errno() {
                    NOT_SUPPORTED => {
                        "it has no trampolines for this processor: use a newer kernel, or a kprobe"
                    }
                    Errno::EBUSY => {
                        "it is attached already, or its function cannot be traced or is held by a \
                         live patch or another tracer: detach it, or use a kprobe"
                    }
                    Errno::E2BIG => "the function has as many programs as it can: detach one",
                    Errno::EINVAL => "it reads more arguments than the tracepoint has: ask for fewer",
                    Errno::ENOENT => {
                        "it was attached before, which kernels before 5.13 allow once: unload it and \
                         load it again"
                    }
                    _ => "`dmesg` may know more",
                })
            }
        }
    }
}

impl Error for TracingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::UnknownTarget { .. } | Self::NoBpfLsm { .. } | Self::BpfLsmDisabled { .. } => {
                None
            }
            Self::Refused { source, .. } => Some(source),
        }
    }
}
