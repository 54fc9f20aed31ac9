//! Programs on socket maps: data dropped, changed and handed to other sockets.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError, SockHash, SockMap, sock::SockMapFd},
    programs::{
        CgroupAttachMode, ProgramError, SkMsg, SkSkb, SockMapError, SockOps,
        links::{FdLink, LinkType},
    },
};
use aya_tests::{
    TestResult,
    cgroups::{Scene, with_log, without_links},
    in_both_modes, kernel, pin_path, program,
};

/// Both ends of a connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    fn new() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let server = listener.accept()?.0;
        Ok(Self { client, server })
    }
}

/// Asserts what arrives at a socket next: nothing is waited for shortly, something patiently.
#[track_caller]
fn arrives(mut socket: &TcpStream, expected: &str) -> TestResult {
    let patience = if expected.is_empty() {
        Duration::from_millis(100)
    } else {
        Duration::from_secs(10)
    };
    socket.set_read_timeout(Some(patience))?;
    let mut arrived = String::new();
    loop {
        let mut buffer = [0; 64];
        let length = match socket.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            length => length?,
        };
        arrived.push_str(str::from_utf8(buffer.get(..length).unwrap_or_default())?);
        // What was sent in parts may be echoed in parts.
        if length == 0 || arrived.len() >= expected.len() {
            break;
        }
    }
    assert_eq!(arrived, expected);
    Ok(())
}

fn slots(ebpf: &mut Ebpf) -> TestResult<SockMap<&mut MapData>> {
    Ok(SockMap::try_from(ebpf.map_mut("SOCKETS").ok_or("no map")?)?)
}

fn by_port(ebpf: &mut Ebpf) -> TestResult<SockHash<&mut MapData, u32>> {
    Ok(SockHash::try_from(
        ebpf.map_mut("BY_PORT").ok_or("no map")?,
    )?)
}

/// Attaches a program on messages to a map.
fn attach<'a>(
    ebpf: &'a mut Ebpf,
    name: &str,
    map: &SockMapFd,
) -> TestResult<(&'a mut SkMsg, aya::programs::sk_msg::SkMsgLinkId)> {
    let program: &mut SkMsg = program(ebpf, name)?;
    program.load()?;
    let link = program.attach(map)?;
    Ok((program, link))
}

