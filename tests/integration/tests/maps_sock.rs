//! Sockets in maps: which of those with one port gets a flow, and streams that go to other sockets than
//! they were sent to.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, MapError, ReusePortSockArray, SockHash, SockMap},
    programs::{
        ProgramError, ProgramType, SkReuseport, SkReuseportAttachType, SkReuseportError, SkSkb,
    },
};
use aya_tests::{
    TestResult, can_pin,
    cgroups::{Scene, with_log},
    datagrams::{PATIENCE, arrives, nothing_at},
    in_both_modes, map, pin_path, program,
};
use nix::{
    errno::Errno,
    sys::socket::{
        Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket,
        sockopt::ReusePort,
    },
};
use rustix::net::sockopt::socket_cookie;

const PORT: u16 = 4100;

/// What the test says and is told: see the module of this name in the eBPF program.
mod note {
    pub(crate) const NEW: u32 = 0;
    pub(crate) const ORPHANS: u32 = 1;
    pub(crate) const ERROR: u32 = 2;
    pub(crate) const LENGTHS: u32 = 3;
    pub(crate) const PROTOCOLS: u32 = 4;
    pub(crate) const PORT: u32 = 5;
    pub(crate) const ORPHAN: u32 = 6;
}

fn read(ebpf: &mut Ebpf, note: u32) -> TestResult<u64> {
    Ok(map::<Array<_, u64>>(ebpf, "NOTES")?.get(&note, 0)?)
}

fn write(ebpf: &mut Ebpf, note: u32, value: u64) -> TestResult {
    Ok(map::<Array<_, u64>>(ebpf, "NOTES")?.set(note, value, 0)?)
}

/// A socket that may share its port, and is not bound yet.
fn unbound(kind: SockType) -> TestResult<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(nix::sys::socket::AddressFamily::Inet, kind, flags, None)?;
    setsockopt(&fd, ReusePort, &true)?;
    Ok(fd)
}

/// A socket that shares its port with others.
fn sharing(kind: SockType) -> TestResult<OwnedFd> {
    let fd = unbound(kind)?;
    let address = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT));
    bind(fd.as_raw_fd(), &address)?;
    Ok(fd)
}

