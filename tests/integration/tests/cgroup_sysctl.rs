//! Programs on kernel parameters: what a cgroup's processes may read and write.

use std::{
    fs::{self, File},
    io::{self, Write as _},
};

use aya::{
    Ebpf,
    programs::{
        CgroupAttachMode, CgroupError, CgroupSysctl, ProgramError, cgroup_sysctl::CgroupSysctlLink,
        links::FdLink,
    },
};
use aya_netlab::Cgroup;
use aya_tests::{
    TestResult,
    cgroups::{Scene, with_log, without_links},
    in_both_modes, pin_path, program,
};
use aya_uapi::AttachType;

/// A parameter of the test's own network.
const TTL: &str = "/proc/sys/net/ipv4/ip_default_ttl";
const SYSCTL: AttachType = AttachType::CGROUP_SYSCTL;

fn loaded(ebpf: &mut Ebpf) -> TestResult<&mut CgroupSysctl> {
    let program: &mut CgroupSysctl = program(ebpf, "sysctl")?;
    program.load()?;
    Ok(program)
}

/// Reads the parameter in the cgroup.
fn read(cgroup: &Cgroup) -> TestResult<io::Result<String>> {
    Ok(cgroup.run(|| fs::read_to_string(TTL).map(|value| value.trim().to_owned()))?)
}

/// Writes the parameter in the cgroup, and says what came of it.
fn write(cgroup: &Cgroup, value: &str) -> TestResult<Result<String, io::ErrorKind>> {
    // In one go: for a value that a program replaces, the kernel returns that one's length.
    let once = || {
        File::options()
            .write(true)
            .open(TTL)?
            .write(value.as_bytes())
    };
    Ok(match cgroup.run(once)? {
        Ok(_) => Ok(fs::read_to_string(TTL)?.trim().to_owned()),
        Err(error) => Err(error.kind()),
    })
}

const REFUSED: Result<String, io::ErrorKind> = Err(io::ErrorKind::PermissionDenied);

in_both_modes! {
    /// Reads and writes are allowed, refused and rewritten, by their values.
    fn reads_and_writes(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let cgroup = &scene.cgroup;
        let (mut ebpf, mut logger, recorder) = with_log(object)?;
        let program = loaded(&mut ebpf)?;
        assert_eq!(write(cgroup, "64")?, Ok("64".to_owned()));
        let link = program.attach(cgroup, CgroupAttachMode::Single)?;
        assert_eq!(write(cgroup, "111")?, Ok("111".to_owned()));
        assert_eq!(write(cgroup, "222")?, Ok("77".to_owned()));
        assert_eq!(write(cgroup, "33")?, REFUSED);
        assert_eq!(read(cgroup)??, "77");
        assert_eq!(write(cgroup, "99")?, Ok("99".to_owned()));
        let secret = read(cgroup)?.err().map(|error| error.kind());
        assert_eq!(secret, Some(io::ErrorKind::PermissionDenied));
        logger.flush();
        let texts: Vec<_> = recorder.take().into_iter().map(|said| said.text).collect();
        let (reading, writing) = ("write 0 at 0", "write 1 at 0");
        let expected = [writing, writing, writing, reading, writing, reading];
        // Who reads a file to its end reads behind the value, too.
        let from_the_start = texts.iter().filter(|text| text.ends_with("at 0"));
        assert_eq!(from_the_start.collect::<Vec<_>>(), expected);

        // Another parameter, and who is outside, are not concerned.
        let other = cgroup.run(|| fs::read_to_string("/proc/sys/net/ipv4/ip_forward"))?;
        assert_eq!(other?.trim(), "0");
        fs::write(TTL, "33")?;
        loaded_program(&mut ebpf)?.detach(link)?;
        assert_eq!(write(cgroup, "34")?, Ok("34".to_owned()));
        scene.expect_empty(SYSCTL)
    }

    /// With a link and without, the effect ends with its owner; a taken link keeps it.
    fn links(object: "cgroup", since 5, 8) {
        for load in [without_links, |object: &[u8]| Ok(Ebpf::load(object)?)] {
            let scene = Scene::new()?;
            let mut ebpf = load(object)?;
            let program = loaded(&mut ebpf)?;
            let id = program.attach(&scene.cgroup, CgroupAttachMode::AllowMultiple)?;
            let link: CgroupSysctlLink = program.take_link(id)?;
            drop(ebpf);
            assert_eq!(write(&scene.cgroup, "33")?, REFUSED);
            drop(link);
            assert_eq!(write(&scene.cgroup, "33")?, Ok("33".to_owned()));
            scene.expect_empty(SYSCTL)?;
        }
        Ok(())
    }

    /// A program is opened by its pin, and attached; its link is pinned.
    fn pins(object: "cgroup", since 5, 8) {
        let scene = Scene::new()?;
        let (path, link_path) = (pin_path("program"), pin_path("link"));
        let mut ebpf = Ebpf::load(object)?;
        loaded(&mut ebpf)?.pin(&path)?;
        drop(ebpf);
        let mut program = CgroupSysctl::from_pin(&path)?;
        fs::remove_file(&path)?;
        assert_eq!(program.info()?.name_as_str(), Some("sysctl"));
        let id = program.attach(&scene.cgroup, CgroupAttachMode::Single)?;
        let link: FdLink = program.take_link(id)?.try_into()?;
        let pinned = link.pin(&link_path)?;
        drop(program);
        assert_eq!(write(&scene.cgroup, "33")?, REFUSED);
        drop(pinned.unpin()?);
        scene.expect_empty(SYSCTL)
    }

    /// What is no cgroup is named.
    fn what_is_no_cgroup(object: "cgroup", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let program = loaded(&mut ebpf)?;
        let stranger = File::open("/proc")?;
        let error = program.attach(stranger, CgroupAttachMode::Single).err().ok_or("attached")?;
        let message = error.to_string();
        assert!(matches!(error, ProgramError::Cgroup(CgroupError::NotACgroup { .. })), "{message}");
        assert!(message.contains("`sysctl`") && message.contains("`/proc`"), "{message}");
        Ok(())
    }
}

fn loaded_program(ebpf: &mut Ebpf) -> TestResult<&mut CgroupSysctl> {
    program(ebpf, "sysctl")
}
