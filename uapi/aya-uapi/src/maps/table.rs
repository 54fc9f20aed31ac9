//! The rows of the map table.

/// Calls a macro with all rows of [the map table](crate::maps).
///
/// ```
/// macro_rules! handles {
///     ($($(#[$doc:meta])* $handle:ident: $map_type:ident { $($row:tt)* })*) => {
///         const HANDLES: &[&str] = &[$(stringify!($handle)),*];
///     };
/// }
/// aya_uapi::for_each_map!(handles);
/// assert!(HANDLES.contains(&"LruHashMap"));
/// ```
#[macro_export]
macro_rules! for_each_map {
    ($callback:path) => {
        $callback! {
            /// Maps keys to values; pre-allocated unless created with `BPF_F_NO_PREALLOC`.
            HashMap: HASH {
                name: "hash", since: (3, 19),
                key: Any, value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE, TAKE, BATCH], supported: true,
            }
            /// Maps indices below `max_entries` to values, which start as zeros and always exist.
            /// `mmap` needs `BPF_F_MMAPABLE` (5.5).
            Array: ARRAY {
                name: "array", since: (3, 19),
                key: Exactly(4), value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [ARRAY, BATCH, MMAP], supported: true,
            }
            /// Programs that another one can jump to by index (tail calls).
            ProgramArray: PROG_ARRAY {
                name: "prog_array", since: (4, 2),
                key: Exactly(4), value: Exactly(4), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE], supported: true,
            }
            /// Perf events, mostly one per CPU, into whose buffers programs write records (since 4.4).
            PerfEventArray: PERF_EVENT_ARRAY {
                name: "perf_event_array", since: (4, 3),
                key: Exactly(4), value: Exactly(4), per_cpu: false,
                entries: CountOrCpus, inner: false, flags: [],
                ops: [UPDATE, DELETE, NEXT_KEY], supported: true,
            }
            /// A hash map with a value for each CPU.
            PerCpuHashMap: PERCPU_HASH {
                name: "percpu_hash", since: (4, 6),
                key: Any, value: Any, per_cpu: true,
                entries: Count, inner: false, flags: [],
                ops: [TABLE, TAKE, BATCH], supported: true,
            }
            /// An array with a value for each CPU; a value fits in the kernel's unit of per-CPU
            /// allocation.
            PerCpuArray: PERCPU_ARRAY {
                name: "percpu_array", since: (4, 6),
                key: Exactly(4), value: Range(1, 32768), per_cpu: true,
                entries: Count, inner: false, flags: [],
                ops: [ARRAY, BATCH], supported: true,
            }
            /// Call chains by the id that `bpf_get_stackid` returned: 8 bytes per frame, 32 with
            /// `BPF_F_STACK_BUILD_ID` (4.17).
            StackTraceMap: STACK_TRACE {
                name: "stack_trace", since: (4, 6),
                key: Exactly(4), value: MultipleOf(8), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [LOOKUP, DELETE, NEXT_KEY], supported: true,
            }
            /// Cgroups that a program can test membership of.
            CgroupArray: CGROUP_ARRAY {
                name: "cgroup_array", since: (4, 8),
                key: Exactly(4), value: Exactly(4), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [UPDATE, DELETE, NEXT_KEY], supported: true,
            }
            /// A hash map that drops the least recently used element when full.
            LruHashMap: LRU_HASH {
                name: "lru_hash", since: (4, 10),
                key: Any, value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE, TAKE, BATCH], supported: true,
            }
            /// A hash map with a value for each CPU that drops the least recently used element when
            /// full.
            PerCpuLruHashMap: LRU_PERCPU_HASH {
                name: "lru_percpu_hash", since: (4, 10),
                key: Any, value: Any, per_cpu: true,
                entries: Count, inner: false, flags: [],
                ops: [TABLE, TAKE, BATCH], supported: true,
            }
            /// Finds the longest prefix; a key is the prefix length in bits (`u32`) and up to 256 bytes
            /// in network order.
            LpmTrie: LPM_TRIE {
                name: "lpm_trie", since: (4, 11),
                key: Range(5, 260), value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [BPF_F_NO_PREALLOC],
                ops: [TABLE, BATCH], supported: true,
            }
            /// An array whose elements are maps; user space writes file descriptors and reads ids.
            ArrayOfMaps: ARRAY_OF_MAPS {
                name: "array_of_maps", since: (4, 12),
                key: Exactly(4), value: Exactly(4), per_cpu: false,
                entries: Count, inner: true, flags: [],
                ops: [TABLE, BATCH], supported: true,
            }
            /// A hash map whose values are maps; user space writes file descriptors and reads ids.
            HashOfMaps: HASH_OF_MAPS {
                name: "hash_of_maps", since: (4, 12),
                key: Any, value: Exactly(4), per_cpu: false,
                entries: Count, inner: true, flags: [],
                ops: [TABLE, BATCH], supported: true,
            }
            /// Network interfaces by slot, to redirect packets to; 8-byte values name a program to run
            /// there too (5.8).
            DevMap: DEVMAP {
                name: "devmap", since: (4, 14),
                key: Exactly(4), value: OneOf(&[4, 8]), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE], supported: true,
            }
            /// Sockets by slot; programs attached to the map see their data. Lookup gives the socket's
            /// cookie and needs 8-byte values (5.7).
            SockMap: SOCKMAP {
                name: "sockmap", since: (4, 14),
                key: Exactly(4), value: OneOf(&[4, 8]), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE, BATCH], supported: true,
            }
            /// Queue lengths by CPU, to redirect packets to; 8-byte values name a program to run there
            /// too (5.9).
            CpuMap: CPUMAP {
                name: "cpumap", since: (4, 15),
                key: Exactly(4), value: OneOf(&[4, 8]), per_cpu: false,
                entries: CountOrCpus, inner: false, flags: [],
                ops: [TABLE], supported: true,
            }
            /// AF_XDP sockets by slot, to redirect packets to.
            XskMap: XSKMAP {
                name: "xskmap", since: (4, 18),
                key: Exactly(4), value: Exactly(4), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [UPDATE, DELETE, NEXT_KEY], supported: true,
            }
            /// Sockets by key; as the socket map otherwise.
            SockHash: SOCKHASH {
                name: "sockhash", since: (4, 18),
                key: Any, value: OneOf(&[4, 8]), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE, BATCH], supported: true,
            }
            /// A value per cgroup and attach type, tied to the attached program; the key is `struct
            /// bpf_cgroup_storage_key` or a cgroup id (5.9).
            CgroupStorage: CGROUP_STORAGE {
                name: "cgroup_storage", since: (4, 19),
                key: OneOf(&[8, 16]), value: Any, per_cpu: false,
                entries: Zero, inner: false, flags: [],
                ops: [LOOKUP, UPDATE, NEXT_KEY], supported: true,
            }
            /// Sockets that share a port, by slot, to select from.
            ReusePortSockArray: REUSEPORT_SOCKARRAY {
                name: "reuseport_sockarray", since: (4, 19),
                key: Exactly(4), value: OneOf(&[4, 8]), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE], supported: true,
            }
            /// As the cgroup storage, with a value for each CPU.
            PerCpuCgroupStorage: PERCPU_CGROUP_STORAGE {
                name: "percpu_cgroup_storage", since: (4, 20),
                key: OneOf(&[8, 16]), value: Any, per_cpu: true,
                entries: Zero, inner: false, flags: [],
                ops: [LOOKUP, UPDATE, NEXT_KEY], supported: true,
            }
            /// First in, first out.
            Queue: QUEUE {
                name: "queue", since: (4, 20),
                key: Zero, value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [LOOKUP, UPDATE, TAKE], supported: true,
            }
            /// Last in, first out.
            Stack: STACK {
                name: "stack", since: (4, 20),
                key: Zero, value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [LOOKUP, UPDATE, TAKE], supported: true,
            }
            /// A value per socket; user space names it by file descriptor. Needs BTF.
            SkStorage: SK_STORAGE {
                name: "sk_storage", since: (5, 2),
                key: Exactly(4), value: Any, per_cpu: false,
                entries: Zero, inner: false, flags: [BPF_F_NO_PREALLOC],
                ops: [LOOKUP, UPDATE, DELETE], supported: true,
            }
            /// Network interfaces by key, to redirect packets to; 8-byte values name a program to run
            /// there too (5.8).
            DevMapHash: DEVMAP_HASH {
                name: "devmap_hash", since: (5, 4),
                key: Exactly(4), value: OneOf(&[4, 8]), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [TABLE], supported: true,
            }
            /// An instance of a kernel structure of callbacks; writing it registers it. Needs BTF.
            StructOps: STRUCT_OPS {
                name: "struct_ops", since: (5, 6),
                key: Exactly(4), value: Any, per_cpu: false,
                entries: One, inner: false, flags: [],
                ops: [LOOKUP, UPDATE, DELETE], supported: true,
            }
            /// Records in the order programs wrote them, shared by all CPUs, read through memory.
            RingBuf: RINGBUF {
                name: "ringbuf", since: (5, 8),
                key: Zero, value: Zero, per_cpu: false,
                entries: RingBytes, inner: false, flags: [],
                ops: [MMAP], supported: true,
            }
            /// A value per inode; user space names it by file descriptor. Needs BTF.
            InodeStorage: INODE_STORAGE {
                name: "inode_storage", since: (5, 10),
                key: Exactly(4), value: Any, per_cpu: false,
                entries: Zero, inner: false, flags: [BPF_F_NO_PREALLOC],
                ops: [LOOKUP, UPDATE, DELETE], supported: true,
            }
            /// A value per task; user space names it by pidfd. Needs BTF.
            TaskStorage: TASK_STORAGE {
                name: "task_storage", since: (5, 11),
                key: Exactly(4), value: Any, per_cpu: false,
                entries: Zero, inner: false, flags: [BPF_F_NO_PREALLOC],
                ops: [LOOKUP, UPDATE, DELETE], supported: true,
            }
            /// Tells whether a value was probably added or certainly not; `map_extra` is the number of
            /// hash functions, 1 to 15.
            BloomFilter: BLOOM_FILTER {
                name: "bloom_filter", since: (5, 16),
                key: Zero, value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [LOOKUP, UPDATE], supported: true,
            }
            /// Records that user space writes through memory and programs read.
            UserRingBuf: USER_RINGBUF {
                name: "user_ringbuf", since: (6, 1),
                key: Zero, value: Zero, per_cpu: false,
                entries: RingBytes, inner: false, flags: [],
                ops: [MMAP], supported: true,
            }
            /// A value per cgroup; user space names it by file descriptor. Needs BTF.
            CgrpStorage: CGRP_STORAGE {
                name: "cgrp_storage", since: (6, 2),
                key: Exactly(4), value: Any, per_cpu: false,
                entries: Zero, inner: false, flags: [BPF_F_NO_PREALLOC],
                ops: [LOOKUP, UPDATE, DELETE], supported: true,
            }
            /// Memory that programs and user space share sparsely, up to 4 GiB; `map_extra` is where
            /// user space will map it.
            Arena: ARENA {
                name: "arena", since: (6, 9),
                key: Zero, value: Zero, per_cpu: false,
                entries: Pages, inner: false, flags: [BPF_F_MMAPABLE],
                ops: [MMAP], supported: true,
            }
            /// Positions of instructions, followed through the verifier's rewrites: jump tables, and
            /// where to find code.
            InsnArray: INSN_ARRAY {
                name: "insn_array", since: (6, 19),
                key: Exactly(4), value: Exactly(16), per_cpu: false,
                entries: Count, inner: false, flags: [],
                ops: [ARRAY], supported: true,
            }
            /// A hash map that grows and shrinks with its elements; `map_extra` is a hint of their
            /// number.
            RHash: RHASH {
                name: "rhash", since: (7, 2),
                key: Any, value: Any, per_cpu: false,
                entries: Count, inner: false, flags: [BPF_F_NO_PREALLOC],
                ops: [TABLE, TAKE, BATCH], supported: true,
            }
        }
    };
}