in_both_modes! {
    /// What is sent is passed on, dropped, cut and lengthened.
    fn verdicts(object: "sockets", since 5, 8) {
        let _scene = Scene::new()?;
        let (mut ebpf, mut logger, recorder) = with_log(object)?;
        let map = slots(&mut ebpf)?.fd().try_clone()?;
        let (_, link) = attach(&mut ebpf, "verdict", &map)?;
        let Pair { mut client, server } = Pair::new()?;
        slots(&mut ebpf)?.set(0, &client, 0)?;
        for (sent, expected) in [("pass on", "pass on"), ("cut!this", "this"), ("add!more", "++add!more")] {
            client.write_all(sent.as_bytes())?;
            arrives(&server, expected)?;
        }
        let dropped = client.write_all(b"drop this").err().map(|error| error.kind());
        assert_eq!(dropped, Some(io::ErrorKind::PermissionDenied));
        arrives(&server, "")?;
        logger.flush();
        let texts: Vec<_> = recorder.take().into_iter().map(|said| said.text).collect();
        let port = client.local_addr()?.port();
        let expected = [7, 8, 8, 9].map(|size| format!("{size} bytes from port {port}"));
        assert_eq!(texts, expected);

        // A socket keeps the program as long as it is in the map, and gets it when it is put in.
        sk_msg(&mut ebpf, "verdict")?.detach(link)?;
        slots(&mut ebpf)?.clear_index(&0)?;
        client.write_all(b"drop this")?;
        arrives(&server, "drop this")?;
        slots(&mut ebpf)?.set(0, &client, 0)?;
        client.write_all(b"drop this")?;
        arrives(&server, "drop this")?;
        Ok(())
    }

    /// Data goes to the reader of another connection's socket, past its own peer.
    fn redirected_by_slot(object: "sockets", since 5, 8) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let map = slots(&mut ebpf)?.fd().try_clone()?;
        attach(&mut ebpf, "to_slot", &map)?;
        let (mut from, to) = (Pair::new()?, Pair::new()?);
        let mut sockets = slots(&mut ebpf)?;
        sockets.set(0, &to.server, 0)?;
        sockets.set(1, &from.client, 1)?;
        from.client.write_all(b"elsewhere")?;
        arrives(&to.server, "elsewhere")?;
        arrives(&from.server, "")?;
        Ok(())
    }

    /// The same by a key; the sockets are collected by a program on connections.
    fn redirected_by_key(object: "sockets", since 5, 8) {
        let scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let map = by_port(&mut ebpf)?.fd().try_clone()?;
        attach(&mut ebpf, "to_port", &map)?;
        let collect: &mut SockOps = program(&mut ebpf, "collect")?;
        collect.load()?;
        collect.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        let mut pair = scene.cgroup.run(Pair::new)??;
        let ports = [pair.client.local_addr()?, pair.server.local_addr()?].map(|a| u32::from(a.port()));
        let mut keys = by_port(&mut ebpf)?.keys().collect::<Result<Vec<_>, _>>()?;
        keys.sort_unstable();
        let mut expected = ports;
        expected.sort_unstable();
        assert_eq!(keys, expected);
        // The first of them is in slot 0: an empty one could not be cleared.
        slots(&mut ebpf)?.clear_index(&0)?;
        assert!(slots(&mut ebpf)?.clear_index(&0).is_err());

        let mut target: Array<_, u32> = Array::try_from(ebpf.map_mut("TARGET").ok_or("no map")?)?;
        target.set(0, ports[1], 0)?;
        pair.client.write_all(b"there")?;
        arrives(&pair.server, "there")?;
        // To oneself.
        let mut target: Array<_, u32> = Array::try_from(ebpf.map_mut("TARGET").ok_or("no map")?)?;
        target.set(0, ports[0], 0)?;
        pair.client.write_all(b"back")?;
        arrives(&pair.client, "back")?;
        arrives(&pair.server, "")?;
        // To nobody.
        by_port(&mut ebpf)?.remove(&ports[1])?;
        let mut target: Array<_, u32> = Array::try_from(ebpf.map_mut("TARGET").ok_or("no map")?)?;
        target.set(0, ports[1], 0)?;
        let nobody = pair.client.write_all(b"nobody").err().map(|error| error.kind());
        assert_eq!(nobody, Some(io::ErrorKind::PermissionDenied));
        Ok(())
    }

    /// What is put into a map of sockets by user space, and what is not.
    fn sockets_by_hand(object: "sockets", since 5, 8) {
        let _scene = Scene::new()?;
        let mut ebpf = Ebpf::load(object)?;
        let pair = Pair::new()?;
        let mut slots = slots(&mut ebpf)?;
        assert!(matches!(slots.set(4, &pair.client, 0), Err(MapError::OutOfBounds { .. })));
        slots.set(3, &pair.client, 1)?;
        assert!(slots.set(3, &pair.client, 1).is_err(), "BPF_NOEXIST");
        assert_eq!(slots.indices().collect::<Result<Vec<_>, _>>()?, [0, 1, 2, 3]);
        slots.clear_index(&3)?;
        assert!(slots.clear_index(&3).is_err());
        let file = std::fs::File::open("/dev/null")?;
        assert!(slots.set(0, &file, 0).is_err());

        let mut by_port = by_port(&mut ebpf)?;
        by_port.insert(7, pair.client.as_raw_fd(), 0)?;
        by_port.insert(8, pair.server.as_raw_fd(), 0)?;
        assert!(matches!(by_port.get(&7, 0), Err(MapError::SyscallError(_))));
        let mut keys = by_port.keys().collect::<Result<Vec<_>, _>>()?;
        keys.sort_unstable();
        assert_eq!(keys, [7, 8]);
        by_port.remove(&7)?;
        assert!(matches!(by_port.remove(&7), Err(MapError::KeyNotFound)));
        // A socket that is closed leaves the map.
        drop(pair);
        for _ in 0..250 {
            if by_port.keys().next().is_none() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("a closed socket is still in the map".into())
    }

    /// A map has one program of a kind; the other is refused, or takes its place.
    fn one_program_per_map(object: "sockets", since 5, 17) {
        let _scene = Scene::new()?;
        for load in [without_links, |object: &[u8]| Ok(Ebpf::load(object)?)] {
            let mut ebpf = load(object)?;
            let map = slots(&mut ebpf)?.fd().try_clone()?;
            let (first, link) = attach(&mut ebpf, "to_slot", &map)?;
            let link = first.take_link(link)?;
            let second: &mut SkMsg = program(&mut ebpf, "verdict")?;
            let error = second.attach(&map).err().ok_or("attached")?;
            assert!(matches!(error, ProgramError::NotLoaded), "{error}");
            second.load()?;
            let error = second.attach(&map).err().ok_or("attached")?;
            let message = error.to_string();
            assert!(matches!(error, ProgramError::SockMap(SockMapError::Busy { .. })), "{message}");
            assert!(message.contains("`verdict`"), "{message}");
            let link = second.attach_to_link(link)?;
            let Pair { mut client, server } = Pair::new()?;
            slots(&mut ebpf)?.set(0, &client, 0)?;
            client.write_all(b"cut!this")?;
            arrives(&server, "this")?;
            sk_msg(&mut ebpf, "verdict")?.detach(link)?;
            // Its place is free again.
            sk_msg(&mut ebpf, "to_slot")?.attach(&map)?;
        }
        Ok(())
    }

    /// Programs and, since 6.10, links are pinned.
    fn pins(object: "sockets", since 5, 8) {
        let _scene = Scene::new()?;
        let path = pin_path("program");
        let mut ebpf = Ebpf::load(object)?;
        let map = slots(&mut ebpf)?.fd().try_clone()?;
        let verdict: &mut SkMsg = program(&mut ebpf, "verdict")?;
        verdict.load()?;
        verdict.pin(&path)?;
        let mut program = SkMsg::from_pin(&path)?;
        std::fs::remove_file(&path)?;
        assert_eq!(program.info()?.name_as_str(), Some("verdict"));
        let id = program.attach(&map)?;
        let link = FdLink::try_from(program.take_link(id)?);
        if kernel()? < (6, 10) {
            assert!(link.is_err());
            return Ok(());
        }
        let link = link?;
        assert_eq!(link.info()?.link_type()?, LinkType::SockMap);
        let link_path = pin_path("link");
        let pinned = link.pin(&link_path)?;
        drop(program);
        let Pair { mut client, server } = Pair::new()?;
        slots(&mut ebpf)?.set(0, &client, 0)?;
        client.write_all(b"cut!this")?;
        arrives(&server, "this")?;
        drop(pinned.unpin()?);
        Ok(())
    }

    /// A parser and a verdict on what arrives: whole messages are echoed, dropped and passed on.
    fn streams(object: "sockets", since 5, 8) {
        let _scene = Scene::new()?;
        for load in [without_links, |object: &[u8]| Ok(Ebpf::load(object)?)] {
            let mut ebpf = load(object)?;
            let map = slots(&mut ebpf)?.fd().try_clone()?;
            for name in ["four_bytes", "echo"] {
                let program: &mut SkSkb = program(&mut ebpf, name)?;
                program.load()?;
                program.attach(&map)?;
            }
            let Pair { mut client, server } = Pair::new()?;
            slots(&mut ebpf)?.set(0, &server, 0)?;
            // The message is not whole yet.
            client.write_all(b"e1")?;
            arrives(&client, "")?;
            client.write_all(b"23")?;
            arrives(&client, "e123")?;
            for (message, passed) in [(b"d789", ""), (b"p012", "p012")] {
                client.write_all(message)?;
                arrives(&server, passed)?;
                arrives(&client, "")?;
            }
        }
        Ok(())
    }
}

fn sk_msg<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut SkMsg> {
    program(ebpf, name)
}
