use aya_log_ebpf::info;

struct Context;
impl aya_ebpf::EbpfContext for Context {
    fn as_ptr(&self) -> *mut core::ffi::c_void {
        core::ptr::null_mut()
    }
}

fn main() {
    let ctx = Context;
    info!(&ctx, "{} {}", 1u32);
    info!(&ctx, "{}", 1u32, 2u32);
    info!(&ctx, "{1}", 1u32);
    info!(&ctx, "{missing}");
    info!("no context");
    info!();
    info!(
        &ctx,
        "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
        1u8, 2u8, 3u8, 4u8, 5u8, 6u8, 7u8, 8u8, 9u8, 10u8, 11u8, 12u8, 13u8, 14u8, 15u8, 16u8, 17u8
    );
}
