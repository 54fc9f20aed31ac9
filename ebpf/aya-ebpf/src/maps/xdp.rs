//! Maps of places that XDP programs send packets to: CPUs, devices, sockets.
//!
//! Entries of maps of CPUs and devices have room for a program, and before Linux 5.15 programs that use
//! such maps cannot be attached in generic mode (`XdpMode::Skb`).

use core::num::NonZeroU32;

use crate::{
    bindings::{bpf_cpumap_val, bpf_devmap_val, xdp_action},
    helpers::generated as raw,
    maps::{def::map_type, ops},
};

/// Defines maps of places, one row each.
macro_rules! places {
    ($($(#[$doc:meta])* $name:ident => $value:ty, $map_type:ident,)*) => {$(
        map_type! {
            $(#[$doc])*
            $name: u32 => $value, $map_type,
            /// Room for `max_entries` places, which user space fills in; `flags` are creation flags.
            with_max_entries(max_entries, flags) = (max_entries, flags)
        }

        impl $name {
            /// Sends the packet to the place at `index`, once the program returns what this returns.
            ///
            /// `flags`: the lowest two bits are the action when there is no such place (since Linux
            /// 5.4); `BPF_F_BROADCAST` and `BPF_F_EXCLUDE_INGRESS` for maps of devices (5.13).
            ///
            /// # Errors
            ///
            /// The action of `flags`, `XDP_ABORTED` if there is none.
            #[inline(always)]
            pub fn redirect(&self, index: u32, flags: u64) -> Result<u32, u32> {
                // SAFETY: a map of places.
                let action = unsafe {
                    raw::bpf_redirect_map(self.as_ptr(), u64::from(index), flags)
                } as u32;
                if action == xdp_action::XDP_REDIRECT { Ok(action) } else { Err(action) }
            }
        }
    )*};
}

places! {
    /// CPUs. Since Linux 4.15, with programs since 5.9.
    CpuMap => bpf_cpumap_val, CPUMAP,
    /// Network devices, by index. Since Linux 4.14, with programs since 5.8.
    DevMap => bpf_devmap_val, DEVMAP,
    /// Network devices, by any number. Since Linux 5.4, with programs since 5.8.
    DevMapHash => bpf_devmap_val, DEVMAP_HASH,
    /// AF_XDP sockets, by queue. Since Linux 4.18.
    XskMap => u32, XSKMAP,
}

/// An entry of a map of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevMapValue {
    /// The device's index.
    pub if_index: u32,
    /// The program that runs on packets sent there.
    pub prog_id: Option<NonZeroU32>,
}

/// Generates the readers of maps of devices.
macro_rules! devices {
    ($($name:ident)*) => {$(
        impl $name {
            /// The device at `index`, and its program.
            #[inline(always)]
            pub fn get(&self, index: u32) -> Option<DevMapValue> {
                let value = ops::lookup::<_, [u32; 2]>(self.as_ptr(), &index)?;
                // SAFETY: what programs see of an entry is two numbers.
                let [if_index, prog_id] = unsafe { value.read() };
                Some(DevMapValue { if_index, prog_id: NonZeroU32::new(prog_id) })
            }

            /// The index of the device at `index`.
            #[inline(always)]
            pub fn get_ifindex(&self, index: u32) -> Option<u32> {
                let value = ops::lookup::<_, u32>(self.as_ptr(), &index)?;
                // SAFETY: an entry begins with the device's index.
                Some(unsafe { value.read() })
            }
        }
    )*};
}
devices!(DevMap DevMapHash);

impl XskMap {
    /// The queue of the socket at `index` (Linux 5.3).
    #[inline(always)]
    pub fn get(&self, index: u32) -> Option<u32> {
        let socket = ops::lookup::<_, u32>(self.as_ptr(), &index)?;
        // SAFETY: programs see a `struct bpf_xdp_sock`, which begins with the queue.
        Some(unsafe { socket.read() })
    }
}
