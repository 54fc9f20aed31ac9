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

/// A line `ffffffff81000000 T name`, with the name of a module behind it where it is one's.
struct Symbol<'a> {
    address: &'a str,
    name: &'a str,
    module: Option<&'a str>,
}

impl Symbol<'_> {
    /// Zero for who may not read addresses.
    fn address(&self) -> Option<u64> {
        u64::from_str_radix(self.address, 16).ok()
    }
}

/// The functions, in the order of their addresses as far as they are the kernel's own. Most are passed
/// by, so nothing is parsed yet.
fn functions(text: &str) -> impl Iterator<Item = Symbol<'_>> {
    text.lines().filter_map(|line| {
        let (address, rest) = line.split_once(' ')?;
        let (kind, rest) = rest.split_once(' ')?;
        matches!(kind, "t" | "T" | "w" | "W").then_some(())?;
        let (name, module) = match rest.split_once('\t') {
            Some((name, module)) => (name, Some(module)),
            None => (rest, None),
        };
        Some(Symbol {
            address,
            name,
            module,
        })
    })
}

fn look_up(name: &str, text: &str) -> Lookup {
    let mut found = BTreeSet::new();
    let mut size = None;
    // The function behind whose beginning the next one has not been met yet.
    let mut open = None;
    for symbol in functions(text) {
        if symbol.name == name {
            let address = symbol.address();
            found.extend(address);
            open = address.filter(|address| *address != 0 && symbol.module.is_none());
        } else if let Some(begin) = open {
            // Several names may stand for one place.
            size = symbol
                .address()
                .and_then(|end| end.checked_sub(begin))
                .filter(|size| *size != 0 && symbol.module.is_none());
            open = open.filter(|_| size.is_none() && symbol.module.is_none());
        }
    }
    match found.len() {
        0 => Lookup::None {
            similar: similar::similar(name, functions(text).map(|symbol| symbol.name)),
        },
        1 => Lookup::One { size },
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
ffffffff810000a0 T alias
ffffffff810000a0 T same_place
ffffffff810000b0 T last
ffffffff82000000 D vfs_table
ffffffffc0000000 t nf_hook\t[nf_tables]
";

    #[test]
    fn finds_functions() {
        assert_eq!(look_up("vfs_read", TEXT), Lookup::One { size: Some(0x40) });
        assert_eq!(look_up("alias", TEXT), Lookup::One { size: Some(0x10) });
        assert_eq!(look_up("last", TEXT), Lookup::One { size: None });
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
