//! Socket buffers: traffic control, socket filters, and sockets that share a port.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::{
    EbpfContext,
    bindings::{
        __sk_buff, BPF_F_INGRESS, BPF_F_PSEUDO_HDR, BPF_F_RECOMPUTE_CSUM, TC_ACT_OK, TC_ACT_PIPE,
        TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC, sk_action, sk_reuseport_md,
    },
    cty::c_long,
    helpers,
    macros::{classifier, map, sk_reuseport, socket_filter},
    maps::{self, CgroupArray, ReusePortSockArray},
    programs::{
        SkBuffContext, SkReuseportContext, SockContext, TcContext,
        sk_buff::{self, SkBuff},
        tc,
    },
};

#[classifier]
fn egress(ctx: TcContext) -> i32 {
    match change(ctx) {
        Ok(action) => action,
        Err(_) => TC_ACT_SHOT,
    }
}

/// The older spellings: another context, a name, a helper called by itself.
#[classifier(name = "older")]
fn older(mut ctx: SkBuffContext) -> i32 {
    let size = ctx.len() as usize;
    ctx.cb_mut()[1] = size as u32;
    match ctx.load::<u8>(23).map_err(|_| ()) {
        Ok(6) => unsafe { helpers::bpf_redirect(1, BPF_F_INGRESS as u64) as i32 },
        Ok(_) => TC_ACT_PIPE,
        Err(()) => TC_ACT_UNSPEC,
    }
}

#[socket_filter]
fn keep(_ctx: SkBuffContext) -> i64 {
    0
}

fn change(mut ctx: TcContext) -> Result<i32, c_long> {
    let _: u16 = u16::from_be(ctx.load(12)?);
    let mut bytes = [0u8; 16];
    let _: usize = ctx.load_bytes(14, &mut bytes)?;
    ctx.pull_data(0)?;
    let _: (usize, usize, u32) = (ctx.data(), ctx.data_end(), ctx.len());
    ctx.store(0, &[0u8; 6], BPF_F_RECOMPUTE_CSUM as u64)?;
    ctx.l3_csum_replace(24, 0, 1, 2)?;
    ctx.l4_csum_replace(40, 0, 1, BPF_F_PSEUDO_HDR as u64 | 2)?;
    ctx.adjust_room(20, 0, 0)?;
    ctx.clone_redirect(1, 0)?;
    ctx.change_type(0)?;
    ctx.change_proto(0x86dd_u16.to_be(), 0)?;
    ctx.set_mark(1);
    let _: u32 = ctx.get_socket_uid();
    let _: &[u32] = ctx.cb();
    let _: &mut [u32] = ctx.cb_mut();
    let _: *mut c_void = ctx.as_ptr();
    let skb: &SkBuff = &ctx.skb;
    let _: (u32, u32, u32) = (skb.family(), skb.protocol(), skb.len());
    let _: (u32, u32, u32, u32) = (
        skb.remote_ipv4(),
        skb.local_ipv4(),
        skb.remote_port(),
        skb.local_port(),
    );
    let _: (&[u32; 4], &[u32; 4]) = (skb.remote_ipv6(), skb.local_ipv6());
    let _: *mut __sk_buff = skb.skb;
    Ok(if ctx.pid() == 0 {
        TC_ACT_REDIRECT
    } else {
        TC_ACT_OK
    })
}

#[map]
static CGROUPS: CgroupArray = CgroupArray::with_max_entries(1, 0);
#[map]
static SHARED: maps::cgroup_array::CgroupArray = CgroupArray::pinned(1, 0);

fn cgroups<M: tc::CgroupArrayMap>(ctx: &TcContext, map: &M) -> Result<bool, c_long> {
    let _: bool = CGROUPS.current_task_under_cgroup(0)?;
    let _: bool = ctx.skb_under_cgroup(&SHARED, 0)?;
    ctx.skb_under_cgroup(map, 0)
}

fn constructors(skb: NonNull<__sk_buff>) {
    let _ = (
        sk_buff::SkBuff::new(skb),
        tc::TcContext::new(skb),
        sk_buff::SkBuffContext::new(skb),
    );
}

#[map]
static LISTENERS: ReusePortSockArray = ReusePortSockArray::with_max_entries(4, 0);
#[map]
static SHARED_LISTENERS: maps::reuseport_sock_array::ReusePortSockArray =
    ReusePortSockArray::pinned(4, 0);

#[sk_reuseport]
fn select(ctx: SkReuseportContext) -> u32 {
    let _: (usize, usize, usize) = (ctx.data(), ctx.data_end(), ctx.len());
    let _: (u32, u32, u32) = (ctx.eth_protocol(), ctx.ip_protocol(), ctx.bind_inany());
    let _: *mut sk_reuseport_md = ctx.md;
    let selected: Result<(), c_long> = LISTENERS.select_reuseport(&ctx, 0);
    match selected {
        Err(_) if ctx.is_empty() => sk_action::SK_DROP,
        _ => sk_action::SK_PASS,
    }
}

#[sk_reuseport(migrate)]
fn migrate(ctx: SkReuseportContext) -> u32 {
    let _: SockContext = ctx.sk();
    let migrating: Option<SockContext> = ctx.migrating_sk();
    match SHARED_LISTENERS.select_reuseport(&ctx, migrating.is_some().into()) {
        Ok(()) => sk_action::SK_PASS,
        Err(_) => sk_action::SK_DROP,
    }
}
