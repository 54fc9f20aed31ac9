//! Values of sockets, inodes, tasks and cgroups: programs and user space see the same one, as long as
//! its owner lives.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    sync::atomic::{AtomicU32, Ordering},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{CgrpStorage, InodeStorage, MapError, SkStorage, TaskStorage, task_storage::pidfd},
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock,
        CgroupSockAddr, Lsm, SockOps,
    },
};
use aya_netlab::Cgroup;
use aya_tests::{
    TestResult,
    cgroups::Scene,
    in_both_modes, program,
    tracing::{kernel_btf, may_trace_functions, this_thread},
};
use nix::{errno::Errno, sys::socket};

/// What the programs know of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Socket {
    process: u32,
    connects: u32,
    allowed: u32,
    connected: u32,
    sent: u64,
}

/// The object whose programs look at the sockets of a cgroup.
fn sockets(object: &[u8], cgroup: &Cgroup) -> TestResult<Ebpf> {
    let mut ebpf = Ebpf::load(object)?;
    let create: &mut CgroupSock = program(&mut ebpf, "create")?;
    create.load()?;
    create.attach(cgroup, CgroupAttachMode::Single)?;
    let connect: &mut CgroupSockAddr = program(&mut ebpf, "connect")?;
    connect.load()?;
    connect.attach(cgroup, CgroupAttachMode::Single)?;
    let established: &mut SockOps = program(&mut ebpf, "established")?;
    established.load()?;
    established.attach(cgroup, CgroupAttachMode::Single)?;
    let sent: &mut CgroupSkb = program(&mut ebpf, "sent")?;
    sent.load()?;
    sent.attach(
        cgroup,
        CgroupSkbAttachType::Egress,
        CgroupAttachMode::Single,
    )?;
    Ok(ebpf)
}

/// A socket that is not connected.
fn tcp_socket() -> TestResult<std::os::fd::OwnedFd> {
    let flags = socket::SockFlag::SOCK_CLOEXEC;
    let (family, kind) = (socket::AddressFamily::Inet, socket::SockType::Stream);
    Ok(socket::socket(family, kind, flags, None)?)
}

fn connect(socket: &impl std::os::fd::AsRawFd, port: u16) -> nix::Result<()> {
    socket::connect(
        socket.as_raw_fd(),
        &socket::SockaddrIn::new(127, 0, 0, 1, port),
    )
}

/// What the kernel's types say, and this thread, for programs at tracepoints.
fn at_tracepoints(
    object: &[u8],
    watched: (&str, u32),
    points: [(&str, &str); 2],
) -> TestResult<Ebpf> {
    let btf = kernel_btf()?;
    let (name, number) = watched;
    let mut ebpf = EbpfLoader::new()
        .override_global(name, &number, true)
        .load(object)?;
    for (name, tracepoint) in points {
        let point: &mut BtfTracePoint = program(&mut ebpf, name)?;
        point.load(tracepoint, btf)?;
        point.attach()?;
    }
    Ok(ebpf)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Folder {
    allowed: u32,
    asked: u32,
}

/// The object that tells whether the machine permits such programs.
fn tracing() -> Option<&'static [u8]> {
    aya_tests::object("donor", "tracing").or_else(|| aya_tests::object("native", "tracing"))
}

/// A folder of this test's, and the folders in it, gone in the end.
struct Folders(std::path::PathBuf);

