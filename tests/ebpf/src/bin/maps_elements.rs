//! Maps of elements, each with a program that does what it is asked for.
#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _, Global, GlobalMut,
    bindings::{BPF_F_MMAPABLE, BPF_F_USER_STACK},
    macros::{map, raw_tracepoint, xdp},
    maps::{
        Array, HashMap, LruHashMap, LruPerCpuHashMap, PerCpuArray, PerCpuHashMap, Queue, Stack,
        StackTrace,
    },
    programs::{RawTracePointContext, XdpContext},
};
use aya_tests_ebpf::{
    requests::{
        ADD, ENOENT, EXIST, GET, Key, NEW, NOEXIST, OLD, POP, SET, Value, add, number, run, value,
    },
    tables,
};

#[map]
static HASH: HashMap<Key, Value> = HashMap::with_max_entries(4, 0);
#[map]
static PER_CPU_HASH: PerCpuHashMap<Key, Value> = PerCpuHashMap::with_max_entries(4, 0);
#[map]
static LRU_HASH: LruHashMap<Key, Value> = LruHashMap::with_max_entries(64, 0);
#[map]
static LRU_PER_CPU_HASH: LruPerCpuHashMap<Key, Value> = LruPerCpuHashMap::with_max_entries(64, 0);

tables! {
    hash: HASH;
    per_cpu_hash: PER_CPU_HASH;
    lru_hash: LRU_HASH;
    lru_per_cpu_hash: LRU_PER_CPU_HASH;
}

macro_rules! arrays {
    ($($program:ident: $map:ident = $flags:expr, $ty:ident;)*) => {$(
        #[map]
        static $map: $ty<Value> = $ty::with_max_entries(4, $flags);

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

arrays! {
    array: ARRAY = 0, Array;
    shared_array: SHARED_ARRAY = BPF_F_MMAPABLE, Array;
    per_cpu_array: PER_CPU_ARRAY = 0, PerCpuArray;
}

#[inline(always)]
fn taken(value: Result<Option<Value>, i32>) -> Result<u64, i32> {
    value?.map(|value| value[0]).ok_or(-ENOENT)
}

macro_rules! queues {
    ($($program:ident: $map:ident = $ty:ident;)*) => {$(
        #[map]
        static $map: $ty<Value> = $ty::with_max_entries(3, 0);

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

queues! {
    queue: QUEUE = Queue;
    stack: STACK = Stack;
}

#[map]
static STACKS: StackTrace = StackTrace::with_max_entries(64, 0);
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
        let id = |flags| {
            // SAFETY: the context of this program.
            match unsafe { STACKS.get_stackid(&ctx, flags) } {
                Ok(id) | Err(id) => id,
            }
        };
        KERNEL_STACK.store(id(0));
        USER_STACK.store(id(BPF_F_USER_STACK.into()));
    }
    0
}

aya_ebpf::panic_handler!();
