//! Program types under the names that handles have.

use aya_uapi::ProgType;

/// Where an LSM program hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LsmAttachType {
    /// On a hook, for all processes.
    Mac,
    /// On a hook, for the processes of a cgroup.
    Cgroup,
}

macro_rules! program_types {
    ($($name:ident $(($inner:expr))? = $kernel:ident,)*) => {
        /// The type of a program (`enum bpf_prog_type`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ProgramType {
            $(
                #[doc = concat!("`BPF_PROG_TYPE_", stringify!($kernel), "`.")]
                $name,
            )*
            /// `BPF_PROG_TYPE_LSM`.
            Lsm(LsmAttachType),
            /// A type that this library does not know.
            Unknown(ProgType),
        }

        impl ProgramType {
            /// The type that the kernel calls `prog_type`; LSM programs count as
            /// [`LsmAttachType::Mac`].
            pub const fn of(prog_type: ProgType) -> Self {
                match prog_type {
                    $(ProgType::$kernel => Self::$name,)*
                    ProgType::LSM => Self::Lsm(LsmAttachType::Mac),
                    unknown => Self::Unknown(unknown),
                }
            }

            /// The kernel's name of the type.
            pub const fn kernel_type(self) -> ProgType {
                match self {
                    $(Self::$name => ProgType::$kernel,)*
                    Self::Lsm(_) => ProgType::LSM,
                    Self::Unknown(unknown) => unknown,
                }
            }
        }
    };
}

program_types! {
    Unspecified = UNSPEC,
    SocketFilter = SOCKET_FILTER,
    KProbe = KPROBE,
    SchedClassifier = SCHED_CLS,
    SchedAction = SCHED_ACT,
    TracePoint = TRACEPOINT,
    Xdp = XDP,
    PerfEvent = PERF_EVENT,
    CgroupSkb = CGROUP_SKB,
    CgroupSock = CGROUP_SOCK,
    LwtInput = LWT_IN,
    LwtOutput = LWT_OUT,
    LwtXmit = LWT_XMIT,
    SockOps = SOCK_OPS,
    SkSkb = SK_SKB,
    CgroupDevice = CGROUP_DEVICE,
    SkMsg = SK_MSG,
    RawTracePoint = RAW_TRACEPOINT,
    CgroupSockAddr = CGROUP_SOCK_ADDR,
    LwtSeg6local = LWT_SEG6LOCAL,
    LircMode2 = LIRC_MODE2,
    SkReuseport = SK_REUSEPORT,
    FlowDissector = FLOW_DISSECTOR,
    CgroupSysctl = CGROUP_SYSCTL,
    RawTracePointWritable = RAW_TRACEPOINT_WRITABLE,
    CgroupSockopt = CGROUP_SOCKOPT,
    Tracing = TRACING,
    StructOps = STRUCT_OPS,
    Extension = EXT,
    SkLookup = SK_LOOKUP,
    Syscall = SYSCALL,
    Netfilter = NETFILTER,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_types_of_the_kernel_have_a_name() {
        for prog_type in ProgType::ALL {
            let named = ProgramType::of(*prog_type);
            assert!(!matches!(named, ProgramType::Unknown(_)), "{prog_type}");
            assert_eq!(named.kernel_type(), *prog_type);
        }
    }
}
