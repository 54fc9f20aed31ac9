//! Makes a module that was compiled for the host one for eBPF.

use crate::llvm::Session;

/// What the host's compiler says about its stack, registers and tables.
const STRINGS: &[&str] = &[
    "target-cpu",
    "target-features",
    "tune-cpu",
    "probe-stack",
    "stack-probe-size",
    "frame-pointer",
];
const FLAGS: &[&str] = &["uwtable", "nonlazybind", "ssp", "sspstrong", "sspreq"];

/// Turns `invoke` into `call` while the module is still one of the host, then changes the target.
pub(super) fn run(session: &Session, triple: &str) -> Result<(), String> {
    session.run("function(lower-invoke,simplifycfg)", true)?;
    session.retarget(triple);
    for function in session.functions() {
        for name in STRINGS {
            function.remove_string_attribute(name);
        }
        for name in FLAGS {
            function.remove_attribute(name);
        }
        if !function.is_declaration() {
            function.drop_personality();
            function.add_attribute(session, "nounwind");
        }
    }
    Ok(())
}
