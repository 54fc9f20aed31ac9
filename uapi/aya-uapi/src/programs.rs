//! **The program table**: one row per kind of program, grouped by the handle that user space gives it.
//!
//! A row is data. [`PROGRAMS`] holds the rows for code that runs, [`for_each_program!`] hands the same
//! rows to code that is generated from them: the section parser here, the `Program` enum of `aya`, the
//! attribute macros of `aya-ebpf-macros`, the safe return value that the linker uses.
//!
//! Section names are those of libbpf 1.x and those that Aya has used; both select the same row.
//!
//! [`for_each_program!`]: crate::for_each_program

use crate::{AttachType, KernelVersion, ProgType};

mod table;

/// One kind of program.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgramDef {
    /// Name of the attribute macro and of the kind in messages: `xdp`.
    pub name: &'static str,
    /// What runs the program and what its return value means, one or more sentences.
    pub doc: &'static str,
    /// Name of the handle that `aya` gives the program: `Xdp`. Several kinds may share one.
    pub handle: &'static str,
    /// Type that the kernel knows it by.
    pub prog_type: ProgType,
    /// Kernel that brought it. A section may need a newer one, see [`SectionDef::since`].
    pub since: KernelVersion,
    /// Type of the context on the eBPF side: `XdpContext`.
    pub context: &'static str,
    /// How it is attached.
    pub attach: Via,
    /// What the program returns when it panics: the value that denies, drops or changes nothing.
    /// A section may differ, see [`SectionMatch::safe`].
    pub safe: i64,
    /// Section names that select it.
    pub sections: &'static [SectionDef],
    /// Whether this toolkit can load and attach it; if not, using it is a "not supported yet" error.
    pub supported: bool,
}

/// A section name that selects a kind of program.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionDef {
    /// The name, up to the target: `xdp.frags/devmap`, `kprobe`.
    pub prefix: &'static str,
    /// Expected attach type at load, where the section decides it.
    pub attach_type: Option<AttachType>,
    /// What may follow the prefix after a slash.
    pub target: Target,
    /// Flags for `BPF_PROG_LOAD`: [`BPF_F_SLEEPABLE`](crate::bindings::BPF_F_SLEEPABLE),
    /// [`BPF_F_XDP_HAS_FRAGS`](crate::bindings::BPF_F_XDP_HAS_FRAGS).
    pub flags: u32,
    /// Kernel that brought this variant; never older than [`ProgramDef::since`].
    pub since: KernelVersion,
    /// Safe return value where it differs from [`ProgramDef::safe`].
    pub safe: Option<i64>,
}

/// What follows a section's prefix after a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing.
    None,
    /// Possibly a name that means nothing to the kernel, as early Aya wrote (`xdp/my_program`).
    Label,
    /// Possibly what to attach to: a kernel function, `category/event`, a path and symbol.
    Hook,
}

