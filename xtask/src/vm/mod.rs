//! Virtual machines to test in: a Debian kernel, a file system with nothing but static executables,
//! commands run as root, their output and exit codes.
//!
//! Stages: [`kernel`] finds and unpacks a kernel (through [`apt`]) and its types (through [`image`]),
//! [`Spec`] says what goes into the guest, [`cpio`] packs it, [`qemu`] boots it. The guest's first
//! process is the crate `aya-guest-init`. Everything is kept under `target/vm`; removing that folder
//! starts afresh.

pub(crate) mod apt;
pub(crate) mod command;
mod cpio;
pub(crate) mod guest;
mod image;
pub(crate) mod kernel;
mod qemu;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) use kernel::Kernel;
pub(crate) use qemu::{Event, program as emulator};

use crate::{
    error::{Context as _, Error, Result},
    process,
};

/// Modules that tests of networking need and no guest loads by itself.
const MODULES: &[&str] = &[
    "veth",
    "dummy",
    "tun",
    "sch_ingress",
    "cls_bpf",
    "act_bpf",
    "cls_matchall",
];

/// Memory of a guest besides what its files take (once packed, once unpacked).
const MEMORY_MIB: u32 = 1024;

fn cache_dir() -> PathBuf {
    process::target_dir().join("vm")
}

/// A file that a guest gets: its path there without the leading `/`, and where it is here.
#[derive(Debug, Clone)]
pub(crate) struct GuestFile {
    pub(crate) path: String,
    pub(crate) source: PathBuf,
}

/// A command that a guest runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct GuestCommand {
    /// Variables as `NAME=VALUE`.
    pub(crate) environment: Vec<String>,
    /// The file and its arguments.
    pub(crate) words: Vec<String>,
}

/// How often a guest is booted before it counts as one that does not. On a loaded machine a boot may die
/// of a timer that comes late. Nothing of ours has run by then.
const EMULATED_BOOTS: u32 = 3;

/// What goes into a guest.
#[derive(Debug, Default)]
pub(crate) struct Spec {
    pub(crate) files: Vec<GuestFile>,
    pub(crate) commands: Vec<GuestCommand>,
    /// All commands together must end within this time.
    pub(crate) limit: Duration,
}

impl Spec {
    /// Adds the files below a folder, under a path in the guest.
    pub(crate) fn add_folder(&mut self, path: &str, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder).context(folder.display())? {
            let source = entry.context(folder.display())?.path();
            let name = source.file_name().unwrap_or_default().to_string_lossy();
            let path = format!("{path}/{name}");
            if source.is_dir() {
                self.add_folder(&path, &source)?;
            } else {
                self.files.push(GuestFile { path, source });
            }
        }
        Ok(())
    }

    /// Boots a kernel and runs the commands one after the other; returns each one's exit code.
    ///
    /// # Errors
    /// When the guest cannot be built or booted, or ends before its commands did.
    pub(crate) fn run(
        &self,
        kernel: &Kernel,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<i32>> {
        let dir = cache_dir();
        // Two runs at a time must not share files: each has the process's number in its names.
        let own = |end: &str| dir.join(format!("{}-{}.{end}", kernel.series, std::process::id()));
        let initramfs = RemovedAtEnd(own("cpio"));
        let archive = self.initramfs(kernel)?;
        fs::write(&initramfs.0, &archive).context(initramfs.0.display())?;
        let console = RemovedAtEnd(own("console"));
        let _messages = RemovedAtEnd(own("qemu"));
        let files_mib = u32::try_from(archive.len() >> 20).unwrap_or(u32::MAX / 4);
        let machine = qemu::Machine {
            image: &kernel.image()?,
            initramfs: &initramfs.0,
            memory_mib: MEMORY_MIB + 2 * files_mib,
            limit: self.limit,
            console: console.0.clone(),
        };
        let mut codes = Vec::new();
        let mut accelerator = qemu::Accelerator::choose(&dir);
        let mut fell_back = false;
        let mut boots_left = EMULATED_BOOTS;
        let ending = loop {
            let outcome = qemu::run(&machine, accelerator, &mut |event| {
                if let Event::End(_, code) = event {
                    codes.push(code);
                }
                on_event(event);
            })?;
            match (outcome, accelerator) {
                (qemu::Outcome::NeverUp(_), qemu::Accelerator::Kvm) => {
                    eprintln!("xtask: the guest does not run under KVM on this machine: emulating");
                    accelerator = qemu::Accelerator::Tcg;
                    fell_back = true;
                }
                (qemu::Outcome::NeverUp(reason), qemu::Accelerator::Tcg) => {
                    boots_left -= 1;
                    if boots_left > 0 {
                        let why = reason.lines().next().unwrap_or_default();
                        eprintln!("xtask: kernel {}: {why}: booting again", kernel.release);
                        continue;
                    }
                    return Err(format!("kernel {}: did not boot: {reason}", kernel.release).into());
                }
                (qemu::Outcome::Died(reason), _) => break Some(reason),
                (qemu::Outcome::Done, _) => break None,
            }
        };
        // It did boot without KVM, so KVM was to blame.
        if fell_back {
            qemu::Accelerator::remember_failure(&dir)?;
        }
        if let Some(reason) = ending {
            return Err(format!("kernel {}: {reason}", kernel.release).into());
        }
        if codes.len() == self.commands.len() {
            Ok(codes)
        } else {
            let (ran, all) = (codes.len(), self.commands.len());
            Err(format!("kernel {}: {ran} of {all} commands ran", kernel.release).into())
        }
    }

    fn initramfs(&self, kernel: &Kernel) -> Result<Vec<u8>> {
        let mut archive = cpio::Archive::default();
        for dir in ["dev", "proc", "sys", "tmp", "run"] {
            archive.directory(dir);
        }
        archive.file("init", &read(&guest::init()?)?);
        for (number, (name, bytes)) in kernel.modules(MODULES)?.iter().enumerate() {
            archive.file(&format!("guest/modules/{number:03}-{name}"), bytes);
        }
        for file in &self.files {
            archive.file(&file.path, &read(&file.source)?);
        }
        for (number, command) in self.commands.iter().enumerate() {
            let mut words = command.environment.clone();
            words.push(String::new());
            words.extend(command.words.iter().cloned());
            if words.iter().any(|word| word.contains('\0')) {
                return Err(Error::new(format!(
                    "a NUL byte in command {:?}",
                    command.words
                )));
            }
            let bytes = words
                .iter()
                .flat_map(|word| word.bytes().chain([0]))
                .collect::<Vec<u8>>();
            archive.file(&format!("guest/commands/{number:03}"), &bytes);
        }
        Ok(archive.finish())
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).context(path.display())
}

/// A scratch file.
struct RemovedAtEnd(PathBuf);

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        // It may never have been made.
        let _absent = fs::remove_file(&self.0);
    }
}
