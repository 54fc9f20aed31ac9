#![no_std]
#![no_main]
//! Contexts of socket buffers, by either name where two have the same structure.
use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    macros::{classifier, socket_filter},
    programs::{SkBuffContext, TcContext},
};

#[classifier]
pub fn traffic(ctx: TcContext) -> i32 {
    if ctx.len() > 100 { TC_ACT_SHOT } else { TC_ACT_OK }
}

#[classifier(name = "older_spelling")]
pub fn older(mut ctx: SkBuffContext) -> i32 {
    ctx.cb_mut()[0] = ctx.mark();
    match ctx.load::<u8>(0) {
        Ok(_) => TC_ACT_OK,
        Err(_) => TC_ACT_SHOT,
    }
}

#[socket_filter]
pub fn keep(_ctx: SkBuffContext) -> i64 {
    -1
}

#[socket_filter]
pub fn cut(_ctx: SkBuffContext) -> u32 {
    14
}

aya_ebpf::panic_handler!();
