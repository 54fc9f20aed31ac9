//! Sorting and looking up, with one instance of the code for all types: the standard library's is made
//! anew for each of them and is several kilobytes of every loader.

use alloc::{collections::BTreeMap, vec::Vec};

/// Sorts by a number; what has the same one stays in its order.
pub(crate) fn sort_by_number<T: Copy>(items: &mut [T], number: impl Fn(&T) -> u64) {
    if items.is_sorted_by_key(&number) {
        return;
    }
    let mut order: Vec<(u64, usize)> = items.iter().map(number).zip(0..).collect();
    order.sort_unstable();
    let sorted: Vec<T> = order
        .iter()
        .filter_map(|&(_, at)| items.get(at).copied())
        .collect();
    for (item, sorted) in items.iter_mut().zip(sorted) {
        *item = sorted;
    }
}

/// Numbers by name; the last one of a name counts.
pub(crate) fn by_name<'a>(entries: impl Iterator<Item = (&'a str, u32)>) -> BTreeMap<&'a str, u32> {
    let mut index = BTreeMap::new();
    // `collect` would sort first.
    for (name, number) in entries {
        index.insert(name, number);
    }
    index
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn sorts_stably() {
        let mut items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (0, 'd'), (1, 'e')];
        sort_by_number(&mut items, |item| item.0);
        assert_eq!(items, [(0, 'd'), (1, 'b'), (1, 'e'), (2, 'a'), (2, 'c')]);
    }

    #[test]
    fn the_last_of_a_name_counts() {
        let index = by_name([("a", 1), ("b", 2), ("a", 3)].into_iter());
        assert_eq!((index.get("a"), index.get("b")), (Some(&3), Some(&2)));
    }
}
