//! What is generated: the headers, the newtypes, the structs, and what a header does not say.

/// Headers, and the prefixes of the constants taken from each. All structs of the first are taken.
pub(super) const HEADERS: &[(&str, &[&str])] = &[
    (
        "linux/bpf.h",
        &["BPF_", "XDP_", "SK_", "TCX_", "TCP_BPF_", "BTF_F_"],
    ),
    ("linux/bpf_common.h", &["BPF_"]),
    ("linux/btf.h", &["BTF_"]),
    ("linux/perf_event.h", &["PERF_"]),
    (
        "linux/netlink.h",
        &[
            "NLM_F_",
            "NLMSG_",
            "NETLINK_ROUTE",
            "NETLINK_EXT_ACK",
            "NLMSGERR_",
            "NLA_",
        ],
    ),
    ("linux/rtnetlink.h", &["RTM_", "TCA_", "RTA_"]),
    (
        "linux/if_link.h",
        &["XDP_", "IFLA_XDP", "IFLA_IFNAME", "NETKIT_"],
    ),
    ("linux/pkt_cls.h", &["TC_ACT_", "TCA_BPF_", "TCA_ACT_"]),
    ("linux/pkt_sched.h", &["TC_H_"]),
    ("linux/netfilter.h", &["NF_"]),
];

/// Enumerations that become newtypes: name, enumeration, prefix that the names lose, description.
pub(super) const KINDS: &[(&str, &str, &str, &str)] = &[
    (
        "Cmd",
        "bpf_cmd",
        "BPF_",
        "Command of the bpf(2) system call",
    ),
    ("MapType", "bpf_map_type", "BPF_MAP_TYPE_", "Type of a map"),
    (
        "ProgType",
        "bpf_prog_type",
        "BPF_PROG_TYPE_",
        "Type of a program",
    ),
    (
        "AttachType",
        "bpf_attach_type",
        "BPF_",
        "Hook that a program attaches to",
    ),
    (
        "LinkType",
        "bpf_link_type",
        "BPF_LINK_TYPE_",
        "Type of a link",
    ),
];

/// Structs of `linux/bpf.h` that are left out: `Insn` is written by hand, the
/// attributes of all commands are in `attr`.
pub(super) const SKIPPED: &[&str] = &["bpf_insn", "bpf_common_attr"];

/// Structs of the other headers.
pub(super) const MORE_STRUCTS: &[&str] = &[
    "btf_header",
    "btf_type",
    "btf_enum",
    "btf_array",
    "btf_member",
    "btf_param",
    "btf_var",
    "btf_var_secinfo",
    "btf_decl_tag",
    "btf_enum64",
    "perf_event_attr",
    "perf_event_mmap_page",
    "perf_event_header",
    "nlmsghdr",
    "nlmsgerr",
    "nlattr",
    "ifinfomsg",
    "rtattr",
    "tcmsg",
];

/// A struct made from one alternative of each union on the way: Rust name, C type, keys of the
/// alternatives (a member's name, or the first field of an unnamed one), description.
pub(super) type Variant = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

