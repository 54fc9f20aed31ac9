//! A log statement's constant part, as it stands in section [`SECTION`](crate::SECTION).
//!
//! Descriptors follow each other; the offset of the first byte is the statement's id. Numbers are
//! little-endian and unaligned:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | level, never 0, so that zeros between descriptors can be skipped |
//! | 1 | number of arguments |
//! | 4 | line |
//! | 4 × (2 + length) | target, module, file, format string: each a length and UTF-8 text |
//!
//! An empty target stands for the module. The types of the arguments come with each record, because
//! a static's initialiser cannot name the types of the expressions that a macro was given.

use core::fmt;

use crate::Level;

/// Everything about a log statement that does not change from record to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// The level of the statement.
    pub level: Level,
    /// How many arguments its records carry, at most [`MAX_ARGUMENTS`](crate::record::MAX_ARGUMENTS).
    pub arguments: u8,
    /// The line of the statement in `file`.
    pub line: u32,
    /// The target given with `target:`; empty: the module.
    pub target: &'a str,
    /// The path of the Rust module.
    pub module: &'a str,
    /// The source file.
    pub file: &'a str,
    /// The format string, in the grammar of [`format`](crate::format).
    pub format: &'a str,
}

const HEAD: usize = 6;

impl<'a> Descriptor<'a> {
    const fn strings(&self) -> [&'a str; 4] {
        [self.target, self.module, self.file, self.format]
    }

    /// The number of bytes that [`encode`](Self::encode) writes.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        let mut len = HEAD;
        let mut i = 0;
        while i < 4 {
            len += 2 + text(self.strings()[i]).len();
            i += 1;
        }
        len
    }

    /// The descriptor's bytes, followed by zeros if `N` is more than
    /// [`encoded_len`](Self::encoded_len).
    ///
    /// # Panics
    ///
    /// If `N` is less than [`encoded_len`](Self::encoded_len).
    #[must_use]
    pub const fn encode<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        assert!(self.encode_into(&mut out), "the array is too small");
        out
    }

    /// Writes the descriptor to the beginning of `out`; `false`, and `out` untouched, if `out` is
    /// shorter than [`encoded_len`](Self::encoded_len).
    ///
    /// Strings of more than 65,535 bytes are cut at a character boundary.
    ///
    /// ```
    /// use aya_log_common::{Level, descriptor::Descriptor};
    /// let panic = Descriptor {
    ///     level: Level::Error,
    ///     arguments: 0,
    ///     line: 7,
    ///     target: "",
    ///     module: "firewall",
    ///     file: "src/main.rs",
    ///     format: "panicked",
    /// };
    /// let mut bytes = vec![0; panic.encoded_len()];
    /// assert!(panic.encode_into(&mut bytes));
    /// assert_eq!(Descriptor::decode(&bytes), Ok((panic, bytes.len())));
    /// ```
    pub const fn encode_into(&self, out: &mut [u8]) -> bool {
        if out.len() < self.encoded_len() {
            return false;
        }
        out[0] = self.level as u8;
        out[1] = self.arguments;
        let mut at = put(out, 2, &self.line.to_le_bytes());
        let mut i = 0;
        while i < 4 {
            let text = text(self.strings()[i]);
            at = put(out, at, &(text.len() as u16).to_le_bytes());
            at = put(out, at, text);
            i += 1;
        }
        true
    }

    /// The descriptor at the beginning of `bytes`, and its length.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] if the bytes are no descriptor. No input panics.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, usize), DescriptorError> {
        let mut rest = bytes;
        let [level, arguments] = take_array(&mut rest)?;
        let level = Level::from_u8(level).ok_or(DescriptorError::Level(level))?;
        let line = u32::from_le_bytes(take_array(&mut rest)?);
        let mut text = || -> Result<&'a str, DescriptorError> {
            let len = usize::from(u16::from_le_bytes(take_array(&mut rest)?));
            let (text, tail) = rest
                .split_at_checked(len)
                .ok_or(DescriptorError::Truncated)?;
            rest = tail;
            core::str::from_utf8(text).map_err(|_| DescriptorError::Text)
        };
        let descriptor = Self {
            level,
            arguments,
            line,
            target: text()?,
            module: text()?,
            file: text()?,
            format: text()?,
        };
        Ok((descriptor, bytes.len() - rest.len()))
    }
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DescriptorError> {
    let (head, tail) = rest.split_first_chunk().ok_or(DescriptorError::Truncated)?;
    *rest = tail;
    Ok(*head)
}

/// The bytes of `s`, cut at a character boundary to what a `u16` length can say.
const fn text(s: &str) -> &[u8] {
    let mut len = s.len();
    if len > u16::MAX as usize {
        len = u16::MAX as usize;
        while !s.is_char_boundary(len) {
            len -= 1;
        }
    }
    s.as_bytes().split_at(len).0
}

