//! The interface as existing programs use it: all that matters here is that it compiles.
//!
//! Nothing is called: helpers and maps work in the kernel alone. `right/` holds whole programs.
#![allow(
    dead_code,
    unused_qualifications,
    clippy::needless_borrows_for_generic_args,
    clippy::missing_safety_doc,
    clippy::undocumented_unsafe_blocks,
    clippy::type_complexity,
    reason = "signatures are the point"
)]

/// What maps of either form can do, by their types.
macro_rules! hash_maps {
    ($($function:ident: $map:ty,)*) => { $(
        fn $function(map: &$map) -> Result<(), i32> {
            let _: Option<&u64> = unsafe { map.get(&1) };
            let _: Option<*const u64> = map.get_ptr(&1);
            let _: Option<*mut u64> = map.get_ptr_mut(&1);
            map.insert(&1, &2, 0)?;
            map.insert(1, 2, 0)?;
            map.remove(&1)?;
            map.remove(1)
        }
    )* };
}

macro_rules! arrays {
    ($array:ty, $per_cpu:ty) => {
        fn arrays(array: &$array, per_cpu: &$per_cpu) -> Result<(), i32> {
            let _: (Option<&u64>, Option<&u64>) = (array.get(0), per_cpu.get(0));
            let _: (Option<*const u64>, Option<*mut u64>) =
                (array.get_ptr(0), array.get_ptr_mut(0));
            let _: Option<*mut u64> = per_cpu.get_ptr_mut(0);
            let _: Option<*const u64> = per_cpu.get_ptr(0);
            per_cpu.set(0, &1, 0)?;
            array.set(0, &1, 0)?;
            array.set(0, 1, 0)
        }
    };
}

macro_rules! sets {
    ($trie:ty, $queue:ty, $stack:ty, $filter:ty) => {
        fn sets(trie: &$trie, queue: &$queue, stack: &$stack, filter: &$filter) -> Result<(), i32> {
            let key: Key<u32> = Key::new(8, 10);
            let _ = (key.prefix_len, key.data);
            let _: Option<&u64> = trie.get(&key);
            trie.insert(&key, &1, 0)?;
            trie.remove(&key)?;
            queue.push(&1, 0)?;
            stack.push(&1, 0)?;
            let _: [Option<u32>; 4] = [queue.pop()?, queue.peek()?, stack.pop()?, stack.peek()?];
            filter.insert(&1, 0)?;
            filter.contains(&1)
        }
    };
}

mod btf_maps;
mod cgroup;
mod probes;
mod tracing;
mod traffic;

use core::{cmp::Ordering, ffi::CStr, mem::MaybeUninit, num::NonZeroU32};

use aya_ebpf::{
    EbpfContext, Global, GlobalMut, bindings, bpf_printk, check_bounds_signed,
    cty::{c_int, c_long, c_void},
    helpers,
    macros::{map, xdp},
    maps::{
        Array, BloomFilter, CpuMap, DevMap, DevMapHash, HashMap, LpmTrie, LruHashMap,
        LruPerCpuHashMap, PerCpuArray, PerCpuHashMap, PerfEventArray, PerfEventByteArray,
        ProgramArray, Queue, RingBuf, Stack, StackTrace, XskMap,
        lpm_trie::Key,
        ring_buf::{RingBufBytes, RingBufEntry},
        xdp::DevMapValue,
    },
    programs::XdpContext,
};

#[map]
static COUNTERS: HashMap<u32, u64> = HashMap::with_max_entries(16, 0);
#[map(name = "FLOWS")]
static mut OLD: LruHashMap<u32, u64> = LruHashMap::with_max_entries(16, 0);
#[unsafe(no_mangle)]
static PORT: Global<u16> = Global::new(80);
static SEEN: GlobalMut<u64> = GlobalMut::new(0);

#[xdp]
fn program(ctx: XdpContext) -> u32 {
    match count(&ctx) {
        Ok(action) => action,
        Err(_) => bindings::xdp_action::XDP_ABORTED,
    }
}