/// One struct per command of bpf(2), and per kind of link for `BPF_LINK_CREATE`.
pub(super) const ATTRS: &[Variant] = &[
    (
        "MapCreate",
        "union bpf_attr",
        &["map_type"],
        "`BPF_MAP_CREATE`",
    ),
    (
        "MapElem",
        "union bpf_attr",
        &["map_fd"],
        "`BPF_MAP_*_ELEM`, `BPF_MAP_GET_NEXT_KEY`, `BPF_MAP_FREEZE`",
    ),
    (
        "MapBatch",
        "union bpf_attr",
        &["batch"],
        "`BPF_MAP_*_BATCH`",
    ),
    (
        "ProgLoad",
        "union bpf_attr",
        &["prog_type"],
        "`BPF_PROG_LOAD`",
    ),
    (
        "Obj",
        "union bpf_attr",
        &["pathname"],
        "`BPF_OBJ_PIN`, `BPF_OBJ_GET`",
    ),
    (
        "ProgAttach",
        "union bpf_attr",
        &["target_fd"],
        "`BPF_PROG_ATTACH`, `BPF_PROG_DETACH`",
    ),
    (
        "TestRun",
        "union bpf_attr",
        &["test"],
        "`BPF_PROG_TEST_RUN`",
    ),
    (
        "GetId",
        "union bpf_attr",
        &["start_id"],
        "`BPF_*_GET_NEXT_ID`, `BPF_*_GET_FD_BY_ID`",
    ),
    (
        "GetInfo",
        "union bpf_attr",
        &["info"],
        "`BPF_OBJ_GET_INFO_BY_FD`",
    ),
    (
        "ProgQuery",
        "union bpf_attr",
        &["query"],
        "`BPF_PROG_QUERY`",
    ),
    (
        "RawTracepointOpen",
        "union bpf_attr",
        &["raw_tracepoint"],
        "`BPF_RAW_TRACEPOINT_OPEN`",
    ),
    ("BtfLoad", "union bpf_attr", &["btf"], "`BPF_BTF_LOAD`"),
    (
        "TaskFdQuery",
        "union bpf_attr",
        &["task_fd_query"],
        "`BPF_TASK_FD_QUERY`",
    ),
    (
        "LinkCreate",
        "union bpf_attr",
        &["link_create", "target_btf_id"],
        "`BPF_LINK_CREATE` without more than a BTF id",
    ),
    (
        "LinkCreateIter",
        "union bpf_attr",
        &["link_create", "iter_info"],
        "`BPF_LINK_CREATE` of an iterator",
    ),
    (
        "LinkCreatePerfEvent",
        "union bpf_attr",
        &["link_create", "perf_event"],
        "`BPF_LINK_CREATE` on a perf event",
    ),
    (
        "LinkCreateKprobeMulti",
        "union bpf_attr",
        &["link_create", "kprobe_multi"],
        "`BPF_LINK_CREATE` on many kernel functions",
    ),
    (
        "LinkCreateTracing",
        "union bpf_attr",
        &["link_create", "tracing"],
        "`BPF_LINK_CREATE` of a tracing program",
    ),
    (
        "LinkCreateNetfilter",
        "union bpf_attr",
        &["link_create", "netfilter"],
        "`BPF_LINK_CREATE` on a netfilter hook",
    ),
    (
        "LinkCreateRelative",
        "union bpf_attr",
        &["link_create", "tcx"],
        "`BPF_LINK_CREATE` beside another program: TCX, netkit, cgroup",
    ),
    (
        "LinkCreateUprobeMulti",
        "union bpf_attr",
        &["link_create", "uprobe_multi"],
        "`BPF_LINK_CREATE` on many places of a file",
    ),
    (
        "LinkCreateTracingMulti",
        "union bpf_attr",
        &["link_create", "tracing_multi"],
        "`BPF_LINK_CREATE` of a tracing program on many functions",
    ),
    (
        "LinkUpdate",
        "union bpf_attr",
        &["link_update"],
        "`BPF_LINK_UPDATE`",
    ),
    (
        "LinkDetach",
        "union bpf_attr",
        &["link_detach"],
        "`BPF_LINK_DETACH`",
    ),
    (
        "EnableStats",
        "union bpf_attr",
        &["enable_stats"],
        "`BPF_ENABLE_STATS`",
    ),
    (
        "IterCreate",
        "union bpf_attr",
        &["iter_create"],
        "`BPF_ITER_CREATE`",
    ),
    (
        "ProgBindMap",
        "union bpf_attr",
        &["prog_bind_map"],
        "`BPF_PROG_BIND_MAP`",
    ),
    (
        "TokenCreate",
        "union bpf_attr",
        &["token_create"],
        "`BPF_TOKEN_CREATE`",
    ),
    (
        "ProgStreamRead",
        "union bpf_attr",
        &["prog_stream_read"],
        "`BPF_PROG_STREAM_READ_BY_FD`",
    ),
    (
        "ProgAssocStructOps",
        "union bpf_attr",
        &["prog_assoc_struct_ops"],
        "`BPF_PROG_ASSOC_STRUCT_OPS`",
    ),
];

