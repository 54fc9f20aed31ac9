//! The command line of a benchmark program: a folder of objects, and the names of the parts to run.

use std::{env, path::PathBuf, process::ExitCode};

use crate::Result;

/// A part by name, and what runs it.
pub type Part<O> = (&'static str, fn(&O) -> Result<()>);

/// Runs the parts that the command line names, or all of them, on the objects of its folder.
pub fn run<O>(program: &str, objects: impl FnOnce(PathBuf) -> O, parts: &[Part<O>]) -> ExitCode {
    let mut args = env::args_os().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: {program} OBJECTS [NAME…]");
        return ExitCode::from(2);
    };
    let objects = objects(folder.into());
    let names: Vec<_> = args.collect();
    let mut failed = false;
    for (name, run) in parts {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        if let Err(error) = run(&objects) {
            eprintln!("{name}: {error}");
            failed = true;
        }
    }
    ExitCode::from(u8::from(failed))
}
