//! A program that panics leaves with the safe value of its type, and the log says where it was.

use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunOptions},
};
use aya_log::EbpfLogger;
use aya_tests::{Recorder, TestResult, frame, in_both_modes, xdp};

const XDP_ABORTED: u32 = 0;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// Runs a program with an order in its packet; returns its verdict.
fn order(ebpf: &mut Ebpf, program: &str, order: u8) -> TestResult<u32> {
    let packet = frame(&aya_netlab::udp_packet([1, 1, 1, 1].into(), 1, 2, &[order]));
    let options = TestRunOptions {
        data_in: Some(&packet),
        ..TestRunOptions::default()
    };
    Ok(xdp(ebpf, program)?.test_run(options)?.return_value)
}

fn panics(object: &[u8], name: &str, marker: &str) -> TestResult {
    let source = ("panics.rs", include_str!("../../ebpf/src/bin/panics.rs"));
    panics_in(source, object, name, marker, XDP_ABORTED)
}

/// The program passes without an order to panic, gives `verdict` with one, and logs the line of
/// `source` that holds `marker`.
fn panics_in(
    (file, source): (&str, &str),
    object: &[u8],
    name: &str,
    marker: &str,
    verdict: u32,
) -> TestResult {
    let mut ebpf = Ebpf::load(object)?;
    let recorder = Recorder::default();
    let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
    xdp(&mut ebpf, name)?.load()?;
    assert_eq!(order(&mut ebpf, name, 0)?, XDP_PASS);
    logger.flush();
    let _before = recorder.take();

    assert_eq!(order(&mut ebpf, name, 200)?, verdict);
    logger.flush();
    let messages = recorder.take();
    let line = source
        .lines()
        .position(|line| line.contains(marker))
        .ok_or("no such line")?
        + 1;
    let named = |message: &aya_tests::Message| {
        message.file.ends_with(file) && usize::try_from(message.line) == Ok(line)
    };
    assert!(
        messages.iter().any(named),
        "line {line} is not in {messages:?}"
    );
    Ok(())
}

in_both_modes! {
    /// Indexing.
    fn out_of_bounds(object: "panics", since 5, 8) {
        panics(object, "out_of_bounds", "ACTIONS[")
    }

    /// `None`.
    fn unwrap_none(object: "panics", since 5, 8) {
        panics(object, "unwrap_none", ".unwrap()")
    }

    /// Checked arithmetic.
    fn overflow(object: "panics", since 5, 8) {
        panics(object, "overflow", ".expect(")
    }

    /// Slices.
    fn slice_range(object: "panics", since 5, 8) {
        panics(object, "slice_range", "BYTES[..end]")
    }

    /// Division by zero.
    fn division(object: "panics", since 5, 8) {
        panics(object, "division", "560 /")
    }

    /// In a callback of `bpf_loop`, which ends the loop.
    fn in_loop(object: "callbacks", since 5, 17) {
        let source = ("callbacks.rs", include_str!("../../ebpf/src/bin/callbacks.rs"));
        panics_in(source, object, "in_loop", "no more turns", XDP_DROP)
    }

    /// In a callback of `bpf_for_each_map_elem`, which ends the iteration.
    fn in_for_each(object: "callbacks", since 5, 13) {
        let source = ("callbacks.rs", include_str!("../../ebpf/src/bin/callbacks.rs"));
        panics_in(source, object, "in_for_each", "no more elements", XDP_DROP)
    }

    /// `panic!` in a function that the program calls.
    fn in_subprogram(object: "panics", since 5, 8) {
        panics(object, "in_subprogram", "panic!(")
    }
}
