//! Whole loads and stores of packet data.
//!
//! Structs of packet headers are arrays of bytes, so LLVM must take a 32-bit address for four bytes that
//! lie anywhere, and code for eBPF takes them one by one: 11 instructions. The verifier lets packets be
//! read at any address where the machine can, so one instruction does. It does not where it must not
//! (`CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS`), nor ever on the stack.
//!
//! A packet is known by its address, which is a number that the program read (`ctx->data`) and made a
//! pointer of.

use crate::llvm::{Kind, Opcode, Session, TypeKind, Value};

/// Runs after all optimisation: what is claimed here about alignment is for the code generator alone.
pub(super) fn run(session: &Session, arch: &str) {
    if !reads_anywhere(arch) {
        return;
    }
    for function in session.definitions() {
        for instruction in function.instructions() {
            let (value, address) = match instruction.opcode() {
                Opcode::Load => (Some(instruction), instruction.operands().pop()),
                Opcode::Store => {
                    let mut operands = instruction.operands();
                    let address = operands.pop();
                    (operands.pop(), address)
                }
                _ => continue,
            };
            let (Some(value), Some(address)) = (value, address) else {
                continue;
            };
            let ty = value.ty();
            if ty.kind() == TypeKind::Integer
                && matches!(ty.bits(), 16 | 32 | 64)
                && is_in_packet(address)
            {
                instruction.set_alignment(ty.bits() / 8);
            }
        }
    }
}

/// Architectures whose kernels are always built for unaligned access.
fn reads_anywhere(arch: &str) -> bool {
    matches!(
        arch,
        "x86_64" | "aarch64" | "powerpc64" | "powerpc64le" | "s390x"
    )
}

/// Whether the pointer was made of a number that is no pointer's.
fn is_in_packet(address: Value) -> bool {
    let first = |value: Value| value.operands().into_iter().next();
    match address.opcode() {
        Opcode::GetElementPtr => first(address).is_some_and(is_in_packet),
        Opcode::IntToPtr => first(address).is_some_and(|number| was_read(number, &mut Vec::new())),
        _ => false,
    }
}

/// Whether a number is read from a local variable, or from what a caller passed.
fn is_on_stack(load: Value) -> bool {
    let first = |value: Value| value.operands().into_iter().next();
    let mut place = first(load);
    while let Some(address) = place.filter(|place| place.opcode() == Opcode::GetElementPtr) {
        place = first(address);
    }
    place.is_none_or(|place| place.opcode() == Opcode::Alloca || place.kind() == Kind::Other)
}

/// Whether nothing but loads and constants went into the number.
fn was_read(number: Value, seen: &mut Vec<Value>) -> bool {
    if seen.contains(&number) || number.int().is_some() {
        return true;
    }
    seen.push(number);
    match number.opcode() {
        // an address that the program keeps on its stack may be one of the stack
        Opcode::Load => number.ty().bits() <= 32 || !is_on_stack(number),
        Opcode::PtrToInt | Opcode::Call => false,
        _ if number.kind() == Kind::Instruction => number
            .operands()
            .into_iter()
            .all(|each| was_read(each, seen)),
        _ => false,
    }
}
