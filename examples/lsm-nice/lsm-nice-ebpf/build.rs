//! Writes the kernel's types that the program uses to `OUT_DIR`: those of the kernel that this machine runs,
//! or of the file that `AYA_BTF` names.

fn main() -> Result<(), aya_tool::Error> {
    aya_tool::build_bindings(&["task_struct"])
}
