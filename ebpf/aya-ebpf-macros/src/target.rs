//! What a program is for, as the end of its section's name: `kprobe/tcp_connect+16`.

use aya_uapi::{
    ProgType,
    programs::{ProgramDef, Via},
};
use proc_macro2::Span;
use syn::{Error, LitStr, Result};

use crate::args::Args;

/// An argument, and what stands before its value in the section's name.
type Part = (&'static str, &'static str);

/// What the target of a row consists of. A part that is given needs those before it.
const fn parts(def: &ProgramDef) -> &'static [Part] {
    match (def.attach, def.prog_type) {
        (Via::Kprobe, _) => &[("function", "/"), (OFFSET, "+")],
        (Via::Uprobe, _) => &[("path", "/"), ("function", ":"), (OFFSET, "+")],
        (Via::Tracepoint, _) => &[("category", "/"), (NAME, "/")],
        (Via::RawTracepoint, _) => &[("tracepoint", "/")],
        (_, ProgType::LSM) => &[("hook", "/")],
        (Via::Tracing, _) => &[("function", "/")],
        _ => &[],
    }
}

/// The part that is also the argument for the program's own name, which it is where no other part is given.
const NAME: &str = "name";

/// The part that is a number.
const OFFSET: &str = "offset";

/// The target that the arguments select, with what separates it from the prefix; empty when they select
/// none.
pub(crate) fn of(def: &ProgramDef, args: &mut Args) -> Result<String> {
    let mut target = String::new();
    let mut absent = None;
    for (key, before) in parts(def) {
        if *key == NAME && absent.is_some() {
            break;
        }
        let Some(value) = args.value(key)? else {
            if *key == NAME {
                let message = "a category needs the event's name too: `name = \"…\"`";
                return Err(Error::new(Span::call_site(), message));
            }
            absent = absent.or(Some(key));
            continue;
        };
        if let Some(absent) = absent {
            let message = format!("`{key}` needs `{absent} = \"…\"` too");
            return Err(Error::new(value.span(), message));
        }
        check(key, &value)?;
        target.push_str(before);
        target.push_str(&value.value());
    }
    Ok(target)
}

fn check(key: &str, value: &LitStr) -> Result<()> {
    let text = value.value();
    let refuse = |message: String| Err(Error::new(value.span(), message));
    if text.is_empty() || text.contains('\0') {
        return refuse(format!("`{key}` is empty, or has a zero byte"));
    }
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    if key == OFFSET && number.is_err() {
        return refuse(format!("`{key}` is a number, such as \"16\" or \"0x10\""));
    }
    Ok(())
}

/// The arguments that select a target, for messages.
pub(crate) fn known(def: &ProgramDef) -> impl Iterator<Item = String> {
    let parts = parts(def).iter().filter(|(key, _)| *key != NAME);
    parts.map(|(key, _)| format!("`{key} = \"…\"`"))
}
