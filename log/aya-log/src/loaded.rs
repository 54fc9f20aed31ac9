//! What a loaded program has for a logger: its ring buffer, and the texts of its statements, which
//! the process that loaded it left in a map beside it.

use std::os::fd::AsFd;

use aya::{
    maps::{Map, MapData, MapError},
    programs::ProgramError,
};
use aya_log_common::{LOGS_MAP, SECTION};
use aya_sys::{Errno, bpf};

use crate::error::Error;

/// Each is absent where the program has no map of that name.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) logs: Option<Map>,
    pub(crate) section: Option<Vec<u8>>,
}

impl Loaded {
    /// Of the program with this id.
    pub(crate) fn open(program_id: u32) -> Result<Self, Error> {
        let refused = |error: aya_sys::Error| Error::ProgramError(ProgramError::from(error));
        let program = bpf::prog_get_fd_by_id(program_id).map_err(|error| match error.errno {
            Errno::ENOENT => Error::ProgramNotFound,
            _ => refused(error),
        })?;
        let mut loaded = Self::default();
        for id in bpf::prog_map_ids(program.as_fd()).map_err(refused)? {
            let map = MapData::from_id(id)?;
            match map.name() {
                LOGS_MAP => loaded.logs = Some(Map::from_map_data(map)?),
                SECTION => loaded.section = Some(only_element(id)?),
                _ => {}
            }
        }
        Ok(loaded)
    }
}

/// The bytes of the element of a map that has one.
fn only_element(id: u32) -> Result<Vec<u8>, MapError> {
    let read = bpf::map_get_fd_by_id(id).and_then(bpf::Map::open);
    let read = read.and_then(|map| {
        let mut bytes = vec![0; map.value_size()];
        map.lookup(&0_u32.to_ne_bytes(), &mut bytes, 0)?;
        Ok(bytes)
    });
    read.map_err(|error| MapError::SyscallError(error.into()))
}