fn count(ctx: &XdpContext) -> Result<u32, c_long> {
    let addresses: [usize; 4] = [
        ctx.data(),
        ctx.data_end(),
        ctx.metadata(),
        ctx.metadata_end(),
    ];
    let _: (usize, u32) = (ctx.ingress_ifindex(), ctx.rx_queue_index());
    let value: Option<&u64> = unsafe { COUNTERS.get(&1) };
    let value = value.copied().unwrap_or(0);
    COUNTERS.insert(&1, &(value + 1), 0).map_err(c_long::from)?;
    bpf_printk!(b"%lld", addresses[1] as u64);
    helpers::bpf_printk!(b"%d %d", 1u32, 2u16);
    let _: u16 = PORT.load();
    let _: bool = check_bounds_signed(1i64, 0, 2) && check_bounds_signed(1i32, 0, 2);
    Ok(bindings::xdp_action::XDP_PASS)
}

fn context<C: EbpfContext>(ctx: &C) -> Result<(), i32> {
    let _: *mut c_void = ctx.as_ptr();
    let _: [u8; 16] = ctx.command()?;
    let _: [u32; 4] = [ctx.pid(), ctx.tgid(), ctx.uid(), ctx.gid()];
    Ok(())
}

fn old_name<C: aya_ebpf::BpfContext>(ctx: &C) -> Result<(), i32> {
    context(ctx)
}

mod maps {
    use super::*;

    macro_rules! constructors {
        ($($map:ty),* $(,)?) => { $({
            const _: fn(u32, u32) -> $map = <$map>::with_max_entries;
            const _: fn(u32, u32) -> $map = <$map>::pinned;
            const _: $map = <$map>::with_max_entries(1, 0);
        })* };
    }

    fn constructed() {
        constructors!(
            Array<u32>,
            BloomFilter<u32>,
            CpuMap,
            DevMap,
            DevMapHash,
            HashMap<u32, u32>,
            LpmTrie<u32, u32>,
            LruHashMap<u32, u32>,
            LruPerCpuHashMap<u32, u32>,
            PerCpuArray<u32>,
            PerCpuHashMap<u32, u32>,
            ProgramArray,
            Queue<u32>,
            Stack<u32>,
            StackTrace,
            XskMap,
        );
        const _: fn(u32) -> PerfEventArray<u32> = PerfEventArray::new;
        const _: fn(u32) -> PerfEventArray<u32> = PerfEventArray::pinned;
        const _: fn(u32) -> PerfEventByteArray = PerfEventByteArray::new;
        const _: fn(u32) -> PerfEventByteArray = PerfEventByteArray::pinned;
        const _: fn(u32, u32) -> RingBuf = RingBuf::with_byte_size;
        const _: fn(u32, u32) -> RingBuf = RingBuf::pinned;
    }

    hash_maps! {
        hash: HashMap<u32, u64>,
        lru: LruHashMap<u32, u64>,
        per_cpu: PerCpuHashMap<u32, u64>,
        lru_per_cpu: LruPerCpuHashMap<u32, u64>,
    }
    arrays!(Array<u64>, PerCpuArray<u64>);
    sets!(LpmTrie<u32, u64>, Queue<u32>, Stack<u32>, BloomFilter<u32>);

    fn events(
        ctx: &XdpContext,
        perf: &PerfEventArray<u32>,
        bytes: &PerfEventByteArray,
        ring: &RingBuf,
    ) -> Result<(), i32> {
        perf.output(ctx, &1, 0);
        perf.output_at_index(ctx, 1, &1, 0);
        bytes.output(ctx, &[1, 2], 0);
        bytes.output_at_index(ctx, 1, &[1, 2], 0);
        let _: [Result<(), i32>; 2] = [perf.try_output(ctx, 1, 0), bytes.try_output(ctx, &[1], 0)];
        ring.output(&1u32, 0)?;
        ring.output::<[u8]>(&[1u8, 2][..], 0)?;
        let _: u64 = ring.query(0);
        if let Some(mut entry) = ring.reserve::<u64>(0) {
            let value: &mut MaybeUninit<u64> = &mut entry;
            value.write(1);
            let entry: RingBufEntry<u64> = entry;
            entry.submit(0);
        }
        if let Some(entry) = ring.reserve::<u64>(0) {
            entry.discard(0);
        }
        if let Some(mut entry) = ring.reserve_bytes(8, 0) {
            entry[0] = 1;
            let entry: RingBufBytes<'_> = entry;
            entry.submit(0);
        }
        Ok(())
    }

