//! The argument that names a hook: `#[cgroup_skb(egress)]`.

use aya_uapi::programs::{ProgramDef, Via};
use proc_macro2::Span;
use syn::{Error, Result};

use crate::args::Args;

/// The section of the hook that an argument names, `#[cgroup_skb(egress)]`: where a kind of programs
/// has sections for several hooks, the last part of a section's name.
///
/// Without an argument it is the section that the attribute itself names (`#[cgroup_skb]`:
/// `cgroup/skb`), if there is one.
pub(crate) fn section(def: &ProgramDef, args: &mut Args) -> Result<Option<&'static str>> {
    if !by_hook(def) {
        return Ok(None);
    }
    for section in def.sections {
        if let Some(hook) = last_part(section.prefix)
            && args.flag(hook)?
        {
            return Ok(Some(section.prefix));
        }
    }
    let own = def
        .sections
        .iter()
        .find(|section| section.prefix.replace('/', "_") == def.name);
    match own {
        Some(own) => Ok(Some(own.prefix)),
        None => Err(Error::new(
            Span::call_site(),
            format!("`#[{}]` needs to know where: {}", def.name, hooks(def)),
        )),
    }
}

/// Whether the sections of a kind differ by the hook, and an argument chooses among them.
fn by_hook(def: &ProgramDef) -> bool {
    let hooks = matches!(def.attach, Via::Cgroup | Via::SockMap | Via::Reuseport);
    hooks && def.sections.len() > 1
}

fn last_part(prefix: &str) -> Option<&str> {
    prefix.rsplit_once('/').map(|(_, last)| last)
}

/// What an argument can name, for messages.
pub(crate) fn known(def: &ProgramDef) -> Option<String> {
    by_hook(def).then(|| hooks(def))
}

fn hooks(def: &ProgramDef) -> String {
    let hooks = def
        .sections
        .iter()
        .filter_map(|section| last_part(section.prefix));
    hooks
        .map(|hook| format!("`{hook}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
