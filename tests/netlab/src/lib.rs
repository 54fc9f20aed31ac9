//! A network of its own for a test: two network namespaces, a wire between them, and packets on it.
//!
//! ```text
//!   far namespace                         near namespace (where the calling thread is)
//!   far0  10.99.0.2, 1.1.1.1, …  ──────▶  near0  10.99.0.1, the program under test
//! ```
//!
//! Nothing of the machine's own network is touched, no program such as `ip` is needed, and all of it
//! is gone when the [`Lab`] is. No packet travels that a test did not send: addresses are resolved
//! beforehand and IPv6 is silent.
#![forbid(unsafe_code)]

mod branch;
pub mod cgroup;
pub mod netlink;
mod packet;
mod program;

use std::{
    fmt,
    fs::File,
    io,
    marker::PhantomData,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _},
    time::Duration,
};

pub use branch::{Branch, END};
pub use cgroup::Cgroup;
use netlink::{Address, Route};
use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
    },
};
pub use packet::udp_packet;
pub use program::Running;

/// The interface that packets arrive at.
pub const NEAR: &str = "near0";
/// The interface that packets are sent from.
pub const FAR: &str = "far0";
/// The address of [`NEAR`].
pub const NEAR_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The first address of [`FAR`].
pub const FAR_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

const NEAR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const FAR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// What could not be set up, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Error {
    /// The step that failed.
    pub step: &'static str,
    /// The system's reason.
    pub source: io::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "test network: cannot {}", self.step)?;
        match self.source.raw_os_error() {
            Some(code) if code == nix::errno::Errno::EPERM as i32 => {
                f.write_str(": run this as root")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Names the step that an error belongs to.
trait During<T> {
    fn during(self, step: &'static str) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: &'static str) -> Result<T, Error> {
        self.map_err(|error| Error {
            step,
            source: error.into(),
        })
    }
}

/// Two namespaces with a wire between them. The thread that made it is in the near one until it is
/// dropped; threads and processes that it starts meanwhile are there too.
#[derive(Debug)]
pub struct Lab {
    home: File,
    near: File,
    far: File,
    /// A namespace belongs to a thread, so this stays on the one that made it.
    _thread: PhantomData<*const ()>,
}

impl Lab {
    /// Makes the namespaces and the wire, with [`FAR`] having [`FAR_ADDRESS`] and these `sources`.
    ///
    /// # Errors
    /// Without `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`, or on a kernel without `veth`.
    pub fn new(sources: &[Ipv4Addr]) -> Result<Self, Error> {
        let home = this_namespace()?;
        let far = new_namespace()?;
        // From here on an early return goes home too.
        let lab = Self {
            near: new_namespace()?,
            home,
            far,
            _thread: PhantomData,
        };
        netlink::add_veth((NEAR, NEAR_MAC), (FAR, FAR_MAC), lab.far.as_fd())
            .during("create a veth pair")?;
        let near = || -> io::Result<()> {
            let this = netlink::index_of(NEAR)?;
            netlink::add_address(
                this,
                Address {
                    address: NEAR_ADDRESS,
                    bits: 24,
                },
            )?;
            netlink::silence_ipv6(this)?;
            netlink::set_up(this)?;
            netlink::add_neighbour(this, FAR_ADDRESS, FAR_MAC)?;
            // A packet's source must be reachable, or the near side takes it for a forged one.
            netlink::add_route(Route {
                to: None,
                interface: this,
            })
        };
        near().during("set up the near side")?;
        // The far side comes last: then its peer is up, and its queue takes packets from the start. The
        // other way round the kernel opens the queue some time later, and loses what is sent till then.
        lab.in_far(|| {
            let this = netlink::index_of(FAR)?;
            for (address, bits) in [(FAR_ADDRESS, 24)]
                .into_iter()
                .chain(sources.iter().map(|source| (*source, 32)))
            {
                netlink::add_address(this, Address { address, bits })?;
            }
            netlink::silence_ipv6(this)?;
            netlink::set_up(this)?;
            netlink::add_neighbour(this, NEAR_ADDRESS, NEAR_MAC)
        })?
        .during("set up the far side")?;
        Ok(lab)
    }

    /// Runs a closure in the far namespace.
    ///
    /// # Errors
    /// When the thread cannot move there, which no unprivileged one can.
    pub fn in_far<T>(&self, run: impl FnOnce() -> T) -> Result<T, Error> {
        self.within(&self.far, run)
    }

    /// Runs a closure in a namespace.
    fn within<T>(&self, namespace: &File, run: impl FnOnce() -> T) -> Result<T, Error> {
        setns(namespace, CloneFlags::CLONE_NEWNET).during("enter a namespace")?;
        // Back on all ways out, a panic's too.
        struct Back<'a>(&'a File);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                enter(self.0);
            }
        }
        let _back = Back(&self.near);
        Ok(run())
    }

    /// A socket that receives on the near side, and waits for `patience` at most.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn receiver(&self, port: u16, patience: Duration) -> Result<UdpSocket, Error> {
        receiver(port, patience)
    }

    /// A socket on the far side that sends from one of its addresses to a port of the near one.
    ///
    /// # Errors
    /// When the far side does not have the address.
    pub fn sender(&self, source: Ipv4Addr, port: u16) -> Result<UdpSocket, Error> {
        self.in_far(|| {
            let sender = UdpSocket::bind((source, 0))?;
            sender.connect((NEAR_ADDRESS, port))?;
            Ok::<_, io::Error>(sender)
        })?
        .during("open the sending socket")
    }

    /// Sends an IPv4 packet, header included, from the far side to the near one.
    ///
    /// The kernel fills in the header's checksum, and nothing else that is not zero (`raw(7)`).
    ///
    /// # Errors
    /// When the packet is longer than the wire carries, or no IPv4 packet.
    pub fn send_packet(&self, packet: &[u8]) -> Result<(), Error> {
        let raw = self
            .in_far(|| {
                socket(
                    AddressFamily::Inet,
                    SockType::Raw,
                    SockFlag::SOCK_CLOEXEC,
                    SockProtocol::Raw,
                )
            })?
            .during("open a raw socket")?;
        let to = SockaddrIn::from(SocketAddrV4::new(NEAR_ADDRESS, 0));
        sendto(raw.as_raw_fd(), packet, &to, MsgFlags::empty()).during("send a raw packet")?;
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A thread that stayed here would have its next test on the wrong network.
        enter(&self.home);
    }
}

