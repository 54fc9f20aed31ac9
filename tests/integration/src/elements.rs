//! What the tests of maps of elements share: a map, and a program that does to it what a packet says.

use aya::{Ebpf, TestRun as _, TestRunOptions, maps::Map, programs::Xdp};
use nix::errno::Errno;

use crate::{TestResult, program};

/// Keys, of more than one word.
pub type Key = [u32; 2];
/// Values, of more than one word.
pub type Value = [u64; 2];

/// A key, from its number.
#[must_use]
pub const fn key(number: u32) -> Key {
    [number, !number]
}

/// A value, from its number.
#[must_use]
pub const fn value(number: u64) -> Value {
    [number, !number]
}

/// What a program can be asked to do.
#[derive(Debug, Clone, Copy)]
pub enum Ask {
    /// Get the value of an element.
    Get(u32),
    /// Whether a value is there.
    Has(u64),
    /// Set it.
    Set(u32, u64),
    /// Remove the element.
    Remove(u32),
    /// Add to the value in place, and get it.
    Add(u32, u64),
    /// Set an element that is not there.
    New(u32, u64),
    /// Set an element that is there; of queues, drop the oldest value when there is no room.
    Old(u32, u64),
    /// Take a value out.
    Pop,
    /// Add up so many values from this one on.
    Sum(u32, u64),
    /// Set the upper half of a value.
    Half(u32, u64),
}

/// A map and its program.
#[derive(Debug)]
pub struct Pair {
    /// The object.
    pub ebpf: Ebpf,
    program: &'static str,
    map: &'static str,
}

impl Pair {
    /// Loads the object, and one of its programs, which works on one of its maps.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(object: &[u8], program: &'static str, map: &'static str) -> TestResult<Self> {
        Self::of(Ebpf::load(object)?, program, map)
    }

    /// As [`new`](Self::new), of an object whose maps are loaded.
    ///
    /// # Errors
    /// As there.
    pub fn of(mut ebpf: Ebpf, name: &'static str, map: &'static str) -> TestResult<Self> {
        let loaded: &mut Xdp = program(&mut ebpf, name)?;
        loaded.load()?;
        Ok(Self {
            ebpf,
            program: name,
            map,
        })
    }

    /// The map.
    ///
    /// # Errors
    /// When the object has none of this name.
    pub fn map(&mut self) -> TestResult<&mut Map> {
        Ok(self.ebpf.map_mut(self.map).ok_or("no such map")?)
    }

    /// What the program answers.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn ask(&mut self, ask: Ask) -> TestResult<Result<u64, Errno>> {
        let (operation, number, value): (u32, u32, u64) = match ask {
            Ask::Get(number) => (0, number, 0),
            Ask::Has(value) => (0, 0, value),
            Ask::Set(number, value) => (1, number, value),
            Ask::Remove(number) => (2, number, 0),
            Ask::Add(number, value) => (3, number, value),
            Ask::New(number, value) => (4, number, value),
            Ask::Old(number, value) => (5, number, value),
            Ask::Pop => (6, 0, 0),
            Ask::Sum(number, count) => (7, number, count),
            Ask::Half(number, value) => (8, number, value),
        };
        let mut packet = [operation, number].map(u32::to_ne_bytes).concat();
        packet.extend(value.to_ne_bytes());
        let mut answer = [0; 16];
        let program: &mut Xdp = program(&mut self.ebpf, self.program)?;
        let ran = program.test_run(TestRunOptions {
            data_in: Some(&packet),
            data_out: Some(&mut answer),
            ..TestRunOptions::new()
        })?;
        Ok(match ran.return_value {
            0 => Ok(u64::from_ne_bytes(*answer.last_chunk().ok_or("no answer")?)),
            error => Err(Errno::from_raw(error.try_into()?)),
        })
    }
}
