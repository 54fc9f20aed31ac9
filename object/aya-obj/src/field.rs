//! Fields of tracepoints' events that programs read by name.
//!
//! The compiler cannot know where a field is: each kernel lays its events out by itself and says how in
//! tracefs. So `aya_ebpf::field!` calls a function that does not exist, with the context as its argument,
//! and the function's name says what is wanted:
//!
//! ```text
//! __aya_field:4:sched/sched_process_exec:pid
//!             │ │                        └ the field
//!             │ └ the event; empty for the one in the name of the program's section
//!             └ bytes of a number, or `bytes` for a string or array
//! ```
//!
//! Before the program is loaded, each call gives way to the one instruction that reads the field:
//! [`FieldSpec::read`]. The context is in the first register, and the value goes where a call's result does.

use alloc::string::String;

use aya_uapi::{
    Insn,
    bindings::{BPF_B, BPF_DW, BPF_H, BPF_LDX, BPF_MEM, BPF_W},
};

const PREFIX: &str = "__aya_field:";

/// A field that a program reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// `category/name` of the event, where the program says it.
    pub event: Option<String>,
    /// The field's name.
    pub name: String,
    /// What the program makes of it.
    pub shape: FieldShape,
}

/// What a program reads a field as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldShape {
    /// A number of so many bytes: 1, 2, 4 or 8.
    Number(u8),
    /// A string or an array: a number with its length in the upper 16 bits of 32, and where it begins in
    /// the event in the lower ones.
    Bytes,
}

/// Where a field is in its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldPlace {
    /// Here, in so many bytes.
    Here {
        /// Where it begins.
        offset: u16,
        /// Bytes it has.
        size: u16,
    },
    /// Somewhere behind the fixed fields: here is a number as [`FieldShape::Bytes`] describes it.
    Elsewhere {
        /// Where the number is.
        offset: u16,
    },
}

impl FieldSpec {
    /// Does the symbol stand for reading a field?
    pub(crate) fn is_one(symbol: &str) -> bool {
        symbol.starts_with(PREFIX)
    }

    /// What the symbol stands for.
    pub(crate) fn parse(symbol: &str) -> Option<Self> {
        let mut parts = symbol.strip_prefix(PREFIX)?.splitn(3, ':');
        let shape = match parts.next()? {
            "1" => FieldShape::Number(1),
            "2" => FieldShape::Number(2),
            "4" => FieldShape::Number(4),
            "8" => FieldShape::Number(8),
            "bytes" => FieldShape::Bytes,
            _ => return None,
        };
        let event = parts.next().filter(|event| !event.is_empty());
        let name = parts.next().filter(|name| !name.is_empty())?;
        Some(Self {
            event: event.map(Into::into),
            name: name.into(),
            shape,
        })
    }

    /// The instruction that reads the field, if it is there in this shape.
    pub fn read(&self, place: FieldPlace) -> Option<Insn> {
        match (self.shape, place) {
            (FieldShape::Number(wanted), FieldPlace::Here { offset, size }) => {
                (size == u16::from(wanted)).then_some(load(wanted, offset)?)
            }
            (FieldShape::Number(_), FieldPlace::Elsewhere { .. }) => None,
            (FieldShape::Bytes, FieldPlace::Here { offset, size }) => {
                let both = u32::from(size) << 16 | u32::from(offset);
                Some(Insn::new(MOV32_IMM, RESULT, 0, 0, both.cast_signed()))
            }
            (FieldShape::Bytes, FieldPlace::Elsewhere { offset }) => load(4, offset),
        }
    }
}

/// Reads a number of the context.
fn load(bytes: u8, offset: u16) -> Option<Insn> {
    let width = match bytes {
        1 => BPF_B,
        2 => BPF_H,
        4 => BPF_W,
        8 => BPF_DW,
        _ => return None,
    };
    let code = (BPF_LDX | BPF_MEM | width) as u8;
    let offset = i16::try_from(offset).ok()?;
    Some(Insn::new(code, RESULT, CONTEXT, offset, 0))
}

/// The register of a call's result.
const RESULT: u8 = 0;
/// The register of a call's first argument.
const CONTEXT: u8 = 1;
/// Clears the upper half of the register.
const MOV32_IMM: u8 = 0xb4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols() {
        let parsed = FieldSpec::parse("__aya_field:4:sched/sched_process_exec:pid").unwrap();
        assert_eq!(parsed.event.as_deref(), Some("sched/sched_process_exec"));
        assert_eq!(parsed.name, "pid");
        assert_eq!(parsed.shape, FieldShape::Number(4));
        let parsed = FieldSpec::parse("__aya_field:bytes::filename").unwrap();
        assert_eq!((parsed.event, parsed.shape), (None, FieldShape::Bytes));
        for wrong in [
            "__aya_field:",
            "__aya_field:3:a/b:c",
            "__aya_field:4:a/b",
            "__aya_field:4::",
        ] {
            assert!(FieldSpec::is_one(wrong));
            assert_eq!(FieldSpec::parse(wrong), None, "{wrong}");
        }
        assert!(!FieldSpec::is_one("bpf_task_acquire"));
    }

    #[test]
    fn instructions() {
        let field = |shape| FieldSpec {
            event: None,
            name: "x".into(),
            shape,
        };
        let here = |offset, size| FieldPlace::Here { offset, size };
        let elsewhere = FieldPlace::Elsewhere { offset: 8 };
        let number = field(FieldShape::Number(4));
        // r0 = *(u32 *)(r1 + 12)
        assert_eq!(number.read(here(12, 4)), Some(Insn::new(0x61, 0, 1, 12, 0)));
        for refused in [here(12, 8), here(u16::MAX, 4), elsewhere] {
            assert_eq!(number.read(refused), None);
        }
        let bytes = field(FieldShape::Bytes);
        // w0 = 0x100018
        let constant = Insn::new(0xb4, 0, 0, 0, 0x10_0018);
        assert_eq!(bytes.read(here(24, 16)), Some(constant));
        assert_eq!(bytes.read(elsewhere), Some(Insn::new(0x61, 0, 1, 8, 0)));
    }
}