fn receiver() -> TestResult<UdpSocket> {
    let socket = UdpSocket::from(sharing(SockType::Datagram)?);
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn listener() -> TestResult<TcpListener> {
    let fd = sharing(SockType::Stream)?;
    listen(&fd, Backlog::new(8)?)?;
    Ok(TcpListener::from(fd))
}

/// Sends a datagram to the port.
fn send(payload: &str) -> TestResult {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.send_to(payload.as_bytes(), (Ipv4Addr::LOCALHOST, PORT))?;
    Ok(())
}

fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut SkReuseport> {
    let program: &mut SkReuseport = program(ebpf, name)?;
    program.load()?;
    Ok(program)
}

in_both_modes! {
    /// A datagram goes to the socket that it names; where it names none, the kernel chooses.
    fn a_program_chooses_the_socket(object: "maps_sock", since 5, 8) {
        let _scene = Scene::new()?;
        let (mut ebpf, mut logger, recorder) = with_log(object)?;
        let receivers = [receiver()?, receiver()?, receiver()?];
        let mut sharing: ReusePortSockArray<_> = map(&mut ebpf, "SHARING")?;
        for (slot, receiver) in (0..).zip(&receivers) {
            sharing.set(slot, receiver, 0)?;
        }
        loaded(&mut ebpf, "select")?.attach(&receivers[0])?;
        for payload in ["2 a", "0 b", "1 c", "2 d"] {
            send(payload)?;
        }
        for (slot, payload) in [(2, "2 a"), (0, "0 b"), (1, "1 c"), (2, "2 d")] {
            arrives(&receivers[slot], payload)?;
        }
        assert_eq!(read(&mut ebpf, note::LENGTHS)? & 0xffff_ffff, 8 + 3, "with its header");
        assert_eq!(read(&mut ebpf, note::PROTOCOLS)?, (0x800 << 32) | 17, "IPv4, UDP");
        logger.flush();
        let texts: Vec<_> = recorder.take().into_iter().map(|said| said.text).collect();
        assert_eq!(texts, ["11 bytes to sockets at any address: 0"; 4]);

        // There is no such socket: the program drops the datagram.
        let mut sharing: ReusePortSockArray<_> = map(&mut ebpf, "SHARING")?;
        sharing.clear_index(&1)?;
        send("1 e")?;
        assert_eq!(read(&mut ebpf, note::ERROR)?, Errno::ENOENT as u64);
        send("9 f")?;
        assert_eq!(read(&mut ebpf, note::ERROR)?, Errno::ENOENT as u64);
        // A closed socket leaves the map.
        let [first, second, third] = receivers;
        drop(third);
        send("2 g")?;
        assert_eq!(read(&mut ebpf, note::ERROR)?, Errno::ENOENT as u64);
        for receiver in [&first, &second] {
            nothing_at(receiver)?;
        }
        send("anyone")?;
        let either = [&first, &second].map(|receiver| {
            receiver.set_nonblocking(true)?;
            receiver.recv(&mut [0; 16])
        });
        assert_eq!(either.iter().filter(|received| received.is_ok()).count(), 1, "{either:?}");
        // The group holds the program when its handle is gone, until somebody takes it off.
        drop((ebpf, logger));
        SkReuseport::detach(&second)?;
        let error = SkReuseport::detach(&second).err().ok_or("detached")?;
        assert!(
            matches!(error, ProgramError::SkReuseportError(SkReuseportError::NotAttached { .. })),
            "{error}"
        );
        Ok(())
    }

    /// Also from the other maps of sockets.
    fn a_program_chooses_from_other_maps(object: "maps_sock", since 5, 8) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        // Attached before the first of the group is bound.
        let first = unbound(SockType::Datagram)?;
        loaded(&mut ebpf, "select_of_slots")?.attach(&first)?;
        bind(first.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT)))?;
        let (first, second) = (UdpSocket::from(first), receiver()?);
        first.set_read_timeout(Some(PATIENCE))?;
        map::<SockMap<_>>(&mut ebpf, "SLOTS")?.set(2, &first, 0)?;
        map::<SockHash<_, u32>>(&mut ebpf, "BY_PORT")?.insert(7, second.as_raw_fd(), 0)?;
        send("7 hash")?;
        arrives(&second, "7 hash")?;
        send("2 map")?;
        arrives(&first, "2 map")?;
        // One that does not share the port.
        let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, PORT + 1))?;
        map::<SockMap<_>>(&mut ebpf, "SLOTS")?.set(1, &other, 0)?;
        send("1 elsewhere")?;
        assert_ne!(read(&mut ebpf, note::ERROR)?, 0);
        for receiver in [&first, &second, &other] {
            nothing_at(receiver)?;
        }
        Ok(())
    }

    /// A connection goes to the listener of the test's choice.
    fn a_program_chooses_the_listener(object: "maps_sock", since 5, 8) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let listeners = [listener()?, listener()?];
        let mut sharing: ReusePortSockArray<_> = map(&mut ebpf, "LISTENERS")?;
        sharing.set(0, &listeners[0], 0)?;
        sharing.set(1, &listeners[1], 0)?;
        loaded(&mut ebpf, "connections")?.attach(&listeners[0])?;
        for (slot, listener) in (0..).zip(&listeners) {
            write(&mut ebpf, note::NEW, slot)?;
            let client = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
            assert_eq!(listener.accept()?.1, client.local_addr()?);
        }
        // The connection is refused, by silence.
        write(&mut ebpf, note::NEW, 2)?;
        let address = (Ipv4Addr::LOCALHOST, PORT).into();
        assert!(TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err());
        assert_eq!(read(&mut ebpf, note::ERROR)?, Errno::ENOENT as u64);
        Ok(())
    }

    /// A connection whose listener is closed before it was accepted is taken over by another one.
    fn connections_migrate(object: "maps_sock", since 5, 14) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let (first, second) = (listener()?, listener()?);
        let mut sharing: ReusePortSockArray<_> = map(&mut ebpf, "LISTENERS")?;
        sharing.set(0, &first, 0)?;
        sharing.set(1, &second, 0)?;
        write(&mut ebpf, note::ORPHANS, 1)?;
        loaded(&mut ebpf, "migrate")?.attach(&first)?;
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
        assert_eq!(read(&mut ebpf, note::PORT)?, u64::from(PORT));
        assert_eq!(read(&mut ebpf, note::ORPHAN)?, 0);
        drop(first);
        let (mut taken, from) = second.accept()?;
        assert_eq!(from, client.local_addr()?);
        assert_eq!(read(&mut ebpf, note::ORPHAN)?, 2, "AF_INET");
        client.write_all(b"still here")?;
        let mut text = [0; 10];
        taken.read_exact(&mut text)?;
        assert_eq!(&text, b"still here");
        Ok(())
    }

    /// What does not go into a map of sockets that share ports, and where its programs do not go.
    fn sockets_are_refused(object: "maps_sock", since 5, 8) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let (first, second) = (receiver()?, receiver()?);
        let alone = UdpSocket::bind((Ipv4Addr::LOCALHOST, PORT + 1))?;
        let file = File::open("/dev/null")?;
        let mut sharing: ReusePortSockArray<_> = map(&mut ebpf, "SHARING")?;
        assert_eq!(sharing.indices().collect::<Result<Vec<_>, _>>()?, [0, 1, 2]);
        let error = sharing.set(3, &first, 0);
        assert!(matches!(error, Err(MapError::OutOfBounds { index: 3, max_entries: 3, .. })), "{error:?}");
        assert!(matches!(sharing.clear_index(&3), Err(MapError::OutOfBounds { .. })));
        assert!(matches!(sharing.clear_index(&0), Err(MapError::KeyNotFound)));
        sharing.set(0, &first, 1)?;
        for (slot, flags, wrong) in [(0, 1, second.as_raw_fd()), (1, 2, second.as_raw_fd()), (1, 0, first.as_raw_fd()), (1, 0, alone.as_raw_fd()), (1, 0, file.as_raw_fd())] {
            let error = sharing.set(slot, &wrong, flags);
            assert!(matches!(&error, Err(MapError::SyscallError(_))), "{error:?}");
        }

        let select: &mut SkReuseport = program(&mut ebpf, "select")?;
        let error = select.attach(&first).err().ok_or("attached")?;
        assert!(matches!(error, ProgramError::NotLoaded), "{error}");
        select.load()?;
        for (wrong, begins) in [(file.as_fd(), "not a socket"), (alone.as_fd(), "shares its port with nobody")] {
            let error = select.attach(wrong).err().ok_or(begins)?;
            assert!(error.to_string().contains("`SO_ATTACH_REUSEPORT_EBPF`: "), "{error}");
            match error {
                ProgramError::SkReuseportError(SkReuseportError::NotASocket { .. }) if begins.starts_with("not") => {}
                ProgramError::SkReuseportError(SkReuseportError::SetsockoptError { .. }) => {}
                error => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A program is found again by its pin and its number.
    fn pins(object: "maps_sock", since 5, 8) {
        assert_eq!(SkReuseport::PROGRAM_TYPE, ProgramType::SkReuseport);
        if !can_pin("pins")? {
            return Ok(());
        }
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let path = pin_path("select");
        let select = loaded(&mut ebpf, "select")?;
        select.pin(&path)?;
        let pinned = SkReuseport::from_pin(&path, SkReuseportAttachType::Select);
        std::fs::remove_file(&path)?;
        let info = pinned?.info()?;
        assert_eq!(info.name_as_str(), Some("select"));
        let select = SkReuseport::from_program_info(info, "select".into(), SkReuseportAttachType::Select)?;
        let receivers = [receiver()?, receiver()?];
        map::<ReusePortSockArray<_>>(&mut ebpf, "SHARING")?.set(1, &receivers[1], 0)?;
        select.attach(&receivers[0])?;
        drop(ebpf);
        send("1 pinned")?;
        arrives(&receivers[1], "1 pinned")
    }

    /// Data that arrives at one connection is sent on by another one's socket, in both directions.
    fn streams_are_forwarded(object: "maps_sock", since 5, 8) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        attach_to_streams(&mut ebpf, &["whole", "forward"])?;
        // client — [server, onward] — service: a proxy without a process between them.
        let (mut client, server) = connection()?;
        let (onward, mut service) = connection()?;
        let mut by_port: SockHash<_, u32> = map(&mut ebpf, "BY_PORT")?;
        by_port.insert(port(&server)?, onward.as_raw_fd(), 0)?;
        by_port.insert(port(&onward)?, server.as_raw_fd(), 0)?;
        for round in 0..3 {
            let text = format!("request {round}");
            client.write_all(text.as_bytes())?;
            hears(&mut service, &text)?;
            let text = format!("response {round}");
            service.write_all(text.as_bytes())?;
            hears(&mut client, &text)?;
        }
        // Nobody is there any more: what arrives is dropped.
        by_port.remove(&port(&onward)?)?;
        Ok(())
    }

    /// Data is put into the queue of another socket, whose owner reads it; without a parser.
    fn streams_are_handed_over(object: "maps_sock", since 5, 13) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        attach_to_streams(&mut ebpf, &["hand_over"])?;
        let (mut client, server) = connection()?;
        let (mut other, _peer) = connection()?;
        let mut by_port: SockHash<_, u32> = map(&mut ebpf, "BY_PORT")?;
        by_port.insert(port(&server)?, other.as_raw_fd(), 0)?;
        by_port.insert(port(&other)?, server.as_raw_fd(), 0)?;
        client.write_all(b"for another one")?;
        hears(&mut other, "for another one")
    }

    /// What does not go into a map of sockets by key, and what is in it for user space.
    fn keys_of_sockets(object: "maps_sock", since 5, 8) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let (client, server) = connection()?;
        let mut by_port: SockHash<_, u32> = map(&mut ebpf, "BY_PORT")?;
        by_port.insert(1, client.as_raw_fd(), 1)?;
        by_port.insert(2, server.as_raw_fd(), 1)?;
        assert!(by_port.insert(2, server.as_raw_fd(), 1).is_err(), "BPF_NOEXIST");
        assert!(by_port.insert(3, server.as_raw_fd(), 2).is_err(), "BPF_EXIST");
        let mut keys = by_port.keys().collect::<Result<Vec<_>, _>>()?;
        keys.sort_unstable();
        assert_eq!(keys, [1, 2]);
        for key in 3..5 {
            by_port.insert(key, client.as_raw_fd(), 0)?;
        }
        let full = by_port.insert(5, client.as_raw_fd(), 0);
        assert!(matches!(full, Err(MapError::Full { max_entries: 4, .. })), "{full:?}");
        let small = by_port.cookie(&1);
        assert!(matches!(small, Err(MapError::InvalidValueSize { size: 8, expected: 4, .. })), "{small:?}");
        Ok(())
    }
}

