//! Maps of elements, each with a program that does what it is asked for.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, Global, GlobalMut,
    bindings::{BPF_F_MMAPABLE, BPF_F_REUSE_STACKID, BPF_F_USER_STACK},
    btf_maps,
    macros::{btf_map, map, raw_tracepoint, xdp},
    maps,
    programs::{RawTracePointContext, XdpContext},
};
use aya_tests_ebpf::{
    requests::{
        ADD, ENOENT, EXIST, GET, Key, NEW, NOEXIST, OLD, POP, SET, Value, add, number, run, value,
    },
    tables,
};

macro_rules! tables_in_both_forms {
    ($($program:ident: $map:ident, $btf_program:ident: $btf_map:ident = $entries:literal of $ty:ident;)*) => {$(
        #[map]
        static $map: maps::$ty<Key, Value> = maps::$ty::with_max_entries($entries, 0);
        #[btf_map]
        static $btf_map: btf_maps::$ty<Key, Value, $entries> = btf_maps::$ty::new();

        tables! {
            $program: $map;
            $btf_program: $btf_map;
        }
    )*};
}

tables_in_both_forms! {
    hash: HASH, btf_hash: BTF_HASH = 4 of HashMap;
    per_cpu_hash: PER_CPU_HASH, btf_per_cpu_hash: BTF_PER_CPU_HASH = 4 of PerCpuHashMap;
    lru_hash: LRU_HASH, btf_lru_hash: BTF_LRU_HASH = 64 of LruHashMap;
    lru_per_cpu_hash: LRU_PER_CPU_HASH, btf_lru_per_cpu_hash: BTF_LRU_PER_CPU_HASH = 64 of LruPerCpuHashMap;
}

macro_rules! arrays {
    ($($program:ident: $map:ident;)*) => {$(
        #[xdp]
        fn $program(ctx: XdpContext) -> u32 {
            run(&ctx, |request| {
                let index = request.number;
                let set = |flags| $map.set(index, value(request.value), flags).map(|()| 0);
                Some(match request.operation {
                    GET => number($map.get_ptr_mut(index)),
                    ADD => add($map.get_ptr_mut(index), request.value),
                    SET => set(0),
                    NEW => set(NOEXIST),
                    OLD => set(EXIST),
                    _ => return None,
                })
            })
        }
    )*};
}

#[map]
static ARRAY: maps::Array<Value> = maps::Array::with_max_entries(4, 0);
#[btf_map]
static BTF_ARRAY: btf_maps::Array<Value, 4, { BPF_F_MMAPABLE as usize }> = btf_maps::Array::new();
#[map]
static PER_CPU_ARRAY: maps::PerCpuArray<Value> = maps::PerCpuArray::with_max_entries(4, 0);
#[btf_map]
static BTF_PER_CPU_ARRAY: btf_maps::PerCpuArray<Value, 4> = btf_maps::PerCpuArray::new();

arrays! {
    array: ARRAY;
    btf_array: BTF_ARRAY;
    per_cpu_array: PER_CPU_ARRAY;
    btf_per_cpu_array: BTF_PER_CPU_ARRAY;
}

#[inline(always)]
fn taken(value: Result<Option<Value>, i32>) -> Result<u64, i32> {
    value?.map(|value| value[0]).ok_or(-ENOENT)
}

macro_rules! queues {
    ($($program:ident: $map:ident;)*) => {$(
        #[xdp]
        fn $program(ctx: XdpContext) -> u32 {
            run(&ctx, |request| {
                let push = |flags| $map.push(&value(request.value), flags).map(|()| 0);
                Some(match request.operation {
                    GET => taken($map.peek()),
                    POP => taken($map.pop()),
                    SET => push(0),
                    OLD => push(EXIST),
                    _ => return None,
                })
            })
        }
    )*};
}

#[map]
static QUEUE: maps::Queue<Value> = maps::Queue::with_max_entries(3, 0);
#[btf_map]
static BTF_QUEUE: btf_maps::Queue<Value, 3> = btf_maps::Queue::new();
#[map]
static STACK: maps::Stack<Value> = maps::Stack::with_max_entries(3, 0);
#[btf_map]
static BTF_STACK: btf_maps::Stack<Value, 3> = btf_maps::Stack::new();

queues! {
    queue: QUEUE;
    btf_queue: BTF_QUEUE;
    stack: STACK;
    btf_stack: BTF_STACK;
}

/// Stacks in the kernel, and in user space. Apart, as one may not take the place of the other.
#[btf_map]
static KERNEL_STACKS: btf_maps::StackTrace<64, 0, 32> = btf_maps::StackTrace::new();
#[map]
static USER_STACKS: maps::StackTrace = maps::StackTrace::with_max_entries(64, 0).depth(32);
/// The thread whose stacks are stored.
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);
/// The numbers of its stacks, in the kernel and in user space, or why there are none.
#[unsafe(no_mangle)]
static KERNEL_STACK: GlobalMut<i64> = GlobalMut::new(i64::MIN);
#[unsafe(no_mangle)]
static USER_STACK: GlobalMut<i64> = GlobalMut::new(i64::MIN);

#[raw_tracepoint(tracepoint = "sys_enter")]
fn stacks(ctx: RawTracePointContext) -> i32 {
    if ctx.pid() == THREAD.load() {
        // The latest takes the place of another one.
        let reuse = u64::from(BPF_F_REUSE_STACKID);
        let id = |stack: Result<i64, i64>| match stack {
            Ok(id) | Err(id) => id,
        };
        // SAFETY: the context of this program.
        KERNEL_STACK.store(id(unsafe { KERNEL_STACKS.get_stackid(&ctx, reuse) }));
        let flags = u64::from(BPF_F_USER_STACK) | reuse;
        // SAFETY: as above.
        USER_STACK.store(id(unsafe { USER_STACKS.get_stackid(&ctx, flags) }));
    }
    0
}

aya_ebpf::panic_handler!();
