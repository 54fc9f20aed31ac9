//! Tracepoints: places that the kernel's developers have marked, with arguments that have names.
//!
//! A [`TracePoint`] program runs whenever the kernel passes the place, on whatever CPU and in whatever
//! process. `/sys/kernel/tracing/events` lists the tracepoints by category.
//!
//! Since kernel 4.7; bpf_link since 5.15, on older kernels attached through the event's descriptor. Either
//! way the kernel takes the program off when the process ends, however it ends.
//!
//! ```no_run
//! use aya::{Ebpf, programs::TracePoint};
//!
//! let mut ebpf = Ebpf::load_file("exec.o")?;
//! let program: &mut TracePoint = ebpf.program_mut("exec").ok_or("no such program")?.try_into()?;
//! program.load()?;
//! program.attach("sched", "sched_process_exec")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Fields by name
//!
//! Where a program reads a field as `ctx.field(field!("pid"))`, its place is looked up in the running
//! kernel's `format` file when the program is loaded; a field that the event does not have is an error then.

use std::{error::Error, fmt, io, path::PathBuf};

use aya_sys::perf;
use aya_uapi::bindings::{perf_event_attr, perf_type_id};

use crate::{
    attach::{
        perf::{self as attach, Target},
        probe::everywhere,
    },
    links::{TypedLink, TypedLinkId},
    programs::{ProgramError, fields, kinds},
    resolve::{similar::did_you_mean, trace_event::TraceEvent},
};

pub use super::TracePoint;

/// The link of a [`TracePoint`] program to a tracepoint; dropping it detaches the program.
pub type TracePointLink = TypedLink<kinds::TracePoint>;

/// Names a [`TracePointLink`] among those of its program.
pub type TracePointLinkId = TypedLinkId<kinds::TracePoint>;

impl TracePoint {
    /// Attaches the program to a tracepoint: `attach("sched", "sched_process_exec")`.
    ///
    /// # Errors
    ///
    /// When the program is not loaded, or was loaded for another event whose fields are elsewhere; when
    /// the kernel has no such tracepoint, or tracefs cannot be read.
    pub fn attach(&mut self, category: &str, name: &str) -> Result<TracePointLinkId, ProgramError> {
        self.attach_to(category, name, None)
    }

    /// As [`attach`](Self::attach), with a number that `bpf_get_attach_cookie` gives the program. Since
    /// kernel 5.15.
    ///
    /// # Errors
    ///
    /// As there, and [`ProgramError::AttachCookieNotSupported`].
    pub fn attach_with_cookie(
        &mut self,
        category: &str,
        name: &str,
        cookie: u64,
    ) -> Result<TracePointLinkId, ProgramError> {
        self.attach_to(category, name, Some(cookie))
    }

    fn attach_to(
        &mut self,
        category: &str,
        name: &str,
        cookie: Option<u64>,
    ) -> Result<TracePointLinkId, ProgramError> {
        let program = self.fd()?;
        let event = TraceEvent::find(&format!("{category}/{name}"))?;
        if let Some(linked) = self.linked() {
            fields::check(linked, &event.path)?;
        }
        let attr = perf_event_attr {
            type_: perf_type_id::PERF_TYPE_TRACEPOINT,
            config: event.id()?,
            sample_period: 1,
            ..perf_event_attr::ZEROED
        };
        let target = Target {
            program: self.name(),
            event: &format!("tracepoint `{}`", event.path),
        };
        let opened = perf::open(&attr, everywhere());
        let opened = opened.map_err(|error| attach::explain(target, error))?;
        let attachment = attach::attach(&self.features(), program, target, opened, cookie)?;
        Ok(self.links.insert(TypedLink::new(attachment)))
    }
}

/// What is wrong with a tracepoint, or with a field of its event.
#[derive(Debug)]
#[non_exhaustive]
pub enum TracePointError {
    /// A file of tracefs cannot be read.
    FileError {
        /// The file.
        filename: PathBuf,
        /// Why.
        io_error: io::Error,
    },
    /// The kernel has no such tracepoint.
    NotFound {
        /// `category/name`.
        event: String,
        /// Tracepoints that it may be a mistake for.
        similar: Vec<String>,
        /// The folder that lists those there are.
        folder: PathBuf,
    },
    /// A program reads a field by name, and does not say of which event.
    NoEvent {
        /// The program's name.
        program: String,
        /// The field's name.
        field: String,
    },
    /// The event has no such field.
    UnknownField {
        /// The program's name.
        program: String,
        /// `category/name`.
        event: String,
        /// The field's name.
        field: String,
        /// The fields that it has, and that programs may read.
        fields: Vec<String>,
    },
    /// The field is not what the program reads it as.
    FieldShape {
        /// The program's name.
        program: String,
        /// `category/name`.
        event: String,
        /// The field's name.
        field: String,
        /// The field as C declares it.
        declaration: String,
        /// What to do.
        remedy: String,
    },
    /// A program that reads fields by name is to be attached to an event that has them elsewhere.
    OtherFields {
        /// The program's name.
        program: String,
        /// The field's name.
        field: String,
        /// The event that the field was looked up in.
        loaded_for: String,
        /// The event to attach to.
        event: String,
    },
}

impl fmt::Display for TracePointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileError { filename, .. } => write!(
                f,
                "{}: cannot be read: tracefs must be mounted, and the process be root",
                filename.display()
            ),
            Self::NotFound {
                event,
                similar,
                folder,
            } => write!(
                f,
                "tracepoint `{event}`: this kernel has none of that name: `ls {}` lists those there \
                 are{}",
                folder.display(),
                did_you_mean(similar)
            ),
            Self::NoEvent { program, field } => write!(
                f,
                "program `{program}`: field `{field}` is of an unknown event: say it in the program's \
                 attribute (`category`, `name`), or in `field!(\"CATEGORY/NAME\", \"{field}\")`"
            ),
            Self::UnknownField {
                program,
                event,
                field,
                fields,
            } => write!(
                f,
                "program `{program}`: tracepoint `{event}` has no field `{field}` that programs may \
                 read: use one of `{}`",
                fields.join("`, `")
            ),
            Self::FieldShape {
                program,
                event,
                field,
                declaration,
                remedy,
            } => write!(
                f,
                "program `{program}`: field `{field}` of tracepoint `{event}` is `{declaration}`: \
                 {remedy}"
            ),
            Self::OtherFields {
                program,
                field,
                loaded_for,
                event,
            } => write!(
                f,
                "program `{program}`: field `{field}` of tracepoint `{loaded_for}` is not in the same \
                 place in `{event}`: write a program for each"
            ),
        }
    }
}

impl Error for TracePointError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::FileError { io_error, .. } => Some(io_error),
            _ => None,
        }
    }
}
