//! Both compiler modes make the same of the same packets, and it is what the host makes of them.

use aya::{
    Ebpf,
    maps::Array,
    programs::{TestRun as _, TestRunOptions},
};
use aya_tests::{TestResult, in_both_modes, xdp};

const PACKETS: u64 = 1000;
/// Ethernet, three numbers, 32 bytes, and sometimes less.
const LENGTH: usize = 14 + 24 + 32;
const XDP_ABORTED: u32 = 0;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// Packet `number` of the series: bytes that look random and are the same each time. One in eight is
/// too short.
fn packet(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    let length = if number % 8 == 7 { LENGTH - 1 } else { LENGTH };
    (0..length).map(|_| byte()).collect()
}

/// What the program must make of a packet: its verdict and its results.
fn expected(packet: &[u8]) -> Option<(u32, [u64; 8])> {
    let number = |at: usize| -> Option<u64> {
        Some(u64::from_ne_bytes(packet.get(at..at + 8)?.try_into().ok()?))
    };
    let (a, b, c) = (number(14)?, number(22)?, number(30)?);
    let bytes = packet.get(38..70)?;
    let sum = bytes.iter().fold(0u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    });
    let results = [
        a.wrapping_add(b),
        a.wrapping_mul(b),
        a / (c | 1),
        u64::from(a as u32 % (c as u32 | 1)),
        u64::from(a.checked_add(b).is_none()),
        ((a as i64).max(b as i64) >> (c & 63)) as u64,
        u64::from(sum),
        a.rotate_left((b & 63) as u32) ^ b.swap_bytes(),
    ];
    Some((if sum & 1 == 0 { XDP_PASS } else { XDP_DROP }, results))
}

fn digest(object: &[u8]) -> TestResult {
    let mut ebpf = Ebpf::load(object)?;
    let results: Array<_, u64> = Array::try_from(ebpf.take_map("RESULTS").ok_or("no map")?)?;
    let program = xdp(&mut ebpf, "arithmetic")?;
    program.load()?;
    let mut verdicts = [0; 3];
    for number in 0..PACKETS {
        let packet = packet(number);
        let options = TestRunOptions {
            data_in: Some(&packet),
            ..TestRunOptions::default()
        };
        let verdict = program.test_run(options)?.return_value;
        match expected(&packet) {
            None => assert_eq!(verdict, XDP_ABORTED, "packet {number}"),
            Some((expected, values)) => {
                assert_eq!(verdict, expected, "packet {number}");
                for (index, value) in (0..).zip(values) {
                    assert_eq!(
                        results.get(&index, 0)?,
                        value,
                        "packet {number}, result {index}"
                    );
                }
            }
        }
        verdicts[usize::try_from(verdict)?] += 1;
    }
    // A series that leads to one verdict only would show little.
    assert!(verdicts.iter().all(|count| *count > 100), "{verdicts:?}");
    Ok(())
}

in_both_modes! {
    /// A thousand packets.
    fn same_as_on_the_host(object: "digest", since 5, 8) {
        digest(object)
    }
}
