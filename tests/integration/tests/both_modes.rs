//! XDP programs are the same programs in both compiler modes: for the same packets they give the same
//! verdicts and the same log. Those of other types meet their events in both modes in tests of their own.

use aya::{
    Ebpf,
    programs::{Program, TestRun as _, TestRunOptions},
};
use aya_log::EbpfLogger;
use aya_tests::{
    Message, Recorder, TestResult, frame, kernel, missing_privilege, object, objects,
    require_kernel, skip, xdp,
};

const TEST: &str = "both_modes_do_the_same";
const PACKETS: u32 = 1000;
/// The objects that hold programs for packets, except for `variants`, which no test run can run.
const OBJECTS: &[&str] = &[
    "callbacks",
    "digest",
    "hygiene",
    "logs",
    "panics",
    "xdp",
    "xdp-drop-ebpf",
    "xdp-hello-ebpf",
    "xdp-log-ebpf",
];

/// Packet `number` of a series that is the same each time: UDP from a few addresses, some of it cut
/// short, some with bytes changed, so that all ways through the programs are taken.
fn packet(number: u32) -> Vec<u8> {
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    let source = [10, 0, 0, u8::try_from(random(4)).unwrap_or(0)];
    let port = u16::try_from(random(60_000)).unwrap_or(0);
    let payload: Vec<u8> = (0..64).map(|_| random(256) as u8).collect();
    let mut packet = frame(&aya_netlab::udp_packet(source.into(), port, 53, &payload));
    match number % 4 {
        0 => packet.truncate(14 + random(packet.len() - 14)),
        1 => {
            // The protocol, the header's length or a byte somewhere.
            let at = [12, 13, 14, 23, random(packet.len())][random(5)];
            packet[at] ^= 1 << random(8);
        }
        2 => packet[23] = 6,
        _ => {}
    }
    packet
}

/// What one program makes of the series.
#[derive(Debug, PartialEq)]
struct Outcome {
    program: String,
    verdicts: Vec<u32>,
    log: Vec<Message>,
}

/// Loads every program of an object and runs it on the series.
fn outcomes(object: &[u8]) -> TestResult<Vec<Outcome>> {
    let mut ebpf = Ebpf::load(object)?;
    let recorder = Recorder::default();
    let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone()).ok();
    let names: Vec<String> = ebpf.programs().map(|(name, _)| name.to_owned()).collect();
    let mut outcomes = Vec::new();
    for program in names {
        let Some(Program::Xdp(_)) = ebpf.program(&program) else {
            return Err(format!("{program}: this test knows XDP programs only").into());
        };
        let handle = xdp(&mut ebpf, &program)?;
        handle.load()?;
        // The kernel drops types that it does not take, and loaders go on without them.
        assert!(handle.info()?.btf_id().is_some(), "{program} has no types");
        if handle.info()?.btf_id().is_none() {
            return Err(format!("{program}: the kernel did not take its types").into());
        }
        let (mut verdicts, mut log) = (Vec::new(), Vec::new());
        for number in 0..PACKETS {
            let packet = packet(number);
            let options = TestRunOptions {
                data_in: Some(&packet),
                ..TestRunOptions::default()
            };
            verdicts.push(xdp(&mut ebpf, &program)?.test_run(options)?.return_value);
            if let Some(logger) = &mut logger {
                logger.flush();
                log.extend(recorder.take());
            }
        }
        outcomes.push(Outcome {
            program,
            verdicts,
            log,
        });
    }
    Ok(outcomes)
}

#[test]
fn both_modes_do_the_same() -> TestResult {
    if let Some(reason) = missing_privilege() {
        return Ok(skip(TEST, reason)?);
    }
    if !require_kernel(TEST, (5, 8))? {
        return Ok(());
    }
    if objects("native").next().is_none() {
        return Ok(skip(
            TEST,
            "needs a toolchain for native mode when it is built",
        )?);
    }
    let mut logged = 0;
    for name in OBJECTS.iter().copied() {
        // Its programs call helpers that older kernels lack.
        if name == "callbacks" && kernel()? < (5, 17) {
            continue;
        }
        let (Some(donor), Some(native)) = (object("donor", name), object("native", name)) else {
            return Err(format!("{name}: not built in both modes").into());
        };
        let (donor, native) = (outcomes(donor)?, outcomes(native)?);
        for (donor, native) in donor.iter().zip(&native) {
            assert_eq!(donor, native, "{name}");
            logged += donor.log.len();
        }
        assert_eq!(donor.len(), native.len(), "{name}");
    }
    assert!(logged > 0, "no program logged anything");
    Ok(())
}
