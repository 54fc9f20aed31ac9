//! The command `aya-tool`.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Tools for eBPF programs in Rust
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate Rust bindings to kernel types, on standard output
    ///
    /// What comes out is a module: `mod vmlinux;` in an eBPF program.
    Generate {
        /// Where the types are: a file in BTF format, or an ELF file with a section `.BTF`
        #[arg(long, value_name = "FILE", default_value = aya_tool::KERNEL_BTF)]
        btf: PathBuf,
        /// Write to this file, and only when all went well
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Names of structs, unions, enums and typedefs
        #[arg(value_name = "TYPE", required = true)]
        types: Vec<String>,
    },
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    let Command::Generate { btf, output, types } = command;
    let text = aya_tool::generate(btf, &types)?;
    match output {
        Some(path) => {
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        None => match io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.map_err(|error| format!("standard output: {error}"))?,
        },
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("aya-tool: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}
