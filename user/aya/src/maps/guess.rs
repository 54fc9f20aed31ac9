//! [`Guess`]: what the next header says, before it has been read.

/// How many bytes before they are read records are asked for, when there are as many. A page and more
/// ahead of what the CPU asks for by itself; not so much that it would be gone again.
pub(super) const AHEAD: usize = 4096;

/// What a record's header means, guessed to be what the one before meant.
///
/// A reader goes from record to record by their lengths, and each length is in memory that another CPU
/// has just written. Adding what was read to the position would make every record wait for the one
/// before: 4 ns in the cache, 15 ns out of it, whatever else the reader does. A *comparison* with the
/// header before is something that the CPU predicts, so it goes on to the next records meanwhile, and
/// most of the waiting falls together. The same comparison stands for all that there is to check of a
/// header.
///
/// [`AHEAD`] does the rest where the records are many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guess<W, M> {
    header: W,
    meaning: M,
}

impl<W: Copy + PartialEq, M: Copy> Guess<W, M> {
    /// What any one header means.
    pub(super) const fn new(header: W, meaning: M) -> Self {
        Self { header, meaning }
    }

    /// What this header means: what `read` makes of it, which may be nothing yet.
    #[inline]
    pub(super) fn meaning(&mut self, header: W, read: impl Fn(W) -> Option<M>) -> Option<M> {
        if header != self.header {
            *self = Self::of(header, read)?;
        }
        Some(self.meaning)
    }

    /// Out of line, so that the compiler leaves the comparison a branch.
    #[cold]
    #[inline(never)]
    fn of(header: W, read: impl Fn(W) -> Option<M>) -> Option<Self> {
        let meaning = read(header)?;
        Some(Self { header, meaning })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings_are_those_of_the_headers() {
        let half = |header: u32| header.is_multiple_of(2).then_some(header / 2);
        let mut guess = Guess::new(0, 0);
        for header in [0, 4, 4, 3, 4, 0, 3, 6] {
            assert_eq!(guess.meaning(header, half), half(header));
        }
    }
}
