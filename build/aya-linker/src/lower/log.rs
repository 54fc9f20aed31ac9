//! Log descriptors: their addresses become numbers, their bytes a section that is not loaded.

use aya_log_common::Level;
use aya_log_common::descriptor::Descriptor;

use crate::error::Location;
use crate::llvm::{Session, Value};

/// The section that log statements put their descriptors in.
const SECTION: &str = ".aya.log";

/// The content of the section.
#[derive(Default)]
pub(super) struct Log(Vec<u8>);

impl Log {
    /// Takes the descriptors that survived optimisation out of the module, in its order.
    pub(super) fn take(session: &Session) -> Self {
        let mut log = Self::default();
        let globals: Vec<Value> = session
            .globals()
            .into_iter()
            .filter(|global| global.section() == SECTION)
            .collect();
        for global in globals {
            let Some(bytes) = global.initializer().and_then(|value| session.bytes(value)) else {
                continue;
            };
            global.replace_uses(session.address(log.0.len() as u64));
            global.delete_global();
            log.0.extend(bytes);
        }
        log
    }

    /// Describes a panic; gives the id.
    pub(super) fn add_panic(&mut self, place: &Location) -> u64 {
        let descriptor = Descriptor {
            level: Level::Error,
            arguments: 0,
            line: place.line,
            target: "panic",
            module: "",
            file: &place.file,
            format: &format!("panicked at {place}"),
        };
        let id = self.0.len();
        let mut bytes = vec![0; descriptor.encoded_len()];
        descriptor.encode_into(&mut bytes);
        self.0.extend(bytes);
        id as u64
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
