//! Maps of AF_XDP sockets: packets that arrive in a socket's ring, past the network stack.

use std::{
    fs::File,
    net::UdpSocket,
    os::{
        fd::{AsFd as _, AsRawFd, OwnedFd, RawFd},
        unix::fs::FileExt as _,
    },
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    maps::{MapError, XskMap},
    programs::XdpMode,
};
use aya_netlab::{Lab, NEAR, netlink};
use aya_sys::mmap::Mmap;
use aya_tests::{
    TestResult,
    datagrams::{PATIENCE, arrives, nothing_at},
    in_both_modes, map,
};
use nix::errno::Errno;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    net::{
        AddressFamily, SocketFlags, SocketType, bind, socket_with,
        sockopt::{
            set_xdp_rx_ring_size, set_xdp_umem_completion_ring_size, set_xdp_umem_fill_ring_size,
            set_xdp_umem_reg, xdp_mmap_offsets,
        },
        xdp::{
            SocketAddrXdp, SocketAddrXdpFlags, XDP_PGOFF_RX_RING, XDP_UMEM_PGOFF_FILL_RING,
            XdpRingOffset, XdpUmemReg, XdpUmemRegFlags,
        },
    },
};

use crate::{PORT, attach, errno, send, slot, slots};

/// Descriptors in a ring, and chunks of memory for packets.
const CHUNKS: u32 = 4;
const CHUNK_SIZE: u32 = 2048;
/// Ethernet, IPv4 and UDP headers.
const HEADERS: usize = 14 + 20 + 8;

/// A ring that the socket shares with the kernel, each side writing one of its two counters.
struct Ring {
    memory: Mmap,
    at: XdpRingOffset,
}

impl Ring {
    fn new(socket: &OwnedFd, place: u64, at: XdpRingOffset, descriptor: usize) -> TestResult<Self> {
        let len = usize::try_from(at.desc)? + descriptor * CHUNKS as usize;
        let memory = Mmap::new(socket.as_fd(), usize::try_from(place)?, len, true)?;
        Ok(Self { memory, at })
    }

    /// The address of a number in the ring.
    fn address<T>(&self, offset: u64) -> *mut T {
        let offset = usize::try_from(offset).expect("64 bits");
        assert!(offset + size_of::<T>() <= self.memory.len() && offset % align_of::<T>() == 0);
        self.memory.as_ptr().wrapping_add(offset).cast()
    }

    fn word(&self, offset: u64) -> &AtomicU32 {
        // SAFETY: inside the mapping and aligned, as asserted; the kernel writes it as one, too.
        unsafe { AtomicU32::from_ptr(self.address(offset)) }
    }

    fn double_word(&self, offset: u64) -> &AtomicU64 {
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(self.address(offset)) }
    }
}

