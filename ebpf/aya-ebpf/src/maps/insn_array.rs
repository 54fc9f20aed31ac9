//! Positions of instructions.

use crate::{bindings::bpf_insn_array_value, maps::def::map_type};

map_type! {
    /// Positions of instructions, by slot. Since Linux 6.19.
    ///
    /// Programs define it and do nothing with it: user space says where the instructions are in a program,
    /// binds the map to it, and reads where they are once the program is loaded (aya's `InsnArray`).
    InsnArray: u32 => bpf_insn_array_value, INSN_ARRAY,
    /// Room for `max_entries` positions, which user space fills in; `flags` are creation flags.
    with_max_entries(max_entries, flags) = (max_entries, flags)
}
