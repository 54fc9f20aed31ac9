//! The programs that documents about Aya print compile against this project's crates exactly as they
//! stand, in both editions and both modes, without a warning.

use std::path::Path;

use aya_acceptance::{VARIANTS, seeds, skip, variants, workspace};

const NO_SEEDS: &str = "the documents' programs are not on this machine (AYA_SEEDS)";
const BASE: &str = env!("CARGO_TARGET_TMPDIR");

/// What the compiler says of the user-space halves, besides that older spellings are deprecated.
/// What it says of the eBPF halves comes from the build script and has no place of its own.
fn unexpected_warnings(said: &str) -> Vec<&str> {
    let after = said.lines().skip(1);
    let warnings = said.lines().zip(after).filter_map(|(line, place)| {
        let text = line.strip_prefix("warning: ")?;
        place.contains("/user.rs:").then_some(text)
    });
    warnings
        .filter(|text| !text.starts_with("use of deprecated "))
        .collect()
}

#[test]
fn documents_programs_compile_unchanged() {
    let Some(seeds) = seeds() else {
        return skip("documents_programs_compile_unchanged", NO_SEEDS);
    };
    for variant in variants() {
        match workspace::build(Path::new(BASE), &seeds, variant) {
            Ok(built) => {
                let warnings = unexpected_warnings(&built.said);
                assert!(warnings.is_empty(), "{}: {warnings:#?}", variant.name());
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn type_safety_names_both_contexts() {
    let Some(seeds) = seeds() else {
        return skip("type_safety_names_both_contexts", NO_SEEDS);
    };
    for variant in VARIANTS.iter().filter(|variant| variant.mode == "donor") {
        let edition = variant.edition;
        let output = workspace::refused(Path::new(BASE), &seeds, *variant).expect("cargo runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "edition {edition}: it compiled");
        for word in ["this program takes a", "SkBuffContext", "XdpContext"] {
            assert!(
                said.contains(word),
                "edition {edition}: {word} is not in the error:\n{said}"
            );
        }
    }
}
