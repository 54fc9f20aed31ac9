//! Arithmetic wider than a register: 2 if the results are right for the words of the packet.
#![no_std]
#![no_main]

use programs::{object, program, word};

object!(core::unreachable!());

fn verdict(right: bool) -> u32 {
    if right { 2 } else { 1 }
}

#[inline(never)]
fn widening(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[inline(never)]
fn pair(a: u64, b: u64) -> (u64, u64) {
    (a ^ b, a | b)
}

#[inline(never)]
fn result(a: u64) -> Result<u64, i64> {
    if a > 4 { Ok(a) } else { Err(-1) }
}

// The packet holds 0x1234_5678_9abc_def0, 0xfedc_ba98_7654_3210 and 0x11_2233_4455.
program!(multiply, "xdp", |context| {
    let (a, b) = (word(context, 0), word(context, 8));
    let product = widening(a, b);
    verdict(product == 0x121f_a00a_d77d_7422_236d_88fe_5618_cf00)
});

program!(divide, "xdp", |context| {
    let (a, b) = (word(context, 0), word(context, 8));
    let (big, small) = ((u128::from(b) << 64) | u128::from(a), u128::from(a) << 3);
    let (quotient, rest) = (big / small, big % small);
    let signed = -(big as i128 >> 2) / 1_000_003;
    verdict(quotient * small + rest == big && rest < small && signed == 378_090_384_529_889_146_858_202_533_251)
});

// By what only the packet knows.
program!(divide_unknown, "xdp", |context| {
    let (a, b, c) = (word(context, 0), word(context, 8), word(context, 16));
    let (product, divisor) = (u128::from(a) * u128::from(b), (u128::from(c) << 64) | u128::from(a));
    let (quotient, rest) = (product / divisor, product % divisor);
    let small = product / (u128::from(b) | 1) % 1_000_003;
    verdict(quotient == 0x10eca86 && rest < divisor && quotient * divisor + rest == product && small == 193809)
});

program!(overflow, "xdp", |context| {
    let (a, b) = (word(context, 0), word(context, 8));
    let right = a.checked_mul(b).is_none()
        && (a >> 32).checked_mul(b >> 32) == Some(0x1234_5678 * 0xfedc_ba98)
        && (a as i64).checked_mul(-9).is_none()
        && (a as i64).checked_mul(-7) == Some(-0x7f6e_5d4c_3b2a_1890)
        && u128::from(a).checked_mul(u128::from(b)).is_some()
        && (u128::from(a) << 64).checked_mul(u128::from(b)).is_none();
    verdict(right)
});

program!(wide_results, "xdp", |context| {
    let (a, b) = (word(context, 0), word(context, 8));
    let (x, y) = pair(a, b);
    verdict(x == a ^ b && y == a | b && result(a) == Ok(a) && result(a & 1) == Err(-1))
});
