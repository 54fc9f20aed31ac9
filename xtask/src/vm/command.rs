//! `cargo xtask vm`: one command in one guest; `cargo xtask btf`: a guest kernel's types.

use std::{path::PathBuf, time::Duration};

use super::{Event, GuestCommand, GuestFile, Kernel, Spec};
use crate::{
    args::Args,
    error::{Error, Result},
    process,
};

const DEFAULT_LIMIT: u64 = 300;

/// Boots a kernel and runs a static executable of this machine in it, as root.
///
/// Without a command the kernel boots, its release is printed, and the guest ends.
pub(crate) fn run(mut args: Args) -> Result<()> {
    let kernel = kernel(&mut args)?;
    let limit = args.take_value("--timeout")?.unwrap_or(DEFAULT_LIMIT);
    let words = args.take_after();
    args.finish()?;

    let kernel = Kernel::get(&kernel)?;
    let mut spec = Spec {
        limit: Duration::from_secs(limit),
        ..Spec::default()
    };
    if let Some((program, arguments)) = words.split_first() {
        let source = PathBuf::from(program);
        let name = source
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| Error::new(format!("`{program}` is not the path of a file")))?;
        let path = format!("bin/{name}");
        let words = std::iter::once(format!("/{path}"))
            .chain(arguments.iter().cloned())
            .collect();
        spec.commands.push(GuestCommand {
            words,
            ..GuestCommand::default()
        });
        spec.files.push(GuestFile { path, source });
    }
    let codes = spec.run(&kernel, &mut print)?;
    if spec.commands.is_empty() {
        println!("kernel {}: booted", kernel.release);
    }
    match codes.iter().find(|code| **code != 0) {
        // The guest's exit code is this command's own.
        Some(code) => std::process::exit(*code),
        None => Ok(()),
    }
}

/// Prints the path of a file with the kernel's types.
pub(crate) fn btf(mut args: Args) -> Result<()> {
    let kernel = kernel(&mut args)?;
    args.finish()?;
    println!("{}", Kernel::get(&kernel)?.btf()?.display());
    Ok(())
}

fn kernel(args: &mut Args) -> Result<String> {
    args.take_value("--kernel")?
        .ok_or_else(|| Error::new("which kernel? `--kernel 6.12` for example"))
}

/// Passes a guest's output on as it comes.
pub(crate) fn print(event: Event<'_>) {
    match event {
        Event::Output(bytes) => process::print(bytes),
        Event::Trouble(text) => eprintln!("guest: {text}"),
        Event::Begin(_) | Event::End(..) => {}
    }
}
