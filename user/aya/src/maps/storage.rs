//! Values that belong to something else: a socket, an inode, a task or a cgroup.
//!
//! Such a value is found without a search, and goes when its owner goes. User space names the owner
//! by a descriptor: of the socket, of any open file, of a task (`pidfd_open(2)`), of the cgroup's
//! directory.

use std::{
    borrow::{Borrow, BorrowMut},
    io,
    marker::PhantomData,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use super::{
    Map, MapData, MapError, MapOptions, Pod,
    handle::{create, handle},
};
use crate::pin::PinError;

/// A descriptor of the process `pid`, for [`TaskStorage`]: that of its first thread. It stands for
/// that process even when the number is used again. Since kernel 5.3.
///
/// # Errors
///
/// `ESRCH` when there is no such process.
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    Ok(aya_sys::pidfd_open(pid)?)
}

macro_rules! storage {
    (
        $(#[$doc:meta])*
        $handle:ident, owner: $owner:literal
    ) => {
        handle! {
            $(#[$doc])*
            $handle<V>, key: u32, value: V, from $handle
        }
        create!(@with $handle[V: Pod], key: u32, value: V, $handle);

        impl<V: Pod> $handle<MapData, V> {
            /// Creates a map that belongs to no object file, with the creation flags `flags`
            /// (`BPF_F_*`). How many values there can be is not limited.
            ///
            /// # Errors
            ///
            /// [`MapError::CreateError`] when the kernel refuses, [`MapError::KernelTooOld`] when
            /// that is because it lacks the type.
            pub fn create(flags: u32) -> Result<Self, MapError> {
                Self::create_with("", MapOptions::new().flags(flags))
            }
        }

        impl<T: Borrow<MapData>, V: Pod> $handle<T, V> {
            #[doc = concat!("A copy of the value of ", $owner, ". `flags` is 0, or `BPF_F_LOCK` (4) \
                             for values with a spin lock.")]
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when it has none, [`MapError::SyscallError`] when the
            /// kernel refuses: `EBADF` for a descriptor of something else.
            pub fn get(&self, owner: &impl AsRawFd, flags: u64) -> Result<V, MapError> {
                self.inner.borrow().get(&owner.as_raw_fd(), flags)
            }
        }

        impl<T: BorrowMut<MapData>, V: Pod> $handle<T, V> {
            #[doc = concat!("Sets the value of ", $owner, ". `flags` is `BPF_ANY` (0), `BPF_NOEXIST` \
                             (1: only if it has none) or `BPF_EXIST` (2: only if it has one).")]
            ///
            /// # Errors
            ///
            /// [`MapError::SyscallError`]: `EBADF` for a descriptor of something else, `EEXIST` and
            /// `ENOENT` as the flags say.
            pub fn insert(
                &mut self,
                owner: &impl AsRawFd,
                value: impl Borrow<V>,
                flags: u64,
            ) -> Result<(), MapError> {
                self.inner.borrow_mut().set(&owner.as_raw_fd(), value.borrow(), flags)
            }

            #[doc = concat!("Removes the value of ", $owner, ".")]
            ///
            /// # Errors
            ///
            /// [`MapError::KeyNotFound`] when it has none, [`MapError::SyscallError`] when the
            /// kernel refuses: `EBADF` for a descriptor of something else.
            pub fn remove(&mut self, owner: &impl AsRawFd) -> Result<(), MapError> {
                self.inner.borrow_mut().remove(&owner.as_raw_fd())
            }
        }
    };
}

storage! {
    /// A value per socket, of type `BPF_MAP_TYPE_SK_STORAGE` (since kernel 5.2).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::SkStorage;
    ///
    /// let socket = std::net::TcpStream::connect("127.0.0.1:80")?;
    /// let mut limits: SkStorage<_, u64> = SkStorage::try_from(map)?;
    /// limits.insert(&socket, 1_000_000, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    SkStorage, owner: "a socket"
}

storage! {
    /// A value per inode, of type `BPF_MAP_TYPE_INODE_STORAGE` (since kernel 5.10). The kernel keeps
    /// such values where BPF is among its security modules (`lsm=`).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::InodeStorage;
    ///
    /// let file = std::fs::File::open("/etc/shadow")?;
    /// let mut marks: InodeStorage<_, u32> = InodeStorage::try_from(map)?;
    /// marks.insert(&file, 1, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    InodeStorage, owner: "the inode of an open file"
}

storage! {
    /// A value per task, of type `BPF_MAP_TYPE_TASK_STORAGE` (since kernel 5.11). The descriptor is a
    /// pidfd.
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::task_storage::{TaskStorage, pidfd};
    ///
    /// let task = pidfd(std::process::id())?;
    /// let mut started: TaskStorage<_, u64> = TaskStorage::try_from(map)?;
    /// println!("{}", started.get(&task, 0)?);
    /// started.remove(&task)?;
    /// # Ok(())
    /// # }
    /// ```
    TaskStorage, owner: "a task"
}

storage! {
    /// A value per cgroup, of type `BPF_MAP_TYPE_CGRP_STORAGE` (since kernel 6.2).
    ///
    /// ```no_run
    /// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
    /// use aya::maps::CgrpStorage;
    ///
    /// let cgroup = std::fs::File::open("/sys/fs/cgroup/app")?;
    /// let mut budgets: CgrpStorage<_, u64> = CgrpStorage::try_from(map)?;
    /// budgets.insert(&cgroup, 1_000_000, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    CgrpStorage, owner: "a cgroup"
}
