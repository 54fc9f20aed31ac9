//! [`EbpfLogger`]: receives an object's records and hands them to a logger.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use aya::{Ebpf, GlobalVariable};
use aya_log_common::{LOGS_MAP, LOST_GLOBAL, SECTION};
use log::{Log, Metadata, Record};

use crate::{decoder::Decoder, error::Error, loaded::Loaded, source::Source};

/// Receives what the programs of an object log, and hands it to a logger of the `log` crate.
///
/// Its file descriptor becomes readable when there are records; [`flush`](Self::flush) then hands
/// them over.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use aya::EbpfLoader;
/// use aya_log::EbpfLogger;
///
/// let mut ebpf = EbpfLoader::new()
///     .override_global(aya_log::LEVEL, &(aya_log::Level::Info as u8), false)
///     .load_file("firewall.o")?;
/// // Load and attach programs, then wait with poll(2), epoll(7) or tokio's `AsyncFd`.
/// let mut logger = EbpfLogger::init(&mut ebpf)?;
/// loop {
///     std::thread::sleep(std::time::Duration::from_millis(100));
///     logger.flush();
/// }
/// # }
/// ```
///
/// Programs of all types can log, sleepable ones since kernel 5.12.
///
/// On kernels before 5.8, which have no ring buffers, it reads a perf buffer per CPU, and its
/// descriptor stands for all of them. There the types `sk_reuseport` and `flow_dissector` cannot log:
/// loading them fails, and the verifier names the helper `bpf_perf_event_output`.
#[derive(Debug)]
pub struct EbpfLogger<T> {
    source: Source,
    decoder: Decoder,
    logger: T,
    counter: Option<GlobalVariable<u64>>,
    /// What was reported of the counter and of malformed records.
    reported_lost: u64,
    malformed: u64,
}

/// The former name of [`EbpfLogger`].
#[deprecated(note = "use `EbpfLogger`")]
pub type BpfLogger<T> = EbpfLogger<T>;

/// The logger that `log::set_logger` set, with the level that `log::set_max_level` set.
#[derive(Debug)]
struct Global;

impl EbpfLogger<&'static dyn Log> {
    /// Receives the logs of `bpf` and hands them to the logger of the `log` crate, at the levels that
    /// are enabled there. Takes the map `AYA_LOGS`, so it can be called once per object.
    ///
    /// # Errors
    ///
    /// [`Error::MapNotFound`] if the object has no log statement, [`Error::DescriptorsNotFound`] if it
    /// does not have their texts, and the other variants of [`Error`] as they say.
    pub fn init(bpf: &mut Ebpf) -> Result<Self, Error> {
        Self::init_with_logger(bpf, &Global)
    }

    /// Receives the logs of the program with this id, which another process loaded.
    ///
    /// # Errors
    ///
    /// As [`init_from_id_with_logger`](Self::init_from_id_with_logger).
    pub fn init_from_id(program_id: u32) -> Result<Self, Error> {
        Self::init_from_id_with_logger(program_id, &Global)
    }
}

impl<T: Log> EbpfLogger<T> {
    /// Receives the logs of `bpf` and hands them to `logger`, whatever the `log` crate's level is.
    ///
    /// # Errors
    ///
    /// As [`init`](EbpfLogger::init).
    pub fn init_with_logger(bpf: &mut Ebpf, logger: T) -> Result<Self, Error> {
        if bpf.map(LOGS_MAP).is_none() {
            return Err(Error::MapNotFound);
        }
        let section = bpf.section(SECTION).ok_or(Error::DescriptorsNotFound)?;
        let decoder = Decoder::new(section)?;
        let counter = bpf.global(LOST_GLOBAL).ok();
        let map = bpf.take_map(LOGS_MAP).ok_or(Error::MapNotFound)?;
        Ok(Self {
            source: Source::open(map)?,
            decoder,
            logger,
            counter,
            reported_lost: 0,
            malformed: 0,
        })
    }

    /// Receives the logs of the program with this id, which another process loaded with aya, and
    /// hands them to `logger`. Needs `CAP_SYS_ADMIN`. Since kernel 5.10.
    ///
    /// A record goes to one reader only: this is for programs whose process has none, such as those
    /// that were pinned or attached by a process that ended. [`lost`](Self::lost) is not known.
    ///
    /// # Errors
    ///
    /// [`Error::ProgramNotFound`] if there is no such program, [`Error::MapNotFound`] if it does not
    /// log, and [`Error::DescriptorsNotFound`] if the texts of its statements were not kept beside
    /// it: it was loaded with another library, or on an older kernel.
    pub fn init_from_id_with_logger(program_id: u32, logger: T) -> Result<Self, Error> {
        let Loaded { logs, section } = Loaded::open(program_id)?;
        let decoder = Decoder::new(&section.ok_or(Error::DescriptorsNotFound)?)?;
        Ok(Self {
            source: Source::open(logs.ok_or(Error::MapNotFound)?)?,
            decoder,
            logger,
            counter: None,
            reported_lost: 0,
            malformed: 0,
        })
    }

    /// Hands all records that are there to the logger. Reports, as a warning with the target
    /// `aya_log`, how many records were lost since the last call because the buffer was full, and how
    /// many could not be read.
    pub fn flush(&mut self) {
        while self.flush_some(usize::MAX) {}
    }

    /// As [`flush`](Self::flush), with at most `most` records of a ring buffer; whether there may be more.
    pub(crate) fn flush_some(&mut self, most: usize) -> bool {
        let (decoder, logger, malformed) = (&mut self.decoder, &self.logger, &mut self.malformed);
        let mut unreadable = 0;
        let more = self.source.drain(most, |record| {
            if decoder.log(record, logger).is_err() {
                unreadable += 1;
            }
        });
        if unreadable > 0 {
            *malformed += unreadable;
            warn(
                logger,
                format_args!(
                    "{unreadable} log records belong to no statement of the object; \
                     is another object writing to map `{LOGS_MAP}`?"
                ),
            );
        }
        let lost = self.lost();
        let new = lost.wrapping_sub(self.reported_lost);
        if new > 0 {
            self.reported_lost = lost;
            warn(
                &self.logger,
                format_args!(
                    "{new} log records were lost because the buffer was full; \
                     flush more often, or enlarge map `{LOGS_MAP}` with `map_max_entries`"
                ),
            );
        }
        more
    }

    /// How many records were lost since the object was loaded, because the buffer was full or (for
    /// statements with strings and slices) in use by an interrupted program. 0 if the counter cannot
    /// be read.
    pub fn lost(&self) -> u64 {
        let counter = self.counter.as_ref();
        counter.and_then(|counter| counter.read().ok()).unwrap_or(0)
    }

    /// How many records belonged to no statement of the object, and were dropped.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

fn warn(logger: &impl Log, message: std::fmt::Arguments<'_>) {
    let metadata = Metadata::builder()
        .level(log::Level::Warn)
        .target("aya_log")
        .build();
    if logger.enabled(&metadata) {
        logger.log(&Record::builder().metadata(metadata).args(message).build());
    }
}

impl Log for Global {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level() && log::logger().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        log::logger().log(record);
    }

    fn flush(&self) {
        log::logger().flush();
    }
}

impl<T> AsFd for EbpfLogger<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl<T> AsRawFd for EbpfLogger<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