impl Folders {
    fn new() -> TestResult<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("aya-inodes-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn make(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        // What is left lies in a folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn refused<T>(result: Result<T, MapError>) -> TestResult<Errno> {
    match result {
        Err(MapError::SyscallError(error)) => {
            let number = error.io_error.raw_os_error().ok_or("no number")?;
            Ok(Errno::from_raw(number))
        }
        Err(other) => Err(format!("not refused by the kernel: {other:?}").into()),
        Ok(_) => Err("not refused".into()),
    }
}

in_both_modes! {
    /// Programs on four events of a socket share its value with user space, which decides by it.
    fn sockets_have_values(object: "maps_storage", since 5, 10) {
        let scene = Scene::new()?;
        let mut ebpf = sockets(object, &scene.cgroup)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (first, other) = scene.cgroup.run(|| (tcp_socket(), tcp_socket()))?;
        let (first, other) = (first?, other?);

        let map = ebpf.map_mut("SOCKETS").ok_or("no SOCKETS")?;
        let mut values: SkStorage<_, Socket> = SkStorage::try_from(map)?;
        let made = Socket { process: std::process::id(), connects: 0, allowed: 1, connected: 0, sent: 0 };
        assert_eq!(values.get(&first, 0)?, made);
        assert!(matches!(values.get(&listener, 0), Err(MapError::KeyNotFound)));

        // User space forbids the second one to connect, then allows it.
        values.insert(&other, Socket { allowed: 0, ..made }, 2)?;
        scene.cgroup.run(|| connect(&first, port))??;
        assert_eq!(scene.cgroup.run(|| connect(&other, port))?, Err(Errno::EPERM));
        assert_eq!(values.get(&other, 0)?, Socket { allowed: 0, connects: 1, ..made });
        let now = values.get(&first, 0)?;
        assert_eq!((now.connects, now.connected), (1, 1));
        assert!(now.sent >= 2, "{now:?}");
        values.insert(&other, Socket { allowed: 5, ..made }, 0)?;
        scene.cgroup.run(|| connect(&other, port))??;
        assert_eq!(values.get(&other, 0)?.connected, 1);
        assert_eq!(refused(values.insert(&other, made, 1))?, Errno::EEXIST);

        values.remove(&other)?;
        assert!(matches!(values.get(&other, 0), Err(MapError::KeyNotFound)));
        assert!(matches!(values.remove(&other), Err(MapError::KeyNotFound)));
        assert_eq!(refused(values.insert(&other, made, 2))?, Errno::ENOENT);
        // Something that is no socket has none.
        let file = File::open("/proc/self/status")?;
        assert_eq!(refused(values.get(&file, 0))?, Errno::ENOTSOCK);

        // What the programs removed is gone for user space, too, and is not removed twice.
        let allowed: SkStorage<_, u32> = SkStorage::try_from(ebpf.map("ALLOWED").ok_or("no ALLOWED")?)?;
        assert!(matches!(allowed.get(&first, 0), Err(MapError::KeyNotFound)));
        assert_eq!(ebpf.global::<i64>("DELETED")?.read()?, -(Errno::ENOENT as i64));
        Ok(())
    }

    /// Values for sockets that no program has seen are user space's alone.
    fn sockets_without_programs(object: "maps_storage", since 5, 10) {
        let mut ebpf = Ebpf::load(object)?;
        let mut values: SkStorage<_, u32> = SkStorage::try_from(ebpf.map_mut("ALLOWED").ok_or("no ALLOWED")?)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        assert!(matches!(values.get(&socket, 0), Err(MapError::KeyNotFound)));
        values.insert(&socket, 7, 1)?;
        assert_eq!(values.get(&socket.try_clone()?, 0)?, 7);
        let wrong = SkStorage::<_, u64>::try_from(ebpf.map("ALLOWED").ok_or("no ALLOWED")?);
        let message = wrong.err().ok_or("it fits")?.to_string();
        assert!(message.contains("`ALLOWED`") && message.contains("values of 4"), "{message}");
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, 1)).is_err());
        Ok(())
    }

    /// A security module keeps account by folder, and user space changes the account.
    fn inodes_have_values(object: "maps_storage", since 5, 10) {
        let tracing = tracing().ok_or("no object for tracing")?;
        if !may_trace_functions("inodes_have_values", tracing)? {
            return Ok(());
        }
        let mut ebpf = EbpfLoader::new()
            .override_global("THREAD", &this_thread()?, true)
            .load(object)?;
        let btf = kernel_btf()?;
        for (name, hook) in [("make_folder", "inode_mkdir"), ("remove_folder", "inode_rmdir")] {
            let module: &mut Lsm = program(&mut ebpf, name)?;
            module.load(hook, btf)?;
            module.attach()?;
        }
        let (folders, others) = (Folders::new()?, Folders::new()?);
        let folder = File::open(&folders.0)?;
        let map = ebpf.map_mut("FOLDERS").ok_or("no FOLDERS")?;
        let mut values: InodeStorage<_, Folder> = InodeStorage::try_from(map)?;
        assert!(matches!(values.get(&folder, 0), Err(MapError::KeyNotFound)));
        folders.make("one")?;
        folders.make("two")?;
        let third = folders.make("three").err().ok_or("made a third one")?;
        assert_eq!(third.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(values.get(&folder, 0)?, Folder { allowed: 2, asked: 3 });
        others.make("one")?;
        assert_eq!(values.get(&File::open(&others.0)?, 0)?, Folder { allowed: 2, asked: 1 });

        values.insert(&folder, Folder { allowed: 9, asked: 4 }, 2)?;
        folders.make("three")?;
        assert_eq!(values.get(&folder, 0)?.asked, 5);
        values.remove(&folder)?;
        assert!(matches!(values.remove(&folder), Err(MapError::KeyNotFound)));
        // The program removes what it made.
        folders.make("four")?;
        assert_eq!(values.get(&folder, 0)?, Folder { allowed: 2, asked: 1 });
        fs::remove_dir(folders.0.join("four"))?;
        assert!(matches!(values.get(&folder, 0), Err(MapError::KeyNotFound)));
        Ok(())
    }

    /// What a thread that makes another one leaves to it; user space names it by a pidfd.
    fn tasks_have_values(object: "maps_tasks", since 5, 13) {
        let points = [("made", "task_newtask"), ("renamed", "task_rename")];
        let mut ebpf = at_tracepoints(object, ("PROCESS", std::process::id()), points)?;
        let map = ebpf.map_mut("TASKS").ok_or("no TASKS")?;
        let mut values: TaskStorage<_, [u64; 2]> = TaskStorage::try_from(map)?;
        let parent = this_thread()?;

        // The process of a child is what a pidfd can be had for on every kernel.
        let mut child = std::process::Command::new("/proc/self/exe")
            .args(["--exact", "sleeper", "--nocapture"])
            .env("AYA_TESTS_SLEEP", "1")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()?;
        let task = pidfd(child.id())?;
        let made = values.get(&task, 0);
        values.insert(&task, [1, 2], 0)?;
        let changed = values.get(&task, 0);
        let removed = values.remove(&task);
        let again = values.remove(&task);
        drop(child.stdin.take());
        child.wait()?;
        assert_eq!(made?, [parent.into(), 0]);
        assert_eq!(changed?, [1, 2]);
        removed?;
        assert!(matches!(again, Err(MapError::KeyNotFound)));
        assert!(values.get(&task, 0).is_err(), "the task has ended");

        // The program goes on from what user space has set, and forgets it the third time.
        let process = pidfd(std::process::id())?;
        let name = fs::read("/proc/self/comm")?;
        values.insert(&process, [7, 0], 0)?;
        for expected in [Some([7, 1]), Some([7, 2]), None, Some([0, 1])] {
            fs::write("/proc/self/comm", name.trim_ascii())?;
            match (values.get(&process, 0), expected) {
                (Ok(value), Some(expected)) => assert_eq!(value, expected),
                (Err(MapError::KeyNotFound), None) => {}
                other => return Err(format!("{other:?}").into()),
            }
        }
        Ok(())
    }

    /// Each cgroup has its account of those that moved there.
    fn cgroups_have_values(object: "maps_cgroups", since 6, 2) {
        let points = [("made", "cgroup_mkdir"), ("moved", "cgroup_attach_task")];
        let mut ebpf = at_tracepoints(object, ("THREAD", this_thread()?), points)?;
        let before = Cgroup::new()?;
        let map = ebpf.map_mut("GROUPS").ok_or("no GROUPS")?;
        let mut values: CgrpStorage<_, [u64; 2]> = CgrpStorage::try_from(map)?;
        let this = u64::from(this_thread()?);
        assert_eq!(values.get(&File::open(before.path())?, 0)?, [this, 0]);
        let group = before.child("inner")?;
        let folder = File::open(group.path())?;
        assert_eq!(values.get(&folder, 0)?, [this, 0]);
        group.run(|| ())?;
        assert_eq!(values.get(&folder, 0)?, [this, 1]);
        values.insert(&folder, [9, 1], 2)?;
        group.run(|| ())?;
        assert_eq!(values.get(&folder, 0)?, [9, 2]);
        // The third time the program removes it.
        group.run(|| ())?;
        assert!(matches!(values.get(&folder, 0), Err(MapError::KeyNotFound)));
        values.insert(&folder, [1, 1], 1)?;
        values.remove(&folder)?;
        assert!(matches!(values.remove(&folder), Err(MapError::KeyNotFound)));
        let file = File::open("/proc/self/status")?;
        assert!(values.get(&file, 0).is_err());
        Ok(())
    }
}

/// The process that [`tasks_have_values`] looks at: it waits until its input ends.
#[test]
fn sleeper() -> TestResult {
    if std::env::var_os("AYA_TESTS_SLEEP").is_some() {
        io::copy(&mut io::stdin(), &mut io::sink())?;
    }
    Ok(())
}
