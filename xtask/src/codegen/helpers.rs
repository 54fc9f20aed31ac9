//! Helper functions: numbers from the header's list, prototypes from the first lines of its
//! documentation.

use std::collections::BTreeMap;

use crate::error::Result;

use super::{
    headers::Headers,
    selection::{HELPER_TYPES, HELPERS_SINCE},
};

struct Prototype {
    result: String,
    /// Name and type; a variadic function ends with `...`.
    arguments: Vec<(String, String)>,
    variadic: bool,
    /// As the header has it.
    text: String,
}

/// The table `for_each_helper!` and the opaque types its prototypes name.
pub(super) fn generate(headers: &Headers) -> Result<String> {
    let text = headers.read("linux/bpf.h")?;
    let prototypes: BTreeMap<String, Prototype> = text.lines().filter_map(prototype).collect();
    let mut out = String::from(
        "//! Helper functions.

/// Calls a macro with all helper functions of the kernel, by rising number.
///
/// A row is `/// doc` `NUMBER NAME(argument: Type, …) -> Result;`, with `...` after the last argument of
/// a variadic one. The types are those of `core::ffi`, and structs of [`bindings`](crate::bindings),
/// which the caller has in scope.
///
/// ```
/// macro_rules! names {
///     ($($(#[$doc:meta])* $number:literal $name:ident($($arg:ident: $kind:ty),* $(, ...)?) -> $result:ty;)*) => {
///         const HELPERS: &[(u32, &str)] = &[$(($number, stringify!($name))),*];
///     };
/// }
/// aya_uapi::for_each_helper!(names);
/// assert_eq!(HELPERS[0], (1, \"bpf_map_lookup_elem\"));
/// ```
#[macro_export]
macro_rules! for_each_helper {
    ($callback:path) => {
        $callback! {
",
    );
    for (number, name) in numbers(&text) {
        let prototype = prototypes
            .get(&name)
            .ok_or_else(|| format!("helper {name} has no prototype"))?;
        let since = HELPERS_SINCE
            .iter()
            .find(|(last, _)| number <= *last)
            .map(|(_, (major, minor))| format!(", since {major}.{minor}"))
            .unwrap_or_default();
        let mut arguments: Vec<String> = prototype
            .arguments
            .iter()
            .map(|(name, kind)| format!("{name}: {kind}"))
            .collect();
        if prototype.variadic {
            arguments.push("...".to_owned());
        }
        out += &format!(
            "            /// Helper {number}{since}: `{}`\n            {number} bpf_{name}({}) -> {};\n",
            prototype.text,
            arguments.join(", "),
            prototype.result
        );
    }
    out += "        }\n    };\n}\n";
    Ok(out)
}

/// Structs that prototypes point to; those the headers do not define are opaque.
pub(super) fn pointees(headers: &Headers) -> Result<Vec<String>> {
    let text = headers.read("linux/bpf.h")?;
    let mut names: Vec<String> = text
        .lines()
        .filter_map(prototype)
        .flat_map(|(_, prototype)| {
            let types = prototype.arguments.into_iter().map(|(_, kind)| kind);
            types.chain([prototype.result]).collect::<Vec<_>>()
        })
        .filter_map(|kind| {
            let name = kind
                .strip_prefix("*mut ")
                .or(kind.strip_prefix("*const "))?;
            let name = name.trim_start_matches("*mut ").to_owned();
            (!name.starts_with("c_")
                && !["u8", "u16", "u32", "u64", "i64"].contains(&name.as_str()))
            .then_some(name)
        })
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// `FN(name, number, …)` lines.
fn numbers(text: &str) -> Vec<(u32, String)> {
    text.lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().strip_prefix("FN(")?.split_once(',')?;
            let number = rest.split(',').next()?.trim().parse().ok()?;
            Some((number, name.trim().to_owned()))
        })
        .filter(|(number, _)| *number > 0)
        .collect()
}

/// ` * long bpf_name(type name, …)`, the first line of a helper's documentation.
fn prototype(line: &str) -> Option<(String, Prototype)> {
    let text = line.strip_prefix(" * ")?;
    let (head, arguments) = text.strip_suffix(')')?.split_once('(')?;
    let at = head.rfind("bpf_")?;
    let (result, name) = head.split_at(at);
    let name = name.strip_prefix("bpf_")?;
    if result.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let mut prototype = Prototype {
        result: rust_type(result)?,
        arguments: Vec::new(),
        variadic: false,
        text: text.to_owned(),
    };
    for argument in arguments.split(',').map(str::trim) {
        match argument {
            "void" => {}
            "..." => prototype.variadic = true,
            _ => {
                let at = argument.rfind([' ', '*'])? + 1;
                let (kind, name) = argument.split_at(at);
                let name = match name {
                    "type" | "in" | "ref" => format!("{name}_"),
                    _ => name.to_owned(),
                };
                prototype.arguments.push((name, rust_type(kind)?));
            }
        }
    }
    Some((name.to_owned(), prototype))
}

/// The Rust type for one of C, given without a name.
fn rust_type(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(pointee) = text.strip_suffix('*') {
        let pointee = pointee.trim();
        if pointee == "void" {
            return Some("*mut c_void".to_owned());
        }
        return Some(match pointee.strip_prefix("const ") {
            Some(pointee) if pointee.trim() == "void" => "*const c_void".to_owned(),
            Some(pointee) => pointer("*const", pointee)?,
            None => pointer("*mut", pointee)?,
        });
    }
    Some(
        match text {
            "void" => "()",
            "char" => "c_char",
            "int" => "c_int",
            "long" | "s64" => "i64",
            "unsigned long" | "size_t" | "u64" | "__u64" => "u64",
            "u32" | "__u32" | "__be32" | "__wsum" => "u32",
            "s32" => "i32",
            "u16" | "__u16" | "__be16" => "u16",
            "u8" | "__u8" => "u8",
            _ => text.strip_prefix("struct ")?,
        }
        .to_owned(),
    )
}

fn pointer(kind: &str, pointee: &str) -> Option<String> {
    let pointee = pointee.trim();
    let seen = HELPER_TYPES
        .iter()
        .find(|(kernel, _)| *kernel == pointee)
        .map_or(pointee, |(_, program)| *program);
    if seen == "void" {
        return Some(format!("{kind} c_void"));
    }
    Some(format!("{kind} {}", rust_type(seen)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prototypes() {
        let (name, found) =
            prototype(" * long bpf_trace_printk(const char *fmt, u32 fmt_size, ...)").unwrap();
        assert_eq!(name, "trace_printk");
        assert!(found.variadic);
        assert_eq!(
            found.arguments,
            [
                ("fmt".to_owned(), "*const c_char".to_owned()),
                ("fmt_size".to_owned(), "u32".to_owned())
            ]
        );
        assert_eq!(found.result, "i64");
        let (_, found) =
            prototype(" * struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk)").unwrap();
        assert_eq!(found.result, "*mut bpf_sock");
        let (_, found) = prototype(" * u64 bpf_ktime_get_ns(void)").unwrap();
        assert!(found.arguments.is_empty());
        assert!(prototype(" * 	Perform a lookup (really)").is_none());
    }
}