/// The mechanism that attaches a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// A network interface, or a slot of a devmap or cpumap: link (5.9), else netlink.
    Xdp,
    /// Ingress or egress of a network interface: TCX link (6.6), else a `clsact` filter by netlink.
    Tc,
    /// An action of a traffic control filter, by netlink.
    TcAction,
    /// A netkit device: link.
    Netkit,
    /// A cgroup v2 directory: link (5.7), else `BPF_PROG_ATTACH`.
    Cgroup,
    /// A network namespace: link (5.8), else `BPF_PROG_ATTACH`.
    Netns,
    /// A socket map: `BPF_PROG_ATTACH`, link since 6.10.
    SockMap,
    /// A socket, by `SO_ATTACH_BPF`.
    Socket,
    /// A group of sockets that share a port, by `SO_ATTACH_REUSEPORT_EBPF`.
    Reuseport,
    /// A perf event: link (5.15), else `PERF_EVENT_IOC_SET_BPF`.
    PerfEvent,
    /// A perf event on a kernel function that is opened for the purpose.
    Kprobe,
    /// A perf event on an address in a file that is opened for the purpose.
    Uprobe,
    /// Many kernel functions in one link.
    KprobeMulti,
    /// Many addresses of one file in one link.
    UprobeMulti,
    /// A static probe that a file describes in its notes.
    Usdt,
    /// A perf event on a tracepoint that is opened for the purpose.
    Tracepoint,
    /// A raw tracepoint, by name: `BPF_RAW_TRACEPOINT_OPEN`.
    RawTracepoint,
    /// A function known from BTF at load: link, or `BPF_RAW_TRACEPOINT_OPEN` without a name.
    Tracing,
    /// A function of another BPF program: link.
    Extension,
    /// An iterator that is read through a file: link.
    Iter,
    /// A member of a kernel structure of callbacks: a map of type `STRUCT_OPS`.
    StructOps,
    /// An infrared receiver: `BPF_PROG_ATTACH`.
    Lirc,
    /// A route with lightweight tunnel encapsulation, by netlink.
    Lwt,
    /// A netfilter hook: link.
    Netfilter,
    /// Nothing: user space calls it by `BPF_PROG_TEST_RUN`.
    Call,
}

/// What [`match_section`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionMatch<'a> {
    /// The kind of program.
    pub def: &'static ProgramDef,
    /// The section's row.
    pub section: &'static SectionDef,
    /// What follows the prefix and its slash, never empty.
    pub target: Option<&'a str>,
    /// Whether the name began with `?`: the program is loaded only on request.
    pub optional: bool,
}

impl SectionMatch<'_> {
    /// What a program in this section returns when it panics.
    pub const fn safe(&self) -> i64 {
        match self.section.safe {
            Some(safe) => safe,
            None => self.def.safe,
        }
    }
}

/// Finds the kind of program that a section name selects; the longest prefix wins.
///
/// ```
/// use aya_uapi::{AttachType, ProgType, programs::match_section};
///
/// let found = match_section("kprobe/do_unlinkat").unwrap();
/// assert_eq!(found.def.prog_type, ProgType::KPROBE);
/// assert_eq!(found.target, Some("do_unlinkat"));
///
/// let found = match_section("?xdp.frags/cpumap").unwrap();
/// assert_eq!(found.section.attach_type, Some(AttachType::XDP_CPUMAP));
/// assert!(found.optional);
///
/// assert!(match_section(".text").is_none());
/// ```
pub fn match_section(name: &str) -> Option<SectionMatch<'_>> {
    let (name, optional) = match name.strip_prefix('?') {
        Some(rest) => (rest, true),
        None => (name, false),
    };
    PROGRAMS
        .iter()
        .flat_map(|def| def.sections.iter().map(move |section| (def, section)))
        .filter_map(|(def, section)| {
            let target = match name.strip_prefix(section.prefix)? {
                "" => None,
                rest => Some(rest.strip_prefix('/').filter(|rest| !rest.is_empty())?),
            };
            if target.is_some() && section.target == Target::None {
                return None;
            }
            Some(SectionMatch {
                def,
                section,
                target,
                optional,
            })
        })
        .max_by_key(|found| found.section.prefix.len())
}

/// The kind with this name (`xdp`), which is that of its attribute macro.
pub fn program(name: &str) -> Option<&'static ProgramDef> {
    PROGRAMS.iter().find(|def| def.name == name)
}

macro_rules! given_or {
    ($default:expr;) => {
        $default
    };
    ($default:expr; $given:expr) => {
        $given
    };
}

