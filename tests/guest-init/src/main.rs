//! The first process of a test guest: prepares the system, runs the commands it finds, says how each
//! ended, and switches the machine off.
//!
//! `cargo xtask vm` (module `xtask::vm`) builds the guest's file system and reads what this says:
//! - `/guest/modules/NNN-NAME` are kernel modules, loaded in order;
//! - `/guest/commands/NNN` are commands: NUL-ended words, `NAME=VALUE` ones first, then an empty
//!   word, then the file and its arguments;
//! - the first serial port is the kernel's console, the second carries the commands' output, in which
//!   a line that begins with [`MARK`] is a report: `up`, `begin N`, `end N CODE`, `trouble TEXT`,
//!   `done`.
#![forbid(unsafe_code)]

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::{fs::OpenOptionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aya_netlab::netlink;
use nix::{
    fcntl::OFlag,
    kmod::{ModuleInitFlags, finit_module},
    mount::{MsFlags, mount},
    sys::{
        reboot::{RebootMode, reboot},
        signal::{Signal, kill},
        termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// Begins a report (ASCII record separator).
const MARK: u8 = 0x1e;

/// Where, what, and the options of each file system that tests may expect.
const MOUNTS: &[(&str, &str, &str)] = &[
    ("/proc", "proc", ""),
    ("/sys", "sysfs", ""),
    ("/dev", "devtmpfs", ""),
    ("/dev/shm", "tmpfs", ""),
    ("/dev/pts", "devpts", ""),
    ("/tmp", "tmpfs", ""),
    ("/run", "tmpfs", ""),
    ("/sys/fs/bpf", "bpf", "mode=0700"),
    ("/sys/fs/cgroup", "cgroup2", ""),
    ("/sys/kernel/debug", "debugfs", ""),
    ("/sys/kernel/tracing", "tracefs", ""),
    ("/sys/kernel/security", "securityfs", ""),
];

fn main() {
    let troubles = mount_all();
    match Port::open() {
        Ok(mut port) => {
            if let Err(error) = serve(&mut port, troubles) {
                port.report(&format!("trouble {error}"));
            }
            port.report("done");
        }
        // Nobody is listening: the kernel's console is all that is left.
        Err(error) => eprintln!("guest-init: second serial port: {error}"),
    }
    let Err(error) = reboot(RebootMode::RB_AUTOBOOT);
    eprintln!("guest-init: reboot: {error}");
}

fn serve(port: &mut Port, troubles: Vec<String>) -> io::Result<()> {
    port.report("up");
    for trouble in troubles {
        port.report(&format!("trouble {trouble}"));
    }
    for module in entries("/guest/modules")? {
        if let Err(error) = load(&module) {
            port.report(&format!("trouble {}: {error}", module.display()));
        }
    }
    if let Err(error) = netlink::index_of("lo").and_then(netlink::set_up) {
        port.report(&format!("trouble lo: {error}"));
    }
    for (number, command) in entries("/guest/commands")?.iter().enumerate() {
        port.report(&format!("begin {number}"));
        let code = match execute(command, port) {
            Ok(code) => code,
            Err(error) => {
                port.report(&format!("trouble {error}"));
                127
            }
        };
        port.report(&format!("end {number} {code}"));
    }
    Ok(())
}

/// Mounts what the kernel has; a file system that it lacks is a trouble to report, not an end.
fn mount_all() -> Vec<String> {
    let mut troubles = Vec::new();
    for (path, kind, options) in MOUNTS {
        // Folders in sysfs exist, or cannot be made: the mount tells.
        let _exists = fs::create_dir_all(path);
        let options = (!options.is_empty()).then_some(*options);
        if let Err(error) = mount(Some(*kind), *path, Some(*kind), MsFlags::empty(), options) {
            // devtmpfs may be mounted by the kernel already.
            if error != nix::errno::Errno::EBUSY {
                troubles.push(format!("{path} ({kind}): {error}"));
            }
        }
    }
    troubles
}

fn load(module: &Path) -> io::Result<()> {
    let file = File::open(module)?;
    finit_module(&file, c"", ModuleInitFlags::empty())?;
    Ok(())
}

/// Runs one command to its end, its output going to the port as it comes, and returns its exit code
/// (128 + N when signal N ended it). What it left running is ended too.
fn execute(file: &Path, port: &mut Port) -> io::Result<i32> {
    let words = fs::read(file)?;
    let mut words = words.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let environment: Vec<String> = words
        .by_ref()
        .map_while(|word| (!word.is_empty()).then(|| word.into_owned()))
        .collect();
    let mut words = words.map(|word| word.into_owned());
    let program = words
        .next()
        .ok_or_else(|| io::Error::other("an empty command"))?;
    let mut arguments: Vec<String> = words.collect();
    arguments.pop(); // what follows the last NUL

    let (mut output, ours) = io::pipe()?;
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/bin")
        .env("HOME", "/")
        .env("TMPDIR", "/tmp");
    for variable in &environment {
        if let Some((name, value)) = variable.split_once('=') {
            command.env(name, value);
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(ours.try_clone()?)
        .stderr(ours)
        .current_dir("/");
    let mut child = command
        .spawn()
        .map_err(|error| io::Error::other(format!("{program}: {error}")))?;
    drop(command); // and with it our ends of the pipe

    let status = std::thread::scope(|scope| {
        let copied = scope.spawn(|| copy(&mut output, port));
        let status = child.wait();
        end_all_others();
        match copied.join() {
            Ok(Ok(())) => status,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the output's reader failed")),
        }
    })?;
    Ok(status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

fn copy(from: &mut io::PipeReader, port: &mut Port) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => port
                .file
                .write_all(buffer.get(..length).unwrap_or_default())?,
        }
    }
}

/// Ends every process but this one, so that the next command starts on a quiet system.
fn end_all_others() {
    // ESRCH: there is no other.
    let _none = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while let Ok(status) = waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}

/// The files of a folder by name; none where there is no such folder.
fn entries(dir: &str) -> io::Result<Vec<PathBuf>> {
    let found = match fs::read_dir(dir) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths: Vec<PathBuf> = found
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

/// The second serial port: bytes go through unchanged.
struct Port {
    file: File,
}

impl Port {
    fn open() -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open("/dev/ttyS1")?;
        let mut settings = tcgetattr(&file)?;
        cfmakeraw(&mut settings);
        tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        Ok(Self { file })
    }

    fn report(&mut self, text: &str) {
        let mut line = vec![MARK];
        line.extend(text.replace('\n', " ").bytes());
        line.push(b'\n');
        // The one who would be told of an error is the one that cannot be reached.
        let _lost = self.file.write_all(&line);
    }
}
