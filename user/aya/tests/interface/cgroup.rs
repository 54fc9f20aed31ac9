//! Programs on cgroups and socket maps, and the maps themselves.

use std::{
    error::Error,
    fmt::Debug,
    fs::File,
    hash::Hash,
    net::TcpStream,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use aya::{
    Ebpf, TestRun, TestRunOptions,
    maps::{
        Map, MapData, MapError, MapIter, MapKeys, SockHash, SockMap,
        sock::{self, SockMapFd},
    },
    programs::{
        CgroupAttachMode, CgroupDevice, CgroupError, CgroupSkb, CgroupSkbAttachType, CgroupSock,
        CgroupSockAddr, CgroupSockAddrAttachType, CgroupSockAttachType, CgroupSockopt,
        CgroupSockoptAttachType, CgroupSysctl, Program, ProgramError, ProgramFd, ProgramInfo,
        ProgramType, SkMsg, SkSkb, SkSkbKind, SockMapError, SockOps,
        cgroup_device::{CgroupDeviceLink, CgroupDeviceLinkId},
        cgroup_skb::{self, CgroupSkbLink, CgroupSkbLinkId},
        cgroup_sock::{CgroupSockLink, CgroupSockLinkId},
        cgroup_sock_addr::{CgroupSockAddrLink, CgroupSockAddrLinkId},
        cgroup_sockopt::{CgroupSockoptLink, CgroupSockoptLinkId},
        cgroup_sysctl::{CgroupSysctlLink, CgroupSysctlLinkId},
        links::{self, FdLink, Link},
        sk_msg::{SkMsgLink, SkMsgLinkId},
        sk_skb::{SkSkbLink, SkSkbLinkId},
        sock_ops::{SockOpsLink, SockOpsLinkId},
    },
};

fn reportable<E: Error + Send + Sync + 'static>() {}

fn errors() {
    reportable::<CgroupError>();
    reportable::<SockMapError>();
}

/// What all of them can do, and how each is attached.
macro_rules! handles {
    ($($handle:ident $link:ident $id:ident: |$program:ident, $cgroup:ident, $map:ident| $attach:expr;)*) => {
        $({
            fn of_a_program(program: &mut Program) -> Result<(), ProgramError> {
                let _: &mut $handle = program.try_into()?;
                let _: ProgramType = $handle::PROGRAM_TYPE;
                Ok(())
            }

            fn used($program: &mut $handle, $cgroup: File, $map: &SockMapFd) -> Result<(), Box<dyn Error>> {
                $program.load()?;
                let id: $id = $attach?;
                let link: $link = $program.take_link(id)?;
                let id: $id = link.id();
                $program.detach(id)?;
                let link: FdLink = link.try_into()?;
                let link: $link = link.try_into()?;
                link.detach()?;
                let _: &ProgramFd = $program.fd()?;
                let _: ProgramInfo = $program.info()?;
                $program.pin("/sys/fs/bpf/program")?;
                $program.unpin()?;
                $program.unload()?;
                Ok(())
            }

            fn compared<L: Debug + Eq + Hash + Send>() {}
            compared::<$link>();
            compared::<$id>();
            let _ = (of_a_program, used);
        })*
    };
}

fn programs() {
    handles! {
        CgroupSkb CgroupSkbLink CgroupSkbLinkId: |program, cgroup, _map| {
            program.attach(cgroup, CgroupSkbAttachType::Egress, CgroupAttachMode::Single)
        };
        CgroupSysctl CgroupSysctlLink CgroupSysctlLinkId: |program, cgroup, _map| {
            program.attach(&cgroup, CgroupAttachMode::default())
        };
        CgroupSockopt CgroupSockoptLink CgroupSockoptLinkId: |program, cgroup, _map| {
            program.attach(cgroup.as_fd(), CgroupAttachMode::AllowOverride)
        };
        CgroupSock CgroupSockLink CgroupSockLinkId: |program, cgroup, _map| {
            program.attach(cgroup, links::CgroupAttachMode::AllowMultiple)
        };
        CgroupSockAddr CgroupSockAddrLink CgroupSockAddrLinkId: |program, cgroup, _map| {
            program.attach(cgroup, CgroupAttachMode::Single)
        };
        CgroupDevice CgroupDeviceLink CgroupDeviceLinkId: |program, cgroup, _map| {
            program.attach(cgroup, CgroupAttachMode::Single)
        };
        SockOps SockOpsLink SockOpsLinkId: |program, cgroup, _map| {
            program.attach(cgroup, CgroupAttachMode::Single)
        };
        SkMsg SkMsgLink SkMsgLinkId: |program, _cgroup, map| program.attach(map);
        SkSkb SkSkbLink SkSkbLinkId: |program, _cgroup, map| program.attach(map);
    }
}

fn opened(info: fn() -> ProgramInfo) -> Result<(), Box<dyn Error>> {
    let path = "/sys/fs/bpf/program";
    let skb = CgroupSkb::from_pin(path, CgroupSkbAttachType::Ingress)?;
    let _: &Option<CgroupSkbAttachType> = skb.expected_attach_type();
    let _: u32 = skb.test_run(TestRunOptions::new())?.return_value;
    let direction = Some(cgroup_skb::CgroupSkbAttachType::Egress);
    CgroupSkb::from_program_info(info(), "egress".into(), direction)?;
    CgroupSock::from_pin(path, CgroupSockAttachType::PostBind4)?;
    CgroupSock::from_program_info(info(), "x".into(), CgroupSockAttachType::SockRelease)?;
    CgroupSockAddr::from_pin(path, CgroupSockAddrAttachType::Connect4)?;
    CgroupSockAddr::from_program_info(info(), "x".into(), CgroupSockAddrAttachType::UDPSendMsg6)?;
    CgroupSockopt::from_pin(path, CgroupSockoptAttachType::Get)?;
    CgroupSockopt::from_program_info(info(), "x".into(), CgroupSockoptAttachType::Set)?;
    SkSkb::from_pin(path, SkSkbKind::StreamVerdict)?;
    SkSkb::from_program_info(info(), "x".into(), SkSkbKind::StreamParser)?;
    CgroupSysctl::from_pin(path)?;
    CgroupSysctl::from_program_info(info(), "x".into())?;
    CgroupDevice::from_pin(path)?;
    let _: Vec<CgroupDeviceLink> = CgroupDevice::query(File::open("/sys/fs/cgroup")?)?;
    SockOps::from_pin(path)?;
    SkMsg::from_pin(path)?;
    Ok(())
}

/// As programs that redirect are written: the map's descriptor is copied, so that the object is free.
fn redirect(ebpf: &mut Ebpf, socket: TcpStream) -> Result<(), Box<dyn Error>> {
    let sockets: SockHash<&MapData, u32> = ebpf.map("SOCKETS").ok_or("no map")?.try_into()?;
    let map: SockMapFd = sockets.fd().try_clone()?;
    let program: &mut SkMsg = ebpf
        .program_mut("redirect")
        .ok_or("no program")?
        .try_into()?;
    program.load()?;
    program.attach(&map)?;
    let mut sockets: SockHash<_, u32> =
        SockHash::try_from(ebpf.map_mut("SOCKETS").ok_or("no map")?)?;
    sockets.insert(&1, socket.as_raw_fd(), 0)?;
    sockets.insert(&2, socket, 0)?;
    sockets.remove(&1)?;
    Ok(())
}

fn maps(map: Map, other: Map, socket: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut slots: SockMap<MapData> = SockMap::try_from(map)?;
    let fd: &SockMapFd = slots.fd();
    let _: BorrowedFd<'_> = fd.as_fd();
    slots.set(0, &socket, 0)?;
    slots.clear_index(&0)?;
    let _: MapKeys<'_, u32> = slots.indices();
    slots.pin("/sys/fs/bpf/slots")?;
    let hash: sock::SockHash<MapData, [u8; 16]> = other.try_into()?;
    let _: Result<RawFd, MapError> = hash.get(&[0; 16], 0);
    let _: MapIter<'_, [u8; 16], RawFd, SockHash<MapData, [u8; 16]>> = hash.iter();
    let _: MapKeys<'_, [u8; 16]> = hash.keys();
    for entry in &hash {
        let (_key, _fd): ([u8; 16], RawFd) = entry?;
    }
    hash.pin("/sys/fs/bpf/hash")?;
    Ok(())
}
