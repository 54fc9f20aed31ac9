//! `__ebpf_atomic_add_u64` → the kernel's `lock xadd`, which has no result and therefore exists on every
//! kernel.

use crate::llvm::Session;

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
