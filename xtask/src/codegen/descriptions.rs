//! What structs and enumerations are for, in a line each; the headers' own text is not taken over.

/// Name without `struct` or `enum`, description.
const DESCRIPTIONS: &[(&str, &str)] = &[
    (
        "__sk_buff",
        "Context of programs that run on socket buffers: a packet and what the kernel knows of it. Addresses and ports of the remote side are in network byte order, the local port is not",
    ),
    (
        "xdp_md",
        "Context of an XDP program: a packet as the driver received it, from `data` to `data_end`",
    ),
    (
        "sk_msg_md",
        "Context of a program that runs when data is sent on a socket",
    ),
    (
        "sk_reuseport_md",
        "Context of a program that selects among sockets that share a port",
    ),
    (
        "bpf_sock",
        "A socket as programs see it; the remote address and port are in network byte order",
    ),
    ("bpf_tcp_sock", "State and counters of a TCP connection"),
    (
        "bpf_sock_tuple",
        "Addresses and ports to look a socket up by, in network byte order; IPv6",
    ),
    (
        "bpf_sock_addr",
        "Context of programs that see or rewrite a socket address; address and port are in network byte order",
    ),
    (
        "bpf_sock_ops",
        "Context of a program that runs at events of TCP connections",
    ),
    (
        "bpf_sk_lookup",
        "Context of a program that selects the socket of a packet; the remote side is in network byte order",
    ),
    (
        "bpf_sysctl",
        "Context of a program that runs on access to a file below `/proc/sys`",
    ),
    (
        "bpf_sockopt",
        "Context of a program that runs on `getsockopt` and `setsockopt`",
    ),
    (
        "bpf_cgroup_dev_ctx",
        "Context of a program that allows access to devices",
    ),
    (
        "bpf_raw_tracepoint_args",
        "Context of a raw tracepoint program: the arguments, 8 bytes each",
    ),
    (
        "bpf_flow_keys",
        "What a flow dissector finds out about a packet",
    ),
    (
        "bpf_fib_lookup",
        "Question and answer of a routing lookup; addresses and ports are in network byte order",
    ),
    ("bpf_redir_neigh", "The neighbour to redirect a packet to"),
    ("bpf_tunnel_key", "Addresses and parameters of a tunnel"),
    ("bpf_xfrm_state", "State of an IPsec transformation"),
    (
        "bpf_perf_event_value",
        "Value of a counter and how long it counted, in nanoseconds",
    ),
    (
        "bpf_pidns_info",
        "Process and thread group id in a namespace",
    ),
    (
        "bpf_devmap_val",
        "Value of a devmap: an interface, and a program to run there",
    ),
    (
        "bpf_cpumap_val",
        "Value of a cpumap: a queue's length, and a program to run there",
    ),
    (
        "bpf_prog_info",
        "What the kernel knows of a program. Times are in nanoseconds, addresses those of the caller's buffers",
    ),
    ("bpf_map_info", "What the kernel knows of a map"),
    ("bpf_btf_info", "What the kernel knows of loaded BTF"),
    (
        "bpf_link_info",
        "What the kernel knows of a link; `bpf_link_info_*` hold what its type adds",
    ),
    (
        "bpf_func_info",
        "Type of a function by its first instruction",
    ),
    (
        "bpf_line_info",
        "Source line of an instruction; `line_col` holds the line above 10 bits of column",
    ),
    (
        "bpf_core_relo",
        "A relocation of an access to a kernel type",
    ),
    ("bpf_spin_lock", "A lock inside of a map's value"),
    ("bpf_timer", "A timer inside of a map's value"),
    ("bpf_wq", "Deferred work inside of a map's value"),
    (
        "bpf_dynptr",
        "A pointer with a length that the verifier tracks",
    ),
    ("bpf_list_head", "A list inside of a map's value"),
    ("bpf_list_node", "An element's place in a list"),
    ("bpf_rb_root", "A tree inside of a map's value"),
    ("bpf_rb_node", "An element's place in a tree"),
    ("bpf_refcount", "A count of references to an object"),
    ("bpf_iter_num", "State of a loop over numbers"),
    (
        "bpf_lpm_trie_key",
        "Key of a longest prefix match: its length in bits, then the bytes",
    ),
    ("bpf_cgroup_storage_key", "Key of cgroup storage"),
    (
        "bpf_stack_build_id",
        "A stack frame as build id and offset in the file",
    ),
    ("btf_ptr", "A typed pointer to print"),
    ("btf_header", "Header of BTF"),
    (
        "btf_type",
        "A type of BTF; `info` packs kind, flag and number of members",
    ),
    ("perf_event_attr", "What a perf event counts or samples"),
    (
        "perf_event_mmap_page",
        "First page of a perf event's buffer; `data_head` is written by the kernel, `data_tail` by the reader",
    ),
    (
        "perf_event_header",
        "Begin of a record in a perf event's buffer",
    ),
    ("nlmsghdr", "Begin of a netlink message"),
    (
        "nlmsgerr",
        "A netlink answer: an error number, negative, and what it is about",
    ),
    ("nlattr", "Begin of a netlink attribute"),
    ("ifinfomsg", "Begin of a message about a network interface"),
    ("rtattr", "Begin of a routing attribute"),
    ("tcmsg", "Begin of a message about traffic control"),
    ("bpf_cmd", "Commands of bpf(2)"),
    ("bpf_map_type", "Types of maps"),
    ("bpf_prog_type", "Types of programs"),
    ("bpf_attach_type", "Hooks that programs attach to"),
    ("bpf_link_type", "Types of links"),
    ("bpf_func_id", "Numbers of the helper functions"),
    (
        "bpf_adj_room_mode",
        "Where `bpf_skb_adjust_room` makes room",
    ),
    (
        "bpf_hdr_start_off",
        "What an offset in a packet counts from",
    ),
    (
        "bpf_ret_code",
        "What programs of lightweight tunnels and the flow dissector return",
    ),
    ("tcx_action_base", "What programs of TCX return"),
    ("xdp_action", "What XDP programs return"),
    ("sk_action", "What programs on sockets return"),
    ("netkit_action", "What programs of netkit devices return"),
    ("nf_inet_hooks", "Netfilter's hooks"),
    ("perf_type_id", "Kinds of perf events"),
    ("perf_hw_id", "Hardware events"),
    ("perf_sw_ids", "Software events"),
    ("perf_event_sample_format", "What a sample holds"),
    (
        "perf_event_type",
        "Kinds of records in a perf event's buffer",
    ),
];

/// What `name` is for, and the header's name.
pub(super) fn describe(keyword: &str, name: &str) -> String {
    match DESCRIPTIONS
        .iter()
        .find(|(described, _)| *described == name)
    {
        Some((_, text)) => format!("{text} (`{keyword} {name}`)."),
        None => format!("`{keyword} {name}`"),
    }
}
