//! [`Guess`]: where the next record is, before this one has been looked at.

/// How many bytes before they are read records are asked for, when there are as many. A page and more
/// ahead of what the CPU asks for by itself; not so much that it would be gone again.
pub(super) const AHEAD: usize = 4096;

/// How much room a record takes, guessed to be what the one before took.
///
/// A reader goes from record to record by their lengths, and each length is in memory that another CPU
/// has just written. Adding what was read to the position would make every record wait for the one
/// before: 4 ns in the cache, 15 ns out of it, whatever else the reader does. A *comparison* with the
/// length before is something that the CPU predicts, so it goes on to the next records meanwhile, and
/// most of the waiting falls together.
///
/// [`AHEAD`] does the rest where the records are many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guess {
    len: usize,
    room: usize,
}

impl Guess {
    /// `room` says what a record of a length takes.
    pub(super) fn new(room: impl Fn(usize) -> usize) -> Self {
        Self::of(0, room)
    }

    /// What a record of this length takes.
    #[inline]
    pub(super) fn room(&mut self, len: usize, room: impl Fn(usize) -> usize) -> usize {
        if len != self.len {
            *self = Self::of(len, room);
        }
        self.room
    }

    /// Out of line, so that the compiler leaves the comparison a branch.
    #[cold]
    #[inline(never)]
    fn of(len: usize, room: impl Fn(usize) -> usize) -> Self {
        let room = room(len);
        Self { len, room }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_those_of_the_lengths() {
        let double = |len| 2 * len;
        let mut guess = Guess::new(double);
        for len in [0, 3, 3, 0, 5, 3] {
            assert_eq!(guess.room(len, double), 2 * len);
        }
    }
}
