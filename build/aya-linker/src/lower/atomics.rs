//! `__ebpf_atomic_add_u64` → the kernel's `lock xadd`, which has no result and therefore exists on every
//! kernel. Relaxed loads and stores → ordinary ones.

use crate::llvm::{Opcode, Session};

const ADD: &str = "__ebpf_atomic_add_u64";

pub(super) fn run(session: &Session) {
    let Some(function) = session.function(ADD) else {
        return;
    };
    for user in function.users() {
        if user.callee() != Some(function) {
            continue;
        }
        if let &[place, value] = user.arguments().as_slice() {
            session.before(user).atomic_add(place, value);
            user.erase();
        }
    }
}

/// Relaxed loads and stores, which LLVM cannot select for all widths, are what eBPF's ordinary ones are:
/// one instruction each. Volatile, so that they remain one. Runs after all optimisation, which may treat
/// atomic ones with less care.
pub(super) fn relax(session: &Session) {
    for function in session.definitions() {
        for instruction in function.instructions() {
            if matches!(instruction.opcode(), Opcode::Load | Opcode::Store) {
                instruction.relaxed_to_volatile();
            }
        }
    }
}
