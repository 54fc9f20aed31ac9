//! A record → a message for a logger.

use std::fmt;

use log::{Log, Metadata, Record};

use crate::{error::Error, table::Table};

/// Formats the records of an object's log statements, however they were received.
///
/// [`EbpfLogger`](crate::EbpfLogger) holds one and reads the records itself.
///
/// ```
/// # struct Print;
/// # impl log::Log for Print {
/// #     fn enabled(&self, _: &log::Metadata<'_>) -> bool { true }
/// #     fn log(&self, record: &log::Record<'_>) { assert_eq!(record.args().to_string(), "hello") }
/// #     fn flush(&self) {}
/// # }
/// // Section `.aya.log` of an object with one statement, `info!(&ctx, "hello")` …
/// let section = b"\x03\0\x07\0\0\0\0\0\x01\0m\x01\0f\x05\0hello";
/// let mut decoder = aya_log::Decoder::new(section)?;
/// // … and its record: the statement's offset in the section.
/// assert!(decoder.log(&0u32.to_ne_bytes(), &Print).is_ok());
/// assert!(decoder.log(&1u32.to_ne_bytes(), &Print).is_err());
/// # Ok::<(), aya_log::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    message: Vec<u8>,
}

impl Decoder {
    /// Reads the statements from the bytes of an object's section `.aya.log`.
    ///
    /// # Errors
    ///
    /// [`Error::DescriptorError`] and [`Error::Format`] if the section is damaged or was written by
    /// another version of aya-log-ebpf.
    pub fn new(section: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            table: Table::new(section)?,
            message: Vec::new(),
        })
    }

    /// Hands the message of `record` to `logger`, unless `logger` does not want it.
    ///
    /// # Errors
    ///
    /// [`MalformedRecord`] if it is none of a statement of this object. No input panics.
    pub fn log<L: Log + ?Sized>(
        &mut self,
        record: &[u8],
        logger: &L,
    ) -> Result<(), MalformedRecord> {
        let statement = self.table.find(record)?;
        let metadata = Metadata::builder()
            .level(statement.level)
            .target(&statement.target)
            .build();
        if !logger.enabled(&metadata) {
            return Ok(());
        }
        statement.message(record, &mut self.message)?;
        let lossy;
        let message = match std::str::from_utf8(&self.message) {
            Ok(message) => message,
            Err(_) => {
                lossy = String::from_utf8_lossy(&self.message);
                &lossy
            }
        };
        logger.log(
            &Record::builder()
                .metadata(metadata)
                .module_path(Some(&statement.module))
                .file(Some(&statement.file))
                .line(Some(statement.line))
                .args(format_args!("{message}"))
                .build(),
        );
        Ok(())
    }
}

/// A record is none of a statement of the object: unknown, cut off or with wrong arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedRecord;

impl fmt::Display for MalformedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "log record: it belongs to no statement of the object; is another object writing to this map?"
        )
    }
}

impl std::error::Error for MalformedRecord {}
