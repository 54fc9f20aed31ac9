//! Cgroups in maps, and values that belong to cgroups.
#![no_std]
#![no_main]

use aya_ebpf::{
    Global, atomic_add_u64,
    btf_maps::{CgroupArray, PerCpuCgroupStorage},
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, cgroup_skb, map, raw_tracepoint},
    maps::{Array, CgroupStorage},
    programs::{RawTracePointContext, SkBuffContext},
};

/// What the packets of a cgroup were.
#[repr(C)]
pub struct Traffic {
    packets: u64,
    bytes: u64,
}

#[btf_map]
static GROUPS: CgroupArray<2> = CgroupArray::new();
/// What [`asked`] was told of each slot of the map, and of one that it does not have.
#[map]
static ANSWERS: Array<i64> = Array::with_max_entries(3, 0);
#[map]
static TRAFFIC: CgroupStorage<Traffic> = CgroupStorage::new();
#[btf_map]
static PACKETS: PerCpuCgroupStorage<u64> = PerCpuCgroupStorage::new();

/// Set before loading: the thread that asks, and by which system call.
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SYSCALL: Global<u64> = Global::new(0);

/// Says which cgroups the running thread is in.
#[raw_tracepoint(tracepoint = "sys_enter")]
fn asked(ctx: RawTracePointContext) -> i32 {
    if bpf_get_current_pid_tgid() as u32 != THREAD.load() || ctx.arg::<u64>(1) != SYSCALL.load() {
        return 0;
    }
    for index in 0..3 {
        let answer = match GROUPS.current_task_under_cgroup(index) {
            Ok(member) => i64::from(member),
            Err(error) => error,
        };
        if let Some(place) = ANSWERS.get_ptr_mut(index) {
            // SAFETY: one thread writes it.
            unsafe { *place = answer };
        }
    }
    0
}

/// Counts what goes out.
#[cgroup_skb(egress)]
fn sent(ctx: SkBuffContext) -> i32 {
    count(&ctx)
}

/// Counts what comes in, for itself.
#[cgroup_skb(ingress)]
fn arrived(ctx: SkBuffContext) -> i32 {
    count(&ctx)
}

#[inline(always)]
fn count(ctx: &SkBuffContext) -> i32 {
    let traffic = TRAFFIC.get_ptr_mut();
    // SAFETY: the value is there, and only added to.
    unsafe {
        atomic_add_u64(&raw mut (*traffic).packets, 1);
        atomic_add_u64(&raw mut (*traffic).bytes, u64::from(ctx.len()));
    }
    // SAFETY: the value is there, and this CPU's own.
    unsafe { *PACKETS.get_ptr_mut() += 1 };
    1
}

aya_ebpf::panic_handler!();
