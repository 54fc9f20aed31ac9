//! Builds what a guest runs, below the folder that is given: `programs/seeds/EDITION-MODE/NAME`, the
//! documents' programs in all variants where this machine has them, and `programs/template/TYPE`, a
//! project of each type of the template.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use aya_acceptance::{seeds, template, variants, workspace};

fn main() -> ExitCode {
    let Some(base) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: aya-acceptance FOLDER");
        return ExitCode::from(2);
    };
    match build(&base) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aya-acceptance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(base: &Path) -> Result<(), String> {
    match seeds() {
        Some(sources) => {
            for variant in variants() {
                workspace::build(base, &sources, variant)?;
            }
        }
        None => {
            // What an earlier build left must not be taken for this one's.
            let _absent = fs::remove_dir_all(workspace::programs(base));
        }
    }
    template::build(base)
}
