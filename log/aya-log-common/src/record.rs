//! What a log statement sends: the id, the arguments' kinds and the arguments.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | id: the offset of the statement's descriptor |
//! | 4 | the number of arguments, rounded up to 4, at least 4 | kinds, 0 where there is no argument |
//! | | | the arguments in order, each at its natural alignment, holes filled with zeros |
//! | | | the bytes of the arguments of variable length, in order, without holes |
//!
//! Numbers are in the machine's order. A record ends with its last byte; perf buffers may append a
//! few more.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::ArgumentKind;

/// How many arguments a statement can have.
pub const MAX_ARGUMENTS: usize = 16;

/// Set in the length of an argument of variable length of which only the beginning was sent.
pub const TRUNCATED: u16 = 1 << 15;

/// Where the arguments begin in the record of a statement with this many.
#[must_use]
pub const fn head_len(arguments: usize) -> usize {
    if arguments == 0 {
        8
    } else {
        4 + arguments.next_multiple_of(4)
    }
}

/// An argument read from a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Value<'a> {
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    Bool(bool),
    Char(char),
    Pointer(u64),
    Ip(IpAddr),
    ArrU16Len8([u16; 8]),
    Bytes(Tail<'a>),
    Str(Tail<'a>),
}

/// Splits a record into its id and the rest.
///
/// # Errors
///
/// [`RecordError::Truncated`] if there are fewer than four bytes.
pub fn split_id(record: &[u8]) -> Result<(u32, &[u8]), RecordError> {
    let (id, rest) = record.split_first_chunk().ok_or(RecordError::Truncated)?;
    Ok((u32::from_ne_bytes(*id), rest))
}

/// Reads the arguments of a record whose descriptor announces `values.len()` of them.
///
/// ```
/// use aya_log_common::record::{Value, read_values};
/// let mut record = [0; 12];
/// record[4] = aya_log_common::ArgumentKind::U32 as u8;
/// record[8..].copy_from_slice(&7u32.to_ne_bytes());
/// let mut values = [Value::Bool(false)];
/// read_values(&record, &mut values)?;
/// assert_eq!(values, [Value::U32(7)]);
/// # Ok::<(), aya_log_common::record::RecordError>(())
/// ```
///
/// # Errors
///
/// [`RecordError`] if the record does not hold what it should; the values are unspecified then. No
/// input panics.
pub fn read_values<'a>(record: &'a [u8], values: &mut [Value<'a>]) -> Result<(), RecordError> {
    let kinds = record
        .get(4..)
        .and_then(|kinds| kinds.get(..values.len()))
        .ok_or(RecordError::Truncated)?;
    let mut reader = Reader {
        record,
        at: head_len(values.len()),
    };
    let mut variable = false;
    for (value, &kind) in values.iter_mut().zip(kinds) {
        let kind = ArgumentKind::from_u8(kind).ok_or(RecordError::Kind(kind))?;
        *value = reader.fixed(kind)?;
        variable |= matches!(kind, ArgumentKind::Bytes | ArgumentKind::Str);
    }
    if variable {
        for (value, &kind) in values.iter_mut().zip(kinds) {
            // `fixed` left the length of these as a number.
            if let Value::U16(length) = *value {
                match ArgumentKind::from_u8(kind) {
                    Some(ArgumentKind::Bytes) => *value = Value::Bytes(reader.tail(length)?),
                    Some(ArgumentKind::Str) => *value = Value::Str(reader.tail(length)?),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// The bytes of an argument of variable length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail<'a> {
    /// What was sent.
    pub bytes: &'a [u8],
    /// There was more.
    pub truncated: bool,
}

struct Reader<'a> {
    record: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], RecordError> {
        let bytes = self
            .record
            .get(self.at..)
            .and_then(|rest| rest.get(..len))
            .ok_or(RecordError::Truncated)?;
        self.at += len;
        Ok(bytes)
    }

    /// The next `N` bytes.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let rest = self.record.get(self.at..).ok_or(RecordError::Truncated)?;
        let bytes = rest.first_chunk().ok_or(RecordError::Truncated)?;
        self.at += N;
        Ok(*bytes)
    }

    /// The next `N` bytes that are aligned to `N`: a number.
    fn number<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.at = self.at.next_multiple_of(N);
        self.array()
    }

    fn fixed(&mut self, kind: ArgumentKind) -> Result<Value<'a>, RecordError> {
        Ok(match kind {
            ArgumentKind::I8 => Value::I8(i8::from_ne_bytes(self.number()?)),
            ArgumentKind::I16 => Value::I16(i16::from_ne_bytes(self.number()?)),
            ArgumentKind::I32 => Value::I32(i32::from_ne_bytes(self.number()?)),
            ArgumentKind::I64 => Value::I64(i64::from_ne_bytes(self.number()?)),
            ArgumentKind::U8 => Value::U8(u8::from_ne_bytes(self.number()?)),
            ArgumentKind::U16 | ArgumentKind::Bytes | ArgumentKind::Str => {
                Value::U16(u16::from_ne_bytes(self.number()?))
            }
            ArgumentKind::U32 => Value::U32(u32::from_ne_bytes(self.number()?)),
            ArgumentKind::U64 => Value::U64(u64::from_ne_bytes(self.number()?)),
            ArgumentKind::Bool => Value::Bool(self.array::<1>()? != [0]),
            ArgumentKind::Char => {
                let number = u32::from_ne_bytes(self.number()?);
                Value::Char(char::from_u32(number).ok_or(RecordError::Value)?)
            }
            ArgumentKind::Pointer => Value::Pointer(u64::from_ne_bytes(self.number()?)),
            ArgumentKind::Ipv4Addr => Value::Ip(Ipv4Addr::from(self.array::<4>()?).into()),
            ArgumentKind::Ipv6Addr => Value::Ip(Ipv6Addr::from(self.array::<16>()?).into()),
            ArgumentKind::IpAddr => {
                let [version] = self.array()?;
                let octets: [u8; 16] = self.array()?;
                Value::Ip(match version {
                    4 => {
                        let [a, b, c, d, ..] = octets;
                        Ipv4Addr::new(a, b, c, d).into()
                    }
                    6 => Ipv6Addr::from(octets).into(),
                    _ => return Err(RecordError::Value),
                })
            }
            ArgumentKind::ArrU16Len8 => {
                let mut numbers = [0; 8];
                for number in &mut numbers {
                    *number = u16::from_ne_bytes(self.number()?);
                }
                Value::ArrU16Len8(numbers)
            }
            ArgumentKind::ArrU8 => {
                let length = u16::from_ne_bytes(self.array()?);
                Value::Bytes(self.tail(length)?)
            }
        })
    }

    fn tail(&mut self, length: u16) -> Result<Tail<'a>, RecordError> {
        Ok(Tail {
            bytes: self.bytes(usize::from(length & !TRUNCATED))?,
            truncated: length & TRUNCATED != 0,
        })
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes end before the record does.
    Truncated,
    /// There is no kind with this number.
    Kind(u8),
    /// A value is none of its kind, such as a `char` outside Unicode.
    Value,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "log record: it is cut off"),
            Self::Kind(number) => write!(f, "log record: {number} is no kind of argument"),
            Self::Value => write!(f, "log record: a value is out of its kind's range"),
        }?;
        write!(
            f,
            "; build the eBPF program with the aya-log-ebpf that goes with this aya-log"
        )
    }
}

