//! What the tests of kernel and user probes share: the object `probes`, and what is left of probes.

use std::{
    fmt::Debug,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{self, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aya::{
    Ebpf, EbpfLoader,
    features::{Feature, Features},
    maps::{HashMap, MapData},
    programs::ProgramError,
};
use aya_log::EbpfLogger;

use crate::{Inventory, Recorder, TestResult};

/// The name of the object.
pub const OBJECT: &str = "probes";

/// Loads the object; its programs look at this process alone.
///
/// # Errors
/// When the object cannot be loaded.
pub fn load(object: &[u8]) -> TestResult<Ebpf> {
    load_on(object, &Features::host())
}

/// Loads the object on a kernel with these features.
///
/// # Errors
/// When the object cannot be loaded.
pub fn load_on(object: &[u8], features: &Arc<Features>) -> TestResult<Ebpf> {
    Ok(EbpfLoader::new()
        .override_global("PROCESS", &process::id(), true)
        .features(Arc::clone(features))
        .load(object)?)
}

/// The program called `name` of the object, loaded.
///
/// # Errors
/// When there is none of this type, or it cannot be loaded.
#[macro_export]
macro_rules! probe {
    ($ebpf:expr, $handle:ident, $name:literal) => {{
        let program: &mut $handle = $ebpf
            .program_mut($name)
            .ok_or(concat!("no program ", $name))?
            .try_into()?;
        program.load()?;
        program
    }};
}

/// Why probes of a kind (`kprobe`, `uprobe`) cannot be tested here, if that is so: guests have all that
/// it takes.
#[must_use]
pub fn missing(kind: &str) -> Option<String> {
    let device = format!("/sys/bus/event_source/devices/{kind}");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounted = |path: &str| {
        mounts
            .lines()
            .any(|line| line.split(' ').nth(1) == Some(path))
    };
    if !Path::new(&device).exists() {
        return Some(format!("needs a kernel with {kind}s"));
    }
    let needed = ["/sys/fs/bpf", "/sys/kernel/tracing"];
    let missing = needed.into_iter().find(|path| !mounted(path))?;
    Some(format!("needs {missing} mounted"))
}

/// One test at a time.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a test where it cannot run, and has it wait for its turn: some count what the whole kernel
/// holds.
#[macro_export]
macro_rules! needs_probes {
    ($kind:literal, $test:literal) => {
        let _turn = $crate::probes::turn();
        if let Some(reason) = $crate::probes::missing($kind) {
            return Ok($crate::skip($test, &reason)?);
        }
    };
}

/// What a thread's calls have shown; the bytes of the object's structure `Seen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// How often the program ran.
    pub calls: u64,
    /// Arguments, or the result first.
    pub values: [u64; 6],
    /// Whether there was more.
    pub more: u64,
    /// The place's cookie.
    pub cookie: u64,
    /// A string of the process.
    pub text: [u8; 16],
}

/// The object's map.
#[derive(Debug)]
pub struct Sight(HashMap<MapData, u32, [u64; 11]>);

impl Sight {
    /// Takes the map out of the object.
    ///
    /// # Errors
    /// When it is not there.
    pub fn of(ebpf: &mut Ebpf) -> TestResult<Self> {
        let map = ebpf.take_map("SEEN").ok_or("no map SEEN")?;
        Ok(Self(map.try_into()?))
    }

    /// What the thread has shown so far.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn of_thread(&self, thread: u32) -> TestResult<Seen> {
        use aya::maps::MapError;
        match self.0.get(&thread, 0) {
            Ok([calls, a, b, c, d, e, f, more, cookie, text @ ..]) => {
                let mut seen = Seen {
                    calls,
                    values: [a, b, c, d, e, f],
                    more,
                    cookie,
                    ..Seen::default()
                };
                for (to, from) in seen.text.chunks_exact_mut(8).zip(text) {
                    to.copy_from_slice(&from.to_ne_bytes());
                }
                Ok(seen)
            }
            Err(MapError::KeyNotFound) => Ok(Seen::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// What this thread has shown so far.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn here(&self) -> TestResult<Seen> {
        self.of_thread(nix::unistd::gettid().as_raw().try_into()?)
    }
}

/// Runs what the object's programs see, and returns what they logged meanwhile.
///
/// # Errors
/// When the logger cannot be set up.
pub fn logged(ebpf: &mut Ebpf, act: impl FnOnce()) -> TestResult<Vec<String>> {
    let recorder = Recorder::default();
    let mut logger = EbpfLogger::init_with_logger(ebpf, recorder.clone())?;
    act();
    logger.flush();
    Ok(recorder
        .take()
        .into_iter()
        .map(|message| message.text)
        .collect())
}

/// What exists in the kernel and in this process: also the names of probes in tracefs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    inventory: Inventory,
    names: String,
}

impl Stock {
    /// Takes stock now.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn take() -> TestResult<Self> {
        Ok(Self {
            inventory: Inventory::take()?,
            names: names(),
        })
    }

    /// Waits until everything is as it was.
    ///
    /// # Errors
    /// When something is still there after some seconds.
    pub fn expect(&self, when: &str) -> TestResult {
        self.inventory.expect(when)?;
        let now = names();
        if now == self.names {
            Ok(())
        } else {
            Err(format!("{when}: names of probes in tracefs: {now}").into())
        }
    }
}

