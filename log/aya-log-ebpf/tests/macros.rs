//! What the log macros accept, and what they say about the rest.

mod ui_support;

#[test]
fn refusals_say_what_to_do() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/arguments.rs");
    cases.compile_fail("tests/ui/format.rs");
}

#[test]
fn wrong_types_are_refused() {
    ui_support::refused("wrong_types_are_refused", "tests/ui/types.rs");
}

mod accepted {
    //! Compiled, never run: nothing receives on the host.
    #![expect(dead_code)]

    use core::{
        cell::Cell,
        ffi::c_void,
        net::{IpAddr, Ipv4Addr, Ipv6Addr},
    };

    use aya_log_ebpf::{Level, debug, error, info, log, trace, warn};

    struct Context;
    impl aya_ebpf::EbpfContext for Context {
        fn as_ptr(&self) -> *mut c_void {
            core::ptr::null_mut()
        }
    }

    #[repr(C, packed)]
    struct Packed {
        byte: u8,
        word: u32,
    }

    fn statements(ctx: Context, text: &str, bytes: &[u8], packed: Packed) {
        let (ip, port) = (1u32, 2u16);
        info!(&ctx, "no argument");
        info!(&ctx, "trailing comma",);
        error!(&ctx, "{:i} {} {:x} {:X}", ip, port, port, -1i64);
        warn!(&ctx, target: "other", "{ip:i} {port}");
        debug!(target: "other", &ctx, "{0} {0:x} {1}", port, ip);
        trace!(&ctx, "{{}} {port:x} {a} {}", ip, a = 1 + 1);
        log!(&ctx, Level::Warn, "{}", text);
        log!(&ctx, target: module_path!(), Level::Info, "{:x} {:X}", bytes, &[1u8; 9]);
        info!(
            &ctx,
            "{:mac} {:MAC} {:p}", [0u8; 6], &[0u8; 6], &raw const ip
        );
        info!(&ctx, "{:i} {:i} {:i}", [0u8; 4], [0u8; 16], [0u16; 8]);
        info!(
            &ctx,
            "{} {:i} {}",
            Ipv4Addr::LOCALHOST,
            Ipv6Addr::LOCALHOST,
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        );
        info!(&ctx, "{} {} {} {}", true, 'c', packed.byte, packed.word);
        match port {
            0 => info!(&ctx, "an expression"),
            1 => warn!(&ctx, "another"),
            _ => {}
        }
        {
            let context = 1u8;
            let argument0 = 2u8;
            info!(&ctx, "{} {context} {argument0}", argument0);
        }
    }

    /// Statements need no `unsafe` and bring none.
    unsafe fn in_unsafe(ctx: &Context, pointer: *const u32) {
        // SAFETY: never run.
        info!(ctx, "{}", unsafe { *pointer });
    }

    fn generic<T: aya_log_common::Argument + aya_log_common::DefaultFormatter>(value: T) {
        info!(&Context, "{}", value);
    }

    #[test]
    fn arguments_are_evaluated_once() {
        let count = Cell::new(0u32);
        let next = || {
            count.set(count.get() + 1);
            count.get()
        };
        info!(&Context, "{0} {0:x} {1}", next(), 0u8);
        assert_eq!(count.get(), 1);
    }
}
