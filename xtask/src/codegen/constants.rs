//! Constants: enumerations and object-like macros with a value.

use std::collections::BTreeMap;

use crate::error::{Context as _, Result};

use super::{
    descriptions::describe,
    headers::Headers,
    selection::{HEADERS, KINDS},
};

/// An enumeration in the order of the header; without a name its values stand alone.
struct Enum {
    name: Option<String>,
    values: Vec<(String, i128)>,
}

/// All constants of the selected headers.
pub(super) struct Constants {
    enums: Vec<Enum>,
    /// Macros by header.
    macros: Vec<(&'static str, Vec<(String, i128)>)>,
}

impl Constants {
    /// Reads them; clang expands macros inside of enumerations and removes comments.
    pub(super) fn read(headers: &Headers) -> Result<Self> {
        let expanded =
            String::from_utf8(headers.clang("x86", &["-E", "-P"], "")?).context("clang")?;
        let definitions =
            String::from_utf8(headers.clang("x86", &["-E", "-dM"], "")?).context("clang")?;
        let mut known = BTreeMap::new();
        let mut enums = Vec::new();
        let mut rest = expanded.as_str();
        while let Some(start) = rest.find("enum ") {
            let after = &rest[start + "enum ".len()..];
            rest = after;
            // "enum x y" is a use, "enum x {" a definition.
            let Some((head, tail)) = after.split_once('{') else {
                break;
            };
            let name = head.trim();
            if !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let (body, tail) = tail.split_once('}').ok_or("an enumeration without end")?;
            rest = tail;
            let mut values = Vec::new();
            let mut next = 0;
            for item in body
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
            {
                let (name, value) = match item.split_once('=') {
                    Some((name, text)) => {
                        let value = Evaluator::new(text)
                            .value(&known, &BTreeMap::new())
                            .ok_or_else(|| format!("cannot evaluate {item}"))?;
                        (name.trim(), value)
                    }
                    None => (item, next),
                };
                next = value + 1;
                known.insert(name.to_owned(), value);
                values.push((name.to_owned(), value));
            }
            enums.push(Enum {
                name: (!name.is_empty()).then(|| name.to_owned()),
                values,
            });
        }
        let bodies: BTreeMap<String, String> = definitions
            .lines()
            .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
            .filter(|(name, _)| !name.contains('('))
            .map(|(name, body)| (name.to_owned(), body.to_owned()))
            .collect();
        let mut macros = Vec::new();
        for (header, prefixes) in HEADERS {
            let values = headers
                .read(header)?
                .lines()
                .filter_map(|line| {
                    let line = line.trim_start().strip_prefix('#')?.trim_start();
                    let rest = line.strip_prefix("define")?.trim_start();
                    let name = rest.split_whitespace().next()?;
                    if !selected(name, prefixes) || known.contains_key(name) {
                        return None;
                    }
                    let value = Evaluator::new(bodies.get(name)?).value(&known, &bodies)?;
                    Some((name.to_owned(), value))
                })
                .collect::<BTreeMap<_, _>>();
            macros.push((*header, values.into_iter().collect()));
        }
        Ok(Self { enums, macros })
    }

    /// Newtypes for the enumerations that name kinds of things.
    pub(super) fn kinds(&self) -> Result<String> {
        let mut out = String::from("use crate::kind::kind;\n");
        for (kind, enumeration, prefix, doc) in KINDS {
            let found = self
                .enums
                .iter()
                .find(|found| found.name.as_deref() == Some(enumeration))
                .ok_or_else(|| format!("no enum {enumeration}"))?;
            // Of several names for a value the current one: not one that is called deprecated, else
            // the first.
            let mut names: BTreeMap<i128, &str> = BTreeMap::new();
            for (name, value) in &found.values {
                if name.starts_with("__MAX") || name == "BPF_COMMON_ATTRS" {
                    continue;
                }
                let name = name.strip_prefix(prefix).unwrap_or(name);
                let entry = names.entry(*value).or_insert(name);
                if entry.ends_with("_DEPRECATED") {
                    *entry = name;
                }
            }
            out += &format!(
                "\nkind! {{\n    /// {doc} (`enum {enumeration}`).\n    {kind}, \"{prefix}\" {{\n"
            );
            for (value, name) in names {
                out += &format!("        {name} = {value},\n");
            }
            out += "    }\n}\n";
        }
        Ok(out)
    }

