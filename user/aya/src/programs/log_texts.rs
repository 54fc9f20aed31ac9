//! The texts of an object's log statements, kept in the kernel beside its programs.
//!
//! A program sends the numbers of its log statements; the texts are in section `.aya.log` of the
//! object. So that another process than the one that loaded the program can read its logs, they go
//! into an array of one element with the section's name, which lives as long as the program
//! (`BPF_PROG_BIND_MAP`, since kernel 5.10). That costs an object that logs two calls of bpf(2), and
//! each of its programs one. What goes wrong here is no reason to refuse the program.

use std::{os::fd::AsFd, sync::OnceLock};

use aya_obj::spec::MapSpec;
use aya_sys::{Errno, bpf};
use aya_uapi::MapType;

use crate::{
    features::{Feature, Features},
    maps::{MapData, MapError},
    programs::ProgramFd,
    sys::SyscallError,
};

/// The section, and the map that is made of it.
pub(crate) const SECTION: &str = ".aya.log";

/// The section's bytes, and the map once a program needs it.
#[derive(Debug)]
pub(crate) struct LogTexts {
    bytes: Vec<u8>,
    map: OnceLock<Option<MapData>>,
}

impl LogTexts {
    /// Of a section's bytes; `None` when there are no statements.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self {
            bytes: bytes.to_owned(),
            map: OnceLock::new(),
        })
    }

    /// Keeps the texts as long as the program.
    pub(crate) fn bind(&self, program: &ProgramFd, features: &Features) {
        if !features.may_have(Feature::BindMap) {
            return;
        }
        let created = self.map.get_or_init(|| {
            self.create()
                .inspect_err(|error| log::debug!("map `{SECTION}`: {error}"))
                .ok()
        });
        let Some(map) = created else { return };
        match bpf::prog_bind_map(program.as_fd(), map.fd().as_fd()) {
            Ok(()) => {}
            Err(error) if error.errno == Errno::EINVAL => features.lacks(Feature::BindMap),
            Err(error) => log::debug!("map `{SECTION}`: {error}"),
        }
    }

    fn create(&self) -> Result<MapData, MapError> {
        let spec = MapSpec {
            key_size: 4,
            // What does not fit the number, the kernel refuses.
            value_size: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
            max_entries: 1,
            ..MapSpec::new(SECTION, SECTION, MapType::ARRAY)
        };
        let map = MapData::create(&spec, SECTION, None)?;
        let written = map.fd().raw().update(&0_u32.to_ne_bytes(), &self.bytes, 0);
        written.map_err(SyscallError::from)?;
        Ok(map)
    }
}
