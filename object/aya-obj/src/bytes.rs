//! Checked access to bytes: every read says where it failed, nothing indexes.

use alloc::vec::Vec;

use object::{Endian as _, Endianness};

/// A read went past the end; holds the offset where it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truncated(pub(crate) usize);

/// A cursor over bytes of a known byte order.
#[derive(Clone)]
pub(crate) struct Bytes<'a> {
    data: &'a [u8],
    at: usize,
    endian: Endianness,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(data: &'a [u8], endian: Endianness) -> Self {
        Self {
            data,
            at: 0,
            endian,
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn endian(&self) -> Endianness {
        self.endian
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.data.len()
    }

    /// The part `[offset, offset + len)` of the data as a cursor of its own.
    pub(crate) fn part(&self, offset: usize, len: usize) -> Result<Self, Truncated> {
        let data = offset
            .checked_add(len)
            .and_then(|end| self.data.get(offset..end))
            .ok_or(Truncated(offset))?;
        Ok(Self::new(data, self.endian))
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Truncated> {
        let part = self.part(self.at, len)?;
        self.at += len;
        Ok(part.data)
    }

    /// A cursor over other data of the same byte order.
    pub(crate) fn of<'b>(&self, data: &'b [u8]) -> Bytes<'b> {
        Bytes::new(data, self.endian)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = self.data.get(self.at..).unwrap_or_default();
        self.at = self.data.len();
        rest
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| Truncated(at))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Truncated> {
        Ok(u8::from_ne_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Truncated> {
        Ok(self.endian.read_u32(self.array()?))
    }
}

/// Bytes being written in a chosen byte order.
pub(crate) struct Out {
    pub(crate) data: Vec<u8>,
    endian: Endianness,
}

impl Out {
    pub(crate) fn new(endian: Endianness) -> Self {
        Self {
            data: Vec::new(),
            endian,
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.data.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.data.extend_from_slice(&self.endian.write_u16(value));
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.data.extend_from_slice(&self.endian.write_u32(value));
    }
}