    /// Macros, and the values of enumerations without a name.
    pub(super) fn consts(&self) -> String {
        let mut seen = BTreeMap::new();
        let mut out = String::from("//! Macros, and enumerations without a name.\n");
        for (header, values) in &self.macros {
            out += &format!("\n// <{header}>\n");
            for (name, value) in values {
                if seen.insert(name.clone(), ()).is_none() {
                    let kind = macro_type(name, *value);
                    out += &constant(name, *value, kind, &format!("A macro of `<{header}>`."));
                }
            }
        }
        out += "\n// Enumerations without a name\n";
        for found in self.selected_enums().filter(|found| found.name.is_none()) {
            let kind = enum_type(&found.values);
            for (name, value) in &found.values {
                if selected_anywhere(name) && seen.insert(name.clone(), ()).is_none() {
                    out += &constant(name, *value, kind, &format!("`{name}`"));
                }
            }
        }
        out
    }

    /// Enumerations with a name: a module each, with its values and their type.
    pub(super) fn enums(&self) -> String {
        let mut out = String::from("//! Enumerations with a name, a module each.\n");
        for found in self.selected_enums() {
            let Some(name) = &found.name else { continue };
            let kind = enum_type(&found.values);
            out += &format!(
                "\n/// {}\npub mod {name} {{\n    /// Type of the values.\n    pub type Type = {kind};\n",
                describe("enum", name)
            );
            for (value_name, value) in &found.values {
                let kind = if kind == "u32" { "Type" } else { kind };
                if !value_name.starts_with("__") {
                    out += &constant(value_name, *value, kind, &format!("`{value_name}`"));
                }
            }
            out += "}\n";
        }
        out
    }

    fn selected_enums(&self) -> impl Iterator<Item = &Enum> {
        self.enums.iter().filter(|found| {
            let mut names = found.values.iter().map(|(name, _)| name);
            names.any(|name| selected_anywhere(name))
                || found
                    .name
                    .as_deref()
                    .is_some_and(|name| name.starts_with("bpf_"))
        })
    }
}

fn selected_anywhere(name: &str) -> bool {
    HEADERS.iter().any(|(_, prefixes)| selected(name, prefixes))
}

fn selected(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn constant(name: &str, value: i128, kind: &str, doc: &str) -> String {
    let literal = if value >= 0x1_0000 {
        format!("{value:#x}")
    } else {
        value.to_string()
    };
    format!("/// {doc}\npub const {name}: {kind} = {literal};\n")
}

/// The type of a macro's value: programs return `TC_ACT_*`, so they are signed like the return value;
/// others take the smallest type of at least 32 bits.
fn macro_type(name: &str, value: i128) -> &'static str {
    if name.starts_with("TC_ACT_") && i32::try_from(value).is_ok() {
        return "i32";
    }
    enum_type(&[(String::new(), value)])
}

fn enum_type(values: &[(String, i128)]) -> &'static str {
    let all = |fits: fn(i128) -> bool| values.iter().all(|(_, value)| fits(*value));
    if all(|value| u32::try_from(value).is_ok()) {
        "u32"
    } else if all(|value| i32::try_from(value).is_ok()) {
        "i32"
    } else if all(|value| u64::try_from(value).is_ok()) {
        "u64"
    } else {
        "i64"
    }
}

/// Evaluates a constant expression of C by precedence climbing. Anything it does not know gives `None`.
struct Evaluator<'a> {
    rest: &'a str,
}