const fn put(out: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let mut i = 0;
    while i < bytes.len() {
        out[at + i] = bytes[i];
        i += 1;
    }
    at + bytes.len()
}

/// The descriptors of a section with their ids. Ends after the first that cannot be read, because
/// nothing says where the next one begins.
#[derive(Clone, Debug)]
pub struct Descriptors<'a> {
    section: &'a [u8],
    at: usize,
}

impl<'a> Descriptors<'a> {
    /// Iterates over the bytes of section [`SECTION`](crate::SECTION).
    #[must_use]
    pub const fn new(section: &'a [u8]) -> Self {
        Self { section, at: 0 }
    }
}

impl<'a> Iterator for Descriptors<'a> {
    type Item = (u32, Result<Descriptor<'a>, DescriptorError>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.section.get(self.at..)?;
        self.at += rest.iter().position(|&byte| byte != 0)?;
        let rest = self.section.get(self.at..)?;
        let id = u32::try_from(self.at).ok()?;
        match Descriptor::decode(rest) {
            Ok((descriptor, len)) => {
                self.at += len;
                Some((id, Ok(descriptor)))
            }
            Err(error) => {
                self.at = self.section.len();
                Some((id, Err(error)))
            }
        }
    }
}

/// Why bytes are no descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DescriptorError {
    /// The bytes end before the descriptor does.
    Truncated,
    /// There is no level with this number.
    Level(u8),
    /// A string is not UTF-8.
    Text,
}

impl fmt::Display for DescriptorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "log descriptor: it is cut off"),
            Self::Level(number) => write!(f, "log descriptor: {number} is no level"),
            Self::Text => write!(f, "log descriptor: a string is not UTF-8"),
        }?;
        write!(
            f,
            "; build the eBPF program with the aya-log-ebpf that goes with this aya-log"
        )
    }
}

impl core::error::Error for DescriptorError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{string::String, vec, vec::Vec};

    use super::*;

    const SAMPLE: Descriptor<'static> = Descriptor {
        level: Level::Warn,
        arguments: 2,
        line: 0x0102_0304,
        target: "t",
        module: "a::b",
        file: "src/main.rs",
        format: "é {:i} {}",
    };

    #[test]
    fn encodes_in_const_context_and_decodes() {
        const BYTES: [u8; SAMPLE.encoded_len()] = SAMPLE.encode();
        assert_eq!(Descriptor::decode(&BYTES), Ok((SAMPLE, BYTES.len())));
        let mut short = vec![9; BYTES.len() - 1];
        assert!(!SAMPLE.encode_into(&mut short));
        assert!(short.iter().all(|&byte| byte == 9));
    }

    #[test]
    fn every_prefix_is_an_error() {
        const BYTES: [u8; SAMPLE.encoded_len()] = SAMPLE.encode();
        for len in 0..BYTES.len() {
            assert_eq!(
                Descriptor::decode(&BYTES[..len]),
                Err(DescriptorError::Truncated)
            );
        }
    }

    #[test]
    fn refuses_what_is_no_descriptor() {
        assert_eq!(Descriptor::decode(&[9; 64]), Err(DescriptorError::Level(9)));
        let mut bytes: [u8; SAMPLE.encoded_len()] = SAMPLE.encode();
        bytes[8] = 0xff;
        assert_eq!(Descriptor::decode(&bytes), Err(DescriptorError::Text));
    }

    #[test]
    fn long_strings_are_cut_at_a_character() {
        let long: String = "é".repeat(40_000);
        let descriptor = Descriptor {
            format: &long,
            ..SAMPLE
        };
        let mut bytes = vec![0; descriptor.encoded_len()];
        assert!(descriptor.encode_into(&mut bytes));
        let (decoded, len) = Descriptor::decode(&bytes).unwrap();
        assert_eq!(len, bytes.len());
        assert_eq!(decoded.format.len(), 65_534);
    }

    #[test]
    fn a_section_yields_offsets_and_skips_zeros() {
        let other = Descriptor { line: 5, ..SAMPLE };
        let mut section = vec![0; SAMPLE.encoded_len()];
        assert!(SAMPLE.encode_into(&mut section));
        section.extend([0; 3]);
        let second = section.len();
        section.resize(second + other.encoded_len(), 0);
        assert!(other.encode_into(&mut section[second..]));
        section.push(0);
        let all: Vec<_> = Descriptors::new(&section).collect();
        assert_eq!(all, [(0, Ok(SAMPLE)), (second as u32, Ok(other))]);

        section.truncate(second + 3);
        let all: Vec<_> = Descriptors::new(&section).collect();
        assert_eq!(all[1], (second as u32, Err(DescriptorError::Truncated)));
        assert_eq!(all.len(), 2);
    }
}