    fn redirects(
        ctx: &XdpContext,
        maps: (&CpuMap, &DevMap, &DevMapHash, &XskMap, &ProgramArray),
    ) -> Result<u32, u32> {
        let (cpus, devices, by_number, sockets, programs) = maps;
        let value: Option<DevMapValue> = devices.get(0).or(by_number.get(0));
        let _: Option<(u32, Option<NonZeroU32>)> = value.map(|it| (it.if_index, it.prog_id));
        let _: [Option<u32>; 3] = [
            devices.get_ifindex(0),
            by_number.get_ifindex(0),
            sockets.get(0),
        ];
        unsafe { programs.tail_call(ctx, 0) };
        cpus.redirect(0, 0)?;
        devices.redirect(0, 0)?;
        by_number.redirect(0, 0)?;
        sockets.redirect(0, 0)
    }

    fn stacks(ctx: &XdpContext, stacks: &StackTrace) -> Result<i64, i64> {
        unsafe { stacks.get_stackid(ctx, 0) }
    }

    /// Paths by which existing programs import.
    fn paths() {
        use aya_ebpf::maps::{
            array, bloom_filter, hash_map, lpm_trie, per_cpu_array, perf, program_array, queue,
            ring_buf, stack, stack_trace, xdp,
        };
        let _: Option<array::Array<u8>> = None;
        let _: Option<bloom_filter::BloomFilter<u8>> = None;
        let _: Option<hash_map::HashMap<u8, u8>> = None;
        let _: Option<lpm_trie::LpmTrie<u8, u8>> = None;
        let _: Option<per_cpu_array::PerCpuArray<u8>> = None;
        let _: Option<perf::PerfEventArray<u8>> = None;
        let _: Option<program_array::ProgramArray> = None;
        let _: Option<queue::Queue<u8>> = None;
        let _: Option<ring_buf::RingBuf> = None;
        let _: Option<stack::Stack<u8>> = None;
        let _: Option<stack_trace::StackTrace> = None;
        let _: Option<(xdp::CpuMap, xdp::DevMap, xdp::DevMapHash, xdp::XskMap)> = None;
    }
}

mod helper_functions {
    use super::*;
    use aya_ebpf::helpers::*;

    const LEN: usize = TASK_COMM_LEN;
    const COMM: fn() -> Result<[u8; 16], i32> = bpf_get_current_comm;
    const NUMBERS: [fn() -> u64; 2] = [bpf_get_current_pid_tgid, bpf_get_current_uid_gid];
    const READ: [unsafe fn(*const u32) -> Result<u32, i32>; 3] =
        [bpf_probe_read, bpf_probe_read_kernel, bpf_probe_read_user];
    const READ_BUF: [unsafe fn(*const u8, &mut [u8]) -> Result<(), i32>; 3] = [
        bpf_probe_read_buf,
        bpf_probe_read_kernel_buf,
        bpf_probe_read_user_buf,
    ];
    const READ_STR: [unsafe fn(*const u8, &mut [u8]) -> Result<usize, i32>; 3] = [
        bpf_probe_read_str,
        bpf_probe_read_kernel_str,
        bpf_probe_read_user_str,
    ];
    const READ_BYTES: [for<'a> unsafe fn(*const u8, &'a mut [u8]) -> Result<&'a [u8], i32>; 2] = [
        bpf_probe_read_kernel_str_bytes,
        bpf_probe_read_user_str_bytes,
    ];
    const WRITE: unsafe fn(*mut u32, *const u32) -> Result<(), i32> = bpf_probe_write_user;
    const COMPARE: fn(&[u8; 4], &CStr) -> Ordering = bpf_strncmp;

    /// The kernel's own, under the path and with the signatures that programs call.
    unsafe fn raw(ctx: &XdpContext, map: *mut c_void, key: *const c_void) {
        unsafe {
            let _: u64 = bpf_ktime_get_ns();
            let _: u32 = bpf_get_smp_processor_id();
            let _: u32 = bpf_get_prandom_u32();
            let _: *mut c_void = generated::bpf_map_lookup_elem(map, key);
            let _: c_long = generated::bpf_map_delete_elem(map, key);
            let _: c_long = bpf_xdp_adjust_head(ctx.ctx, 14 as c_int);
            let _: c_long = bpf_redirect(1, 0);
        }
    }

    fn types(_: &bindings::xdp_md, _: &bindings::__sk_buff, _: &bindings::pt_regs) -> [u64; 3] {
        [
            bindings::BPF_ANY.into(),
            bindings::BPF_NOEXIST.into(),
            bindings::BPF_EXIST.into(),
        ]
    }
}
