//! Stage 3: the module as rustc leaves it → a module that is eBPF. One file per concern:
//!
//! ```text
//! retarget      host module → BPF module
//! maps          `maps` statics → BTF definitions
//! atomics       the relaxed add; relaxed loads and stores
//! arena         addresses in arenas
//! panics        calls of the panic machinery → markers
//! internalise   programs and named statics stay visible
//! wide          what no subprogram can be is inlined
//!               LLVM's default<O3>
//! log           descriptors → numbers
//! panics        markers → safe exits
//! addresses     tables of addresses → choices
//! memory        memcpy and its kin
//! arithmetic    128-bit and overflow-checked multiplication and division
//! check         what eBPF cannot do
//! packet        whole loads of packet data
//! context       constants go there by way of registers
//! names         no symbol has a section's name
//! ```

mod addresses;
mod arena;
mod arithmetic;
mod atomics;
mod check;
mod context;
mod internalise;
mod log;
mod maps;
mod memory;
mod names;
mod packet;
mod panics;
mod retarget;
mod wide;

use crate::Options;
use crate::error::Diagnostic;
use crate::llvm::{Linkage, Session, Value};

pub(crate) use names::{demangle, original};

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

/// Adds functions of ours, written in LLVM's text; those that nothing calls are removed at the end.
fn adopt(session: &Session, name: &str, text: &str) -> Result<(), String> {
    let before = session.definitions();
    session.merge_text(name, text)?;
    for function in session.definitions() {
        if !before.contains(&function) {
            function.set_linkage(Linkage::Internal);
            function.set_section(".text");
        }
    }
    Ok(())
}

/// Calls the function `ours` instead.
fn redirect(session: &Session, function: Value, ours: &str) {
    if let Some(ours) = session.function(ours) {
        function.replace_uses(ours);
    }
}

/// Runs all stages. `foreign` says that the module was compiled for the host.
pub(crate) fn lower(
    session: &Session,
    triple: &str,
    foreign: bool,
    options: &Options,
) -> Result<Lowered, Failure> {
    let mut lowered = Lowered::default();
    if foreign {
        retarget::run(session, triple).map_err(stage("retargeting"))?;
    }
    memory::forget_definitions(session);
    maps::run(session)?;
    atomics::run(session);
    arena::run(session).map_err(stage("adding arenas"))?;
    internalise::run(session, options);
    panics::mark(session);
    wide::run(session);
    session
        .run(
            "globaldce,always-inline,default<O3>,globaldce,strip-dead-prototypes",
            false,
        )
        .map_err(stage("optimising"))?;
    let mut log = log::Log::take(session);
    panics::leave(session, options, &mut log, &mut lowered)?;
    lowered.log = log.into_bytes();
    let addresses = addresses::run(session);
    memory::run(session).map_err(stage("adding memory functions"))?;
    arithmetic::run(session).map_err(stage("adding arithmetic functions"))?;
    internalise::gather_statics(session);
    session
        .run("always-inline,function(sroa,early-cse,instcombine,simplifycfg,adce),globaldce,strip-dead-prototypes", false)
        .map_err(stage("cleaning up"))?;
    check::run(session, addresses)?;
    atomics::relax(session);
    packet::run(session, &options.arch);
    context::run(session);
    names::keep_apart(session);
    Ok(lowered)
}
