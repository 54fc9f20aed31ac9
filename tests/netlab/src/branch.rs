//! More wires of a lab, to see where packets go that the near side sends on.

use std::{fs::File, io, net::UdpSocket, os::fd::AsFd as _, time::Duration};

use crate::{
    During as _, Error, Lab, NEAR_ADDRESS, NEAR_MAC, enter, netlink, netlink::Address,
    new_namespace, receiver,
};

/// The interface at the far end of each [`Branch`].
pub const END: &str = "end0";

/// A wire from the near side to a namespace of its own, whose end takes what is sent to the near side
/// for its own: a packet that is handed on as it is arrives there.
///
/// ```text
///   far0 ──────▶ near0, the program under test: out of the branch's interface ──────▶ end0
/// ```
#[derive(Debug)]
pub struct Branch<'a> {
    lab: &'a Lab,
    namespace: File,
    interface: u32,
}

impl Lab {
    /// Adds a wire whose near end has this name.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn branch(&self, name: &str) -> Result<Branch<'_>, Error> {
        const OUT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];
        let namespace = new_namespace();
        // Making it has moved the thread there.
        enter(&self.near);
        let mut branch = Branch {
            lab: self,
            namespace: namespace?,
            interface: 0,
        };
        netlink::add_veth((name, OUT_MAC), (END, NEAR_MAC), branch.namespace.as_fd())
            .during("create a veth pair")?;
        branch
            .at_end(|| {
                let end = netlink::index_of(END)?;
                let address = NEAR_ADDRESS;
                netlink::add_address(end, Address { address, bits: 24 })?;
                netlink::silence_ipv6(end)?;
                netlink::set_up(end)
            })?
            .during("set up a branch's end")?;
        let out = || -> io::Result<u32> {
            let out = netlink::index_of(name)?;
            netlink::silence_ipv6(out)?;
            netlink::set_up(out)?;
            Ok(out)
        };
        branch.interface = out().during("set up a branch")?;
        Ok(branch)
    }
}

impl Branch<'_> {
    /// The index of the near end.
    #[must_use]
    pub fn interface(&self) -> u32 {
        self.interface
    }

    /// Runs a closure in the namespace of the far end, which is called [`END`].
    ///
    /// # Errors
    /// When the thread cannot move there, which no unprivileged one can.
    pub fn at_end<T>(&self, run: impl FnOnce() -> T) -> Result<T, Error> {
        self.lab.within(&self.namespace, run)
    }

    /// A socket that receives at the far end what was sent to a port of the near side.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn receiver(&self, port: u16, patience: Duration) -> Result<UdpSocket, Error> {
        self.at_end(|| receiver(port, patience))?
    }
}
