//! Maps that have their sizes in their types.

use core::mem::MaybeUninit;

use aya_ebpf::{
    EbpfContext,
    bindings::{bpf_sock, bpf_sock_ops, cgroup, inode},
    btf_maps::*,
    cty::c_long,
    macros::btf_map,
    maps::{
        lpm_trie::Key,
        ring_buf::{RingBufBytes, RingBufEntry},
        xdp::DevMapValue,
    },
    programs::{
        FEntryContext, SkBuffContext, SkMsgContext, SkReuseportContext, SockAddrContext, TcContext,
        XdpContext, tc::CgroupArrayMap, tracing::StackIdContext as _,
    },
};

#[btf_map]
static BTF_ARRAY: Array<u32, 16> = Array::new();
#[btf_map]
static BTF_HASH: HashMap<u32, [u8; 6], 16, 1> = HashMap::new();
#[btf_map(name = "BTF_BYTES")]
static BTF_RING: RingBuf<u64, 4096, 0> = RingBuf::<u64, 4096, 0>::new();
#[btf_map]
static BTF_INNER: Array<u32, 1> = Array::new();
#[btf_map]
static BTF_OUTER: ArrayOfMaps<Array<u32, 1, 0>, 4, 0> = ArrayOfMaps::new();
#[btf_map]
static BTF_OUTER_HASH: HashOfMaps<u64, HashMap<u32, u64, 8>, 4> = HashOfMaps::new();
#[btf_map]
static BTF_EVENTS: PerfEventArray = PerfEventArray::new();

macro_rules! constructors {
    ($($map:ty),* $(,)?) => { $({
        const _: fn() -> $map = <$map>::new;
        const _: $map = <$map>::new();
    })* };
}

fn constructed() {
    constructors!(
        array::Array<u32, 1, 0>,
        bloom_filter::BloomFilter<u32, 1, 0, 3>,
        BloomFilter<u32, 1>,
        cgroup_array::CgroupArray<1, 0>,
        cpu_map::CpuMap<1, 0>,
        dev_map::DevMap<1, 0>,
        dev_map_hash::DevMapHash<1, 0>,
        hash_map::HashMap<u32, u32, 1, 0>,
        hash_map::LruHashMap<u32, u32, 1, 0>,
        hash_map::LruPerCpuHashMap<u32, u32, 1, 0>,
        hash_map::PerCpuHashMap<u32, u32, 1, 0>,
        lpm_trie::LpmTrie<u32, u32, 1, 0>,
        of_maps::ArrayOfMaps<PerCpuArray<u32, 1>, 1, 0>,
        of_maps::HashOfMaps<u32, LruHashMap<u32, u32, 1>, 1, 0>,
        per_cpu_array::PerCpuArray<u32, 1, 0>,
        perf_event_array::PerfEventArray<0>,
        perf_event_byte_array::PerfEventByteArray<0>,
        program_array::ProgramArray<1, 0>,
        queue::Queue<u32, 1, 0>,
        reuseport_sock_array::ReusePortSockArray<1, 0>,
        reuseport_sock_array::ReusePortSockArrayImpl<u32, 1, 0>,
        ReusePortSockArray<1>,
        cgroup_storage::CgroupStorage<u64>,
        cgrp_storage::CgrpStorage<u64>,
        inode_storage::InodeStorage<u64>,
        sk_storage::SkStorage<u64>,
        task_storage::TaskStorage<u64>,
        user_ring_buf::UserRingBuf<4096>,
        cgroup_storage::PerCpuCgroupStorage<u64>,
        ring_buf::RingBuf<u32, 4096, 0>,
        sock_hash::SockHash<u32, 1, 0>,
        sock_map::SockMap<1, 0>,
        stack::Stack<u32, 1, 0>,
        stack_trace::StackTrace<1, 0, 32>,
        StackTrace<1>,
        xsk_map::XskMap<1, 0>,
    );
}

hash_maps! {
    hash: HashMap<u32, u64, 4, 0>,
    lru: LruHashMap<u32, u64, 4, 0>,
    per_cpu: PerCpuHashMap<u32, u64, 4, 0>,
    lru_per_cpu: LruPerCpuHashMap<u32, u64, 4, 0>,
}
arrays!(Array<u64, 4, 0>, PerCpuArray<u64, 4, 0>);
sets!(LpmTrie<u32, u64, 4, 1>, Queue<u32, 4, 0>, Stack<u32, 4, 0>, BloomFilter<u32, 4, 0, 2>);

fn events(
    ctx: &XdpContext,
    perf: &PerfEventArray<0>,
    bytes: &PerfEventByteArray<0>,
    ring: &RingBuf<u64, 4096, 0>,
) -> Result<(), i32> {
    perf.output(ctx, &1u32, 0);
    perf.output_at_index(ctx, 1, &1u64, 0);
    bytes.output(ctx, &[1, 2], 0);
    bytes.output_at_index(ctx, 1, &[1, 2], 0);
    ring.output(&1, 0)?;
    ring.output_untyped::<[u8]>(&[1u8, 2][..], 0)?;
    ring.output_untyped(&1u16, 0)?;
    if let Some(mut entry) = ring.reserve(0) {
        let value: &mut MaybeUninit<u64> = &mut entry;
        value.write(1);
        let entry: RingBufEntry<u64> = entry;
        entry.submit(0);
    }
    let entry: Option<RingBufEntry<u8>> = ring.reserve_untyped::<u8>(0);
    entry.ok_or(-1)?.discard(0);
    let bytes: Option<RingBufBytes<'_>> = ring.reserve_bytes(8, 0);
    bytes.ok_or(-1)?.submit(0);
    Ok(())
}