/// An AF_XDP socket that receives on one queue of an interface.
struct Socket {
    // Before the memory, which the kernel writes to until the socket is closed.
    fd: OwnedFd,
    received: Ring,
    _fill: Ring,
    _mapped: Mmap,
    /// The memory for packets, to be read as a file.
    memory: File,
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Socket {
    fn new(interface: u32) -> TestResult<Self> {
        let len = CHUNKS * CHUNK_SIZE;
        let memory = File::from(memfd_create("packets", MemfdFlags::CLOEXEC)?);
        memory.set_len(len.into())?;
        let mapped = Mmap::new(memory.as_fd(), 0, len as usize, true)?;
        let fd = socket_with(
            AddressFamily::XDP,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        set_xdp_umem_reg(
            &fd,
            XdpUmemReg {
                addr: mapped.as_ptr() as u64,
                len: len.into(),
                chunk_size: CHUNK_SIZE,
                headroom: 0,
                flags: XdpUmemRegFlags::empty(),
                tx_metadata_len: 0,
            },
        )?;
        set_xdp_umem_fill_ring_size(&fd, CHUNKS)?;
        set_xdp_umem_completion_ring_size(&fd, CHUNKS)?;
        set_xdp_rx_ring_size(&fd, CHUNKS)?;
        let at = xdp_mmap_offsets(&fd)?;
        let received = Ring::new(&fd, XDP_PGOFF_RX_RING, at.rx, 16)?;
        let fill = Ring::new(&fd, XDP_UMEM_PGOFF_FILL_RING, at.fr, 8)?;
        for chunk in 0..u64::from(CHUNKS) {
            let address = chunk * u64::from(CHUNK_SIZE);
            fill.double_word(at.fr.desc + 8 * chunk)
                .store(address, Ordering::Relaxed);
        }
        fill.word(at.fr.producer).store(CHUNKS, Ordering::Release);
        bind(
            &fd,
            &SocketAddrXdp::new(SocketAddrXdpFlags::XDP_COPY, interface, 0),
        )?;
        Ok(Self {
            fd,
            received,
            _fill: fill,
            _mapped: mapped,
            memory,
        })
    }

    /// The payload of the next packet in the ring; waits for it.
    fn next(&self) -> TestResult<String> {
        let Ring { at, .. } = &self.received;
        let deadline = Instant::now() + PATIENCE;
        let consumer = self.received.word(at.consumer);
        let read = consumer.load(Ordering::Relaxed);
        while self.received.word(at.producer).load(Ordering::Acquire) == read {
            if Instant::now() > deadline {
                return Err("no packet arrives in the ring".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        let descriptor = at.desc + 16 * u64::from(read % CHUNKS);
        let address = self
            .received
            .double_word(descriptor)
            .load(Ordering::Relaxed);
        let len = self.received.word(descriptor + 8).load(Ordering::Relaxed);
        let mut packet = vec![0; len as usize];
        self.memory.read_exact_at(&mut packet, address)?;
        consumer.store(read.wrapping_add(1), Ordering::Release);
        let payload = packet.get(HEADERS..).ok_or("a short packet")?;
        Ok(String::from_utf8(payload.to_vec())?)
    }
}

in_both_modes! {
    /// A packet arrives in the ring of the socket that it names, and nowhere else.
    fn packets_go_to_sockets(object: "maps_net", since 5, 8) {
        let forms = [("to_socket", "SOCKETS"), ("to_other_socket", "OTHER_SOCKETS")];
        for (mode, (program, name)) in [XdpMode::Skb, XdpMode::Driver].into_iter().zip(forms) {
            let lab = Lab::new(&[])?;
            let here = lab.receiver(PORT, PATIENCE)?;
            let mut ebpf = Ebpf::load(object)?;
            attach(&mut ebpf, program, NEAR, mode)?;
            let socket = Socket::new(netlink::index_of(NEAR)?)?;
            let mut sockets: XskMap<_> = map(&mut ebpf, name)?;
            sockets.set(1, socket.as_raw_fd(), 0)?;
            send(&lab, "0 passes")?;
            arrives(&here, "0 passes")?;
            assert_eq!(slots(&mut ebpf, [slot::QUEUE])?, [0]);
            for payload in ["1 first", "1 second"] {
                send(&lab, payload)?;
                assert_eq!(socket.next()?, payload);
            }
            assert_eq!(slots(&mut ebpf, [slot::QUEUE])?, [1]);
            nothing_at(&here)?;
            let mut sockets: XskMap<_> = map(&mut ebpf, name)?;
            sockets.unset(1)?;
            send(&lab, "1 taken out")?;
            arrives(&here, "1 taken out")?;
            sockets.set(1, socket.as_raw_fd(), 0)?;
            drop(socket);
            // A socket that is closed leaves the map.
            send(&lab, "1 closed")?;
            arrives(&here, "1 closed")?;
        }
        Ok(())
    }

    /// What does not go into a map of AF_XDP sockets.
    fn sockets_are_refused(object: "maps_net", since 5, 8) {
        let _lab = Lab::new(&[])?;
        let mut ebpf = Ebpf::load(object)?;
        let mut sockets: XskMap<_> = map(&mut ebpf, "SOCKETS")?;
        assert_eq!(sockets.len(), 2);
        let socket = Socket::new(netlink::index_of(NEAR)?)?;
        let other = UdpSocket::bind("0.0.0.0:0")?;
        let file = File::open("/dev/null")?;
        assert!(matches!(sockets.set(2, socket.as_raw_fd(), 0), Err(MapError::OutOfBounds { index: 2, max_entries: 2, .. })));
        assert!(matches!(sockets.unset(2), Err(MapError::OutOfBounds { .. })));
        for wrong in [other.as_raw_fd(), file.as_raw_fd()] {
            errno(sockets.set(0, wrong, 0))?;
        }
        assert_eq!(errno(sockets.set(0, socket.as_raw_fd(), 2))?, Errno::ENOENT);
        sockets.set(0, socket.as_raw_fd(), 1)?;
        Ok(())
    }
}