/// The names of probes in tracefs.
#[must_use]
pub fn names() -> String {
    ["kprobe_events", "uprobe_events"]
        .map(|list| fs::read_to_string(format!("/sys/kernel/tracing/{list}")).unwrap_or_default())
        .concat()
}

/// Holds a refusal to what its message must say.
///
/// # Errors
/// When it was none, or does not say so.
pub fn says<T: Debug>(result: Result<T, ProgramError>, parts: &[&str]) -> TestResult {
    let text = match result {
        Ok(attached) => return Err(format!("{parts:?}: it was attached: {attached:?}").into()),
        Err(error) => error.to_string(),
    };
    match parts.iter().find(|part| !text.contains(**part)) {
        Some(part) => Err(format!("`{text}` does not say `{part}`").into()),
        None => Ok(()),
    }
}

/// Set for the process that is killed: the mode of the object it loads, and the feature that its kernel
/// lacks.
const VICTIM: &str = "AYA_TESTS_VICTIM";
const ATTACHED: &str = "attached";

/// Runs the test `victim` of this executable in a process of its own until it has attached its program,
/// and kills it.
///
/// # Errors
/// When it could not attach.
pub fn kill_victim(object: &[u8], lacks: &[Feature]) -> TestResult {
    let is_donor = crate::object("donor", OBJECT) == Some(object);
    let mode = if is_donor { "donor" } else { "native" };
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
        .env(VICTIM, format!("{mode} {lacks:?}"))
        .stdout(Stdio::piped())
        .spawn()?;
    let output = victim.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let attached = lines.any(|line| line.contains(ATTACHED));
    victim.kill()?;
    victim.wait()?;
    if attached {
        Ok(())
    } else {
        Err("the process to be killed did not attach its program".into())
    }
}

/// What the test `victim` does: nothing in an ordinary run of the tests.
///
/// # Errors
/// When the program cannot be attached, or nobody kills this process.
pub fn be_victim(attach: fn(&[u8], &Arc<Features>) -> TestResult<Ebpf>) -> TestResult {
    let Ok(how) = std::env::var(VICTIM) else {
        return Ok(());
    };
    let (mode, lacks) = how.split_once(' ').ok_or("no mode")?;
    let lacks: &[Feature] = if lacks.contains("ProbeDevice") {
        &[Feature::ProbeDevice]
    } else {
        &[]
    };
    let object = crate::object(mode, OBJECT).ok_or("no object")?;
    let _ebpf = attach(object, &Features::without(lacks))?;
    println!("{ATTACHED}");
    std::thread::sleep(Duration::from_secs(60));
    Err("nobody killed this process".into())
}
