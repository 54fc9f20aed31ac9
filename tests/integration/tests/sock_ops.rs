//! Programs on the events of TCP connections: what they see, and what they set.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use aya::{
    Ebpf,
    maps::RingBuf,
    programs::{
        CgroupAttachMode, CgroupError, ProgramError, SockOps,
        links::{FdLink, LinkType},
    },
};
use aya_tests::{
    TestResult,
    cgroups::{Scene, with_log, without_links},
    in_both_modes, pin_path, program,
};
use aya_uapi::{AttachType, bindings as b};
use nix::sys::socket::{getsockopt, sockopt};

const OPS: AttachType = AttachType::CGROUP_SOCK_OPS;
const TCP_ESTABLISHED: u32 = b::BPF_TCP_ESTABLISHED;

/// What the program reports, in the order of its structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    op: u32,
    old_state: u32,
    new_state: u32,
    local_port: u32,
    remote_port: u32,
    remote_ip4: u32,
    congestion: [u8; 4],
    flags: u32,
}

fn events(ebpf: &mut Ebpf) -> TestResult<Vec<Event>> {
    let mut ring = RingBuf::try_from(ebpf.map_mut("EVENTS").ok_or("no map")?)?;
    let mut events = Vec::new();
    while let Some(event) = ring.next() {
        let mut words = event.chunks_exact(4).map(|word| {
            word.try_into()
                .map(u32::from_ne_bytes)
                .map_err(|_| "four bytes")
        });
        let mut word = || words.next().ok_or("too short")?;
        events.push(Event {
            op: word()?,
            old_state: word()?,
            new_state: word()?,
            local_port: word()?,
            remote_port: word()?,
            remote_ip4: word()?,
            congestion: word()?.to_ne_bytes(),
            flags: word()?,
        });
    }
    Ok(events)
}

fn loaded(ebpf: &mut Ebpf) -> TestResult<&mut SockOps> {
    let program: &mut SockOps = program(ebpf, "events")?;
    program.load()?;
    Ok(program)
}

fn listen() -> TestResult<(TcpListener, u32)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port().into();
    Ok((listener, port))
}

/// Connects from inside the cgroup.
fn connect(scene: &Scene, listener: &TcpListener) -> TestResult<TcpStream> {
    Ok(scene
        .cgroup
        .run(|| TcpStream::connect(listener.local_addr()?))??)
}

