//! Stage 3: the module as rustc leaves it → a module that is eBPF. One file per concern, in order:
//! [`retarget`], [`internalise`], panics, wide results, `default<O3>`, memory, arithmetic, log ids.

mod internalise;
mod names;
mod retarget;
mod wide;

use crate::Options;
use crate::error::Diagnostic;
use crate::llvm::Session;

pub(crate) use names::demangle;

/// What lowering found out, besides the module itself.
#[derive(Default)]
pub(crate) struct Lowered {
    /// The content of `.aya.log`.
    pub(crate) log: Vec<u8>,
    /// What the user should know.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// A stage's failure.
pub(crate) enum Failure {
    /// LLVM's: the stage and the message.
    Llvm(&'static str, String),
    /// The program's.
    Program(Vec<Diagnostic>),
}

/// Gives LLVM's word the name of a stage.
pub(crate) fn stage(name: &'static str) -> impl Fn(String) -> Failure {
    move |message| Failure::Llvm(name, message)
}

/// Names of functions that the code generator itself may call.
pub(crate) fn is_runtime(name: &str) -> bool {
    matches!(name, "memcpy" | "memmove" | "memset" | "memcmp" | "bcmp")
}

/// Runs all stages. `foreign` says that the module was compiled for the host.
pub(crate) fn lower(
    session: &Session,
    triple: &str,
    foreign: bool,
    options: &Options,
) -> Result<Lowered, Failure> {
    let lowered = Lowered::default();
    if foreign {
        retarget::run(session, triple).map_err(stage("retarget"))?;
    }
    internalise::run(session, options);
    wide::run(session);
    session
        .run(
            "always-inline,default<O3>,globaldce,strip-dead-prototypes",
            false,
        )
        .map_err(stage("optimise"))?;
    Ok(lowered)
}
