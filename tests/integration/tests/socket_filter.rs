//! Programs on sockets: what a socket keeps of its packets, and which of several gets one.

use std::{
    fs::File,
    net::{SocketAddrV4, UdpSocket},
    os::fd::{AsFd, AsRawFd as _},
    time::Duration,
};

use aya::{
    Ebpf, TestRun as _, TestRunOptions,
    programs::{
        ProgramError, ProgramType, ReusePortSocketFilter, SocketFilter, SocketFilterError, Xdp,
    },
};
use aya_log::EbpfLogger;
use aya_netlab::{FAR_ADDRESS, Lab, NEAR_ADDRESS, received};
use aya_tests::{Recorder, TestResult, frame, in_both_modes};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt::ReusePort,
};

const PORT: u16 = 4000;
const PATIENCE: Duration = Duration::from_millis(100);

fn filter<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut SocketFilter> {
    let program: &mut SocketFilter = ebpf.program_mut(name).ok_or("no program")?.try_into()?;
    program.load()?;
    Ok(program)
}

/// Sends from the far side; what arrives, as text.
fn exchange(lab: &Lab, receiver: &UdpSocket, payloads: &[&str]) -> TestResult<Vec<String>> {
    let sender = lab.sender(FAR_ADDRESS, PORT)?;
    for payload in payloads {
        sender.send(payload.as_bytes())?;
    }
    let arrived = received(receiver)?.into_iter();
    Ok(arrived
        .map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned())
        .collect())
}

/// The error of something that must fail on a socket.
fn refused(result: Result<(), ProgramError>) -> TestResult<SocketFilterError> {
    match result {
        Err(ProgramError::SocketFilterError(error)) => Ok(error),
        Err(error) => Err(error.into()),
        Ok(()) => Err("it was accepted".into()),
    }
}

