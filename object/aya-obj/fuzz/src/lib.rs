//! What the fuzzer does with one input, how it makes inputs, and what it starts from.
//!
//! [`fuzz_one`] is the entry point for any fuzzer; the binary of this crate drives it on stable Rust
//! by mutation, keeping inputs that end in a way not seen before (see `cargo xtask fuzz`).
#![forbid(unsafe_code)]

mod mutate;
mod seeds;

pub use mutate::{Mutator, Random};
pub use seeds::seeds;

use aya_obj::{
    Config, Error, Global, MapChange, ObjectSpec, add_shim_type,
    btf::{Btf, BtfError, BtfExt, BtfFeatures, Kind, RawBtf},
};
use aya_uapi::MapType;

/// How the work on an input ended: the kind of error, or how far it came. Different outcomes mean
/// different paths through the code.
pub type Outcome = String;

/// Does with an input everything that the crate can do, each step with what the one before made of it.
/// Must neither panic, nor take long, nor allocate much more than the input's size.
pub fn fuzz_one(data: &[u8]) -> Outcome {
    if data.starts_with(&[0x9f, 0xeb]) || data.starts_with(&[0xeb, 0x9f]) {
        if let Ok(raw) = RawBtf::parse(data.to_vec()) {
            raw_types(&raw);
            if let Ok(split) = RawBtf::parse_split(data.to_vec(), &raw) {
                raw_types(&split);
            }
        }
        return match Btf::parse(data) {
            Ok(btf) => types(btf, BtfExt::default()),
            // As the types of a module, which continue those of a kernel.
            Err(BtfError::BadName { .. }) => match Btf::parse_split(data, Btf::new()) {
                Ok(btf) => types(btf, BtfExt::default()),
                Err(error) => format!("module: {}", kind_of(&error)),
            },
            Err(error) => format!("types: {}", kind_of(&error)),
        };
    }
    match object(data) {
        Ok(outcome) => outcome,
        Err(error) => match &error {
            Error::Elf { reason } => reason.to_string(),
            Error::Section { problem, .. }
            | Error::Function { problem, .. }
            | Error::Relocation { problem, .. }
            | Error::Map { problem, .. } => format!("{} {problem}", kind_of(&error)),
            Error::Btf { source } => format!("btf {}", kind_of(source)),
            _ => kind_of(&error),
        },
    }
}

/// Looks for what is there, and for what is not.
fn raw_types(raw: &RawBtf<'_>) {
    for kind in [RawBtf::FUNC, RawBtf::TYPEDEF] {
        if let Some(name) = raw.names(kind).last() {
            assert!(raw.find(name, kind).is_some());
        }
        raw.find("\u{1}", kind);
    }
}

fn object(data: &[u8]) -> Result<Outcome, Error> {
    let spec = ObjectSpec::parse(data)?;
    // The texts of errors and warnings must not fail either.
    let mut text: usize = spec.warnings.iter().map(|w| w.to_string().len()).sum();
    let values: Vec<Vec<u8>> = spec
        .globals
        .values()
        .map(|global| vec![0xa5; (global.size as usize).min(1 << 16)])
        .collect();
    let change = MapChange {
        max_entries: Some(1),
        ..MapChange::default()
    };
    let config = Config {
        maps: spec
            .maps
            .iter()
            .map(|map| (map.name.as_str(), change.clone()))
            .collect(),
        globals: spec
            .globals
            .keys()
            .zip(&values)
            .take(64)
            .map(|(name, value)| Global {
                name,
                value,
                must_exist: true,
            })
            .collect(),
    };
    let configured = match spec.clone().configure(&config) {
        Ok(configured) => configured,
        Err(error) => {
            text += error.to_string().len();
            spec.clone().configure(&Config::default())?
        }
    };
    let mut linked = configured.link()?;
    let shim = linked.btf.as_mut().map(add_shim_type);
    let rings: Vec<bool> = linked
        .maps
        .iter()
        .map(|map| map.map_type == MapType::RINGBUF)
        .collect();
    let mut turned = 0;
    for program in &mut linked.programs {
        turned += program.ring_to_perf(
            |map| rings.get(map.0 as usize).copied().unwrap_or_default(),
            shim,
        );
        let maps = linked.maps.len();
        let insns = program.instructions(|map| {
            assert!((map.0 as usize) < maps, "a map that does not exist");
            Ok::<_, Error>(7)
        })?;
        assert_eq!(insns.len(), program.insns.len());
        assert!(program.line_info().is_sorted_by(|a, b| a.insn < b.insn));
        assert!(
            program
                .lines
                .iter()
                .all(|line| (line.insn as usize) < insns.len())
        );
        let functions = program.functions.len();
        assert!(matches!(program.func_info().len(), 0) || program.func_info().len() == functions);
        let _ = program.source(insns.len() as u32 / 2);
    }
    let btf = linked.btf.map(|btf| types(btf, BtfExt::default()));
    Ok(format!(
        "linked {} {} {} {} {} {btf:?} {}",
        bits(linked.programs.len()),
        bits(linked.maps.len()),
        bits(linked.globals.len()),
        linked.warnings.len(),
        turned.min(2),
        bits(text)
    ))
}

/// Sizes, repairs, and writing, of types.
fn types(btf: Btf, mut ext: BtfExt) -> Outcome {
    let mut sized = 0usize;
    for (id, _) in btf.iter() {
        sized += usize::from(matches!(btf.size_of(id), Ok(Some(_))));
    }
    for features in [BtfFeatures::NONE, BtfFeatures::ALL] {
        let mut old = btf.clone();
        old.sanitize(&features);
        assert!(old.types.len() >= btf.types.len());
        if let Ok(bytes) = old.write(Default::default()) {
            let again = Btf::parse(&bytes);
            assert!(again.is_ok() || matches!(again, Err(BtfError::TooLarge { .. })));
        }
    }
    let bindings = bindings(&btf);
    let mut kept = btf.clone();
    let roots: Vec<_> = btf.iter().map(|(id, _)| id).step_by(3).collect();
    kept.retain(roots, &mut ext);
    assert!(kept.types.len() <= btf.types.len());
    let written = kept.write(Default::default());
    format!(
        "{} {} {bindings} {}",
        bits(btf.types.len()),
        bits(sized),
        written.is_ok()
    )
}

/// Rust source for some of the types.
fn bindings(btf: &Btf) -> Outcome {
    let names: Vec<&str> = btf
        .iter()
        .filter(|(_, ty)| matches!(ty.kind, Kind::Struct(_) | Kind::Union(_) | Kind::Typedef(_)))
        .map(|(id, _)| btf.type_name(id))
        .filter(|name| !name.is_empty())
        .take(64)
        .collect();
    match aya_tool::from_btf(btf, &names) {
        Ok(text) => bits(text.len()).to_string(),
        Err(aya_tool::Error::Malformed { error, .. }) => kind_of(&error),
        Err(error) => kind_of(&error),
    }
}

/// The order of magnitude of a number.
fn bits(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}

/// The name of an error's variant.
fn kind_of(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let end = text.find([' ', '{', '(']).unwrap_or(text.len());
    text[..end].to_owned()
}
