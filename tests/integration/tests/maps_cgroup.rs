//! Cgroups in maps, and values that belong to cgroups.

use std::{
    fs::File,
    net::UdpSocket,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::MetadataExt as _,
    },
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{
        Array, CgroupArray, MapError, MapOptions, PerCpuValues,
        cgroup_storage::{CgroupStorage, CgroupStorageKey, PerCpuCgroupStorage},
    },
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, RawTracePoint},
    util::nr_cpus,
};
use aya_netlab::Cgroup;
use aya_tests::{TestResult, cgroups::Scene, in_both_modes, map, program};
use nix::errno::Errno;

/// What the packets of a cgroup were, as the program counts them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traffic {
    packets: u64,
    bytes: u64,
}

// SAFETY: two numbers, without padding.
unsafe impl aya::Pod for Traffic {}

/// `getpgid(2)` on x86-64, which nothing here calls but the test.
const GETPGID: u64 = 121;

/// Datagrams between two sockets of a cgroup, each of 32 bytes with its headers.
fn exchange(cgroup: &Cgroup, times: usize) -> TestResult {
    let sockets = cgroup.run(|| {
        (
            UdpSocket::bind("127.0.0.1:0"),
            UdpSocket::bind("127.0.0.1:0"),
        )
    })?;
    let (sender, receiver) = (sockets.0?, sockets.1?);
    for _ in 0..times {
        sender.send_to(b"four", receiver.local_addr()?)?;
        receiver.recv(&mut [0; 8])?;
    }
    Ok(())
}

