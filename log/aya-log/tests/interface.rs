//! The interface as existing programs use it: all that matters here is that it compiles.
//!
//! Nothing is called; what the functions do is tested where they are.
#![allow(dead_code, reason = "signatures are the point")]

use std::{
    error::Error as StdError,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use aya::{Ebpf, EbpfLoader, maps::MapError, programs::ProgramError};
use aya_log::{
    DefaultFormatter, EbpfLogger, Error, Formatter, Ipv4Formatter, Ipv6Formatter, LEVEL, Level,
    LowerHexBytesFormatter, LowerHexFormatter, LowerMacFormatter, PointerFormatter,
    UpperHexBytesFormatter, UpperHexFormatter, UpperMacFormatter,
};

type Logger = EbpfLogger<&'static dyn log::Log>;

const INIT: fn(&mut Ebpf) -> Result<Logger, Error> = EbpfLogger::init;
const INIT_FROM_ID: fn(u32) -> Result<Logger, Error> = EbpfLogger::init_from_id;

/// A logger of the user's.
struct Mine;

impl log::Log for Mine {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

fn shared<T: Send + Sync + 'static>() {}
fn reportable<E: StdError + Send + Sync + 'static>() {}
fn is<T>(_: T) {}

fn bounds() {
    shared::<Logger>();
    shared::<EbpfLogger<Mine>>();
    reportable::<Error>();
}

fn loggers(ebpf: &mut Ebpf) -> Result<(), Box<dyn StdError>> {
    // As programs written to the template do.
    if let Err(error) = EbpfLogger::init(ebpf) {
        log::warn!("failed to initialize eBPF logger: {error}");
    }
    let mut logger = EbpfLogger::init(ebpf)?;
    let _: (BorrowedFd<'_>, RawFd) = (logger.as_fd(), logger.as_raw_fd());
    logger.flush();
    let _: EbpfLogger<Mine> = EbpfLogger::init_with_logger(ebpf, Mine)?;
    let _: EbpfLogger<Mine> = EbpfLogger::init_from_id_with_logger(1, Mine)?;
    EbpfLoader::new()
        .override_global(LEVEL, &(Level::Info as u8), false)
        .load(&[])?;
    Ok(())
}

#[expect(deprecated, reason = "the older name is kept working")]
fn older_name(ebpf: &mut Ebpf) -> Result<(), Error> {
    use aya_log::BpfLogger;
    let logger = BpfLogger::init(ebpf)?;
    is::<BpfLogger<&'static dyn log::Log>>(logger);
    Ok(())
}

fn errors(error: Error) {
    match error {
        Error::MapError(error) => is::<MapError>(error),
        Error::ProgramError(error) => is::<ProgramError>(error),
        Error::MapNotFound | Error::ProgramNotFound => {}
        _ => {}
    }
}

fn formatters(bytes: &[u8], mac: [u8; 6], pointer: *const u8) -> [String; 10] {
    [
        DefaultFormatter::format(1),
        Ipv4Formatter::format(std::net::Ipv4Addr::LOCALHOST),
        Ipv6Formatter::format([0u16; 8]),
        LowerHexFormatter::format(1u32),
        UpperHexFormatter::format(1i64),
        LowerHexBytesFormatter::format(bytes),
        UpperHexBytesFormatter::format(bytes),
        LowerMacFormatter::format(mac),
        UpperMacFormatter::format(mac),
        PointerFormatter::format(pointer),
    ]
}

/// How code that is generic over formatters names them.
fn formatted<T, F: Formatter<T>>(value: T) -> String {
    F::format(value)
}

fn levels(level: Level) -> u8 {
    match level {
        Level::Error | Level::Warn | Level::Info | Level::Debug | Level::Trace => level as u8,
    }
}
