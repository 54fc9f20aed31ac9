//! [`LpmTrie`]: values by prefixes of bits, found by the longest prefix that matches.
#![allow(unsafe_code)]

use std::{
    borrow::{Borrow, BorrowMut},
    fmt,
    marker::PhantomData,
    path::Path,
};

use super::{
    IterableMap, Map, MapData, MapError, MapIter, MapKeys, Pod,
    handle::{create, handle, table},
};
use crate::pin::PinError;

/// A prefix: a number of bits, and the bytes that they are the first of (in network byte order:
/// the first bit is the highest of the first byte).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, packed)]
pub struct Key<K> {
    prefix_len: u32,
    data: K,
}

impl<K: Pod> Key<K> {
    /// The first `prefix_len` bits of `data`.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use aya::maps::lpm_trie::Key;
    ///
    /// let net = Key::new(24, Ipv4Addr::new(192, 0, 2, 0).octets());
    /// assert_eq!(net.prefix_len(), 24);
    /// ```
    pub const fn new(prefix_len: u32, data: K) -> Self {
        Self { prefix_len, data }
    }

    /// The number of bits.
    pub const fn prefix_len(&self) -> u32 {
        self.prefix_len
    }

    /// The bytes.
    pub const fn data(&self) -> K {
        self.data
    }
}

impl<K: Pod + fmt::Debug> fmt::Debug for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.data(), self.prefix_len())
    }
}

// SAFETY: packed, so there is no padding between or behind two fields that have none.
unsafe impl<K: Pod> Pod for Key<K> {}

handle! {
    /// A trie in which the longest prefix that matches is found, such as for networks, of type
    /// `BPF_MAP_TYPE_LPM_TRIE` (since kernel 4.11; walking it since 4.16). It is created with the
    /// flag `BPF_F_NO_PREALLOC` (1).
    ///
    /// ```no_run
    /// # fn example(mut map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::net::Ipv4Addr;
    /// use aya::maps::lpm_trie::{Key, LpmTrie};
    ///
    /// let mut routes: LpmTrie<_, [u8; 4], u32> = LpmTrie::try_from(&mut map)?;
    /// routes.insert(&Key::new(24, Ipv4Addr::new(192, 0, 2, 0).octets()), 7, 0)?;
    /// let host = Key::new(32, Ipv4Addr::new(192, 0, 2, 99).octets());
    /// assert_eq!(routes.get(&host, 0)?, 7);
    /// # Ok(())
    /// # }
    /// ```
    LpmTrie<K, V>, key: Key<K>, value: V, from LpmTrie
}
create!(LpmTrie<K, V>, key: Key<K>, value: V, LpmTrie);
table!(LpmTrie<K, V>, key: Key<K>, value: V);
