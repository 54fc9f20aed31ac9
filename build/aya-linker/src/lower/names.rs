//! Names as the user wrote them.

/// The readable form of a mangled name: path segments, without hash and generic arguments.
pub(crate) fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
