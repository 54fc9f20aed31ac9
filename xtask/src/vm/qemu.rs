//! One run of QEMU: how it is called, what its guest says, and its end.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use crate::{
    error::{Context as _, Error, Result},
    process,
};

/// Begins a report of the guest's first process (`aya-guest-init` holds the other half).
const MARK: u8 = 0x1e;

/// Debian's own choice, and BPF, which older kernels leave out. A kernel passes over those it lacks.
const SECURITY_MODULES: &str = "landlock,lockdown,yama,loadpin,safesetid,integrity,apparmor,bpf";

/// A guest that runs on the processor itself is up in a second or two.
const KVM_UP_WITHIN: Duration = Duration::from_secs(30);
/// An emulated guest takes four seconds here; slower machines exist.
const TCG_UP_WITHIN: Duration = Duration::from_secs(180);

/// What runs the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accelerator {
    /// The processor's virtualisation.
    Kvm,
    /// Emulation, which works everywhere.
    Tcg,
}

impl Accelerator {
    /// What worked on this machine since it booted, or else what is worth trying.
    ///
    /// `/dev/kvm` alone means little: on some nested machines it exists and every guest dies.
    pub(super) fn choose(cache: &Path) -> Self {
        let usable = || {
            fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/kvm")
                .is_ok()
        };
        let remembered = fs::read_to_string(cache.join("accelerator")).unwrap_or_default();
        let failed_before = remembered.trim() == format!("tcg {}", boot_id());
        if !failed_before && usable() {
            Self::Kvm
        } else {
            Self::Tcg
        }
    }

    /// Remembers, until this machine boots again, that guests do not run under KVM.
    pub(super) fn remember_failure(cache: &Path) -> Result<()> {
        let file = cache.join("accelerator");
        fs::write(&file, format!("tcg {}", boot_id())).context(file.display())
    }

    fn options(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            // With a thread for each CPU, one may run a breakpoint that another has just taken out of the
            // kernel's code, and the guest dies; it is not faster either.
            Self::Tcg => ["-accel", "tcg,thread=single", "-cpu", "max"],
        }
    }

    fn up_within(self) -> Duration {
        match self {
            Self::Kvm => KVM_UP_WITHIN,
            Self::Tcg => TCG_UP_WITHIN,
        }
    }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// What the guest has to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A command starts.
    Begin(usize),
    /// Output of the command that runs.
    Output(&'a [u8]),
    /// A command ended with this exit code.
    End(usize, i32),
    /// Something could not be prepared.
    Trouble(&'a str),
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All commands ran.
    Done,
    /// The guest never came up.
    NeverUp(String),
    /// The guest was up and then died or hung.
    Died(String),
}

/// What QEMU is given.
pub(super) struct Machine<'a> {
    pub(super) image: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) memory_mib: u32,
    pub(super) limit: Duration,
    /// The kernel's console ends up in this file.
    pub(super) console: PathBuf,
}

/// QEMU, installed where it is not.
pub(crate) fn program() -> Result<PathBuf> {
    process::need(
        "qemu-system-x86_64",
        "qemu-system-x86",
        "to run kernels in a virtual machine",
    )
}

