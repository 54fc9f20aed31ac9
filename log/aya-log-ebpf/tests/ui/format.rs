use aya_log_ebpf::info;

struct Context;
impl aya_ebpf::EbpfContext for Context {
    fn as_ptr(&self) -> *mut core::ffi::c_void {
        core::ptr::null_mut()
    }
}

fn main() {
    let ctx = Context;
    info!(&ctx, "{:?}", 1u32);
    info!(&ctx, "{:08x}", 1u32);
    info!(&ctx, "{");
    info!(&ctx, "}");
    info!(&ctx, "{a.b}");
    info!(&ctx, "{self}");
}
