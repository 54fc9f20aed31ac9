//! Arrays of kernel objects, which user space puts in by their descriptors: programs, cgroups,
//! sockets.

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    os::fd::{AsFd as _, AsRawFd},
    path::Path,
};

use super::{
    Map, MapData, MapError, MapIter, MapKeys,
    handle::{create, handle},
    sock::cookie,
};
use crate::{
    pin::PinError,
    programs::{ProgramFd, ProgramId},
};

/// What all of them can do, under the names that each type gives it.
macro_rules! fd_array {
    (@set $handle:ident, $what:literal, $set:ident, [$($generic:tt)*], $object:ty) => {
        impl<T: BorrowMut<MapData>> $handle<T> {
            #[doc = concat!("Puts a ", $what, " at `index`. The map keeps it alive. `flags` is 0.")]
            ///
            /// # Errors
            ///
            /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses.
            pub fn $set $($generic)* (
                &mut self,
                index: u32,
                object: $object,
                flags: u64,
            ) -> Result<(), MapError> {
                let map = self.inner.borrow_mut();
                map.check_bounds(index)?;
                map.set_fd(&index, object.as_raw_fd(), flags)
            }
        }
    };
    (@clear $handle:ident, $clear:ident($index:ident: $type:ty) $by_ref:expr) => {
        impl<T: BorrowMut<MapData>> $handle<T> {
            /// Takes out what is at `index`.
            ///
            /// # Errors
            ///
            /// [`MapError::OutOfBounds`], [`MapError::KeyNotFound`] when there is nothing, or
            /// [`MapError::SyscallError`] when the kernel refuses.
            pub fn $clear(&mut self, $index: $type) -> Result<(), MapError> {
                let map = self.inner.borrow_mut();
                map.check_bounds(*$by_ref)?;
                map.remove($by_ref)
            }
        }
    };
    (@len $handle:ident) => {
        impl<T: Borrow<MapData>> $handle<T> {
            /// The number of places, which is the map's `max_entries`.
            #[allow(clippy::len_without_is_empty, reason = "the kernel allows no empty array")]
            pub fn len(&self) -> u32 {
                self.inner.borrow().max_entries()
            }
        }
    };
    (@indices $handle:ident) => {
        impl<T: Borrow<MapData>> $handle<T> {
            /// Walks all indices, taken or not.
            pub fn indices(&self) -> MapKeys<'_, u32> {
                MapKeys::new(self.inner.borrow())
            }
        }
    };
}

handle! {
    /// Programs that a program can continue with (`bpf_tail_call`), of type
    /// `BPF_MAP_TYPE_PROG_ARRAY` (since kernel 4.2). All programs in it are of one type.
    ///
    /// The kernel empties the array when neither a descriptor nor a pin of it is left, even though
    /// loaded programs use it.
    ProgramArray<>, from ProgramArray
}
create!(ProgramArray<>, key: u32, value: u32, ProgramArray);
fd_array!(@clear ProgramArray, clear_index(index: &u32) index);
fd_array!(@indices ProgramArray);

impl<T: Borrow<MapData>> ProgramArray<T> {
    /// The program at `index`. `flags` is 0. Since kernel 4.18.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], [`MapError::KeyNotFound`] when there is none, or
    /// [`MapError::SyscallError`] when the kernel refuses.
    pub fn get(&self, index: &u32, flags: u64) -> Result<ProgramId, MapError> {
        let map = self.inner.borrow();
        map.check_bounds(*index)?;
        map.get(index, flags).map(ProgramId)
    }
}

impl<T: BorrowMut<MapData>> ProgramArray<T> {
    /// Puts `program` at `index`. `flags` is 0.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfBounds`], or [`MapError::SyscallError`] when the kernel refuses: `EINVAL`
    /// for a program of another type than those that are in the array or use it.
    pub fn set(&mut self, index: u32, program: &ProgramFd, flags: u64) -> Result<(), MapError> {
        let map = self.inner.borrow_mut();
        map.check_bounds(index)?;
        map.set_fd(&index, program.as_fd().as_raw_fd(), flags)
    }
}

handle! {
    /// Sockets that share a port, for programs to choose from, of type
    /// `BPF_MAP_TYPE_REUSEPORT_SOCKARRAY` (since kernel 4.19). A socket is in one such map at most,
    /// and leaves it when it is closed.
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map, socket: std::net::UdpSocket) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::ReusePortSockArray;
    ///
    /// // `socket` was bound with SO_REUSEPORT.
    /// let mut workers = ReusePortSockArray::try_from(map)?;
    /// workers.set(0, &socket, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    ReusePortSockArray<>, from ReusePortSockArray
}
create!(ReusePortSockArray<>, key: u32, value: u64, ReuseportSockArray);
fd_array!(@set ReusePortSockArray, "socket", set, [<I: AsRawFd>], &I);
fd_array!(@clear ReusePortSockArray, clear_index(index: &u32) index);
fd_array!(@indices ReusePortSockArray);
cookie!(ReusePortSockArray<>, index: &u32, u32);

handle! {
    /// Cgroups that a program can test membership of, of type `BPF_MAP_TYPE_CGROUP_ARRAY` (since
    /// kernel 4.8).
    CgroupArray<>, from CgroupArray
}
create!(CgroupArray<>, key: u32, value: u32, CgroupArray);
fd_array!(@set CgroupArray, "cgroup", set, [], impl AsRawFd);
fd_array!(@clear CgroupArray, unset(index: u32) &index);
fd_array!(@len CgroupArray);

handle! {
    /// AF_XDP sockets to redirect packets to, of type `BPF_MAP_TYPE_XSKMAP` (since kernel 4.18).
    XskMap<>, from XskMap
}
create!(XskMap<>, key: u32, value: u32, XskMap);
fd_array!(@set XskMap, "socket", set, [], impl AsRawFd);
fd_array!(@clear XskMap, unset(index: u32) &index);
fd_array!(@len XskMap);