/// A socket that shares its port with others.
fn sharing() -> TestResult<UdpSocket> {
    let fd = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    setsockopt(&fd, ReusePort, &true)?;
    bind(
        fd.as_raw_fd(),
        &SockaddrIn::from(SocketAddrV4::new(NEAR_ADDRESS, PORT)),
    )?;
    let socket = UdpSocket::from(fd);
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

in_both_modes! {
    /// A datagram is kept or dropped by its payload, and what is kept is logged. The socket holds the
    /// program when its handle is gone.
    fn a_socket_keeps_what_the_program_says(object: "tc", since 5, 8) {
        let lab = Lab::new(&[])?;
        let receiver = lab.receiver(PORT, PATIENCE)?;
        let mut ebpf = Ebpf::load(object)?;
        let recorder = Recorder::default();
        let mut logger = EbpfLogger::init_with_logger(&mut ebpf, recorder.clone())?;
        filter(&mut ebpf, "keep")?.attach(&receiver)?;
        let payloads = ["keep", "drop", "kept too", ""];
        assert_eq!(exchange(&lab, &receiver, &payloads)?, ["keep", "kept too"]);
        logger.flush();
        let texts: Vec<_> = recorder.take().into_iter().map(|message| message.text).collect();
        assert_eq!(texts, ["kept 12", "kept 16"], "lengths from the UDP header on");
        drop((ebpf, logger));
        assert_eq!(exchange(&lab, &receiver, &payloads)?, ["keep", "kept too"]);
        SocketFilter::detach(&receiver)?;
        assert_eq!(exchange(&lab, &receiver, &payloads)?, payloads);
        let error = refused(SocketFilter::detach(&receiver))?;
        assert!(matches!(error, SocketFilterError::NotAttached { option: "SO_DETACH_BPF", .. }), "{error}");
        Ok(())
    }

    /// A socket keeps the begin of a datagram; a second program takes the first one's place.
    fn a_socket_keeps_the_begin(object: "tc", since 5, 8) {
        let lab = Lab::new(&[])?;
        let receiver = lab.receiver(PORT, PATIENCE)?;
        let mut ebpf = Ebpf::load(object)?;
        filter(&mut ebpf, "keep")?.attach(&receiver)?;
        filter(&mut ebpf, "cut")?.attach(&receiver)?;
        assert_eq!(exchange(&lab, &receiver, &["long one", "abc"])?, ["long", "abc"]);
        Ok(())
    }

    /// Among sockets that share a port the program picks one, by its place in the group.
    fn a_program_picks_a_socket(object: "tc", since 5, 8) {
        let lab = Lab::new(&[])?;
        let sockets = [sharing()?, sharing()?, sharing()?];
        let mut ebpf = Ebpf::load(object)?;
        let program: &mut ReusePortSocketFilter =
            ebpf.program_mut("pick").ok_or("no program")?.try_into()?;
        program.load()?;
        program.attach(&sockets[0])?;
        let sender = lab.sender(FAR_ADDRESS, PORT)?;
        for payload in ["2 a", "0 b", "1 c", "2 d"] {
            sender.send(payload.as_bytes())?;
        }
        let mut arrived = Vec::new();
        for socket in &sockets {
            let texts = received(socket)?.into_iter().map(|(_, bytes)| bytes);
            arrived.push(texts.collect::<Vec<_>>());
        }
        assert_eq!(arrived, [vec![b"0 b"], vec![b"1 c"], vec![b"2 a", b"2 d"]]);
        ReusePortSocketFilter::detach(&sockets[1])?;
        let error = refused(ReusePortSocketFilter::detach(&sockets[1]))?;
        assert!(matches!(error, SocketFilterError::NotAttached { .. }), "{error}");
        Ok(())
    }

    /// A test run, and a second handle for the loaded program.
    fn a_filter_runs_on_a_packet(object: "tc", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let program = filter(&mut ebpf, "keep")?;
        assert_eq!(SocketFilter::PROGRAM_TYPE, ProgramType::SocketFilter);
        let info = program.info()?;
        assert_eq!(info.program_type(), ProgramType::SocketFilter);
        let program = SocketFilter::from_program_info(info, "keep".into())?;
        // A socket sees what follows the Ethernet header.
        for (byte, kept) in [(b'k', u32::MAX), (b'x', 0)] {
            let mut packet = [0; 40];
            packet[0] = 0x45;
            packet[8] = byte;
            let result = program.test_run(TestRunOptions {
                data_in: Some(&frame(&packet)),
                ..TestRunOptions::new()
            })?;
            assert_eq!(result.return_value, kept);
        }
        let error = Xdp::from_program_info(program.info()?, "keep".into(), aya::programs::XdpAttachType::Interface);
        assert!(matches!(error, Err(ProgramError::UnexpectedProgramType)));
        Ok(())
    }

    /// What users get wrong, each by name.
    fn mistakes_are_named(object: "tc", since 5, 8) {
        let lab = Lab::new(&[])?;
        let receiver = lab.receiver(PORT, PATIENCE)?;
        let mut ebpf = Ebpf::load(object)?;
        let program: &mut SocketFilter = ebpf.program_mut("keep").ok_or("none")?.try_into()?;
        let error = program.attach(&receiver).err().ok_or("attached")?;
        assert!(matches!(error, ProgramError::NotLoaded), "{error}");
        program.load()?;
        let file = File::open("/dev/null")?;
        let error = refused(program.attach(file.as_fd()))?;
        assert!(matches!(error, SocketFilterError::NotASocket { option: "SO_ATTACH_BPF", .. }), "{error}");
        program.attach(&receiver)?;
        aya_sys::socket::lock_filter(receiver.as_fd())?;
        for result in [program.attach(&receiver), SocketFilter::detach(&receiver)] {
            let error = refused(result)?;
            assert!(matches!(error, SocketFilterError::Locked { .. }), "{error}");
            assert!(error.to_string().contains("SO_LOCK_FILTER"), "{error}");
        }
        let program: &mut ReusePortSocketFilter = ebpf.program_mut("pick").ok_or("none")?.try_into()?;
        program.load()?;
        // This one shares its port with nobody.
        let error = refused(program.attach(&receiver))?;
        assert!(matches!(error, SocketFilterError::SetsockoptError { option: "SO_ATTACH_REUSEPORT_EBPF", .. } | SocketFilterError::Locked { .. }), "{error}");
        Ok(())
    }
}