fn redirects(
    ctx: &XdpContext,
    maps: (
        &CpuMap<4, 0>,
        &DevMap<4, 0>,
        &DevMapHash<4, 0>,
        &XskMap<4, 0>,
        &ProgramArray<4, 0>,
    ),
) -> Result<u32, u32> {
    let (cpus, devices, by_number, sockets, programs) = maps;
    let _: Option<DevMapValue> = devices.get(0).or(by_number.get(0));
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

fn sockets(
    skb: &SkBuffContext,
    msg: &SkMsgContext,
    ops: *mut bpf_sock_ops,
    map: &SockMap<4, 0>,
    hash: &SockHash<u32, 4, 0>,
) -> Result<[c_long; 4], i32> {
    unsafe { map.update(1, ops, 0) }?;
    hash.update(&mut 1, unsafe { &mut *ops }, 0)?;
    Ok([
        map.redirect_msg(msg, 0, 0),
        map.redirect_skb(skb, 0, 0),
        hash.redirect_msg(msg, &mut 1, 0),
        hash.redirect_skb(skb, &mut 1, 0),
    ])
}

fn cgroups(ctx: &TcContext, map: &CgroupArray<4, 0>) -> Result<bool, c_long> {
    fn generic<M: CgroupArrayMap>(ctx: &TcContext, map: &M) -> Result<bool, c_long> {
        ctx.skb_under_cgroup(map, 0)
    }
    let _: Result<bool, c_long> = map.current_task_under_cgroup(0);
    ctx.skb_under_cgroup(map, 0)?;
    generic(ctx, map)
}

fn ports(ctx: &SkReuseportContext, map: &ReusePortSockArray<4, 0>) -> Result<(), c_long> {
    map.select_reuseport(ctx, 0)
}

fn cgroup_values(
    one: &CgroupStorage<u64>,
    each: &PerCpuCgroupStorage<u32>,
) -> (*mut u64, *mut u32) {
    (one.get_ptr_mut(), each.get_ptr_mut())
}

fn owners_values(
    (sockets, ctx, sock): (&SkStorage<u64>, &SockAddrContext, *mut bpf_sock),
    (inodes, inode): (&InodeStorage<u64>, *mut inode),
    (cgroups, cgroup): (&CgrpStorage<u64>, *mut cgroup),
) -> Result<[*mut u64; 6], i32> {
    sockets.delete(sock)?;
    inodes.delete(inode)?;
    cgroups.delete(cgroup)?;
    Ok([
        sockets.get_ptr_mut(ctx),
        sockets.get_or_insert_ptr_mut(ctx, Some(&mut 1)),
        inodes.get_ptr_mut(inode),
        inodes.get_or_insert_ptr_mut(inode, None),
        cgroups.get_ptr_mut(cgroup),
        cgroups.get_or_insert_ptr_mut(cgroup, Some(&mut 1)),
    ])
}

fn stacks(ctx: &FEntryContext, map: &StackTrace<4, 0, 16>) -> Result<c_long, i32> {
    ctx.get_stackid(map, 0)
}

/// The keys of tries are here as well.
const _: Option<aya_ebpf::btf_maps::lpm_trie::Key<u8>> = None;

fn of_maps<C: EbpfContext>(_ctx: &C) -> Option<u64> {
    let inner: &Array<u32, 1> = BTF_OUTER.get(0)?;
    let _: Option<&u32> = inner.get(0);
    let _: Option<&u32> = BTF_OUTER.get_value(0, &0);
    let _: Option<*mut u32> = BTF_OUTER.get_value_ptr_mut(0, &0);
    unsafe {
        let inner: &HashMap<u32, u64, 8> = BTF_OUTER_HASH.get(&1)?;
        let _: Option<*mut u64> = BTF_OUTER_HASH.get_value_ptr_mut(&1, &2);
        let _: Option<&u64> = inner.get(&1);
        BTF_OUTER_HASH.get_value(&1, &2).copied()
    }
}

/// Over any inner map, and over those whose values stay.
fn any<V: MapDef>(outer: &ArrayOfMaps<V, 4, 0>, key: &V::Key) -> Option<*mut V::Value> {
    outer.get_value_ptr_mut(0, key)
}

fn safe<'a, V: MapDef + SafeInnerLookup>(
    outer: &'a ArrayOfMaps<V, 4, 0>,
    key: &V::Key,
) -> Option<&'a V::Value> {
    outer.get_value(0, key)
}

fn both() -> bool {
    any(&BTF_OUTER, &0).is_some() && safe(&BTF_OUTER, &0).is_some()
}
