//! Counting what found no room.

use crate::GlobalMut;

/// Counts, in a variable that user space can read, how often an operation came to nothing: a ring buffer
/// was full, a record was not sent.
///
/// The counter is one for all CPUs and none of them loses a count. As long as nothing is lost it costs
/// nothing. In user space it is `ebpf.global::<u64>("LOST")`.
///
/// ```
/// use aya_ebpf::{GlobalMut, macros::map, maps::{CountLost as _, RingBuf}};
///
/// #[map]
/// static EVENTS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);
/// #[unsafe(no_mangle)]
/// static LOST: GlobalMut<u64> = GlobalMut::new(0);
///
/// fn report(pid: u32) {
///     if let Some(mut event) = EVENTS.reserve::<u32>(0).count_lost(&LOST) {
///         event.write(pid);
///         event.submit(0);
///     }
/// }
/// # fn main() {}
/// ```
pub trait CountLost {
    /// The same value, counted where it is `None` or an error.
    #[must_use]
    fn count_lost(self, counter: &GlobalMut<u64>) -> Self;
}

impl<T> CountLost for Option<T> {
    #[inline(always)]
    fn count_lost(self, counter: &GlobalMut<u64>) -> Self {
        if self.is_none() {
            counter.add(1);
        }
        self
    }
}

impl<T, E> CountLost for Result<T, E> {
    #[inline(always)]
    fn count_lost(self, counter: &GlobalMut<u64>) -> Self {
        if self.is_err() {
            counter.add(1);
        }
        self
    }
}
