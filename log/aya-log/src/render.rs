//! [`Value`]s → text, as their hints say. Hand-written where the standard library's machinery would
//! cost more than the rest of a record.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use aya_log_common::{
    DisplayHint,
    record::{Tail, Value},
};

/// Shown where the end of a string or slice was not sent.
const CUT_OFF: &str = "…";

/// Appends `value` to `out`; `None` if the hint does not suit it, which the macros refuse.
pub(crate) fn render(value: Value<'_>, hint: DisplayHint, out: &mut Vec<u8>) -> Option<()> {
    match hint {
        DisplayHint::Default => default(value, out)?,
        DisplayHint::LowerHex => hex(value, b"0123456789abcdef", out)?,
        DisplayHint::UpperHex => hex(value, b"0123456789ABCDEF", out)?,
        DisplayHint::Ip => ip_addr(as_ip(value)?, out),
        DisplayHint::LowerMac => mac(as_mac(value)?, b"0123456789abcdef", out),
        DisplayHint::UpperMac => mac(as_mac(value)?, b"0123456789ABCDEF", out),
        DisplayHint::Pointer => {
            let Value::Pointer(address) = value else {
                return None;
            };
            out.extend_from_slice(b"0x");
            hex_number(address, b"0123456789abcdef", out);
        }
    }
    Some(())
}

fn default(value: Value<'_>, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::I8(number) => signed(number.into(), out),
        Value::I16(number) => signed(number.into(), out),
        Value::I32(number) => signed(number.into(), out),
        Value::I64(number) => signed(number, out),
        Value::U8(number) => decimal(number.into(), out),
        Value::U16(number) => decimal(number.into(), out),
        Value::U32(number) => decimal(number.into(), out),
        Value::U64(number) => decimal(number, out),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Char(char) => text(char.encode_utf8(&mut [0; 4]), out),
        Value::Ip(address) => ip_addr(address, out),
        Value::Str(tail) => {
            text(&String::from_utf8_lossy(tail.bytes), out);
            cut_off(tail, out);
        }
        Value::Pointer(_) | Value::ArrU16Len8(_) | Value::Bytes(_) => return None,
    }
    Some(())
}

/// Appends text that may come from a packet or a process's name: control characters are written as
/// Rust writes them (`\n`, `\u{1b}`), so that nobody forges a line of the log or drives a terminal.
fn text(text: &str, out: &mut Vec<u8>) {
    for part in text.split_inclusive(char::is_control) {
        let end = part.chars().next_back().filter(|char| char.is_control());
        let Some(control) = end else {
            return out.extend_from_slice(part.as_bytes());
        };
        let plain = part.strip_suffix(control).unwrap_or(part);
        out.extend_from_slice(plain.as_bytes());
        // Writing to a vector cannot fail.
        drop(write!(out, "{}", control.escape_default()));
    }
}

fn hex(value: Value<'_>, digits: &[u8; 16], out: &mut Vec<u8>) -> Option<()> {
    let number = match value {
        Value::I8(number) => (number as u8).into(),
        Value::I16(number) => (number as u16).into(),
        Value::I32(number) => (number as u32).into(),
        Value::I64(number) => number as u64,
        Value::U8(number) => number.into(),
        Value::U16(number) => number.into(),
        Value::U32(number) => number.into(),
        Value::U64(number) => number,
        Value::Bytes(bytes) => {
            for &byte in bytes.bytes {
                hex_byte(byte, digits, out);
            }
            cut_off(bytes, out);
            return Some(());
        }
        _ => return None,
    };
    hex_number(number, digits, out);
    Some(())
}

fn cut_off(tail: Tail<'_>, out: &mut Vec<u8>) {
    if tail.truncated {
        out.extend_from_slice(CUT_OFF.as_bytes());
    }
}

