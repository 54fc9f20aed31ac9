//! Programs on cgroups, connections and socket maps.

use aya_ebpf::{
    EbpfContext,
    bindings::{
        bpf_cgroup_dev_ctx, bpf_sock, bpf_sock_addr, bpf_sock_ops, bpf_sockopt, bpf_sysctl,
        sk_msg_md,
    },
    cty::c_long,
    macros::{
        cgroup_device, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl,
        map, sk_msg, sock_ops, stream_parser, stream_verdict,
    },
    maps::{SockHash, SockMap, sock_hash, sock_map},
    programs::{
        DeviceContext, SkBuffContext, SkMsgContext, SockAddrContext, SockContext, SockOpsContext,
        SockoptContext, SysctlContext, device, sk_msg, sock, sock_addr, sock_ops, sockopt, sysctl,
    },
};

#[map]
static SLOTS: SockMap = SockMap::with_max_entries(4, 0);
#[map(name = "HASH")]
static mut OLD: sock_hash::SockHash<u32> = SockHash::<u32>::pinned(4, 0);

#[cgroup_skb]
fn packets(_ctx: SkBuffContext) -> i32 {
    1
}
#[cgroup_skb(ingress)]
fn arriving(_ctx: SkBuffContext) -> i32 {
    1
}
#[cgroup_skb(egress, name = "named")]
fn leaving(_ctx: SkBuffContext) -> i32 {
    1
}
#[cgroup_sysctl]
fn parameters(_ctx: SysctlContext) -> i32 {
    1
}
#[cgroup_sockopt(getsockopt)]
fn get(_ctx: SockoptContext) -> i32 {
    1
}
#[cgroup_sockopt(setsockopt)]
fn set(_ctx: SockoptContext) -> i32 {
    1
}
#[cgroup_device]
fn devices(_ctx: DeviceContext) -> i32 {
    1
}
#[cgroup_sock]
fn made(_ctx: SockContext) -> i32 {
    1
}
#[cgroup_sock(post_bind4)]
fn bound(_ctx: SockContext) -> i32 {
    1
}
#[cgroup_sock_addr(connect4)]
fn connecting(_ctx: SockAddrContext) -> i32 {
    1
}
#[cgroup_sock_addr(getpeername6)]
fn peer(_ctx: SockAddrContext) -> i32 {
    1
}
#[sock_ops]
fn events(ctx: SockOpsContext) -> u32 {
    let mut port = ctx.local_port();
    let ops = unsafe { &mut *ctx.ops };
    #[allow(static_mut_refs)]
    let updated: Result<(), i32> = unsafe { OLD.update(&mut port, ops, 0) };
    let updated_too: Result<(), i32> = unsafe { SLOTS.update(0, ctx.ops, 0) };
    u32::from(updated.is_ok() && updated_too.is_ok())
}
#[sk_msg]
fn messages(ctx: SkMsgContext) -> u32 {
    let verdict: c_long = SLOTS.redirect_msg(&ctx, 0, 1);
    verdict as u32
}
#[stream_parser]
fn parser(ctx: SkBuffContext) -> u32 {
    ctx.len()
}
#[stream_verdict]
fn verdict(ctx: SkBuffContext) -> u32 {
    let verdict: c_long = SLOTS.redirect_skb(&ctx, 0, 0);
    verdict as u32
}

fn by_key(hash: &SockHash<u64>, skb: &SkBuffContext, msg: &SkMsgContext) -> c_long {
    let mut key = 7;
    hash.redirect_skb(skb, &mut key, 0) + hash.redirect_msg(msg, &mut key, 0)
}

fn constructors() {
    let _: [fn(u32, u32) -> sock_map::SockMap; 2] = [SockMap::with_max_entries, SockMap::pinned];
    let _: [fn(u32, u32) -> SockHash<u8>; 2] = [SockHash::with_max_entries, SockHash::pinned];
    let _: fn(*mut bpf_cgroup_dev_ctx) -> device::DeviceContext = DeviceContext::new;
    let _: fn(*mut bpf_sock) -> sock::SockContext = SockContext::new;
    let _: fn(*mut bpf_sock_addr) -> sock_addr::SockAddrContext = SockAddrContext::new;
    let _: fn(*mut bpf_sock_ops) -> sock_ops::SockOpsContext = SockOpsContext::new;
    let _: fn(*mut bpf_sockopt) -> sockopt::SockoptContext = SockoptContext::new;
    let _: fn(*mut bpf_sysctl) -> sysctl::SysctlContext = SysctlContext::new;
    let _: fn(*mut sk_msg_md) -> sk_msg::SkMsgContext = SkMsgContext::new;
}

fn members(
    device: DeviceContext,
    sock: SockContext,
    address: SockAddrContext,
    option: SockoptContext,
    parameter: SysctlContext,
) {
    let _: *mut bpf_cgroup_dev_ctx = device.device;
    let _: *mut bpf_sock = sock.sock;
    let _: *mut bpf_sock_addr = address.sock_addr;
    let _: *mut bpf_sockopt = option.sockopt;
    let _: *mut bpf_sysctl = parameter.sysctl;
    let _ = (
        device.pid(),
        sock.as_ptr(),
        address.uid(),
        option.gid(),
        parameter.command(),
    );
}

fn connection(ctx: SockOpsContext) -> Result<(), i32> {
    let _: u32 = ctx.op() + ctx.family() + ctx.cb_flags() + ctx.arg(3);
    let _: u32 = ctx.remote_ip4() + ctx.local_ip4() + ctx.remote_port() + ctx.local_port();
    let _: [[u32; 4]; 2] = [ctx.remote_ip6(), ctx.local_ip6()];
    ctx.set_reply(10);
    ctx.set_cb_flags(4)
}

fn message(ctx: SkMsgContext) -> Result<usize, i32> {
    let _: *mut sk_msg_md = ctx.msg;
    ctx.push_data(0, ctx.size(), 0)?;
    ctx.pop_data(0, 4, 0)?;
    Ok(ctx.data_end() - ctx.data())
}
