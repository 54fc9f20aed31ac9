#![no_std]
#![no_main]
use aya_ebpf::{
    macros::{kprobe, kretprobe, uprobe, uretprobe},
    programs::{ProbeContext, RetProbeContext},
};

#[kprobe]
fn anywhere(_ctx: ProbeContext) -> u32 {
    0
}

#[kprobe(function = "tcp_connect", name = "tcp")]
fn somewhere(ctx: ProbeContext) -> i64 {
    ctx.arg(0).unwrap_or(-1)
}

#[kprobe(function = "tcp_connect", offset = "0x10")]
fn behind(ctx: ProbeContext) -> u64 {
    ctx.arg::<*const u8>(5).map_or(0, |pointer| pointer as u64)
}

#[kretprobe(function = "vfs_read")]
fn returned(ctx: RetProbeContext) -> i32 {
    ctx.ret()
}

#[uprobe]
fn in_any_file(_ctx: ProbeContext) -> u32 {
    0
}

#[uprobe(path = "/bin/bash", function = "readline", offset = "4")]
fn in_a_file(_ctx: ProbeContext) -> u32 {
    0
}

#[uprobe(sleepable, path = "/bin/bash", function = "readline")]
fn may_wait(_ctx: ProbeContext) -> u32 {
    0
}

#[uretprobe(path = "/bin/bash", function = "readline", sleepable)]
fn of_a_file(ctx: RetProbeContext) -> u32 {
    ctx.ret::<u32>()
}

/// The kernel does not look at what probes return.
#[uprobe]
fn returns_nothing(_ctx: ProbeContext) {}

#[kretprobe]
pub unsafe fn returns_nothing_either(_ctx: RetProbeContext) {}

aya_ebpf::panic_handler!();