fn as_ip(value: Value<'_>) -> Option<IpAddr> {
    Some(match value {
        Value::U32(address) => Ipv4Addr::from(address).into(),
        Value::Ip(address) => address,
        Value::ArrU16Len8(segments) => Ipv6Addr::from(segments).into(),
        Value::Bytes(Tail { bytes, .. }) => match <[u8; 4]>::try_from(bytes) {
            Ok(octets) => Ipv4Addr::from(octets).into(),
            Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
        },
        _ => return None,
    })
}

fn as_mac(value: Value<'_>) -> Option<[u8; 6]> {
    match value {
        Value::Bytes(Tail { bytes, .. }) => bytes.try_into().ok(),
        _ => None,
    }
}

fn ip_addr(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(v4) => {
            // Put together here and appended as one: appending costs more than a digit.
            let mut text = [0; 16];
            let mut end = 0;
            let mut push = |byte| {
                if let Some(place) = text.get_mut(end) {
                    *place = byte;
                    end += 1;
                }
            };
            for (i, octet) in v4.octets().into_iter().enumerate() {
                if i > 0 {
                    push(b'.');
                }
                if octet >= 100 {
                    push(b'0' + octet / 100);
                }
                if octet >= 10 {
                    push(b'0' + octet / 10 % 10);
                }
                push(b'0' + octet % 10);
            }
            out.extend_from_slice(&text[..end]);
        }
        // Writing to a vector cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// Appends a MAC address.
pub(crate) fn mac(address: [u8; 6], digits: &[u8; 16], out: &mut Vec<u8>) {
    for (i, byte) in address.into_iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        hex_byte(byte, digits, out);
    }
}

fn hex_byte(byte: u8, digits: &[u8; 16], out: &mut Vec<u8>) {
    let digit = |nibble: u8| digits[usize::from(nibble & 0xf)];
    out.extend_from_slice(&[digit(byte >> 4), digit(byte)]);
}

