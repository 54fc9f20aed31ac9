//! Stores of constants to a program's context.
//!
//! Before 6.4 the kernel accepts only registers there ("BPF_ST stores into ctx is not allowed"), while the
//! code generator prefers to store an immediate, which is right everywhere else. A constant that comes
//! out of an empty piece of assembly stays in a register.

use crate::llvm::{Kind, Opcode, Session, TypeKind, Value};

/// Runs after all optimisation.
pub(super) fn run(session: &Session) {
    for function in session.definitions() {
        for store in function.instructions() {
            if store.opcode() != Opcode::Store {
                continue;
            }
            if let &[value, address] = store.operands().as_slice()
                && value.ty().kind() == TypeKind::Integer
                && value.int().is_some()
                && may_be_context(address)
            {
                let builder = session.before(store);
                let full = builder.int_cast(value, session.int_type(64), false);
                let register = builder.register(full);
                store.set_operand(0, builder.int_cast(register, value.ty(), false));
            }
        }
    }
}

/// Whether the pointer may be into the context, for all that is known: it, or a struct with it, was given to
/// the function.
fn may_be_context(mut address: Value) -> bool {
    while address.opcode() == Opcode::GetElementPtr {
        match address.operands().first() {
            Some(base) => address = *base,
            None => return false,
        }
    }
    address.kind() == Kind::Argument || matches!(address.opcode(), Opcode::Load | Opcode::Phi)
}
