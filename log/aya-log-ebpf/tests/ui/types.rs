use aya_log_ebpf::info;

struct Context;
impl aya_ebpf::EbpfContext for Context {
    fn as_ptr(&self) -> *mut core::ffi::c_void {
        core::ptr::null_mut()
    }
}

fn main() {
    let ctx = Context;
    info!(&ctx, "{}", 1.0f32);
    info!(&ctx, "{}", Some(1u32));
    info!(&ctx, "{:x}", 1.0f64);
    info!(&ctx, "{}", &[1u8, 2][..]);
    info!(&ctx, "{:i}", 1u16);
    info!(&ctx, "{:mac}", [0u8; 4]);
    info!(&ctx, "{:MAC}", "text");
    info!(&ctx, "{:p}", 1u64);
    info!(&ctx, "{:X}", true);
}
