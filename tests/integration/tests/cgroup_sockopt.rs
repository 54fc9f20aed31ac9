//! Programs on socket options: calls refused, changed, and answered.

use std::net::UdpSocket;

use aya::{
    Ebpf,
    programs::{
        CgroupAttachMode, CgroupError, CgroupSockopt, CgroupSockoptAttachType, ProgramError,
        links::FdLink,
    },
};
use aya_tests::{
    TestResult,
    cgroups::{Scene, with_log, without_links},
    in_both_modes, pin_path, program,
};
use aya_uapi::AttachType;
use nix::{
    errno::Errno,
    sys::socket::{
        getsockopt, setsockopt,
        sockopt::{Mark, Priority, SendTimeout},
    },
};

/// An option of TCP: for datagrams, the programs alone know it.
use nix::sys::socket::sockopt::TcpUserTimeout as Own;

const BOTH: [(&str, AttachType); 2] = [
    ("set_option", AttachType::CGROUP_SETSOCKOPT),
    ("get_option", AttachType::CGROUP_GETSOCKOPT),
];

fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> TestResult<&'a mut CgroupSockopt> {
    let program: &mut CgroupSockopt = program(ebpf, name)?;
    program.load()?;
    Ok(program)
}

/// A socket that belongs to the cgroup.
fn socket(scene: &Scene) -> TestResult<UdpSocket> {
    Ok(scene.cgroup.run(|| UdpSocket::bind("127.0.0.1:0"))??)
}

in_both_modes! {
    /// `setsockopt`: refused, another value, and handled by the program alone.
    fn setting(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let inside = socket(&scene)?;
        let mut ebpf = Ebpf::load(object)?;
        let program = loaded(&mut ebpf, "set_option")?;
        let link = program.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        assert_eq!(setsockopt(&inside, Mark, &1), Err(Errno::EPERM));
        setsockopt(&inside, Priority, &6)?;
        assert_eq!(getsockopt(&inside, Priority)?, 3);
        setsockopt(&inside, Own, &42)?;
        // Nobody answers for it yet.
        assert!(getsockopt(&inside, Own).is_err());

        let outside = UdpSocket::bind("127.0.0.1:0")?;
        setsockopt(&outside, Mark, &1)?;
        setsockopt(&outside, Priority, &6)?;
        assert_eq!(getsockopt(&outside, Priority)?, 6);
        assert!(setsockopt(&outside, Own, &42).is_err());

        let program: &mut CgroupSockopt = aya_tests::program(&mut ebpf, "set_option")?;
        program.detach(link)?;
        setsockopt(&inside, Mark, &1)?;
        setsockopt(&inside, Priority, &6)?;
        assert_eq!(getsockopt(&inside, Priority)?, 6);
        Ok(())
    }

    /// `getsockopt`: refused, another value, and answered by the program alone.
    fn getting(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let inside = socket(&scene)?;
        let (mut ebpf, mut logger, recorder) = with_log(object)?;
        for (name, _) in BOTH {
            loaded(&mut ebpf, name)?.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        }
        assert_eq!(getsockopt(&inside, SendTimeout), Err(Errno::EPERM));
        setsockopt(&inside, Priority, &6)?;
        assert_eq!(getsockopt(&inside, Priority)?, 103);
        setsockopt(&inside, Own, &42)?;
        assert_eq!(getsockopt(&inside, Own)?, 42);
        logger.flush();
        let texts: Vec<_> = recorder.take().into_iter().map(|said| said.text).collect();
        let outside = UdpSocket::bind("127.0.0.1:0")?;
        let refusal = getsockopt(&outside, Own).err().ok_or("the kernel knows the option")?;
        let kernel = -(refusal as i32);
        let expected = ["own option: 42".to_owned(), format!("kernel: {kernel}")];
        assert_eq!(texts, expected);

        drop((ebpf, logger));
        assert_eq!(getsockopt(&inside, Priority)?, 3);
        for (_, attach_type) in BOTH {
            scene.expect_empty(attach_type)?;
        }
        Ok(())
    }

    /// Without links both end with their owner as well.
    fn without_a_link(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let inside = socket(&scene)?;
        let mut ebpf = without_links(object)?;
        for (name, attach_type) in BOTH {
            loaded(&mut ebpf, name)?.attach(&scene.cgroup, CgroupAttachMode::AllowMultiple)?;
            assert_eq!(scene.attached(attach_type)?, 1);
        }
        assert_eq!(setsockopt(&inside, Mark, &1), Err(Errno::EPERM));
        drop(ebpf);
        setsockopt(&inside, Mark, &1)?;
        for (_, attach_type) in BOTH {
            assert_eq!(scene.attached(attach_type)?, 0);
        }
        Ok(())
    }

    /// The kernel does not tell what a pinned program was loaded for: who opens it says so, and an
    /// error follows when that is wrong.
    fn pins(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let inside = socket(&scene)?;
        let (path, link_path) = (pin_path("program"), pin_path("link"));
        let mut ebpf = Ebpf::load(object)?;
        loaded(&mut ebpf, "set_option")?.pin(&path)?;
        drop(ebpf);
        let mut wrong = CgroupSockopt::from_pin(&path, CgroupSockoptAttachType::Get)?;
        let error = wrong.attach(&scene.cgroup, CgroupAttachMode::Single).err().ok_or("attached")?;
        let message = error.to_string();
        assert!(matches!(error, ProgramError::Cgroup(CgroupError::Refused { .. })), "{message}");
        assert!(message.contains("GETSOCKOPT") && message.contains("`set_option`"), "{message}");

        let mut right = CgroupSockopt::from_pin(&path, CgroupSockoptAttachType::Set)?;
        std::fs::remove_file(&path)?;
        let info = right.info()?;
        let id = right.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        let link: FdLink = right.take_link(id)?.try_into()?;
        assert_eq!(link.info()?.program_id(), info.id());
        let pinned = link.pin(&link_path)?;
        drop((wrong, right));
        assert_eq!(setsockopt(&inside, Mark, &1), Err(Errno::EPERM));
        drop(pinned.unpin()?);
        scene.expect_empty(AttachType::CGROUP_SETSOCKOPT)?;

        let set = CgroupSockoptAttachType::Set;
        let gone = CgroupSockopt::from_program_info(info, "set_option".into(), set);
        assert!(gone.is_err());
        Ok(())
    }
}
