//! Maps of devices and of CPUs.

use std::num::NonZeroU32;

use aya::{
    Ebpf,
    maps::{
        CpuMap, DevMap, DevMapHash, MapError, MapOptions,
        xdp::{CpuMapValue, DevMapValue, XdpMapError},
    },
    programs::XdpMode,
    util::nr_cpus,
};
use aya_netlab::{Branch, END, Lab, NEAR, netlink};
use aya_tests::{
    TestResult,
    datagrams::{PATIENCE, arrives, nothing_at},
    in_both_modes, kernel, map,
};
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket},
};

use crate::{PORT, attach, errno, loaded, send, slot, slots};

/// Lets a branch's end take packets that come from driver to driver: that of a `veth` does so as long as
/// it has a program of its own.
fn open(ebpf: &mut Ebpf, branch: &Branch<'_>, mode: XdpMode) -> TestResult {
    branch.at_end(|| attach(ebpf, "pass", END, mode))?
}

in_both_modes! {
    /// A packet goes out of the device in the slot, or behind the key, that it names; it passes where
    /// there is none.
    fn packets_go_out_of_devices(object: "maps_net", since 5, 8) {
        for mode in [XdpMode::Driver, XdpMode::Skb] {
            // Older kernels want maps for it that have no room for programs.
            if mode == XdpMode::Skb && kernel()? < (5, 15) {
                continue;
            }
            let lab = Lab::new(&[])?;
            let branch = lab.branch("out0")?;
            let (here, there) = (lab.receiver(PORT, PATIENCE)?, branch.receiver(PORT, PATIENCE)?);
            let out = branch.interface();
            for program in ["to_device", "to_number"] {
                let mut ebpf = Ebpf::load(object)?;
                open(&mut ebpf, &branch, mode)?;
                let mut devices: DevMap<_> = map(&mut ebpf, "DEVICES")?;
                devices.set(1, out, None, 0)?;
                let expected = DevMapValue { if_index: out, prog_id: None };
                assert_eq!(devices.get(1, 0)?, expected);
                let mut by_number: DevMapHash<_> = map(&mut ebpf, "BY_NUMBER")?;
                by_number.insert(1001, out, None, 0)?;
                assert_eq!(by_number.get(1001, 0)?, expected);
                assert_eq!(by_number.keys().collect::<Result<Vec<_>, _>>()?, [1001]);

                attach(&mut ebpf, program, NEAR, mode)?;
                send(&lab, "1 out")?;
                arrives(&there, "1 out")?;
                assert_eq!(slots(&mut ebpf, [slot::DEVICE, slot::PROGRAM])?, [u64::from(out), 0]);
                send(&lab, "2 empty")?;
                arrives(&here, "2 empty")?;
                assert_eq!(slots(&mut ebpf, [slot::DEVICE])?, [0]);
                send(&lab, "9 beyond")?;
                arrives(&here, "9 beyond")?;
                nothing_at(&there)?;

                let mut devices: DevMap<_> = map(&mut ebpf, "DEVICES")?;
                devices.unset(1)?;
                let mut by_number: DevMapHash<_> = map(&mut ebpf, "BY_NUMBER")?;
                by_number.remove(1001)?;
                send(&lab, "1 stays")?;
                arrives(&here, "1 stays")?;
            }
        }
        Ok(())
    }

    /// A program in the map runs on packets on their way out, and says whether they go.
    fn programs_run_at_devices(object: "maps_net", since 5, 8) {
        let lab = Lab::new(&[])?;
        let branch = lab.branch("out0")?;
        let there = branch.receiver(PORT, PATIENCE)?;
        let out = branch.interface();
        for program in ["to_device", "to_number"] {
            let mut ebpf = Ebpf::load(object)?;
            open(&mut ebpf, &branch, XdpMode::Driver)?;
            let (at_device, id) = loaded(&mut ebpf, "at_device")?;
            let expected = DevMapValue { if_index: out, prog_id: NonZeroU32::new(id) };
            let mut devices: DevMap<_> = map(&mut ebpf, "DEVICES")?;
            devices.set(1, out, Some(&at_device), 0)?;
            assert_eq!(devices.get(1, 0)?, expected);
            let mut by_number: DevMapHash<_> = map(&mut ebpf, "BY_NUMBER")?;
            by_number.insert(1001, out, Some(&at_device), 0)?;
            assert_eq!(by_number.iter().collect::<Result<Vec<_>, _>>()?, [(1001, expected)]);

            attach(&mut ebpf, program, NEAR, XdpMode::Driver)?;
            send(&lab, "1_stamped")?;
            arrives(&there, "1dstamped")?;
            let near = netlink::index_of(NEAR)?;
            assert_eq!(
                slots(&mut ebpf, [slot::DEVICE, slot::PROGRAM, slot::FROM, slot::TO])?,
                [out, id, near, out].map(u64::from)
            );
            // It drops what has no byte to be changed.
            send(&lab, "1")?;
            send(&lab, "1_next")?;
            arrives(&there, "1dnext")?;
        }
        Ok(())
    }

    /// A packet goes out of all devices of a map but the one that it came from.
    fn packets_are_broadcast(object: "maps_net", since 5, 13) {
        let lab = Lab::new(&[])?;
        let branches = [lab.branch("out0")?, lab.branch("out1")?];
        let receivers = [
            branches[0].receiver(PORT, PATIENCE)?,
            branches[1].receiver(PORT, PATIENCE)?,
        ];
        let far = lab.in_far(|| {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthIp)
        })??;
        let near = netlink::index_of(NEAR)?;
        let [first, second] = branches.each_ref().map(Branch::interface);
        let devices_of_map = [near, first, second];
        for program in ["to_devices", "to_numbers"] {
            let mut ebpf = Ebpf::load(object)?;
            for branch in &branches {
                open(&mut ebpf, branch, XdpMode::Driver)?;
            }
            for (index, device) in (0..).zip(devices_of_map) {
                map::<DevMap<_>>(&mut ebpf, "ALL")?.set(index, device, None, 0)?;
                map::<DevMapHash<_>>(&mut ebpf, "ALL_BY_NUMBER")?.insert(7 * index, device, None, 0)?;
            }
            attach(&mut ebpf, program, NEAR, XdpMode::Driver)?;
            send(&lab, "0 all")?;
            for receiver in &receivers {
                arrives(receiver, "0 all")?;
            }
            let returned = recv(std::os::fd::AsRawFd::as_raw_fd(&far), &mut [0; 64], MsgFlags::empty());
            assert_eq!(returned, Err(Errno::EAGAIN));
        }
        Ok(())
    }

    /// What does not go into a map of devices, and what leaves it by itself.
    fn devices_are_refused(object: "maps_net", since 5, 8) {
        let lab = Lab::new(&[])?;
        let branch = lab.branch("out0")?;
        let out = branch.interface();
        let mut ebpf = Ebpf::load(object)?;
        let (pass, _) = loaded(&mut ebpf, "pass")?;
        let mut devices: DevMap<_> = map(&mut ebpf, "DEVICES")?;
        assert_eq!(devices.len(), 4);
        devices.set(3, out, None, 0)?;
        let error = devices.set(4, out, None, 0);
        assert!(
            matches!(&error, Err(XdpMapError::MapError(MapError::OutOfBounds { index: 4, max_entries: 4, .. }))),
            "{error:?}"
        );
        assert!(matches!(devices.get(2, 0), Err(MapError::KeyNotFound)));
        assert!(matches!(devices.get(4, 0), Err(MapError::OutOfBounds { .. })));
        let error = why(devices.set(0, 9999, None, 0))?;
        assert_eq!(
            error,
            "map `DEVICES`: this network namespace has no interface of that index: look it up by its name"
        );
        let error = why(devices.set(0, out, Some(&pass), 0))?;
        assert!(error.ends_with("the program is not for interfaces: give it a section `xdp/devmap`"), "{error}");
        assert_eq!(refused(devices.set(3, out, None, 1))?, Errno::EEXIST);

        let mut by_number: DevMapHash<_> = map(&mut ebpf, "BY_NUMBER")?;
        for key in 0..4 {
            by_number.insert(key, out, None, 1)?;
        }
        let error = by_number.insert(4, out, None, 0);
        assert!(
            matches!(&error, Err(XdpMapError::MapError(MapError::Full { max_entries: 4, .. }))),
            "{error:?}"
        );
        assert_eq!(refused(by_number.insert(3, out, None, 1))?, Errno::EEXIST);
        assert!(matches!(by_number.remove(9), Err(MapError::KeyNotFound)));
        assert!(matches!(by_number.get(9, 0), Err(MapError::KeyNotFound)));

        // Values that have no room for a program.
        let mut small = DevMap::create_with("SMALL", MapOptions::new().value_size(4).max_entries(1))?;
        let (at_device, _) = loaded(&mut ebpf, "at_device")?;
        let error = small.set(0, out, Some(&at_device), 0);
        assert!(matches!(error, Err(XdpMapError::ChainedProgramNotSupported)), "{error:?}");
        small.set(0, out, None, 0)?;
        assert_eq!(small.get(0, 0)?, DevMapValue { if_index: out, prog_id: None });

        netlink::delete(out)?;
        // The kernel lets go of a device some time after.
        for _ in 0..500 {
            let devices: DevMap<_> = map(&mut ebpf, "DEVICES")?;
            let gone = matches!(devices.get(3, 0), Err(MapError::KeyNotFound));
            let by_number: DevMapHash<_> = map(&mut ebpf, "BY_NUMBER")?;
            if gone && by_number.keys().next().is_none() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Err("a device that is gone is still in the maps".into())
    }

    /// A packet is handed to the CPU that it names, where a program runs on it first; the network stack
    /// gets it there.
    fn packets_go_to_cpus(object: "maps_net", since 5, 9) {
        const QUEUE: u32 = 192;
        let lab = Lab::new(&[])?;
        let here = lab.receiver(PORT, PATIENCE)?;
        let near = netlink::index_of(NEAR)?;
        let cpus = u32::try_from(nr_cpus().map_err(|(_, error)| error)?)?.min(2);
        for (program, name) in [("to_cpu", "CPUS"), ("to_other_cpu", "OTHER_CPUS")] {
            let mut ebpf = Ebpf::load(object)?;
            let (at_cpu, id) = loaded(&mut ebpf, "at_cpu")?;
            attach(&mut ebpf, program, NEAR, XdpMode::Driver)?;
            send(&lab, "0_empty")?;
            arrives(&here, "0_empty")?;
            for cpu in 0..cpus {
                let mut map_of_cpus: CpuMap<_> = map(&mut ebpf, name)?;
                map_of_cpus.set(cpu, QUEUE, Some(&at_cpu), 0)?;
                let expected = CpuMapValue { queue_size: QUEUE, prog_id: NonZeroU32::new(id) };
                assert_eq!(map_of_cpus.get(cpu, 0)?, expected);
                send(&lab, &format!("{cpu}_stamped"))?;
                arrives(&here, &format!("{cpu}cstamped"))?;
                let seen = slots(&mut ebpf, [slot::CPU, slot::FROM])?;
                assert_eq!(seen, [cpu + 1, near].map(u64::from));
                let mut map_of_cpus: CpuMap<_> = map(&mut ebpf, name)?;
                map_of_cpus.set(cpu, QUEUE, None, 0)?;
                let expected = CpuMapValue { queue_size: QUEUE, prog_id: None };
                assert_eq!(map_of_cpus.get(cpu, 0)?, expected);
                send(&lab, &format!("{cpu}_alone"))?;
                arrives(&here, &format!("{cpu}_alone"))?;
                map::<CpuMap<_>>(&mut ebpf, name)?.unset(cpu)?;
            }
        }
        Ok(())
    }

    /// What does not go into a map of CPUs.
    fn cpus_are_refused(object: "maps_net", since 5, 9) {
        let mut ebpf = Ebpf::load(object)?;
        let (pass, _) = loaded(&mut ebpf, "pass")?;
        let mut cpus: CpuMap<_> = map(&mut ebpf, "CPUS")?;
        assert_eq!(cpus.len(), 4);
        let error = cpus.set(4, 8, None, 0);
        assert!(matches!(error, Err(XdpMapError::MapError(MapError::OutOfBounds { index: 4, .. }))), "{error:?}");
        let error = why(cpus.set(0, 1 << 20, None, 0))?;
        assert_eq!(error, "map `CPUS`: a CPU's queue holds 16384 packets at most");
        let error = why(cpus.set(0, 8, Some(&pass), 0))?;
        assert!(error.starts_with("map `CPUS`: the program is not for CPUs"), "{error}");
        assert!(error.contains("give it a section `xdp/cpumap`"), "{error}");
        assert!(matches!(cpus.get(0, 0), Err(MapError::KeyNotFound)));
        Ok(())
    }
}

/// What is wrong with a target that must be refused.
fn why(result: Result<(), XdpMapError>) -> TestResult<String> {
    match result {
        Err(XdpMapError::MapError(error @ MapError::InvalidTarget { .. })) => Ok(error.to_string()),
        Err(error) => Err(error.into()),
        Ok(()) => Err("it was accepted".into()),
    }
}

/// Why the kernel refused what must fail there.
fn refused(result: Result<(), XdpMapError>) -> TestResult<Errno> {
    match result {
        Err(XdpMapError::MapError(error)) => errno(Err(error)),
        Err(error) => Err(error.into()),
        Ok(()) => errno(Ok(())),
    }
}
