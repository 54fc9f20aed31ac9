//! Names that somebody may have meant, for messages about names that are not there.

use alloc::{borrow::ToOwned as _, format, string::String, vec::Vec};

/// More than these would not be read.
const MOST: usize = 3;

/// The names of `all` that `name` may be a mistake for, best first: a few letters differ, or one
/// begins with the other. At most three, and the same ones whatever the order of `all`.
///
/// ```
/// use aya_obj::similar::similar;
///
/// let functions = ["do_sys_open", "vfs_unlink", "tcp_connect"];
/// assert_eq!(similar("vfs_unlnik", functions.into_iter()), ["vfs_unlink"]);
/// assert!(similar("nonsense", functions.into_iter()).is_empty());
/// ```
pub fn similar<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.as_bytes();
    let limit = (wanted.len() / 4).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = all
        .filter_map(|candidate| Some((distance(wanted, candidate.as_bytes(), limit)?, candidate)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// The end of a message that says what somebody may have meant.
pub fn did_you_mean(similar: &[String]) -> String {
    match similar {
        [] => String::new(),
        [names @ .., last] => {
            let mut text = String::from("; did you mean ");
            for name in names {
                text.push_str(&format!("`{name}`, "));
            }
            if !names.is_empty() {
                text.push_str("or ");
            }
            format!("{text}`{last}`?")
        }
    }
}

/// How many letters must change to make `b` of `a`; none when there are more than `limit`. Names that
/// begin alike count as `limit` apart, whatever follows.
fn distance(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    /// Shorter beginnings say nothing.
    const BEGINNING: usize = 4;
    let begins = a.len().min(b.len()) >= BEGINNING && (a.starts_with(b) || b.starts_with(a));
    let alike = begins.then_some(limit);
    let different = (letters(a) ^ letters(b)).count_ones() as usize;
    if a.len().abs_diff(b.len()) > limit || different > 2 * limit {
        return alike;
    }
    // A line of the table of distances between the beginnings of both.
    let mut line: Vec<usize> = (0..=b.len()).collect();
    for (number, letter) in a.iter().enumerate() {
        let (mut diagonal, mut left) = (number, number + 1);
        let (first, rest) = line.split_first_mut()?;
        *first = left;
        for (cell, other) in rest.iter_mut().zip(b) {
            let changed = diagonal + usize::from(letter != other);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    line.last()
        .copied()
        .filter(|distance| *distance <= limit)
        .or(alike)
}

/// Which letters there are, a bit each: a cheap look before the table.
fn letters(name: &[u8]) -> u64 {
    name.iter().fold(0, |set, letter| set | 1 << (letter % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let all = [
            "tcp_connect",
            "tcp_conn_request",
            "tcp_v4_connect",
            "vfs_read",
            "do_unlinkat",
        ];
        let meant = |name| similar(name, all.into_iter());
        assert_eq!(meant("tcp_conect"), ["tcp_connect"]);
        assert_eq!(meant("tcp_connnect"), ["tcp_connect"]);
        assert_eq!(meant("vfs_raed"), ["vfs_read"]);
        assert_eq!(meant("do_unlink"), ["do_unlinkat"]);
        assert_eq!(meant("tcp_conn"), ["tcp_conn_request", "tcp_connect"]);
        assert!(meant("nf_hook_slow").is_empty() && meant("").is_empty());
    }

    #[test]
    fn asks_in_words() {
        let text = |names: &[&str]| {
            did_you_mean(
                &names
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(text(&[]), "");
        assert_eq!(text(&["a"]), "; did you mean `a`?");
        assert_eq!(text(&["a", "b", "c"]), "; did you mean `a`, `b`, or `c`?");
    }
}
