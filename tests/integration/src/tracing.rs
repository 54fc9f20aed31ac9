//! What the tests of programs at functions, tracepoints and security hooks share: the object `tracing`,
//! which looks at one thread, and what it reports.

use std::sync::OnceLock;

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::RingBuf,
    programs::{FEntry, ProgramError},
};
use aya_log::EbpfLogger;
use nix::unistd::gettid;

use crate::{Recorder, TestResult, program, skip};

/// The object, which looks at this thread.
#[derive(Debug)]
pub struct Watch {
    /// The object.
    pub ebpf: Ebpf,
    /// The running kernel's types.
    pub btf: &'static Btf,
}

/// The running kernel's types, read once.
///
/// # Errors
/// When the kernel shows none.
pub fn kernel_btf() -> TestResult<&'static Btf> {
    static TYPES: OnceLock<Btf> = OnceLock::new();
    if let Some(types) = TYPES.get() {
        return Ok(types);
    }
    let btf = Btf::from_sys_fs()?;
    Ok(TYPES.get_or_init(|| btf))
}

/// The running kernel's types, and where its `task_struct` has its `pid`; found once.
fn kernel_types() -> TestResult<(&'static Btf, u32)> {
    static OFFSET: OnceLock<u32> = OnceLock::new();
    let btf = kernel_btf()?;
    if let Some(offset) = OFFSET.get() {
        return Ok((btf, *offset));
    }
    let offset = pid_offset(btf)?;
    Ok((btf, *OFFSET.get_or_init(|| offset)))
}

/// What programs that may sleep read of this process.
pub static AWAITED: &[u8; 8] = b"awaited!";

/// Whether this machine lets anybody trace functions: some forbid it even to root. If not, the test
/// has been skipped.
///
/// # Errors
/// When the object cannot be loaded.
pub fn may_trace_functions(test: &str, object: &[u8]) -> TestResult<bool> {
    static MAY: OnceLock<bool> = OnceLock::new();
    let may = match MAY.get() {
        Some(may) => *may,
        None => {
            let mut watch = Watch::new(object)?;
            let enter: &mut FEntry = program(&mut watch.ebpf, "enter")?;
            let loaded = enter.load("vfs_fallocate", watch.btf);
            let forbidden = matches!(loaded, Err(ProgramError::MissingPrivilege { .. }));
            *MAY.get_or_init(|| !forbidden)
        }
    };
    if !may {
        skip(
            test,
            "needs fentry programs, which this machine does not permit",
        )?;
    }
    Ok(may)
}

impl Watch {
    /// Loads the object's maps.
    ///
    /// # Errors
    /// When the object cannot be loaded, or the kernel shows no types.
    pub fn new(object: &[u8]) -> TestResult<Self> {
        Self::at_syscall(object, -1)
    }

    /// As [`new`](Self::new); `entered` reports this system call.
    ///
    /// # Errors
    /// As there.
    pub fn at_syscall(object: &[u8], syscall: i64) -> TestResult<Self> {
        let (btf, pid_offset) = kernel_types()?;
        let ebpf = EbpfLoader::new()
            .override_global("THREAD", &this_thread()?, true)
            .override_global("PID_OFFSET", &pid_offset, true)
            .override_global(
                "ADDRESS",
                &(AWAITED.as_ptr().expose_provenance() as u64),
                true,
            )
            .override_global("SYSCALL", &syscall, true)
            .load(object)?;
        Ok(Self { ebpf, btf })
    }

    /// What has been reported since it was asked last, in order.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn events(&mut self) -> TestResult<Vec<[i64; 4]>> {
        let map = self.ebpf.map_mut("EVENTS").ok_or("no map EVENTS")?;
        let mut events = RingBuf::try_from(map)?;
        let mut all = Vec::new();
        while let Some(event) = events.next() {
            let mut values = event.chunks_exact(8).map(<[u8; 8]>::try_from);
            let mut value = || values.next().ok_or("a short event");
            let event = [value()??, value()??, value()??, value()??];
            all.push(event.map(i64::from_ne_bytes));
        }
        Ok(all)
    }

    /// What the programs log while `act` runs.
    ///
    /// # Errors
    /// Those of `act`.
    pub fn logged(&mut self, act: impl FnOnce(&mut Self) -> TestResult) -> TestResult<Vec<String>> {
        let recorder = Recorder::default();
        let mut logger = EbpfLogger::init_with_logger(&mut self.ebpf, recorder.clone())?;
        act(self)?;
        logger.flush();
        let messages = recorder.take();
        Ok(messages.into_iter().map(|message| message.text).collect())
    }
}

/// The number of this thread.
///
/// # Errors
/// Never: numbers of threads are positive.
pub fn this_thread() -> TestResult<u32> {
    Ok(gettid().as_raw().try_into()?)
}

/// Where a `task_struct` of the running kernel has its `pid`.
fn pid_offset(btf: &Btf) -> TestResult<u32> {
    use aya_obj::btf::Kind;
    let types = btf.types()?;
    let id = types.find("task_struct", |kind| matches!(kind, Kind::Struct(_)));
    let task = id.and_then(|id| types.get(id)).map(|ty| &ty.kind);
    let Some(Kind::Struct(task)) = task else {
        return Err("no struct task_struct".into());
    };
    let pid = task
        .members
        .iter()
        .find(|member| types.name(member.name) == "pid");
    Ok(pid.ok_or("no pid")?.bit_offset / 8)
}

/// Text as the programs report it: its first eight bytes.
#[must_use]
pub fn text(text: &str) -> i64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    i64::from_ne_bytes(bytes)
}