macro_rules! program_table {
    ($($handle:ident: $prog_type:ident {$(
        $(#[doc = $doc:literal])*
        $name:ident {
            since: ($major:literal, $minor:literal),
            context: $context:ident,
            attach: $via:ident,
            safe: $safe:literal,
            supported: $supported:literal,
            sections: [$({
                $prefix:literal $target:ident
                $(, attach_type: $attach_type:ident)?
                $(, flags: $flags:ident)?
                $(, since: ($section_major:literal, $section_minor:literal))?
                $(, safe: $section_safe:literal)?
            })*],
        }
    )*})*) => {
        /// All kinds of programs.
        pub static PROGRAMS: &[ProgramDef] = &[$($(
            ProgramDef {
                name: stringify!($name),
                doc: concat!($($doc),*),
                handle: stringify!($handle),
                prog_type: ProgType::$prog_type,
                since: KernelVersion::new($major, $minor, 0),
                context: stringify!($context),
                attach: Via::$via,
                safe: $safe,
                supported: $supported,
                sections: &[$(
                    SectionDef {
                        prefix: $prefix,
                        attach_type: given_or!(None; $(Some(AttachType::$attach_type))?),
                        target: Target::$target,
                        flags: given_or!(0; $(crate::bindings::$flags)?),
                        since: given_or!(
                            KernelVersion::new($major, $minor, 0);
                            $(KernelVersion::new($section_major, $section_minor, 0))?
                        ),
                        safe: given_or!(None; $(Some($section_safe))?),
                    },
                )*],
            },
        )*)*];
    };
}
crate::for_each_program!(program_table);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_type_has_a_row() {
        for prog_type in ProgType::ALL {
            if *prog_type != ProgType::UNSPEC {
                assert!(
                    PROGRAMS.iter().any(|def| def.prog_type == *prog_type),
                    "{prog_type} has no row"
                );
            }
        }
    }

    #[test]
    fn every_attach_type_has_a_row() {
        // PERF_EVENT is what a link says; the program is loaded without an attach type.
        for attach_type in AttachType::ALL {
            let found = PROGRAMS
                .iter()
                .flat_map(|def| def.sections)
                .any(|section| section.attach_type == Some(*attach_type));
            assert!(
                found || *attach_type == AttachType::PERF_EVENT,
                "{attach_type} has no section"
            );
        }
    }

    #[test]
    fn names_and_sections_are_unique_and_select_their_row() {
        for (index, def) in PROGRAMS.iter().enumerate() {
            for other in PROGRAMS.iter().skip(index + 1) {
                assert_ne!(def.name, other.name);
            }
            assert!(!def.doc.trim().is_empty() && def.doc.trim_end().ends_with('.'));
            for section in def.sections {
                let found = match_section(section.prefix).expect(section.prefix);
                assert!(
                    core::ptr::eq(found.section, section),
                    "{} is taken twice",
                    section.prefix
                );
                assert!(section.since >= def.since, "{}", section.prefix);
            }
        }
    }

    #[test]
    fn targets() {
        let target = |name| match_section(name).map(|found| (found.section.prefix, found.target));
        assert_eq!(target("xdp"), Some(("xdp", None)));
        assert_eq!(target("xdp/firewall"), Some(("xdp", Some("firewall"))));
        assert_eq!(target("xdp/devmap"), Some(("xdp/devmap", None)));
        assert_eq!(
            target("tp/syscalls/sys_enter_execve"),
            Some(("tp", Some("syscalls/sys_enter_execve")))
        );
        assert_eq!(
            target("fentry.s/bpf_lsm_file_open"),
            Some(("fentry.s", Some("bpf_lsm_file_open")))
        );
        for none in [
            "",
            "?",
            "xdpx",
            "xdp/",
            "cgroup/dev/x",
            "maps",
            ".maps",
            "license",
        ] {
            assert_eq!(target(none), None, "{none}");
        }
    }

    #[test]
    fn safe_values() {
        let safe = |name| match_section(name).map(|found| found.safe());
        assert_eq!(safe("xdp"), Some(0));
        assert_eq!(safe("classifier"), Some(2));
        assert_eq!(safe("cgroup_skb/egress"), Some(0));
        // The verifier refuses anything but 1 here.
        assert_eq!(safe("cgroup/recvmsg4"), Some(1));
        assert_eq!(safe("cgroup/connect4"), Some(0));
    }
}
