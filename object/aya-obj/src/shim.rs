//! Ring buffer output on kernels without ring buffers (before 5.8).
//!
//! There the loader creates a perf event array in the place of a ring buffer. The call
//! `bpf_ringbuf_output(map, data, size, flags)`, whose caller leaves its context in the fifth
//! register (the convention of the logging crates), becomes a call of a small function that puts the
//! arguments in the order of `bpf_perf_event_output(ctx, map, BPF_F_CURRENT_CPU, data, size)`.

use alloc::{collections::BTreeSet, vec::Vec};

use aya_uapi::{
    Insn,
    bindings::{
        BPF_F_CURRENT_CPU, BPF_JMP, BPF_JMP32, BPF_PSEUDO_CALL, BPF_ST, BPF_STX, bpf_func_id,
    },
};

use crate::{
    btf::{Btf, FuncLinkage, Kind, Name, TypeId},
    link::{LinkedFunction, LinkedProgram, slot_number},
    spec::{Instruction, Line, MapId, Reloc},
};

const NAME: &str = "ringbuf_to_perf";

/// How many instructions before a call are searched for its map.
const LOOK_BACK: usize = 4096;

/// `goto` with the distance in the offset.
const JA: u8 = 0x05;
/// `goto` with the distance in the immediate (CPU v4).
const JA32: u8 = 0x06;
const ATOMIC32: u8 = 0xc3;
const ATOMIC64: u8 = 0xdb;
const MOV64_REG: u8 = 0xbf;
const MOV32_IMM: u8 = 0xb4;

/// Adds the type of the function that [`LinkedProgram::ring_to_perf`] appends; once per object, before
/// the types are loaded.
pub fn add_shim_type(btf: &mut Btf) -> TypeId {
    let proto = btf.add(
        Name::NONE,
        Kind::FuncProto {
            ret: TypeId::VOID,
            params: Vec::new(),
        },
    );
    let name = btf.intern(NAME);
    btf.add(
        name,
        Kind::Func {
            proto,
            linkage: FuncLinkage::STATIC,
        },
    )
}

/// The function: map, data, size, flags, context come in.
fn body() -> [Insn; 8] {
    [
        Insn::mov64_reg(0, 5),
        Insn::mov64_reg(5, 3),
        Insn::mov64_reg(4, 2),
        Insn::mov64_reg(2, 1),
        Insn::mov64_reg(1, 0),
        // 32 bits wide, so that the upper half becomes zero.
        Insn::new(MOV32_IMM, 3, 0, 0, BPF_F_CURRENT_CPU as i32),
        Insn::call(bpf_func_id::BPF_FUNC_perf_event_output),
        Insn::EXIT,
    ]
}

impl LinkedProgram {
    /// Turns the program's outputs to ring buffers into outputs to the perf event arrays that stand
    /// in for them, and returns how many it turned.
    ///
    /// `stands_in` tells which maps those are. A call whose map cannot be told from the instructions
    /// before it is turned too: a kernel that needs this has no ring buffers at all. `ty` is the type
    /// from [`add_shim_type`], if the object has types.
    pub fn ring_to_perf(&mut self, stands_in: impl Fn(MapId) -> bool, ty: Option<TypeId>) -> usize {
        let targets = jump_targets(&self.insns);
        let calls: Vec<usize> = self
            .insns
            .iter()
            .enumerate()
            .filter(|(_, instruction)| {
                instruction.insn.helper() == Some(bpf_func_id::BPF_FUNC_ringbuf_output)
            })
            .map(|(index, _)| index)
            .filter(|&index| map_before(&self.insns, &targets, index).is_none_or(&stands_in))
            .collect();
        let Some(&first) = calls.first() else {
            return 0;
        };
        let start = self.insns.len();
        for &call in &calls {
            let distance = start.saturating_sub(call).saturating_sub(1);
            let imm = i32::try_from(distance).unwrap_or(i32::MAX);
            if let Some(instruction) = self.insns.get_mut(call) {
                let insn = instruction
                    .insn
                    .with_src(BPF_PSEUDO_CALL as u8)
                    .with_imm(imm);
                *instruction = insn.into();
            }
        }
        let insn = slot_number(start);
        let line = self.source(slot_number(first)).1.copied();
        self.lines.extend(line.map(|line| Line { insn, ..line }));
        self.functions.push(LinkedFunction {
            insn,
            name: NAME.into(),
            ty,
        });
        self.insns.extend(body().map(Instruction::from));
        calls.len()
    }
}

/// Where jumps lead to.
fn jump_targets(insns: &[Instruction]) -> BTreeSet<usize> {
    insns
        .iter()
        .enumerate()
        .filter_map(|(index, instruction)| {
            let insn = instruction.insn;
            let jumps = matches!(insn.class(), BPF_JMP | BPF_JMP32)
                && insn.code != Insn::CALL
                && insn.code != Insn::EXIT.code;
            let distance = match insn.code {
                JA32 => insn.imm,
                _ => insn.off.into(),
            };
            let distance = isize::try_from(distance).ok().filter(|_| jumps)?;
            index.checked_add(1)?.checked_add_signed(distance)
        })
        .collect()
}

/// The map in the first register at a call, if the instructions of the same basic block tell.
fn map_before(insns: &[Instruction], targets: &BTreeSet<usize>, call: usize) -> Option<MapId> {
    let mut register = 1;
    for at in (call.saturating_sub(LOOK_BACK)..call).rev() {
        if targets.contains(&(at + 1)) {
            break;
        }
        let Instruction { insn, reloc } = insns.get(at)?;
        if insn.code == Insn::CALL && register <= 5 || insn.code == Insn::EXIT.code {
            return None;
        }
        match (insn.code, insn.class()) {
            (JA | JA32, _) => return None,
            // Atomic operations may write their source register.
            (ATOMIC32 | ATOMIC64, _) if insn.src() == register => return None,
            // The second half of a 64-bit load, and what writes no register: stores, other jumps.
            (0, _) | (_, BPF_ST | BPF_STX | BPF_JMP | BPF_JMP32) => {}
            _ if insn.dst() != register => {}
            (MOV64_REG, _) if insn.off == 0 => register = insn.src(),
            _ => {
                return match reloc {
                    Some(Reloc::MapFd(map)) => Some(*map),
                    _ => None,
                };
            }
        }
    }
    None
}
