//! Values that belong to a cgroup and the program on it.
//!
//! The kernel makes the value, zeros at first, when the program is attached to a cgroup; a program uses
//! one such map of either kind at most. New programs take a map of cgroups' own values
//! (`BPF_MAP_TYPE_CGRP_STORAGE`, Linux 6.2), which any program can ask for any cgroup.

use crate::{helpers::generated as raw, maps::def::map_type};

/// Which value user space means (`struct bpf_cgroup_storage_key`); programs get that of their cgroup.
// Not that of `bindings`: the kernel looks at the members' types, and wants none for the padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CgroupStorageKey {
    /// The cgroup: the inode of its folder.
    pub cgroup_inode_id: u64,
    /// The hook, one of `BPF_CGROUP_*`.
    pub attach_type: u32,
}

/// Defines the storages, one row each.
macro_rules! storages {
    ($($(#[$doc:meta])* $name:ident: $map_type:ident,)*) => {$(
        map_type! {
            $(#[$doc])*
            $name<V>: CgroupStorageKey => V, $map_type,
            /// A storage of values of this type.
            new() = (0, 0)
        }

        impl<V> $name<V> {
            /// The address of the value of the cgroup that the program runs for
            /// (`bpf_get_local_storage`). It is never null, and stays valid while the program runs.
            #[inline(always)]
            pub fn get_ptr_mut(&self) -> *mut V {
                // SAFETY: a map of this kind, and no flags are defined.
                unsafe { raw::bpf_get_local_storage(self.as_ptr(), 0).cast() }
            }
        }
    )*};
}

storages! {
    /// A value per cgroup and hook. Several CPUs may write it at once.
    ///
    /// ```
    /// use aya_ebpf::{
    ///     atomic_add_u64, macros::{cgroup_skb, map}, maps::CgroupStorage, programs::SkBuffContext,
    /// };
    ///
    /// #[map]
    /// static PACKETS: CgroupStorage<u64> = CgroupStorage::new();
    ///
    /// #[cgroup_skb(egress)]
    /// fn count(_ctx: SkBuffContext) -> i32 {
    ///     // SAFETY: the value is there, and only added to.
    ///     unsafe { atomic_add_u64(PACKETS.get_ptr_mut(), 1) };
    ///     1
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Since Linux 4.19.
    CgroupStorage: CGROUP_STORAGE,
    /// A value per cgroup, hook and CPU; a program sees that of the CPU it runs on. Since Linux 4.20.
    PerCpuCgroupStorage: PERCPU_CGROUP_STORAGE,
}
