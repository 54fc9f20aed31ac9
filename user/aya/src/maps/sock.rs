//! Maps of sockets: [`SockMap`] and [`SockHash`].
//!
//! Programs attached to such a map ([`SkMsg`](crate::programs::SkMsg),
//! [`SkSkb`](crate::programs::SkSkb)) see the data of the sockets in it, and any program of that
//! kind can hand data to them. A socket leaves the map when it is closed.
//!
//! The kernel tells which socket is where by its cookie alone (`SO_COOKIE`), and only for maps whose
//! values are 8 bytes, as those that are created here have.

use std::{
    borrow::{Borrow, BorrowMut},
    io,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    path::Path,
};

use aya_sys::bpf;

use super::{
    IterableMap, Map, MapData, MapError, MapIter, MapKeys, Pod,
    handle::{create, handle, iterable, remove_batch},
};
use crate::pin::PinError;

pub use super::fd_array::ReusePortSockArray;

/// The descriptor of a map of sockets: what programs are attached to.
///
/// Only [`SockMap::fd`] and [`SockHash::fd`] give one.
// Every map's descriptor is stored as one of these, so that the two can lend it.
#[derive(Debug)]
pub struct SockMapFd(bpf::Map);

impl SockMapFd {
    pub(super) const fn new(map: bpf::Map) -> Self {
        Self(map)
    }

    #[inline]
    pub(super) const fn raw(&self) -> &bpf::Map {
        &self.0
    }

    /// A second descriptor of the same map.
    ///
    /// # Errors
    ///
    /// When the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for SockMapFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Who is in a map of sockets.
macro_rules! cookie {
    ($handle:ident<$($param:ident),*>, $key:ident: $type:ty, $owned:ty) => {
        impl<T: Borrow<MapData>, $($param: Pod),*> $handle<T, $($param),*> {
            /// The cookie of the socket that is there: what `SO_COOKIE` says of it. Needs values of
            /// 8 bytes. Since kernel 5.7.
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when there is none, [`MapError::InvalidValueSize`] of a map
            /// with values of 4 bytes, [`MapError::SyscallError`] when the kernel refuses.
            pub fn cookie(&self, $key: $type) -> Result<u64, MapError> {
                let map = self.inner.borrow();
                map.check_value(size_of::<u64>())?;
                map.get($key, 0)
            }

            /// Walks the keys with the cookies of their sockets; free slots are left out.
            ///
            /// # Errors
            ///
            /// [`MapError::InvalidValueSize`] of a map with values of 4 bytes.
            pub fn cookies(&self) -> Result<MapIter<'_, $owned, u64, MapData>, MapError> {
                let map = self.inner.borrow();
                map.check_value(size_of::<u64>())?;
                Ok(MapIter::new(map))
            }
        }
    };
}
pub(super) use cookie;

macro_rules! fd {
    ($handle:ident<$($param:ident),*>) => {
        impl<T: Borrow<MapData>, $($param: Pod),*> $handle<T, $($param),*> {
            /// The map's descriptor, to attach programs to.
            pub fn fd(&self) -> &SockMapFd {
                self.inner.borrow().fd().as_sock_map()
            }
        }
    };
}

handle! {
    /// Sockets by slot, of type `BPF_MAP_TYPE_SOCKMAP` (since kernel 4.14).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::SockMap;
    ///
    /// let socket = std::net::TcpStream::connect("127.0.0.1:80")?;
    /// let mut sockets = SockMap::try_from(map)?;
    /// sockets.set(0, &socket, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    SockMap<>, from SockMap
}
create!(SockMap<>, key: u32, value: u64, SockMap);
fd! { SockMap<> }

impl<T: Borrow<MapData>> SockMap<T> {
    /// Walks all slots, taken or not.
    pub fn indices(&self) -> MapKeys<'_, u32> {
        MapKeys::new(self.inner.borrow())
    }
}

cookie!(SockMap<>, index: &u32, u32);

impl<T: BorrowMut<MapData>> SockMap<T> {
    /// Puts a socket into slot `index`. `flags` is `BPF_ANY` (0), `BPF_NOEXIST` (1: only into a
    /// free slot) or `BPF_EXIST` (2: only into a taken one).
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses:
    /// `EOPNOTSUPP` for a socket that is not connected, or of a kind that the attached programs
    /// cannot serve, `EBUSY` for one that is in another map with programs.
    pub fn set<I: AsRawFd>(&mut self, index: u32, socket: &I, flags: u64) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.check_bounds(index)?;
        map.set_fd(&index, socket.as_raw_fd(), flags)
    }

    /// Takes out the socket in slot `index`.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`]: `EINVAL` when the slot is free.
    pub fn clear_index(&mut self, index: &u32) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.check_bounds(*index)?;
        map.remove(index)
    }
}

handle! {
    /// Sockets by key, of type `BPF_MAP_TYPE_SOCKHASH` (since kernel 4.18).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::SockHash;
    ///
    /// let socket = std::net::TcpStream::connect("127.0.0.1:80")?;
    /// let mut sockets: SockHash<_, u32> = SockHash::try_from(map)?;
    /// sockets.insert(&80, socket, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    SockHash<K>, key: K, from SockHash
}
create!(SockHash<K>, key: K, value: u64, SockHash);
fd! { SockHash<K> }
iterable!(SockHash<K>, key: K, value: RawFd);
cookie!(SockHash<K>, key: &K, K);
remove_batch!(SockHash[K: Pod], key: K);

impl<T: Borrow<MapData>, K: Pod> SockHash<T, K> {
    /// The kernel's answer to which descriptor is behind `key`: an error, since it keeps none.
    /// [`cookie`](Self::cookie) is what there is to know.
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`], always.
    pub fn get(&self, key: &K, flags: u64) -> Result<RawFd, MapError> {
        self.inner.borrow().get(key, flags)
    }

    /// Walks the entries. Their values are as [`get`](Self::get) gives them;
    /// [`keys`](Self::keys) is what there is to know.
    pub fn iter(&self) -> MapIter<'_, K, RawFd, Self> {
        MapIter::new(self)
    }

    /// Walks the keys in no particular order.
    pub fn keys(&self) -> MapKeys<'_, K> {
        MapKeys::new(self.inner.borrow())
    }
}

impl<T: BorrowMut<MapData>, K: Pod> SockHash<T, K> {
    /// Puts a socket behind `key`. `flags` is `BPF_ANY` (0), `BPF_NOEXIST` (1: only a new key) or
    /// `BPF_EXIST` (2: only a key that is there).
    ///
    /// # Errors
    ///
    /// [`MapError::SyscallError`] when the kernel refuses: as [`SockMap::set`], and `E2BIG` when
    /// the map is full.
    pub fn insert<I: AsRawFd>(
        &mut self,
        key: impl Borrow<K>,
        socket: I,
        flags: u64,
    ) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.set_fd(key.borrow(), socket.as_raw_fd(), flags)
    }

    /// Takes out the socket behind `key`.
    ///
    /// # Errors
    ///
    /// [`MapError::KeyNotFound`] when there is none, [`MapError::SyscallError`] when the kernel
    /// refuses.
    pub fn remove(&mut self, key: &K) -> Result<(), MapError> {
        self.inner.borrow_mut().remove(key)
    }
}