in_both_modes! {
    /// A connection's events come with its addresses and states, and its parameters are set.
    fn a_connection(object: "sockets", since 5, 8) {
        let scene = Scene::new()?;
        let (mut ebpf, mut logger, recorder) = with_log(object)?;
        let link = loaded(&mut ebpf)?.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        let (listener, port) = listen()?;
        let stream = connect(&scene, &listener)?;
        let local_port = u32::from(stream.local_addr()?.port());
        let congestion = getsockopt(&stream, sockopt::TcpCongestion)?;
        assert_eq!(congestion.to_string_lossy().trim_end_matches('\0'), "reno");
        // The kernel doubles it for its own needs.
        assert_eq!(getsockopt(&stream, sockopt::RcvBuf)?, 8192);
        let accepted = listener.accept()?.0;
        drop(stream);
        drop(accepted);

        let seen = events(&mut ebpf)?;
        let ops: Vec<_> = seen.iter().map(|event| event.op).collect();
        assert_eq!(ops[..2], [b::BPF_SOCK_OPS_TCP_CONNECT_CB, b::BPF_SOCK_OPS_STATE_CB]);
        let connecting = seen[0];
        assert_eq!(connecting.flags, b::BPF_SOCK_OPS_STATE_CB_FLAG);
        for event in &seen {
            assert_eq!((event.local_port, event.remote_port), (local_port, port), "{event:?}");
            assert_eq!(event.remote_ip4, u32::from(Ipv4Addr::LOCALHOST), "{event:?}");
        }
        let established: Vec<_> = seen
            .iter()
            .filter(|event| event.op == b::BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
            .map(|event| event.congestion)
            .collect();
        assert_eq!(established, [*b"reno"], "{seen:?}");
        let states: Vec<_> = seen
            .iter()
            .filter(|event| event.op == b::BPF_SOCK_OPS_STATE_CB)
            .map(|event| (event.old_state, event.new_state))
            .collect();
        assert_eq!(states[0].1, TCP_ESTABLISHED, "{states:?}");
        assert_eq!(states[1], (TCP_ESTABLISHED, b::BPF_TCP_FIN_WAIT1), "{states:?}");
        logger.flush();
        let texts: Vec<_> = recorder.take().into_iter().map(|said| said.text).collect();
        assert_eq!(texts, [format!("connected to port {port}")]);

        // Connections outside, and those after it was detached, are not seen.
        let outside = TcpStream::connect(listener.local_addr()?)?;
        assert_ne!(getsockopt(&outside, sockopt::RcvBuf)?, 8192);
        events_program(&mut ebpf)?.detach(link)?;
        drop(events(&mut ebpf)?);
        connect(&scene, &listener)?.write_all(b"unseen")?;
        assert_eq!(events(&mut ebpf)?, []);
        scene.expect_empty(OPS)
    }

    /// The side that is connected to has its events as well.
    fn the_passive_side(object: "sockets", since 5, 8) {
        let scene = Scene::new()?;
        let mut ebpf = without_links(object)?;
        loaded(&mut ebpf)?.attach(&scene.cgroup, CgroupAttachMode::AllowMultiple)?;
        let (listener, port) = scene.cgroup.run(listen)??;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let _accepted = listener.accept()?;
        let seen = events(&mut ebpf)?;
        let established: Vec<_> = seen
            .iter()
            .filter(|event| event.op == b::BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
            .map(|event| (event.local_port, event.remote_port))
            .collect();
        assert_eq!(established, [(port, stream.local_addr()?.port().into())]);
        drop(ebpf);
        assert_eq!(scene.attached(OPS)?, 0);
        Ok(())
    }

    /// A program is opened by its pin; a pinned link keeps it attached.
    fn pins(object: "sockets", since 5, 8) {
        let scene = Scene::new()?;
        let (path, link_path) = (pin_path("program"), pin_path("link"));
        let mut ebpf = Ebpf::load(object)?;
        loaded(&mut ebpf)?.pin(&path)?;
        let mut program = SockOps::from_pin(&path)?;
        std::fs::remove_file(&path)?;
        let id = program.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        let link: FdLink = program.take_link(id)?.try_into()?;
        assert_eq!(link.info()?.link_type()?, LinkType::Cgroup);
        let pinned = link.pin(&link_path)?;
        drop(program);
        let (listener, _) = listen()?;
        connect(&scene, &listener)?;
        assert_ne!(events(&mut ebpf)?, []);
        drop(pinned.unpin()?);
        scene.expect_empty(OPS)?;
        // The end of the first connection may have come late.
        drop(events(&mut ebpf)?);
        connect(&scene, &listener)?;
        assert_eq!(events(&mut ebpf)?, []);
        Ok(())
    }

    /// A second program that wants to be alone is refused where links are missing.
    fn one_is_alone(object: "sockets", since 5, 8) {
        let scene = Scene::new()?;
        let mut ebpf = without_links(object)?;
        loaded(&mut ebpf)?.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        let second: &mut SockOps = program(&mut ebpf, "collect")?;
        second.load()?;
        let error = second.attach(&scene.cgroup, CgroupAttachMode::Single).err().ok_or("attached")?;
        let message = error.to_string();
        assert!(matches!(error, ProgramError::Cgroup(CgroupError::Busy { .. })), "{message}");
        assert!(message.contains("`collect`"), "{message}");
        Ok(())
    }
}

fn events_program(ebpf: &mut Ebpf) -> TestResult<&mut SockOps> {
    program(ebpf, "events")
}