in_both_modes! {
    /// A program is told which of the map's cgroups the running thread is in.
    fn a_thread_is_in_a_cgroup(object: "maps_cgroup", since 5, 8) {
        let thread = u32::try_from(nix::unistd::gettid().as_raw())?;
        let mut ebpf = EbpfLoader::new()
            .override_global("THREAD", &thread, true)
            .override_global("SYSCALL", &GETPGID, true)
            .load(object)?;
        let asked: &mut RawTracePoint = program(&mut ebpf, "asked")?;
        asked.load()?;
        asked.attach("sys_enter")?;
        let outer = Cgroup::new()?;
        let (inner, sibling) = (outer.child("inner")?, outer.child("sibling")?);
        let mut groups: CgroupArray<_> = map(&mut ebpf, "GROUPS")?;
        groups.set(0, inner.as_fd().as_raw_fd(), 0)?;
        let again = Errno::EAGAIN as i64;
        let beyond = Errno::E2BIG as i64;
        // In no cgroup of the map; then in one; then in one below one; then in none again.
        let ask = |ebpf: &mut Ebpf, cgroup: Option<&Cgroup>| -> TestResult<[i64; 3]> {
            match cgroup {
                Some(cgroup) => cgroup.run(|| nix::unistd::getpgid(None))??,
                None => nix::unistd::getpgid(None)?,
            };
            let answers: Array<_, i64> = map(ebpf, "ANSWERS")?;
            Ok([answers.get(&0, 0)?, answers.get(&1, 0)?, answers.get(&2, 0)?])
        };
        assert_eq!(ask(&mut ebpf, None)?, [0, -again, -beyond]);
        assert_eq!(ask(&mut ebpf, Some(&inner))?, [1, -again, -beyond]);
        assert_eq!(ask(&mut ebpf, Some(&sibling))?, [0, -again, -beyond]);
        let mut groups: CgroupArray<_> = map(&mut ebpf, "GROUPS")?;
        groups.set(1, outer.as_fd().as_raw_fd(), 0)?;
        assert_eq!(ask(&mut ebpf, Some(&sibling))?, [0, 1, -beyond]);
        assert_eq!(ask(&mut ebpf, Some(&inner))?, [1, 1, -beyond]);
        let mut groups: CgroupArray<_> = map(&mut ebpf, "GROUPS")?;
        groups.unset(0)?;
        assert_eq!(ask(&mut ebpf, Some(&inner))?, [-again, 1, -beyond]);
        Ok(())
    }

    /// What does not go into a map of cgroups.
    fn cgroups_are_refused(object: "maps_cgroup", since 5, 8) {
        let mut ebpf = Ebpf::load(object)?;
        let cgroup = Cgroup::new()?;
        let mut groups: CgroupArray<_> = map(&mut ebpf, "GROUPS")?;
        assert_eq!(groups.len(), 2);
        let folder = File::open(cgroup.path())?;
        assert!(matches!(groups.set(2, folder.as_raw_fd(), 0), Err(MapError::OutOfBounds { index: 2, max_entries: 2, .. })));
        assert!(matches!(groups.unset(2), Err(MapError::OutOfBounds { .. })));
        assert!(matches!(groups.unset(0), Err(MapError::KeyNotFound)));
        let other = File::open("/dev/null")?;
        assert!(matches!(groups.set(0, other.as_raw_fd(), 0), Err(MapError::SyscallError(_))));
        groups.set(0, folder.as_raw_fd(), 0)?;
        Ok(())
    }

    /// Each cgroup has values of its own for each hook, which programs and user space write.
    fn cgroups_have_values(object: "maps_cgroup", since 5, 9) {
        const EGRESS: u32 = 1;
        const INGRESS: u32 = 0;
        let scene = Scene::new()?;
        let other = scene.cgroup.child("other")?;
        let mut ebpf = Ebpf::load(object)?;
        for name in ["TRAFFIC", "PACKETS"] {
            // The kernel is particular about the key's members.
            let info = ebpf.map(name).ok_or(name)?.data().info()?;
            assert_ne!((info.btf_key_type_id(), info.btf_value_type_id()), (0, 0), "{name}");
            assert_ne!(info.btf_id(), 0, "{name}");
        }
        for (name, attach_type) in [("sent", CgroupSkbAttachType::Egress), ("arrived", CgroupSkbAttachType::Ingress)] {
            let program: &mut CgroupSkb = program(&mut ebpf, name)?;
            program.load()?;
            for cgroup in [&scene.cgroup, &other] {
                program.attach(cgroup, attach_type, CgroupAttachMode::AllowMultiple)?;
            }
        }
        // Two datagrams of one cgroup's sockets, one of the other's, which is in the first.
        exchange(&scene.cgroup, 2)?;
        exchange(&other, 1)?;
        let key = |cgroup: &Cgroup, attach_type| -> TestResult<CgroupStorageKey> {
            Ok(CgroupStorageKey::new(std::fs::metadata(cgroup.path())?.ino(), attach_type))
        };
        let keys = [
            (key(&scene.cgroup, EGRESS)?, 3),
            (key(&scene.cgroup, INGRESS)?, 3),
            (key(&other, EGRESS)?, 1),
            (key(&other, INGRESS)?, 1),
        ];
        let traffic: CgroupStorage<_, Traffic> = map(&mut ebpf, "TRAFFIC")?;
        for (key, packets) in &keys {
            // IPv4 and UDP headers, and four bytes.
            assert_eq!(traffic.get(*key, 0)?, Traffic { packets: *packets, bytes: packets * 32 });
        }
        assert_eq!(traffic.keys().count(), 4);
        let packets: PerCpuCgroupStorage<_, u64> = map(&mut ebpf, "PACKETS")?;
        for (key, expected) in &keys {
            assert_eq!(packets.get(*key, 0)?.iter().sum::<u64>(), *expected);
        }

        // User space sets one back; the program goes on from there.
        let mut traffic: CgroupStorage<_, Traffic> = map(&mut ebpf, "TRAFFIC")?;
        traffic.insert(keys[2].0, Traffic { packets: 100, bytes: 0 }, 0)?;
        exchange(&other, 1)?;
        let traffic: CgroupStorage<_, Traffic> = map(&mut ebpf, "TRAFFIC")?;
        assert_eq!(traffic.get(keys[2].0, 0)?, Traffic { packets: 101, bytes: 32 });

        let mut packets: PerCpuCgroupStorage<_, u64> = map(&mut ebpf, "PACKETS")?;
        let cpus = nr_cpus().map_err(|(_, error)| error)?;
        packets.insert(keys[2].0, PerCpuValues::try_from(vec![10; cpus])?, 0)?;
        exchange(&other, 1)?;
        let packets: PerCpuCgroupStorage<_, u64> = map(&mut ebpf, "PACKETS")?;
        assert_eq!(packets.get(keys[2].0, 0)?.iter().sum::<u64>(), 10 * cpus as u64 + 1);

        // There is none where no program is attached, and user space makes none.
        let nowhere = CgroupStorageKey::new(keys[0].0.cgroup_inode_id(), 99);
        let mut traffic: CgroupStorage<_, Traffic> = map(&mut ebpf, "TRAFFIC")?;
        assert!(matches!(traffic.get(nowhere, 0), Err(MapError::KeyNotFound)));
        assert!(traffic.insert(nowhere, Traffic { packets: 0, bytes: 0 }, 0).is_err());
        Ok(())
    }

    /// With keys that are cgroups alone, all hooks of one have one value.
    fn cgroups_have_one_value_for_all_hooks(object: "maps_cgroup", since 5, 9) {
        let scene = Scene::new()?;
        let mut ebpf = EbpfLoader::new()
            .map_options("TRAFFIC", MapOptions::new().key_size(8))
            .load(object)?;
        for (name, attach_type) in [("sent", CgroupSkbAttachType::Egress), ("arrived", CgroupSkbAttachType::Ingress)] {
            let program: &mut CgroupSkb = program(&mut ebpf, name)?;
            program.load()?;
            program.attach(&scene.cgroup, attach_type, CgroupAttachMode::AllowMultiple)?;
        }
        exchange(&scene.cgroup, 2)?;
        let id = std::fs::metadata(scene.cgroup.path())?.ino();
        let mut traffic: CgroupStorage<_, Traffic> = map(&mut ebpf, "TRAFFIC")?;
        assert_eq!(traffic.keys().collect::<Result<Vec<_>, _>>()?, [CgroupStorageKey::new(id, 0)]);
        // Whatever hook is asked for.
        let key = CgroupStorageKey::new(id, 1);
        assert_eq!(traffic.get(key, 0)?, Traffic { packets: 4, bytes: 4 * 32 });
        traffic.insert(key, Traffic { packets: 10, bytes: 0 }, 0)?;
        exchange(&scene.cgroup, 1)?;
        let traffic: CgroupStorage<_, Traffic> = map(&mut ebpf, "TRAFFIC")?;
        assert_eq!(traffic.get(key, 0)?, Traffic { packets: 12, bytes: 2 * 32 });
        Ok(())
    }
}
