//! Names of C as names of Rust.

use std::collections::HashSet;

/// Words that Rust keeps for itself in any edition, and its primitive types, which the bindings are
/// written with.
const TAKEN: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "bool", "box", "break", "char", "const",
    "continue", "crate", "do", "dyn", "else", "enum", "extern", "f32", "f64", "false", "final",
    "fn", "for", "gen", "i128", "i16", "i32", "i64", "i8", "if", "impl", "in", "isize", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "self", "static", "str", "struct", "super", "trait", "true", "try", "type", "typeof", "u128",
    "u16", "u32", "u64", "u8", "unsafe", "unsized", "use", "usize", "virtual", "where", "while",
    "yield", "_",
];

/// A name that Rust accepts: `type` becomes `type_`, as does any other word that Rust keeps for itself.
pub(super) fn identifier(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 1);
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        text.push('_');
    }
    text.extend(name.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '_',
    }));
    if TAKEN.contains(&text.as_str()) {
        text.push('_');
    }
    text
}

/// The names of one scope, each given out once.
#[derive(Debug, Default)]
pub(super) struct Scope(HashSet<String>);

impl Scope {
    /// The name, or when it is taken the next free one of `name___2`, `name___3`, …: what stands
    /// after three underscores is for loaders no part of a type's name.
    pub(super) fn claim(&mut self, name: String) -> String {
        if self.0.insert(name.clone()) {
            return name;
        }
        let mut number = 2u32;
        loop {
            let other = format!("{name}___{number}");
            if self.0.insert(other.clone()) {
                return other;
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (c, rust) in [
            ("task_struct", "task_struct"),
            ("type", "type_"),
            ("gen", "gen_"),
            ("u32", "u32_"),
            ("8250_port", "_8250_port"),
            ("a.b$c", "a_b_c"),
            ("_", "__"),
            ("é", "__"),
        ] {
            assert_eq!(identifier(c), rust, "{c}");
        }
    }

    #[test]
    fn a_name_is_given_out_once() {
        let mut scope = Scope::default();
        let names = ["a", "a", "a___2", "a"].map(|name| scope.claim(name.to_owned()));
        assert_eq!(names, ["a", "a___2", "a___2___2", "a___3"]);
    }
}
