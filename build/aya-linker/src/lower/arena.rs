//! `__aya_arena_cast` → the instruction that makes an address in an arena one that programs can use.
//! Rust has no address spaces, in which LLVM puts it; so it is written in LLVM's text
//! (`runtime/arena.ll`). Before optimisation, which then sees that only a register changes.

use super::{adopt, redirect};
use crate::llvm::Session;

const CAST: &str = "__aya_arena_cast";

pub(super) fn run(session: &Session) -> Result<(), String> {
    let Some(function) = session.function(CAST) else {
        return Ok(());
    };
    adopt(session, "arena", include_str!("runtime/arena.ll"))?;
    redirect(session, function, "__aya_arena");
    Ok(())
}
