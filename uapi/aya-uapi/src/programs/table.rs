//! The rows of the program table.

/// Calls a macro with all rows of [the program table](crate::programs).
///
/// The macro receives groups `Handle: PROG_TYPE { rows }`; a row is
/// `/// doc` `name { since: (5, 8), context: C, attach: V, safe: N, supported: B, sections: [ … ], }`,
/// and a section `{ "prefix" Target, attach_type: A, flags: F, since: (5, 8), safe: N }` of which all
/// after the target may be absent.
///
/// ```
/// macro_rules! handles {
///     ($($handle:ident: $prog_type:ident { $($(#[$doc:meta])* $name:ident { $($row:tt)* })* })*) => {
///         const HANDLES: &[&str] = &[$(stringify!($handle)),*];
///     };
/// }
/// aya_uapi::for_each_program!(handles);
/// assert!(HANDLES.contains(&"Xdp"));
/// ```
#[macro_export]
macro_rules! for_each_program {
    ($callback:path) => {
        $callback! {
            SocketFilter: SOCKET_FILTER {
                /// Runs on every packet a socket receives and returns how many bytes of it to keep.
                /// Safe: 0, the packet is dropped.
                socket_filter {
                    since: (3, 19), context: SkBuffContext, attach: Socket, safe: 0, supported: true,
                    sections: [
                        { "socket" Label }
                        { "socket_filter" Label }
                    ],
                }
            }
            ReusePortSocketFilter: SOCKET_FILTER {
                /// Runs on the first packet of a flow and returns the index of the socket, among those
                /// that share the port, that gets it.
                /// Safe: 0, the first socket; the type has no value that denies.
                socket_filter_reuseport {
                    since: (4, 5), context: SkBuffContext, attach: Reuseport, safe: 0, supported: true,
                    sections: [
                        { "socket/reuseport" None }
                    ],
                }
            }
            KProbe: KPROBE {
                /// Runs when a kernel function is entered.
                /// Safe: 0, no event is recorded.
                kprobe {
                    since: (4, 1), context: ProbeContext, attach: Kprobe, safe: 0, supported: true,
                    sections: [
                        { "kprobe" Hook }
                    ],
                }
                /// Runs when a kernel function returns.
                /// Safe: 0, no event is recorded.
                kretprobe {
                    since: (4, 1), context: RetProbeContext, attach: Kprobe, safe: 0, supported: true,
                    sections: [
                        { "kretprobe" Hook }
                    ],
                }
                /// Runs when a system call is entered, by its name without the architecture's prefix.
                /// Safe: 0, no event is recorded.
                ksyscall {
                    since: (4, 1), context: ProbeContext, attach: Kprobe, safe: 0, supported: false,
                    sections: [
                        { "ksyscall" Hook }
                    ],
                }
                /// Runs when a system call returns.
                /// Safe: 0, no event is recorded.
                kretsyscall {
                    since: (4, 1), context: RetProbeContext, attach: Kprobe, safe: 0, supported: false,
                    sections: [
                        { "kretsyscall" Hook }
                    ],
                }
            }
            KProbeMulti: KPROBE {
                /// Runs when one of many kernel functions is entered.
                /// Safe: 0, which a kernel function's probe ignores.
                kprobe_multi {
                    since: (5, 18), context: ProbeContext, attach: KprobeMulti, safe: 0, supported: false,
                    sections: [
                        { "kprobe.multi" Hook, attach_type: TRACE_KPROBE_MULTI }
                    ],
                }
                /// Runs when one of many kernel functions returns.
                /// Safe: 0, which a kernel function's probe ignores.
                kretprobe_multi {
                    since: (5, 18), context: RetProbeContext, attach: KprobeMulti, safe: 0, supported: false,
                    sections: [
                        { "kretprobe.multi" Hook, attach_type: TRACE_KPROBE_MULTI }
                    ],
                }
                /// Runs on entry and on return of many kernel functions; 1 from the entry skips the return.
                /// Safe: 0, the return runs.
                kprobe_session {
                    since: (6, 10), context: ProbeContext, attach: KprobeMulti, safe: 0, supported: false,
                    sections: [
                        { "kprobe.session" Hook, attach_type: TRACE_KPROBE_SESSION }
                    ],
                }
            }
            UProbe: KPROBE {
                /// Runs when an instruction of a file is reached, mostly a function's first.
                /// Safe: 0, no event is recorded.
                uprobe {
                    since: (4, 1), context: ProbeContext, attach: Uprobe, safe: 0, supported: true,
                    sections: [
                        { "uprobe" Hook }
                        { "uprobe.s" Hook, flags: BPF_F_SLEEPABLE, since: (6, 0) }
                    ],
                }
                /// Runs when a function of a file returns.
                /// Safe: 0, no event is recorded.
                uretprobe {
                    since: (4, 1), context: RetProbeContext, attach: Uprobe, safe: 0, supported: true,
                    sections: [
                        { "uretprobe" Hook }
                        { "uretprobe.s" Hook, flags: BPF_F_SLEEPABLE, since: (6, 0) }
                    ],
                }
            }
            UProbeMulti: KPROBE {
                /// Runs when one of many instructions of a file is reached.
                /// Safe: 0, the probe stays.
                uprobe_multi {
                    since: (6, 6), context: ProbeContext, attach: UprobeMulti, safe: 0, supported: false,
                    sections: [
                        { "uprobe.multi" Hook, attach_type: TRACE_UPROBE_MULTI }
                        { "uprobe.multi.s" Hook, attach_type: TRACE_UPROBE_MULTI, flags: BPF_F_SLEEPABLE }
                    ],
                }
                /// Runs when one of many functions of a file returns.
                /// Safe: 0, the probe stays.
                uretprobe_multi {
                    since: (6, 6), context: RetProbeContext, attach: UprobeMulti, safe: 0, supported: false,
                    sections: [
                        { "uretprobe.multi" Hook, attach_type: TRACE_UPROBE_MULTI }
                        { "uretprobe.multi.s" Hook, attach_type: TRACE_UPROBE_MULTI, flags: BPF_F_SLEEPABLE }
                    ],
                }
                /// Runs on entry and on return of many functions of a file; 1 from the entry skips the return.
                /// Safe: 0, the return runs.
                uprobe_session {
                    since: (6, 13), context: ProbeContext, attach: UprobeMulti, safe: 0, supported: false,
                    sections: [
                        { "uprobe.session" Hook, attach_type: TRACE_UPROBE_SESSION }
                        { "uprobe.session.s" Hook, attach_type: TRACE_UPROBE_SESSION, flags: BPF_F_SLEEPABLE }
                    ],
                }
            }
            Usdt: KPROBE {
                /// Runs when a static probe of a program is reached.
                /// Safe: 0, no event is recorded.
                usdt {
                    since: (4, 1), context: ProbeContext, attach: Usdt, safe: 0, supported: false,
                    sections: [
                        { "usdt" Hook }
                        { "usdt.s" Hook, flags: BPF_F_SLEEPABLE, since: (6, 0) }
                    ],
                }
            }
            SchedClassifier: SCHED_CLS {
                /// Runs on packets that enter or leave an interface, at the traffic control layer.
                /// Safe: `TC_ACT_SHOT`, the packet is dropped.
                classifier {
                    since: (4, 1), context: TcContext, attach: Tc, safe: 2, supported: true,
                    sections: [
                        { "classifier" Label }
                        { "tc" Label }
                        { "tcx/ingress" None, attach_type: TCX_INGRESS, since: (6, 6) }
                        { "tcx/egress" None, attach_type: TCX_EGRESS, since: (6, 6) }
                        { "tc/ingress" None, attach_type: TCX_INGRESS }
                        { "tc/egress" None, attach_type: TCX_EGRESS }
                    ],
                }
            }
            Netkit: SCHED_CLS {
                /// Runs on packets that a netkit device sends, on its own side or its peer's.
                /// Safe: `NETKIT_DROP`, the packet is dropped.
                netkit {
                    since: (6, 7), context: TcContext, attach: Netkit, safe: 2, supported: false,
                    sections: [
                        { "netkit/primary" None, attach_type: NETKIT_PRIMARY }
                        { "netkit/peer" None, attach_type: NETKIT_PEER }
                    ],
                }
            }
            SchedAction: SCHED_ACT {
                /// Runs as the action of a traffic control filter.
                /// Safe: `TC_ACT_SHOT`, the packet is dropped.
                tc_action {
                    since: (4, 1), context: TcContext, attach: TcAction, safe: 2, supported: false,
                    sections: [
                        { "action" Label }
                    ],
                }
            }
            TracePoint: TRACEPOINT {
                /// Runs at a tracepoint of the kernel, on its formatted arguments.
                /// Safe: 0, no event is recorded.
                tracepoint {
                    since: (4, 7), context: TracePointContext, attach: Tracepoint, safe: 0, supported: true,
                    sections: [
                        { "tracepoint" Hook }
                        { "tp" Hook }
                        { "tracepoint.s" Hook, flags: BPF_F_SLEEPABLE, since: (7, 2) }
                        { "tp.s" Hook, flags: BPF_F_SLEEPABLE, since: (7, 2) }
                    ],
                }
            }
            Xdp: XDP {
                /// Runs on every packet that a network interface receives, before the kernel makes a
                /// socket buffer of it; also on packets redirected through a devmap or cpumap.
                /// Safe: `XDP_ABORTED`, the packet is dropped and the tracepoint `xdp_exception` fires.
                xdp {
                    since: (4, 8), context: XdpContext, attach: Xdp, safe: 0, supported: true,
                    sections: [
                        { "xdp" Label, attach_type: XDP }
                        { "xdp.frags" Label, attach_type: XDP, flags: BPF_F_XDP_HAS_FRAGS, since: (5, 18) }
                        { "xdp/devmap" Label, attach_type: XDP_DEVMAP, since: (5, 8) }
                        { "xdp.frags/devmap" Label, attach_type: XDP_DEVMAP, flags: BPF_F_XDP_HAS_FRAGS, since: (5, 18) }
                        { "xdp/cpumap" Label, attach_type: XDP_CPUMAP, since: (5, 9) }
                        { "xdp.frags/cpumap" Label, attach_type: XDP_CPUMAP, flags: BPF_F_XDP_HAS_FRAGS, since: (5, 18) }
                    ],
                }
            }
            PerfEvent: PERF_EVENT {
                /// Runs when a hardware or software counter overflows.
                /// Safe: 0, the sample is not recorded.
                perf_event {
                    since: (4, 9), context: PerfEventContext, attach: PerfEvent, safe: 0, supported: true,
                    sections: [
                        { "perf_event" Label }
                    ],
                }
            }
            CgroupSkb: CGROUP_SKB {
                /// Runs on packets that the sockets of a cgroup receive or send; bit 0 of what it
                /// returns lets the packet pass.
                /// Safe: 0, the packet is dropped.
                cgroup_skb {
                    since: (4, 10), context: SkBuffContext, attach: Cgroup, safe: 0, supported: true,
                    sections: [
                        { "cgroup/skb" Label }
                        { "cgroup_skb/ingress" Label, attach_type: CGROUP_INET_INGRESS }
                        { "cgroup_skb/egress" Label, attach_type: CGROUP_INET_EGRESS }
                    ],
                }
            }
            CgroupSock: CGROUP_SOCK {
                /// Runs when a process of a cgroup creates, binds or releases a socket; 1 allows it.
                /// Safe: 0, the call fails with `EPERM`.
                cgroup_sock {
                    since: (4, 10), context: SockContext, attach: Cgroup, safe: 0, supported: true,
                    sections: [
                        { "cgroup/sock" Label, attach_type: CGROUP_INET_SOCK_CREATE }
                        { "cgroup/sock_create" Label, attach_type: CGROUP_INET_SOCK_CREATE }
                        { "cgroup/sock_release" Label, attach_type: CGROUP_INET_SOCK_RELEASE, since: (5, 9) }
                        { "cgroup/post_bind4" Label, attach_type: CGROUP_INET4_POST_BIND, since: (4, 17) }
                        { "cgroup/post_bind6" Label, attach_type: CGROUP_INET6_POST_BIND, since: (4, 17) }
                    ],
                }
            }
            CgroupSockAddr: CGROUP_SOCK_ADDR {
                /// Runs when a process of a cgroup uses a socket address, which it may rewrite; 1 allows
                /// the call.
                /// Safe: 0, the call fails with `EPERM`; 1 at the hooks whose programs may return
                /// nothing else.
                cgroup_sock_addr {
                    since: (4, 17), context: SockAddrContext, attach: Cgroup, safe: 0, supported: true,
                    sections: [
                        { "cgroup/bind4" Label, attach_type: CGROUP_INET4_BIND }
                        { "cgroup/bind6" Label, attach_type: CGROUP_INET6_BIND }
                        { "cgroup/connect4" Label, attach_type: CGROUP_INET4_CONNECT }
                        { "cgroup/connect6" Label, attach_type: CGROUP_INET6_CONNECT }
                        { "cgroup/connect_unix" Label, attach_type: CGROUP_UNIX_CONNECT, since: (6, 7) }
                        { "cgroup/sendmsg4" Label, attach_type: CGROUP_UDP4_SENDMSG, since: (4, 18) }
                        { "cgroup/sendmsg6" Label, attach_type: CGROUP_UDP6_SENDMSG, since: (4, 18) }
                        { "cgroup/sendmsg_unix" Label, attach_type: CGROUP_UNIX_SENDMSG, since: (6, 7) }
                        { "cgroup/recvmsg4" Label, attach_type: CGROUP_UDP4_RECVMSG, since: (5, 2), safe: 1 }
                        { "cgroup/recvmsg6" Label, attach_type: CGROUP_UDP6_RECVMSG, since: (5, 2), safe: 1 }
                        { "cgroup/recvmsg_unix" Label, attach_type: CGROUP_UNIX_RECVMSG, since: (6, 7), safe: 1 }
                        { "cgroup/getpeername4" Label, attach_type: CGROUP_INET4_GETPEERNAME, since: (5, 8), safe: 1 }
                        { "cgroup/getpeername6" Label, attach_type: CGROUP_INET6_GETPEERNAME, since: (5, 8), safe: 1 }
                        { "cgroup/getpeername_unix" Label, attach_type: CGROUP_UNIX_GETPEERNAME, since: (6, 7), safe: 1 }
                        { "cgroup/getsockname4" Label, attach_type: CGROUP_INET4_GETSOCKNAME, since: (5, 8), safe: 1 }
                        { "cgroup/getsockname6" Label, attach_type: CGROUP_INET6_GETSOCKNAME, since: (5, 8), safe: 1 }
                        { "cgroup/getsockname_unix" Label, attach_type: CGROUP_UNIX_GETSOCKNAME, since: (6, 7), safe: 1 }
                    ],
                }
            }
            CgroupSockopt: CGROUP_SOCKOPT {
                /// Runs on `getsockopt` and `setsockopt` of a cgroup's processes; 1 allows the call.
                /// Safe: 0, the call fails with `EPERM`.
                cgroup_sockopt {
                    since: (5, 3), context: SockoptContext, attach: Cgroup, safe: 0, supported: true,
                    sections: [
                        { "cgroup/getsockopt" Label, attach_type: CGROUP_GETSOCKOPT }
                        { "cgroup/setsockopt" Label, attach_type: CGROUP_SETSOCKOPT }
                    ],
                }
            }
            CgroupSysctl: CGROUP_SYSCTL {
                /// Runs when a process of a cgroup reads or writes a file below `/proc/sys`; 1 allows it.
                /// Safe: 0, the access fails with `EPERM`.
                cgroup_sysctl {
                    since: (5, 2), context: SysctlContext, attach: Cgroup, safe: 0, supported: true,
                    sections: [
                        { "cgroup/sysctl" Label, attach_type: CGROUP_SYSCTL }
                    ],
                }
            }
            CgroupDevice: CGROUP_DEVICE {
                /// Runs when a process of a cgroup opens or creates a device file; 1 allows it.
                /// Safe: 0, the access fails with `EPERM`.
                cgroup_device {
                    since: (4, 15), context: DeviceContext, attach: Cgroup, safe: 0, supported: true,
                    sections: [
                        { "cgroup/dev" None, attach_type: CGROUP_DEVICE }
                    ],
                }
            }
            SockOps: SOCK_OPS {
                /// Runs at events of the TCP connections of a cgroup and may set their parameters.
                /// Safe: 0, the kernel's defaults apply.
                sock_ops {
                    since: (4, 13), context: SockOpsContext, attach: Cgroup, safe: 0, supported: true,
                    sections: [
                        { "sockops" Label, attach_type: CGROUP_SOCK_OPS }
                    ],
                }
            }
            LwtIn: LWT_IN {
                /// Runs on packets that arrive over a route.
                /// Safe: `BPF_DROP`, the packet is dropped.
                lwt_in {
                    since: (4, 10), context: SkBuffContext, attach: Lwt, safe: 2, supported: false,
                    sections: [
                        { "lwt_in" None }
                    ],
                }
            }
            LwtOut: LWT_OUT {
                /// Runs on packets that leave over a route.
                /// Safe: `BPF_DROP`, the packet is dropped.
                lwt_out {
                    since: (4, 10), context: SkBuffContext, attach: Lwt, safe: 2, supported: false,
                    sections: [
                        { "lwt_out" None }
                    ],
                }
            }
            LwtXmit: LWT_XMIT {
                /// Runs on packets just before they are transmitted over a route.
                /// Safe: `BPF_DROP`, the packet is dropped.
                lwt_xmit {
                    since: (4, 10), context: SkBuffContext, attach: Lwt, safe: 2, supported: false,
                    sections: [
                        { "lwt_xmit" None }
                    ],
                }
            }
            LwtSeg6local: LWT_SEG6LOCAL {
                /// Runs as the action of an IPv6 segment routing endpoint.
                /// Safe: `BPF_DROP`, the packet is dropped.
                lwt_seg6local {
                    since: (4, 18), context: SkBuffContext, attach: Lwt, safe: 2, supported: false,
                    sections: [
                        { "lwt_seg6local" None }
                    ],
                }
            }
            SkSkb: SK_SKB {
                /// Decides what becomes of data that arrives at a socket of a socket map.
                /// Safe: `SK_DROP`, the data is dropped.
                sk_skb {
                    since: (4, 14), context: SkBuffContext, attach: SockMap, safe: 0, supported: true,
                    sections: [
                        { "sk_skb" Label }
                        { "sk_skb/verdict" Label, attach_type: SK_SKB_VERDICT, since: (5, 13) }
                    ],
                }
                /// Finds where a message ends in the stream of a socket of a socket map, and returns
                /// its length.
                /// Safe: -22 (`EINVAL`), which ends parsing with an error on the socket; 0 would wait
                /// for more data for ever.
                stream_parser {
                    since: (4, 14), context: SkBuffContext, attach: SockMap, safe: -22, supported: true,
                    sections: [
                        { "sk_skb/stream_parser" Label, attach_type: SK_SKB_STREAM_PARSER }
                    ],
                }
                /// Decides what becomes of a message that the stream parser found.
                /// Safe: `SK_DROP`, the message is dropped.
                stream_verdict {
                    since: (4, 14), context: SkBuffContext, attach: SockMap, safe: 0, supported: true,
                    sections: [
                        { "sk_skb/stream_verdict" Label, attach_type: SK_SKB_STREAM_VERDICT }
                    ],
                }
            }
            SkMsg: SK_MSG {
                /// Runs when data is sent on a socket of a socket map.
                /// Safe: `SK_DROP`, the data is dropped.
                sk_msg {
                    since: (4, 17), context: SkMsgContext, attach: SockMap, safe: 0, supported: true,
                    sections: [
                        { "sk_msg" Label, attach_type: SK_MSG_VERDICT }
                    ],
                }
            }
            RawTracePoint: RAW_TRACEPOINT {
                /// Runs at a tracepoint of the kernel, on the arguments as its caller passed them.
                /// Safe: 0, which the kernel ignores.
                raw_tracepoint {
                    since: (4, 17), context: RawTracePointContext, attach: RawTracepoint, safe: 0, supported: true,
                    sections: [
                        { "raw_tracepoint" Hook }
                        { "raw_tp" Hook }
                    ],
                }
            }
            RawTracePointWritable: RAW_TRACEPOINT_WRITABLE {
                /// Runs at a tracepoint that lets the program write to its first argument.
                /// Safe: 0, which the kernel ignores.
                raw_tracepoint_writable {
                    since: (5, 2), context: RawTracePointContext, attach: RawTracepoint, safe: 0, supported: false,
                    sections: [
                        { "raw_tracepoint.w" Hook }
                        { "raw_tp.w" Hook }
                    ],
                }
            }
            LircMode2: LIRC_MODE2 {
                /// Runs on the pulses of an infrared receiver and reports the keys it decodes.
                /// Safe: 0, which the kernel ignores.
                lirc_mode2 {
                    since: (4, 18), context: LircContext, attach: Lirc, safe: 0, supported: false,
                    sections: [
                        { "lirc_mode2" None, attach_type: LIRC_MODE2 }
                    ],
                }
            }
            SkReuseport: SK_REUSEPORT {
                /// Selects the socket for a new flow among those that share the port; with `migrate` also
                /// the one that takes over the connections of a listener that is closed.
                /// Safe: `SK_DROP`, the packet is dropped.
                sk_reuseport {
                    since: (4, 19), context: SkReuseportContext, attach: Reuseport, safe: 0, supported: true,
                    sections: [
                        { "sk_reuseport" Label, attach_type: SK_REUSEPORT_SELECT }
                        { "sk_reuseport/migrate" None, attach_type: SK_REUSEPORT_SELECT_OR_MIGRATE, since: (5, 14) }
                    ],
                }
            }
            FlowDissector: FLOW_DISSECTOR {
                /// Finds the headers of a packet for the kernel's flow keys.
                /// Safe: `BPF_DROP`, the packet is dropped.
                flow_dissector {
                    since: (4, 20), context: FlowDissectorContext, attach: Netns, safe: 2, supported: false,
                    sections: [
                        { "flow_dissector" Label, attach_type: FLOW_DISSECTOR }
                    ],
                }
            }
            BtfTracePoint: TRACING {
                /// Runs at a tracepoint of the kernel, on arguments with types from BTF.
                /// Safe: 0, the only value the verifier allows.
                btf_tracepoint {
                    since: (5, 5), context: BtfTracePointContext, attach: Tracing, safe: 0, supported: true,
                    sections: [
                        { "tp_btf" Hook, attach_type: TRACE_RAW_TP }
                    ],
                }
            }
            FEntry: TRACING {
                /// Runs when a kernel function, or one of another BPF program, is entered.
                /// Safe: 0, the only value the verifier allows.
                fentry {
                    since: (5, 5), context: FEntryContext, attach: Tracing, safe: 0, supported: true,
                    sections: [
                        { "fentry" Hook, attach_type: TRACE_FENTRY }
                        { "fentry.s" Hook, attach_type: TRACE_FENTRY, flags: BPF_F_SLEEPABLE, since: (5, 10) }
                    ],
                }
            }
            FExit: TRACING {
                /// Runs when a kernel function, or one of another BPF program, returns.
                /// Safe: 0, the only value the verifier allows.
                fexit {
                    since: (5, 5), context: FExitContext, attach: Tracing, safe: 0, supported: true,
                    sections: [
                        { "fexit" Hook, attach_type: TRACE_FEXIT }
                        { "fexit.s" Hook, attach_type: TRACE_FEXIT, flags: BPF_F_SLEEPABLE, since: (5, 10) }
                    ],
                }
            }
            FModRet: TRACING {
                /// Runs before a kernel function that allows it; another value than 0 replaces its result.
                /// Safe: 0, the function runs as if nothing were attached.
                fmod_ret {
                    since: (5, 7), context: FExitContext, attach: Tracing, safe: 0, supported: false,
                    sections: [
                        { "fmod_ret" Hook, attach_type: MODIFY_RETURN }
                        { "fmod_ret.s" Hook, attach_type: MODIFY_RETURN, flags: BPF_F_SLEEPABLE, since: (5, 10) }
                    ],
                }
            }
            FSession: TRACING {
                /// Runs on entry and on return of a kernel function; 1 from the entry skips the return.
                /// Safe: 0, the return runs.
                fsession {
                    since: (7, 0), context: FExitContext, attach: Tracing, safe: 0, supported: false,
                    sections: [
                        { "fsession" Hook, attach_type: TRACE_FSESSION }
                        { "fsession.s" Hook, attach_type: TRACE_FSESSION, flags: BPF_F_SLEEPABLE }
                    ],
                }
            }
            TracingMulti: TRACING {
                /// Runs when one of many kernel functions is entered.
                /// Safe: 0, the only value the verifier allows.
                fentry_multi {
                    since: (7, 2), context: FEntryContext, attach: Tracing, safe: 0, supported: false,
                    sections: [
                        { "fentry.multi" Hook, attach_type: TRACE_FENTRY_MULTI }
                        { "fentry.multi.s" Hook, attach_type: TRACE_FENTRY_MULTI, flags: BPF_F_SLEEPABLE }
                    ],
                }
                /// Runs when one of many kernel functions returns.
                /// Safe: 0, the only value the verifier allows.
                fexit_multi {
                    since: (7, 2), context: FExitContext, attach: Tracing, safe: 0, supported: false,
                    sections: [
                        { "fexit.multi" Hook, attach_type: TRACE_FEXIT_MULTI }
                        { "fexit.multi.s" Hook, attach_type: TRACE_FEXIT_MULTI, flags: BPF_F_SLEEPABLE }
                    ],
                }
                /// Runs on entry and on return of many kernel functions.
                /// Safe: 0, the return runs.
                fsession_multi {
                    since: (7, 2), context: FExitContext, attach: Tracing, safe: 0, supported: false,
                    sections: [
                        { "fsession.multi" Hook, attach_type: TRACE_FSESSION_MULTI }
                        { "fsession.multi.s" Hook, attach_type: TRACE_FSESSION_MULTI, flags: BPF_F_SLEEPABLE }
                    ],
                }
            }
            Iter: TRACING {
                /// Runs for every object of a kind (task, map, socket, …) when its file is read.
                /// Safe: 0, the iteration goes on.
                iter {
                    since: (5, 8), context: IterContext, attach: Iter, safe: 0, supported: false,
                    sections: [
                        { "iter" Hook, attach_type: TRACE_ITER }
                        { "iter.s" Hook, attach_type: TRACE_ITER, flags: BPF_F_SLEEPABLE, since: (6, 1) }
                    ],
                }
            }
            StructOps: STRUCT_OPS {
                /// Implements one callback of a kernel structure, such as a TCP congestion control.
                /// Safe: 0; what it means is the structure's business.
                struct_ops {
                    since: (5, 6), context: StructOpsContext, attach: StructOps, safe: 0, supported: false,
                    sections: [
                        { "struct_ops" Hook, attach_type: STRUCT_OPS }
                        { "struct_ops.s" Hook, attach_type: STRUCT_OPS, flags: BPF_F_SLEEPABLE, since: (6, 0) }
                    ],
                }
            }
            Extension: EXT {
                /// Replaces a global function of a loaded BPF program.
                /// Safe: 0; what it means is the replaced function's business.
                extension {
                    since: (5, 6), context: ExtensionContext, attach: Extension, safe: 0, supported: false,
                    sections: [
                        { "freplace" Hook }
                    ],
                }
            }
            Lsm: LSM {
                /// Runs at a security hook of the kernel; 0 allows, a negative error number denies.
                /// Safe: -1 (`EPERM`), what the hook guards is denied.
                lsm {
                    since: (5, 7), context: LsmContext, attach: Tracing, safe: -1, supported: true,
                    sections: [
                        { "lsm" Hook, attach_type: LSM_MAC }
                        { "lsm.s" Hook, attach_type: LSM_MAC, flags: BPF_F_SLEEPABLE, since: (5, 10) }
                    ],
                }
            }
            LsmCgroup: LSM {
                /// Runs at a security hook for the processes of a cgroup; 1 allows.
                /// Safe: 0, what the hook guards is denied with `EPERM`.
                lsm_cgroup {
                    since: (6, 0), context: LsmContext, attach: Cgroup, safe: 0, supported: false,
                    sections: [
                        { "lsm_cgroup" Hook, attach_type: LSM_CGROUP }
                    ],
                }
            }
            SkLookup: SK_LOOKUP {
                /// Selects the socket for a packet or connection that no established socket claims.
                /// Safe: `SK_DROP`, the packet is dropped.
                sk_lookup {
                    since: (5, 9), context: SkLookupContext, attach: Netns, safe: 0, supported: false,
                    sections: [
                        { "sk_lookup" Label, attach_type: SK_LOOKUP }
                    ],
                }
            }
            Syscall: SYSCALL {
                /// Runs when user space calls it, and may make system calls of its own.
                /// Safe: -22 (`EINVAL`), which the caller sees.
                syscall {
                    since: (5, 14), context: SyscallContext, attach: Call, safe: -22, supported: false,
                    sections: [
                        { "syscall" Label, flags: BPF_F_SLEEPABLE }
                    ],
                }
            }
            Netfilter: NETFILTER {
                /// Runs on packets at a netfilter hook.
                /// Safe: `NF_DROP`, the packet is dropped.
                netfilter {
                    since: (6, 4), context: NetfilterContext, attach: Netfilter, safe: 0, supported: false,
                    sections: [
                        { "netfilter" Label, attach_type: NETFILTER }
                    ],
                }
            }
        }
    };
}