fn hex_number(mut number: u64, digits: &[u8; 16], out: &mut Vec<u8>) {
    let mut text = [0; 16];
    let mut start = text.len();
    for place in text.iter_mut().rev() {
        *place = digits[(number & 0xf) as usize];
        start -= 1;
        number >>= 4;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

fn signed(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    decimal(number.unsigned_abs(), out);
}

fn decimal(mut number: u64, out: &mut Vec<u8>) {
    if number < 10 {
        return out.push(b'0' + number as u8);
    }
    let mut text = [0; 20];
    let mut start = text.len();
    for place in text.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        start -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use DisplayHint::{Default, Ip, LowerHex, LowerMac, Pointer, UpperHex, UpperMac};

    fn text(value: Value<'_>, hint: DisplayHint) -> Option<String> {
        let mut out = b"> ".to_vec();
        render(value, hint, &mut out)?;
        String::from_utf8(out)
            .ok()?
            .strip_prefix("> ")
            .map(str::to_owned)
    }

    fn bytes(bytes: &[u8]) -> Value<'_> {
        Value::Bytes(Tail {
            bytes,
            truncated: false,
        })
    }

    #[track_caller]
    fn shows(value: Value<'_>, expected: &[(DisplayHint, String)]) {
        for (_, hint) in DisplayHint::ALL {
            let expected = expected.iter().find(|(known, _)| *known == hint);
            assert_eq!(
                text(value, hint),
                expected.map(|(_, text)| text.clone()),
                "{value:?} {hint:?}"
            );
        }
    }

    macro_rules! integers {
        ($($type:ty, $variant:ident;)*) => {$(
            let mut samples = vec![<$type>::MIN, <$type>::MAX, 0, 1, 7, 9, 10, 11, 15, 16, 99, 100, 127];
            samples.extend((0..<$type>::BITS).map(|bit| (1 as $type) << bit));
            samples.extend((0..<$type>::BITS).map(|bit| ((1 as $type) << bit).wrapping_sub(1)));
            samples.extend((0..<$type>::BITS).map(|bit| (0 as $type).wrapping_sub((1 as $type) << bit)));
            for number in samples {
                let mut expected = vec![
                    (Default, format!("{number}")),
                    (LowerHex, format!("{number:x}")),
                    (UpperHex, format!("{number:X}")),
                ];
                if let Value::U32(number) = Value::$variant(number) {
                    expected.push((Ip, Ipv4Addr::from(number).to_string()));
                }
                shows(Value::$variant(number), &expected);
            }
        )*};
    }

    #[test]
    fn integers_as_the_standard_library_shows_them() {
        integers! {
            i8, I8; i16, I16; i32, I32; i64, I64;
            u8, U8; u16, U16; u32, U32; u64, U64;
        }
        for number in 0..=70_000u64 {
            assert_eq!(text(Value::U64(number), Default), Some(number.to_string()));
            assert_eq!(
                text(Value::U64(number), LowerHex),
                Some(format!("{number:x}"))
            );
        }
    }

    #[test]
    fn words_and_pointers() {
        for value in [false, true] {
            shows(Value::Bool(value), &[(Default, value.to_string())]);
        }
        for char in ['a', 'é', '…', '🦀'] {
            shows(Value::Char(char), &[(Default, char.to_string())]);
        }
        for address in [0usize, 1, usize::MAX] {
            let expected = format!("{:p}", std::ptr::without_provenance::<u8>(address));
            shows(Value::Pointer(address as u64), &[(Pointer, expected)]);
        }
    }

    #[test]
    fn addresses() {
        for number in [0, u32::MAX, 0x0102_0304, 0x7f00_0001, 0xc0a8_0164] {
            let v4 = Ipv4Addr::from(number);
            let ip = (Ip, v4.to_string());
            shows(
                Value::Ip(v4.into()),
                &[(Default, v4.to_string()), ip.clone()],
            );
            let octets = v4.octets();
            let hex: String = octets.iter().map(|byte| format!("{byte:02x}")).collect();
            let upper = hex.to_uppercase();
            shows(bytes(&octets), &[ip, (LowerHex, hex), (UpperHex, upper)]);
        }
        for v6 in [
            "::",
            "::1",
            "2001:db8::ff00:42:8329",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:7:8",
        ] {
            let v6: Ipv6Addr = v6.parse().unwrap();
            let ip = (Ip, v6.to_string());
            shows(
                Value::Ip(v6.into()),
                &[(Default, v6.to_string()), ip.clone()],
            );
            shows(Value::ArrU16Len8(v6.segments()), std::slice::from_ref(&ip));
            assert_eq!(text(bytes(&v6.octets()), Ip), Some(ip.1));
        }
        let address = [0x00, 0x1b, 0x2c, 0xff, 0x0a, 0xa0];
        assert_eq!(
            text(bytes(&address), LowerMac).unwrap(),
            "00:1b:2c:ff:0a:a0"
        );
        assert_eq!(
            text(bytes(&address), UpperMac).unwrap(),
            "00:1B:2C:FF:0A:A0"
        );
    }

    #[test]
    fn strings_and_slices() {
        let str = |bytes, truncated| Value::Str(Tail { bytes, truncated });
        shows(str("né".as_bytes(), false), &[(Default, "né".into())]);
        shows(str(b"", false), &[(Default, String::new())]);
        shows(
            str(b"a\n\x1b[2J\xc2\x9bz", false),
            &[(Default, "a\\n\\u{1b}[2J\\u{9b}z".into())],
        );
        shows(Value::Char('\n'), &[(Default, "\\n".into())]);
        shows(str(b"cut", true), &[(Default, "cut…".into())]);
        shows(str(b"a\xffb", false), &[(Default, "a\u{fffd}b".into())]);
        shows(
            bytes(b"\x00\xab"),
            &[(LowerHex, "00ab".into()), (UpperHex, "00AB".into())],
        );
        let cut = Value::Bytes(Tail {
            bytes: b"\x01",
            truncated: true,
        });
        shows(cut, &[(LowerHex, "01…".into()), (UpperHex, "01…".into())]);
    }
}
