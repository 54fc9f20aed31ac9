//! The kernel's functions: `/proc/kallsyms`.

use std::{collections::BTreeSet, fs, io};

use super::similar;

pub(crate) const PATH: &str = "/proc/kallsyms";

/// What the kernel says about the name of a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// There is one. Its size is that up to the next symbol, where addresses may be read.
    One { size: Option<u64> },
    /// There are several, in different files of the kernel's source.
    Several,
    /// There is none; these names are close.
    None { similar: Vec<String> },
}

/// Looks a function up by its name.
pub(crate) fn function(name: &str) -> io::Result<Lookup> {
    Ok(look_up(name, &fs::read_to_string(PATH)?))
}

/// Address and name of the functions: lines `ffffffff81000000 T name`, and `[module]` after it.
fn functions(text: &str) -> impl Iterator<Item = (u64, &str)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        matches!(words.next()?, "t" | "T" | "w" | "W").then_some(())?;
        Some((address, words.next()?))
    })
}

fn look_up(name: &str, text: &str) -> Lookup {
    let addresses: BTreeSet<u64> = functions(text)
        .filter(|(_, other)| *other == name)
        .map(|(address, _)| address)
        .collect();
    // Who may not read addresses sees zeros.
    let hidden = addresses.contains(&0);
    match (addresses.first(), addresses.len()) {
        (None, _) => Lookup::None {
            similar: similar::similar(name, functions(text).map(|(_, other)| other)),
        },
        (Some(_), 1) if hidden => Lookup::One { size: None },
        (Some(address), 1) => {
            let ends = functions(text).map(|(other, _)| other);
            let end = ends.filter(|other| other > address).min();
            Lookup::One {
                size: end.map(|end| end - address),
            }
        }
        _ => Lookup::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T vfs_read
ffffffff81000040 t static_key
ffffffff81000080 T vfs_write
ffffffff81000090 t static_key
ffffffff82000000 D vfs_table
ffffffffc0000000 t nf_hook\t[nf_tables]
";

    #[test]
    fn finds_functions() {
        assert_eq!(look_up("vfs_read", TEXT), Lookup::One { size: Some(0x40) });
        assert_eq!(look_up("nf_hook", TEXT), Lookup::One { size: None });
        assert_eq!(look_up("static_key", TEXT), Lookup::Several);
        let similar = vec!["vfs_read".to_owned()];
        assert_eq!(look_up("vfs_raed", TEXT), Lookup::None { similar });
        // Data is no function.
        assert!(matches!(look_up("vfs_table", TEXT), Lookup::None { .. }));
        let hidden = TEXT.replace("ffffffff81000000", "0000000000000000");
        assert_eq!(look_up("vfs_read", &hidden), Lookup::One { size: None });
    }
}