impl<'a> Evaluator<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    fn value(
        mut self,
        known: &BTreeMap<String, i128>,
        macros: &BTreeMap<String, String>,
    ) -> Option<i128> {
        let value = self.binary(0, known, macros)?;
        self.rest.trim().is_empty().then_some(value)
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn binary(
        &mut self,
        least: u8,
        known: &BTreeMap<String, i128>,
        macros: &BTreeMap<String, String>,
    ) -> Option<i128> {
        const OPERATORS: &[(&str, u8)] = &[
            ("|", 1),
            ("^", 2),
            ("&", 3),
            ("<<", 4),
            (">>", 4),
            ("+", 5),
            ("-", 5),
            ("*", 6),
        ];
        let mut left = self.unary(known, macros)?;
        'operators: loop {
            for (operator, precedence) in OPERATORS {
                if *precedence >= least && self.eat(operator) {
                    let right = self.binary(precedence + 1, known, macros)?;
                    left = match *operator {
                        "|" => left | right,
                        "^" => left ^ right,
                        "&" => left & right,
                        "<<" => left.checked_shl(u32::try_from(right).ok()?)?,
                        ">>" => left.checked_shr(u32::try_from(right).ok()?)?,
                        "+" => left.checked_add(right)?,
                        "-" => left.checked_sub(right)?,
                        _ => left.checked_mul(right)?,
                    };
                    continue 'operators;
                }
            }
            return Some(left);
        }
    }

    fn unary(
        &mut self,
        known: &BTreeMap<String, i128>,
        macros: &BTreeMap<String, String>,
    ) -> Option<i128> {
        if self.eat("-") {
            return Some(-self.unary(known, macros)?);
        }
        if self.eat("~") {
            return Some(!self.unary(known, macros)? & i128::from(u32::MAX));
        }
        if self.eat("(__u64)") {
            return Some(self.unary(known, macros)? & i128::from(u64::MAX));
        }
        if self.eat("(") {
            let value = self.binary(0, known, macros)?;
            return self.eat(")").then_some(value);
        }
        let text = self.rest.trim_start();
        let end = text
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        self.rest = rest;
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            let digits = token.trim_end_matches(['u', 'U', 'l', 'L']);
            return match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
                Some(digits) => i128::from_str_radix(digits, 16).ok(),
                None if digits.len() > 1 && digits.starts_with('0') => {
                    i128::from_str_radix(digits, 8).ok()
                }
                None => digits.parse().ok(),
            };
        }
        if let Some(value) = known.get(token) {
            return Some(*value);
        }
        let body = macros.get(token).filter(|body| body.trim() != token)?;
        // A macro that expands to itself through others has no value; a depth that no header reaches
        // keeps it from recursing for ever.
        Evaluator::new(body).value(known, &without(macros, token))
    }
}

fn without(macros: &BTreeMap<String, String>, token: &str) -> BTreeMap<String, String> {
    let mut macros = macros.clone();
    macros.remove(token);
    macros
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<i128> {
        let known = BTreeMap::from([("A".to_owned(), 5)]);
        let macros = BTreeMap::from([
            ("B".to_owned(), "(A << 1)".to_owned()),
            ("C".to_owned(), "D".to_owned()),
            ("D".to_owned(), "C".to_owned()),
        ]);
        Evaluator::new(text).value(&known, &macros)
    }

    #[test]
    fn expressions() {
        assert_eq!(value("1U << 4 | 3"), Some(19));
        assert_eq!(value("(0xfffffULL << 32)"), Some(0xf_ffff_0000_0000));
        assert_eq!(value("B + 2 * 3 - -1"), Some(17));
        assert_eq!(value("~0U & 0x10"), Some(16));
        assert_eq!(value("010"), Some(8));
        for none in ["", "C", "E", "1 +", "f(1)", "\"text\"", "(1"] {
            assert_eq!(value(none), None, "{none}");
        }
    }

    #[test]
    fn types() {
        assert_eq!(macro_type("TC_ACT_SHOT", 2), "i32");
        assert_eq!(macro_type("BPF_X", 1 << 31), "u32");
        assert_eq!(macro_type("BPF_X", -1), "i32");
        assert_eq!(macro_type("BPF_X", 1 << 40), "u64");
    }
}