/// Alternatives of unions that are of use on their own, beside the struct with the largest one.
pub(super) const VARIANTS: &[Variant] = &[
    (
        "bpf_sock_tuple_ipv4",
        "struct bpf_sock_tuple",
        &["ipv4"],
        "IPv4 address and port pairs",
    ),
    (
        "bpf_iter_link_info_map",
        "union bpf_iter_link_info",
        &["map"],
        "Map that an iterator goes through",
    ),
    (
        "bpf_iter_link_info_cgroup",
        "union bpf_iter_link_info",
        &["cgroup"],
        "Cgroups that an iterator goes through",
    ),
    (
        "bpf_iter_link_info_task",
        "union bpf_iter_link_info",
        &["task"],
        "Tasks that an iterator goes through",
    ),
    (
        "bpf_link_info_raw_tracepoint",
        "struct bpf_link_info",
        &["raw_tracepoint"],
        "A link to a raw tracepoint",
    ),
    (
        "bpf_link_info_tracing",
        "struct bpf_link_info",
        &["tracing"],
        "A link of a tracing or extension program",
    ),
    (
        "bpf_link_info_cgroup",
        "struct bpf_link_info",
        &["cgroup"],
        "A link to a cgroup",
    ),
    (
        "bpf_link_info_iter",
        "struct bpf_link_info",
        &["iter", "task"],
        "A link of an iterator",
    ),
    (
        "bpf_link_info_netns",
        "struct bpf_link_info",
        &["netns"],
        "A link to a network namespace",
    ),
    (
        "bpf_link_info_xdp",
        "struct bpf_link_info",
        &["xdp"],
        "A link to a network interface",
    ),
    (
        "bpf_link_info_struct_ops",
        "struct bpf_link_info",
        &["struct_ops"],
        "A link of a structure of callbacks",
    ),
    (
        "bpf_link_info_netfilter",
        "struct bpf_link_info",
        &["netfilter"],
        "A link to a netfilter hook",
    ),
    (
        "bpf_link_info_kprobe_multi",
        "struct bpf_link_info",
        &["kprobe_multi"],
        "A link to many kernel functions",
    ),
    (
        "bpf_link_info_uprobe_multi",
        "struct bpf_link_info",
        &["uprobe_multi"],
        "A link to many places of a file",
    ),
    (
        "bpf_link_info_uprobe",
        "struct bpf_link_info",
        &["perf_event", "uprobe"],
        "A link to a user probe",
    ),
    (
        "bpf_link_info_kprobe",
        "struct bpf_link_info",
        &["perf_event", "kprobe"],
        "A link to a kernel probe",
    ),
    (
        "bpf_link_info_tracepoint",
        "struct bpf_link_info",
        &["perf_event", "tracepoint"],
        "A link to a tracepoint",
    ),
    (
        "bpf_link_info_event",
        "struct bpf_link_info",
        &["perf_event", "event"],
        "A link to a perf event",
    ),
    (
        "bpf_link_info_tcx",
        "struct bpf_link_info",
        &["tcx"],
        "A link to traffic control",
    ),
    (
        "bpf_link_info_netkit",
        "struct bpf_link_info",
        &["netkit"],
        "A link to a netkit device",
    ),
    (
        "bpf_link_info_sockmap",
        "struct bpf_link_info",
        &["sockmap"],
        "A link to a socket map",
    ),
];

/// Architectures with registers to read: Rust's name, the kernel's, the macro its headers test.
pub(super) const ARCHES: &[(&str, &str, &str)] = &[
    ("x86_64", "x86", "-D__x86_64__"),
    ("aarch64", "arm64", "-D__aarch64__"),
    ("riscv64", "riscv", "-D__riscv"),
    ("s390x", "s390", "-D__s390x__"),
    ("powerpc64", "powerpc", "-D__powerpc64__"),
    ("loongarch64", "loongarch", "-D__loongarch64"),
];

/// The kernel's type of a helper's argument, and the type a program has in its place.
pub(super) const HELPER_TYPES: &[(&str, &str)] = &[
    ("struct bpf_map", "void"),
    ("struct sk_buff", "struct __sk_buff"),
    ("struct xdp_buff", "struct xdp_md"),
    ("struct sk_msg_buff", "struct sk_msg_md"),
];

/// The last helper that each kernel brought.
pub(super) const HELPERS_SINCE: &[(u32, (u8, u8))] = &[
    (3, (3, 19)),
    (11, (4, 1)),
    (16, (4, 2)),
    (22, (4, 3)),
    (25, (4, 4)),
    (26, (4, 5)),
    (30, (4, 6)),
    (36, (4, 8)),
    (41, (4, 9)),
    (44, (4, 10)),
    (45, (4, 11)),
    (47, (4, 12)),
    (50, (4, 13)),
    (53, (4, 14)),
    (57, (4, 15)),
    (59, (4, 16)),
    (64, (4, 17)),
    (80, (4, 18)),
    (83, (4, 19)),
    (90, (4, 20)),
    (92, (5, 0)),
    (98, (5, 1)),
    (108, (5, 2)),
    (109, (5, 3)),
    (110, (5, 4)),
    (115, (5, 5)),
    (119, (5, 6)),
    (124, (5, 7)),
    (135, (5, 8)),
    (141, (5, 9)),
    (155, (5, 10)),
    (162, (5, 11)),
    (163, (5, 12)),
    (165, (5, 13)),
    (168, (5, 14)),
    (175, (5, 15)),
    (179, (5, 16)),
    (185, (5, 17)),
    (193, (5, 18)),
    (203, (5, 19)),
    (207, (6, 0)),
    (209, (6, 1)),
    (211, (6, 2)),
];
