//! Builds the documents' programs in all variants into the folder that is given, for a guest to run:
//! `FOLDER/seeds/EDITION-MODE/NAME`. Prints that folder, or nothing where this machine lacks the sources.

use std::{env, path::PathBuf, process::ExitCode};

use aya_acceptance::{seeds, variants, workspace};

fn main() -> ExitCode {
    let Some(base) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: aya-acceptance FOLDER");
        return ExitCode::from(2);
    };
    let Some(sources) = seeds() else {
        return ExitCode::SUCCESS;
    };
    for variant in variants() {
        if let Err(error) = workspace::build(&base, &sources, variant) {
            eprintln!("aya-acceptance: {error}");
            return ExitCode::FAILURE;
        }
    }
    println!("{}", base.join("seeds").display());
    ExitCode::SUCCESS
}
