//! What the tests of maps share: definitions, and skipping where it is seen.

use std::{error::Error as _, io::Write as _};

use aya::{
    maps::{Array, MapType},
    util::KernelVersion,
};
use aya_obj::spec::MapSpec;

/// Says on the process's standard error, which the test harness does not catch, that a test did
/// not run.
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("SKIP: {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether this process may create maps; if not, the test is skipped.
pub(crate) fn may_create(test: &str) -> bool {
    match Array::<_, u32>::create(1, 0) {
        Ok(_) => true,
        Err(error) => {
            let cause = error.source().and_then(|error| error.source());
            let reason = cause.map_or_else(|| error.to_string(), ToString::to_string);
            skip(test, &format!("no map can be created: {reason}"));
            false
        }
    }
}

/// Whether this process may create maps, on a kernel that is new enough for the test.
#[allow(dead_code, reason = "each test binary uses a part")]
pub(crate) fn may_create_since(test: &str, major: u8, minor: u8) -> bool {
    let kernel = KernelVersion::current().unwrap();
    let since = KernelVersion::new(major, minor, 0);
    if kernel < since {
        skip(test, &format!("needs kernel {major}.{minor}"));
    }
    kernel >= since && may_create(test)
}

/// A map of 8 entries.
#[allow(dead_code, reason = "each test binary uses a part")]
pub(crate) fn spec(name: &str, map_type: MapType, key_size: u32, value_size: u32) -> MapSpec {
    MapSpec {
        key_size,
        value_size,
        max_entries: 8,
        ..MapSpec::new(name, ".maps", map_type.into())
    }
}