/// The datagrams that arrive until none has come for the receiver's patience: source and contents.
///
/// # Errors
/// Those of the socket, besides its time limit.
pub fn received(receiver: &UdpSocket) -> io::Result<Vec<(SocketAddr, Vec<u8>)>> {
    let mut datagrams = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        match receiver.recv_from(&mut buffer) {
            Ok((length, from)) => {
                datagrams.push((from, buffer.get(..length).unwrap_or_default().to_vec()));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(datagrams),
            Err(error) => return Err(error),
        }
    }
}

/// A socket that receives at the near side's address, where the thread is.
fn receiver(port: u16, patience: Duration) -> Result<UdpSocket, Error> {
    let open = || -> io::Result<UdpSocket> {
        let receiver = UdpSocket::bind((NEAR_ADDRESS, port))?;
        receiver.set_read_timeout(Some(patience))?;
        Ok(receiver)
    };
    open().during("open the receiving socket")
}

/// Moves the thread to a namespace where it has been before.
fn enter(namespace: &File) {
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("a namespace held open can be entered");
}

fn this_namespace() -> Result<File, Error> {
    File::open("/proc/thread-self/ns/net").during("open the thread's network namespace")
}

fn new_namespace() -> Result<File, Error> {
    unshare(CloneFlags::CLONE_NEWNET).during("create a network namespace")?;
    this_namespace()
}
