//! The instruction as it lies in memory, and the values of its fields.
//!
//! The numbers of the opcodes are those of the BPF ISA (RFC 9669); [`crate::bindings`] has them under
//! the header's names (`BPF_JMP | BPF_CALL`).

use crate::bindings::*;

/// One 8-byte instruction slot in the byte order of the host (`struct bpf_insn`). A 64-bit immediate
/// load takes two slots.
///
/// ```
/// use aya_uapi::Insn;
///
/// let program = [Insn::mov64_imm(0, 2), Insn::EXIT];
/// assert_eq!(program[0].to_bytes()[0], 0xb7);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Insn {
    /// Opcode: class, operation and source.
    pub code: u8,
    /// Destination and source register, four bits each; which is where depends on the byte order.
    pub regs: u8,
    /// Signed offset: of a jump in slots, of a memory access in bytes.
    pub off: i16,
    /// Signed immediate.
    pub imm: i32,
}

impl Insn {
    /// Size of a slot in bytes.
    pub const SIZE: usize = 8;

    /// `exit`
    pub const EXIT: Self = Self::new((BPF_JMP | BPF_EXIT) as u8, 0, 0, 0, 0);

    /// Opcode of the first slot of a 64-bit immediate load.
    pub const LD_IMM64: u8 = (BPF_LD | BPF_DW | BPF_IMM) as u8;

    /// Opcode of a call, whose kind is in the source register ([`BPF_PSEUDO_CALL`], …).
    pub const CALL: u8 = (BPF_JMP | BPF_CALL) as u8;

    /// An instruction from its fields; only the low four bits of `dst` and `src` count.
    pub const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        let (dst, src) = (dst & 0xf, src & 0xf);
        let regs = if cfg!(target_endian = "little") {
            src << 4 | dst
        } else {
            dst << 4 | src
        };
        Self {
            code,
            regs,
            off,
            imm,
        }
    }

    /// Destination register.
    pub const fn dst(self) -> u8 {
        if cfg!(target_endian = "little") {
            self.regs & 0xf
        } else {
            self.regs >> 4
        }
    }

    /// Source register, or the kind of a 64-bit immediate load or of a call.
    pub const fn src(self) -> u8 {
        if cfg!(target_endian = "little") {
            self.regs >> 4
        } else {
            self.regs & 0xf
        }
    }

    /// The same instruction with another destination register.
    pub const fn with_dst(self, dst: u8) -> Self {
        Self::new(self.code, dst, self.src(), self.off, self.imm)
    }

    /// The same instruction with another source register.
    pub const fn with_src(self, src: u8) -> Self {
        Self::new(self.code, self.dst(), src, self.off, self.imm)
    }

    /// The same instruction with another immediate.
    pub const fn with_imm(self, imm: i32) -> Self {
        Self { imm, ..self }
    }

    /// The same instruction with another offset.
    pub const fn with_off(self, off: i16) -> Self {
        Self { off, ..self }
    }

    /// `dst = imm` on all 64 bits, the immediate sign-extended.
    pub const fn mov64_imm(dst: u8, imm: i32) -> Self {
        Self::new((BPF_ALU64 | BPF_MOV | BPF_K) as u8, dst, 0, 0, imm)
    }

    /// `dst = src` on all 64 bits.
    pub const fn mov64_reg(dst: u8, src: u8) -> Self {
        Self::new((BPF_ALU64 | BPF_MOV | BPF_X) as u8, dst, src, 0, 0)
    }

    /// A call of the helper with number `helper`.
    pub const fn call(helper: u32) -> Self {
        Self::new(Self::CALL, 0, 0, 0, helper as i32)
    }

    /// Both slots of a 64-bit immediate load; `src` is one of the `BPF_PSEUDO_*` kinds or 0.
    pub const fn ld_imm64(dst: u8, src: u8, imm: u64) -> [Self; 2] {
        [
            Self::new(Self::LD_IMM64, dst, src, 0, imm as u32 as i32),
            Self::new(0, 0, 0, 0, (imm >> 32) as u32 as i32),
        ]
    }

    /// The slot's bytes in the byte order of the host.
    pub const fn to_bytes(self) -> [u8; Self::SIZE] {
        let [off0, off1] = self.off.to_ne_bytes();
        let [imm0, imm1, imm2, imm3] = self.imm.to_ne_bytes();
        [self.code, self.regs, off0, off1, imm0, imm1, imm2, imm3]
    }

    /// A slot from its bytes in the byte order of the host.
    pub const fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [code, regs, off0, off1, imm0, imm1, imm2, imm3] = bytes;
        Self {
            code,
            regs,
            off: i16::from_ne_bytes([off0, off1]),
            imm: i32::from_ne_bytes([imm0, imm1, imm2, imm3]),
        }
    }

    /// Class of the opcode: [`BPF_LD`], [`BPF_ALU64`], …
    pub const fn class(self) -> u32 {
        self.code as u32 & 0x07
    }

    /// Whether this is the first slot of a 64-bit immediate load.
    pub const fn is_ld_imm64(self) -> bool {
        self.code == Self::LD_IMM64
    }

    /// Whether this is a call of a subprogram ([`BPF_PSEUDO_CALL`]).
    pub const fn is_subprogram_call(self) -> bool {
        self.code == Self::CALL && self.src() as u32 == BPF_PSEUDO_CALL
    }

    /// Whether this is a call of a kernel function ([`BPF_PSEUDO_KFUNC_CALL`]).
    pub const fn is_kfunc_call(self) -> bool {
        self.code == Self::CALL && self.src() as u32 == BPF_PSEUDO_KFUNC_CALL
    }

    /// Number of the helper that this instruction calls.
    pub const fn helper(self) -> Option<u32> {
        if self.code == Self::CALL && self.src() == 0 {
            Some(self.imm as u32)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_round_trip() {
        let insn = Insn::new(0x61, 3, 10, -8, i32::MIN);
        assert_eq!((insn.dst(), insn.src()), (3, 10));
        assert_eq!(Insn::from_bytes(insn.to_bytes()), insn);
        assert_eq!(insn.with_src(1).src(), 1);
        assert_eq!(insn.with_dst(9).dst(), 9);
        assert_eq!(size_of::<Insn>(), Insn::SIZE);
    }

    #[test]
    fn wide_immediate() {
        let [low, high] = Insn::ld_imm64(1, BPF_PSEUDO_MAP_FD as u8, 0x1234_5678_9abc_def0);
        assert!(low.is_ld_imm64());
        assert_eq!(low.imm as u32, 0x9abc_def0);
        assert_eq!(high.imm, 0x1234_5678);
        assert_eq!(low.src() as u32, BPF_PSEUDO_MAP_FD);
    }

    #[test]
    fn calls() {
        assert_eq!(Insn::call(1).helper(), Some(1));
        let subprogram = Insn::call(0).with_src(BPF_PSEUDO_CALL as u8);
        assert!(subprogram.is_subprogram_call());
        assert_eq!(subprogram.helper(), None);
        assert!(
            Insn::call(7)
                .with_src(BPF_PSEUDO_KFUNC_CALL as u8)
                .is_kfunc_call()
        );
    }
}