/// Boots a guest and hands on what it says until it ends, at the latest when its time is over.
pub(super) fn run(
    machine: &Machine<'_>,
    accelerator: Accelerator,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome> {
    let qemu = program()?;
    let mut guest = Guest::start(machine, accelerator, &qemu)?;
    let started = Instant::now();
    let mut parser = Parser::default();
    let mut up = false;
    let mut done = false;
    let ending = loop {
        let limit = if up {
            machine.limit
        } else {
            accelerator.up_within()
        };
        let left = limit.saturating_sub(started.elapsed());
        match guest.output.recv_timeout(left) {
            Ok(bytes) => parser.feed(&bytes, &mut |said| match said {
                Said::Up => up = true,
                Said::Done => done = true,
                Said::Event(event) => on_event(event),
            }),
            Err(RecvTimeoutError::Disconnected) => break "the machine stopped".to_owned(),
            Err(RecvTimeoutError::Timeout) => {
                break format!("no end after {} s: ended by this command", limit.as_secs());
            }
        }
    };
    let said = guest.end()?;
    if done {
        return Ok(Outcome::Done);
    }
    let console = fs::read(&machine.console).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    let reason = format!("{ending}\n{}{}", said, last_lines(&console, 30));
    Ok(if up {
        Outcome::Died(reason)
    } else {
        Outcome::NeverUp(reason)
    })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The running QEMU; it is gone when this value is.
struct Guest {
    child: Child,
    output: mpsc::Receiver<Vec<u8>>,
    errors: PathBuf,
}

impl Guest {
    fn start(machine: &Machine<'_>, accelerator: Accelerator, qemu: &Path) -> Result<Self> {
        // If this process is killed outright, QEMU goes with it.
        let mut command = match process::find("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(qemu);
                command
            }
            None => Command::new(qemu),
        };
        let errors = machine.console.with_extension("qemu");
        let stderr = fs::File::create(&errors).context(errors.display())?;
        command
            .args([
                "-nodefaults",
                "-no-user-config",
                "-no-reboot",
                "-display",
                "none",
                "-smp",
                "2",
            ])
            .args(accelerator.options())
            .args(["-m", &format!("{}M", machine.memory_mib)])
            .arg("-kernel")
            .arg(machine.image)
            .arg("-initrd")
            .arg(machine.initramfs)
            // A panic resets the machine, which ends QEMU.
            .args([
                "-append",
                &format!(
                    "console=ttyS0 loglevel=4 panic=-1 oops=panic reboot=t lsm={SECURITY_MODULES}"
                ),
            ])
            .args([
                "-serial",
                &format!("file:{}", machine.console.display()),
                "-serial",
                "stdio",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut child = command.spawn().context(qemu.display())?;
        let (sender, output) = mpsc::channel();
        let mut stdout = child
            .stdout
            .take()
            .ok_or_else(|| Error::new("QEMU has no output"))?;
        std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            output,
            errors,
        })
    }

    /// Ends QEMU and returns its own messages.
    fn end(&mut self) -> Result<String> {
        self.stop();
        let errors = fs::read_to_string(&self.errors).context(self.errors.display())?;
        Ok(errors)
    }

    fn stop(&mut self) {
        // An error says that it is gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stop();
    }
}

enum Said<'a> {
    Up,
    Done,
    Event(Event<'a>),
}

/// Tells reports from output in the guest's stream of bytes.
#[derive(Default)]
struct Parser {
    /// The report that has begun, without its mark.
    report: Option<Vec<u8>>,
}

impl Parser {
    fn feed(&mut self, mut bytes: &[u8], on_said: &mut dyn FnMut(Said<'_>)) {
        while !bytes.is_empty() {
            let stop = if self.report.is_some() { b'\n' } else { MARK };
            let at = bytes.iter().position(|byte| *byte == stop);
            let (head, rest) = bytes.split_at(at.unwrap_or(bytes.len()));
            bytes = rest.get(1..).unwrap_or_default();
            match &mut self.report {
                None if head.is_empty() => {}
                None => on_said(Said::Event(Event::Output(head))),
                Some(report) => report.extend_from_slice(head),
            }
            if at.is_some() {
                match self.report.take() {
                    None => self.report = Some(Vec::new()),
                    Some(report) => interpret(&String::from_utf8_lossy(&report), on_said),
                }
            }
        }
    }
}

fn interpret(report: &str, on_said: &mut dyn FnMut(Said<'_>)) {
    let (kind, rest) = report.split_once(' ').unwrap_or((report, ""));
    let mut numbers = rest
        .split(' ')
        .filter_map(|number| number.parse::<i32>().ok());
    let index = |number: Option<i32>| number.and_then(|number| usize::try_from(number).ok());
    match kind {
        "up" => on_said(Said::Up),
        "done" => on_said(Said::Done),
        "begin" => {
            if let Some(number) = index(numbers.next()) {
                on_said(Said::Event(Event::Begin(number)));
            }
        }
        "end" => {
            if let (Some(number), Some(code)) = (index(numbers.next()), numbers.next()) {
                on_said(Said::Event(Event::End(number, code)));
            }
        }
        _ => on_said(Said::Event(Event::Trouble(rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_reports_from_output_however_the_bytes_arrive() {
        let stream =
            b"\x1eup\n\x1ebegin 0\nhello\nno newline\x1eend 0 101\n\x1etrouble a b\n\x1edone\n";
        for chunk in [1, 3, 7, stream.len()] {
            let (mut output, mut log) = (Vec::new(), Vec::new());
            let mut parser = Parser::default();
            for part in stream.chunks(chunk) {
                parser.feed(part, &mut |said| match said {
                    Said::Up => log.push("up".to_owned()),
                    Said::Done => log.push("done".to_owned()),
                    Said::Event(Event::Output(bytes)) => output.extend_from_slice(bytes),
                    Said::Event(event) => log.push(format!("{event:?}")),
                });
            }
            assert_eq!(output, b"hello\nno newline");
            assert_eq!(
                log,
                ["up", "Begin(0)", "End(0, 101)", "Trouble(\"a b\")", "done"]
            );
        }
    }
}
