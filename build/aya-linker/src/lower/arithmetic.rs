//! Multiplication and division wider than a register, and multiplication that tells overflow:
//! LLVM would call compiler-builtins, which pass 128 bits in ways that eBPF cannot. They are written
//! in LLVM's text instead (`runtime/arithmetic.ll`).
//!
//! After optimisation, because the optimiser makes such operations too, from loops with closed forms.

use super::{adopt, redirect};
use crate::llvm::{Opcode, Session, Value};

const INTRINSICS: &[(&str, &str)] = &[
    ("llvm.umul.with.overflow.i64", "__aya_umulo64"),
    ("llvm.smul.with.overflow.i64", "__aya_smulo64"),
    ("llvm.umul.with.overflow.i128", "__aya_umulo128"),
    ("llvm.smul.with.overflow.i128", "__aya_smulo128"),
];

/// The function of ours for an instruction, and whether its operands are signed.
fn replacement(opcode: Opcode) -> Option<(&'static str, bool)> {
    Some(match opcode {
        Opcode::Mul => ("__aya_mul", false),
        Opcode::UDiv => ("__aya_udiv", false),
        Opcode::SDiv => ("__aya_sdiv", true),
        Opcode::URem => ("__aya_urem", false),
        Opcode::SRem => ("__aya_srem", true),
        _ => return None,
    })
}

pub(super) fn run(session: &Session) -> Result<(), String> {
    let instructions: Vec<Value> = session
        .definitions()
        .into_iter()
        .flat_map(Value::instructions)
        .collect();
    let wide: Vec<_> = instructions
        .into_iter()
        .filter(|instruction| (65..=128).contains(&instruction.ty().bits()))
        .filter_map(|instruction| Some((instruction, replacement(instruction.opcode())?)))
        .collect();
    let intrinsics: Vec<_> = INTRINSICS
        .iter()
        .filter_map(|(name, ours)| Some((session.function(name)?, ours)))
        .collect();
    if wide.is_empty() && intrinsics.is_empty() {
        return Ok(());
    }
    adopt(session, "arithmetic", include_str!("runtime/arithmetic.ll"))?;
    for (intrinsic, ours) in intrinsics {
        redirect(session, intrinsic, ours);
    }
    let full = session.int_type(128);
    for (instruction, (name, signed)) in wide {
        let Some(function) = session.function(name) else {
            continue;
        };
        let builder = session.before(instruction);
        let operands: Vec<_> = instruction
            .operands()
            .into_iter()
            .map(|each| builder.int_cast(each, full, signed))
            .collect();
        let result = builder.call(function, &operands);
        instruction.replace_uses(builder.int_cast(result, instruction.ty(), false));
        drop(builder);
        instruction.erase();
    }
    Ok(())
}
