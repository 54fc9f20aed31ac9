#![no_std]
#![no_main]
use aya_ebpf::{
    Global,
    helpers::{bpf_get_prandom_u32, bpf_ktime_get_ns, bpf_printk, bpf_probe_read_kernel},
    macros::xdp,
    programs::XdpContext,
};

#[unsafe(no_mangle)]
static LIMIT: Global<u64> = Global::new(1000);

#[xdp]
fn program(ctx: XdpContext) -> u32 {
    bpf_printk!(b"plain");
    bpf_printk!(b"%d %x %u %p", 1, 2u8, bpf_get_prandom_u32(), ctx.ctx);
    if bpf_ktime_get_ns() > LIMIT.load() {
        aya_ebpf::abort();
    }
    unsafe { bpf_probe_read_kernel(ctx.ctx as *const u32) }.unwrap()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
