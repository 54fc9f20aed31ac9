//! The grammar of format strings: text, `{{` and `}}` for braces, and placeholders
//! `{[argument][:hint]}` where the argument is a position, a name, or the next one.

use core::fmt;

/// How an argument is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DisplayHint {
    /// `{}`
    Default = 1,
    /// `{:x}`
    LowerHex,
    /// `{:X}`
    UpperHex,
    /// `{:i}`: an IPv4 or IPv6 address
    Ip,
    /// `{:mac}`
    LowerMac,
    /// `{:MAC}`
    UpperMac,
    /// `{:p}`
    Pointer,
}

impl DisplayHint {
    /// Every hint with its spelling after the colon.
    pub const ALL: [(&'static str, Self); 7] = [
        ("", Self::Default),
        ("x", Self::LowerHex),
        ("X", Self::UpperHex),
        ("i", Self::Ip),
        ("mac", Self::LowerMac),
        ("MAC", Self::UpperMac),
        ("p", Self::Pointer),
    ];

    /// The hint's spelling after the colon.
    #[must_use]
    pub fn spelling(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|&(spelling, hint)| (hint == self).then_some(spelling))
            .unwrap_or_default()
    }
}

/// Which argument a placeholder shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector<'a> {
    /// `{}`: the one after the last `{}`.
    Next,
    /// `{0}`: the one at this position.
    Index(usize),
    /// `{name}`: only the macros know names; they write positions into descriptors.
    Name(&'a str),
}

/// A part of a format string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text, with the escapes resolved.
    Text(&'a str),
    /// A placeholder.
    Placeholder(Selector<'a>, DisplayHint),
}

/// Reads a format string piece by piece. After an error it ends.
///
/// ```
/// use aya_log_common::{DisplayHint, format::{Parser, Piece, Selector}};
/// let pieces: Result<Vec<_>, _> = Parser::new("from {:i}").collect();
/// assert_eq!(
///     pieces?,
///     [Piece::Text("from "), Piece::Placeholder(Selector::Next, DisplayHint::Ip)]
/// );
/// # Ok::<(), aya_log_common::format::FormatError<'static>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// Reads `format` from its beginning.
    #[must_use]
    pub const fn new(format: &'a str) -> Self {
        Self { rest: format }
    }

    fn placeholder(&mut self, inner: &'a str) -> Result<Piece<'a>, FormatError<'a>> {
        let (selector, hint) = inner.split_once(':').unwrap_or((inner, ""));
        let selector = selector.trim();
        let selector = if selector.is_empty() {
            Selector::Next
        } else if selector.starts_with(|c: char| c.is_ascii_digit()) {
            match selector.parse() {
                Ok(index) => Selector::Index(index),
                Err(_) => return Err(FormatError::Argument(selector)),
            }
        } else if selector.chars().all(|c| c == '_' || c.is_alphanumeric()) {
            Selector::Name(selector)
        } else {
            return Err(FormatError::Argument(selector));
        };
        let hint = hint.trim();
        DisplayHint::ALL
            .iter()
            .find_map(|&(spelling, known)| (spelling == hint).then_some(known))
            .map(|hint| Piece::Placeholder(selector, hint))
            .ok_or(FormatError::Hint(hint))
    }

    fn step(&mut self) -> Result<Option<Piece<'a>>, FormatError<'a>> {
        let Some(brace) = self.rest.find(['{', '}']) else {
            let text = core::mem::take(&mut self.rest);
            return Ok((!text.is_empty()).then_some(Piece::Text(text)));
        };
        let (before, from) = self.rest.split_at(brace);
        if from.starts_with("{{") || from.starts_with("}}") {
            // The text runs up to and including the first of the two braces.
            let (text, rest) = self.rest.split_at(brace + 1);
            self.rest = rest.get(1..).unwrap_or_default();
            return Ok(Some(Piece::Text(text)));
        }
        if !before.is_empty() {
            self.rest = from;
            return Ok(Some(Piece::Text(before)));
        }
        let inner = from.strip_prefix('{').ok_or(FormatError::Unopened)?;
        let (inner, rest) = inner.split_once('}').ok_or(FormatError::Unclosed)?;
        self.rest = rest;
        self.placeholder(inner).map(Some)
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Piece<'a>, FormatError<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.step();
        if piece.is_err() {
            self.rest = "";
        }
        piece.transpose()
    }
}

/// What is wrong with a format string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError<'a> {
    /// A `{` without its `}`.
    Unclosed,
    /// A `}` without its `{`.
    Unopened,
    /// This is neither a position nor a name.
    Argument(&'a str),
    /// This is not a hint.
    Hint(&'a str),
}

impl fmt::Display for FormatError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => write!(
                f,
                "format string: `{{` is never closed; write `{{{{` for a brace"
            ),
            Self::Unopened => write!(
                f,
                "format string: `}}` was never opened; write `}}}}` for a brace"
            ),
            Self::Argument(name) => write!(
                f,
                "format string: `{name}` is neither a position nor a name; pass the expression as an argument"
            ),
            Self::Hint(hint) if hint.contains('?') => write!(
                f,
                "format string: `{{:{hint}}}` is not available, because eBPF programs cannot run `Debug`; \
                 use `{{}}`, or `{{:x}}` for bytes"
            ),
            Self::Hint(hint) => {
                write!(
                    f,
                    "format string: `{{:{hint}}}` is not a hint; use one of `{{}}`"
                )?;
                for (spelling, _) in DisplayHint::ALL.iter().skip(1) {
                    write!(f, ", `{{:{spelling}}}`")?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for FormatError<'_> {}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{string::ToString, vec::Vec};

    use super::{DisplayHint::*, FormatError::*, Piece::*, Selector::*, *};

    fn parse(format: &str) -> Result<Vec<Piece<'_>>, FormatError<'_>> {
        Parser::new(format).collect()
    }

    #[test]
    fn text_escapes_and_placeholders() {
        assert_eq!(parse(""), Ok([].into()));
        assert_eq!(parse("plain"), Ok([Text("plain")].into()));
        assert_eq!(
            parse("a{{b}}c"),
            Ok([Text("a{"), Text("b}"), Text("c")].into())
        );
        assert_eq!(
            parse("{} {1:x}{name:MAC}{x}"),
            Ok([
                Placeholder(Next, Default),
                Text(" "),
                Placeholder(Index(1), LowerHex),
                Placeholder(Name("name"), UpperMac),
                Placeholder(Name("x"), Default),
            ]
            .into())
        );
        assert_eq!(
            parse("{{{}}}"),
            Ok([Text("{"), Placeholder(Next, Default), Text("}")].into())
        );
    }

    #[test]
    fn every_hint_is_read_back() {
        for (spelling, hint) in DisplayHint::ALL {
            assert_eq!(hint.spelling(), spelling);
            let format = std::format!("{{:{spelling}}}");
            assert_eq!(parse(&format), Ok([Placeholder(Next, hint)].into()));
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse("a {"), Err(Unclosed));
        assert_eq!(parse("a }"), Err(Unopened));
        assert_eq!(parse("{a.b}"), Err(Argument("a.b")));
        assert_eq!(
            parse("{99999999999999999999}"),
            Err(Argument("99999999999999999999"))
        );
        assert_eq!(parse("{:?}"), Err(Hint("?")));
        assert!(Hint("?").to_string().contains("Debug"));
        assert!(Hint("08x").to_string().contains("`{:mac}`"));
    }
}
