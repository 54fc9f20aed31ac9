//! The linker as a program, for `linker = "aya-linker"` in a cargo configuration.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use aya_linker::{Error, cli, link};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| argument == "-h" || argument == "--help")
    {
        println!("{}", cli::USAGE);
        return ExitCode::SUCCESS;
    }
    if arguments
        .iter()
        .any(|argument| argument == "-V" || argument == "--version")
    {
        println!("aya-linker {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match cli::parse(arguments)
        .and_then(|command| link(&command.inputs, &command.output, &command.options))
    {
        Ok(report) => {
            for warning in report.warnings {
                eprintln!("warning: {warning}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            match &error {
                Error::Program(diagnostics) => {
                    for diagnostic in diagnostics {
                        eprintln!("error: {diagnostic}");
                    }
                }
                other => match std::error::Error::source(other) {
                    Some(source) => eprintln!("error: {other}: {source}"),
                    None => eprintln!("error: {other}"),
                },
            }
            ExitCode::FAILURE
        }
    }
}
