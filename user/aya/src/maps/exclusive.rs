//! Channels that have one end in this process.
//!
//! Two readers of one ring buffer would each free what the other one is reading, and two producers
//! write to the same place: that must not be possible without `unsafe`. A channel is known by its map's
//! id, so it does not matter by which descriptor, pin or object somebody comes to it. What another process
//! does is beyond this: give a channel to one process.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::{MapData, MapError};

/// The ids of the maps that are in use.
static IN_USE: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// The right to be this process's end of a channel, given back on drop.
#[derive(Debug)]
pub(super) struct Exclusive {
    id: u32,
    name: String,
}

impl Exclusive {
    pub(super) fn new(map: &MapData) -> Result<Self, MapError> {
        let (id, name) = (map.info()?.id(), map.name().to_owned());
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        match in_use.insert(id) {
            true => Ok(Self { id, name }),
            false => Err(MapError::InUse { name }),
        }
    }

    /// The map's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.remove(&self.id);
    }
}
