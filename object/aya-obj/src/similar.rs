//! Names that are close to one that was not found, for messages.

use alloc::{vec, vec::Vec};

/// How many names a message offers.
const OFFERED: usize = 3;

/// The longest name that is compared.
const NAME_LIMIT: usize = 128;

/// The candidates that are closest to a name, best first: at most three, and none that have little in
/// common with it. For the same candidates, in whatever order, the answer is the same.
///
/// ```
/// let functions = ["do_sys_open", "vfs_unlink", "vfs_unlinkat", "tcp_connect"];
/// assert_eq!(aya_obj::similar("vfs_unlnik", functions), ["vfs_unlink"]);
/// assert!(aya_obj::similar("nonsense", functions).is_empty());
/// ```
pub fn similar<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > NAME_LIMIT {
        return Vec::new();
    }
    let limit = name.len().div_ceil(4);
    let mut best: Vec<(usize, &str)> = Vec::new();
    let mut rows = Rows::default();
    for candidate in candidates {
        let Some(distance) = rows.distance(name, candidate, limit) else {
            continue;
        };
        let entry = (distance, candidate);
        if let Err(at) = best.binary_search(&entry) {
            best.insert(at, entry);
            best.truncate(OFFERED);
        }
    }
    best.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The three newest rows of the table of distances, kept from one comparison to the next.
#[derive(Default)]
struct Rows {
    before: Vec<usize>,
    last: Vec<usize>,
    next: Vec<usize>,
}

impl Rows {
    /// How many letters must be added, removed, replaced or swapped with their neighbour to make one
    /// name of the other, in either case of letters; `None` for more than `limit`.
    fn distance(&mut self, a: &str, b: &str, limit: usize) -> Option<usize> {
        if b.is_empty() || a.len().abs_diff(b.len()) > limit {
            return None;
        }
        let (a, b) = (a.as_bytes(), b.as_bytes());
        self.before = vec![0; b.len() + 1];
        self.last = (0..=b.len()).collect();
        let mut above = None;
        for (row, &x) in a.iter().enumerate() {
            self.next.clear();
            self.next.push(row + 1);
            let (mut left, mut neighbour) = (row + 1, None);
            let columns = b.iter().zip(self.last.windows(2));
            let older = core::iter::once(None).chain(self.before.iter().copied().map(Some));
            for ((&y, window), swapped) in columns.zip(older) {
                let &[diagonal, up] = window else { continue };
                let same = x.eq_ignore_ascii_case(&y);
                let mut cost = (diagonal + usize::from(!same)).min(up + 1).min(left + 1);
                if above == Some(y)
                    && neighbour == Some(x)
                    && let Some(swapped) = swapped
                {
                    cost = cost.min(swapped + 1);
                }
                self.next.push(cost);
                (left, neighbour) = (cost, Some(y));
            }
            if self.next.iter().min().is_none_or(|least| *least > limit) {
                return None;
            }
            above = Some(x);
            core::mem::swap(&mut self.before, &mut self.last);
            core::mem::swap(&mut self.last, &mut self.next);
        }
        self.last.last().copied().filter(|cost| *cost <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_close() {
        let names = ["task_struct", "dentry", "sock", "sk_buff", "sk_buff_head"];
        for (wrong, right) in [
            ("task_strcut", "task_struct"),
            ("taskstruct", "task_struct"),
            ("TASK_STRUCT", "task_struct"),
            ("dentri", "dentry"),
            ("sk_buf", "sk_buff"),
            ("sokc", "sock"),
        ] {
            assert_eq!(similar(wrong, names).first(), Some(&right), "{wrong}");
        }
        assert!(similar("", names).is_empty());
        assert!(similar("x", [""]).is_empty());
        assert!(similar(&"x".repeat(1000), names).is_empty());
    }

    #[test]
    fn the_closest_come_first_once_and_in_any_order() {
        let names = ["abcd_a", "abcd_b", "abcd", "abcd_ab", "abcd", "zzzz"];
        let close = ["abcd_a", "abcd_ab", "abcd_b"];
        assert_eq!(similar("abcd_ab", names), ["abcd_ab", "abcd_a", "abcd_b"]);
        assert_eq!(similar("abcd_a", names), close);
        assert_eq!(similar("abcd_a", names.into_iter().rev()), close);
    }
}