/// Maps with values of 8 bytes tell which socket is where, by its cookie.
#[test]
fn sockets_are_told_by_their_cookies() -> TestResult {
    let test = "sockets_are_told_by_their_cookies";
    if let Some(reason) = aya_tests::missing_privilege() {
        return Ok(aya_tests::skip(test, reason)?);
    }
    if !aya_tests::require_kernel(test, (5, 8))? {
        return Ok(());
    }
    let _scene = Scene::new()?;
    let (client, server) = connection()?;
    let mut slots = SockMap::create(2, 0)?;
    slots.set(1, &client, 0)?;
    let mut keys = SockHash::<_, u64>::create(2, 0)?;
    keys.insert(7, server.as_raw_fd(), 0)?;
    let mut sharing = ReusePortSockArray::create(2, 0)?;
    let receiver = receiver()?;
    sharing.set(0, &receiver, 0)?;
    assert_eq!(slots.cookie(&1)?, socket_cookie(&client)?);
    assert_eq!(keys.cookie(&7)?, socket_cookie(&server)?);
    assert_eq!(sharing.cookie(&0)?, socket_cookie(&receiver)?);
    for nobody in [slots.cookie(&0), keys.cookie(&8), sharing.cookie(&1)] {
        assert!(matches!(nobody, Err(MapError::KeyNotFound)), "{nobody:?}");
    }
    Ok(())
}

/// Loads programs on streams and attaches them to `BY_PORT`.
fn attach_to_streams(ebpf: &mut Ebpf, names: &[&str]) -> TestResult {
    let by_port: SockHash<_, u32> = map(ebpf, "BY_PORT")?;
    let fd = by_port.fd().try_clone()?;
    for name in names {
        let program: &mut SkSkb = program(ebpf, name)?;
        program.load()?;
        program.attach(&fd)?;
    }
    Ok(())
}

/// Both ends of a connection.
fn connection() -> TestResult<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let server = listener.accept()?.0;
    for end in [&client, &server] {
        end.set_read_timeout(Some(PATIENCE))?;
        end.set_nodelay(true)?;
    }
    Ok((client, server))
}

fn port(socket: &TcpStream) -> TestResult<u32> {
    Ok(socket.local_addr()?.port().into())
}

/// Asserts what can be read next.
#[track_caller]
fn hears(socket: &mut TcpStream, text: &str) -> TestResult {
    let mut heard = vec![0; text.len()];
    socket.read_exact(&mut heard)?;
    assert_eq!(String::from_utf8_lossy(&heard), text);
    Ok(())
}