impl core::error::Error for RecordError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// Builds records as the eBPF side lays them out.
    struct Builder(Vec<u8>);

    impl Builder {
        fn new(kinds: &[ArgumentKind]) -> Self {
            let mut bytes = Vec::from(1u32.to_ne_bytes());
            bytes.extend(kinds.iter().map(|&kind| kind as u8));
            bytes.resize(head_len(kinds.len()), 0);
            Self(bytes)
        }

        fn put(mut self, align: usize, bytes: &[u8]) -> Self {
            self.0.resize(self.0.len().next_multiple_of(align), 0);
            self.0.extend(bytes);
            self
        }
    }

    fn read(record: &[u8], count: usize) -> Result<Vec<Value<'_>>, RecordError> {
        let mut values = std::vec![Value::Bool(false); count];
        read_values(record, &mut values).map(|()| values)
    }

    #[test]
    fn alignment_holes_and_tails() {
        use ArgumentKind::{ArrU8, Bytes, Str, U8, U16, U64};
        let record = Builder::new(&[U8, U64, Str, U16, Bytes, ArrU8])
            .put(1, &[1])
            .put(8, &2u64.to_ne_bytes())
            .put(2, &3u16.to_ne_bytes())
            .put(2, &4u16.to_ne_bytes())
            .put(2, &(2 | TRUNCATED).to_ne_bytes())
            .put(1, &1u16.to_ne_bytes())
            .put(1, &[7])
            .put(1, b"abc\x08\x09");
        let tail = |bytes, truncated| Tail { bytes, truncated };
        let expected = [
            Value::U8(1),
            Value::U64(2),
            Value::Str(tail(b"abc", false)),
            Value::U16(4),
            Value::Bytes(tail(&[8, 9], true)),
            Value::Bytes(tail(&[7], false)),
        ];
        assert_eq!(read(&record.0, 6).unwrap(), expected);
        for len in 0..record.0.len() {
            assert_eq!(read(&record.0[..len], 6), Err(RecordError::Truncated));
        }
        // What a perf buffer appends does not matter.
        assert_eq!(read(&record.put(8, &[0]).0, 6).unwrap(), expected);
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!(split_id(&[1, 2, 3]), Err(RecordError::Truncated));
        assert_eq!(
            read(&[0, 0, 0, 0, 99, 0, 0, 0], 1),
            Err(RecordError::Kind(99))
        );
        let record = Builder::new(&[ArgumentKind::Char]).put(4, &0xd800u32.to_ne_bytes());
        assert_eq!(read(&record.0, 1), Err(RecordError::Value));
        let record = Builder::new(&[ArgumentKind::IpAddr]).put(1, &[5; 17]);
        assert_eq!(read(&record.0, 1), Err(RecordError::Value));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut read_well = 0;
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..next() % 64)
                .map(|_| match next() {
                    n if n & 1 == 0 => (n >> 8) as u8 % 20,
                    n => (n >> 8) as u8,
                })
                .collect();
            let count = (next() % (MAX_ARGUMENTS as u64 + 1)) as usize;
            read_well += usize::from(read(&bytes, count).is_ok());
            for (_, descriptor) in crate::descriptor::Descriptors::new(&bytes) {
                let _ = descriptor.map(|descriptor| descriptor.encoded_len());
            }
            let _ =
                crate::format::Parser::new(&std::string::String::from_utf8_lossy(&bytes)).count();
        }
        assert!(read_well > 1000, "{read_well}");
    }
}
