//! [`Queue`] and [`Stack`]: values without keys, that are put in and taken out.

use std::{
    borrow::{Borrow, BorrowMut},
    marker::PhantomData,
    path::Path,
};

use super::{
    Map, MapData, MapError, Pod,
    handle::{create, handle},
    pod,
};
use crate::pin::PinError;

handle! {
    /// A queue: first in, first out, of type `BPF_MAP_TYPE_QUEUE` (since kernel 4.20).
    Queue<V>, key: (), value: V, from Queue
}
create!(Queue<V>, key: (), value: V, Queue);

handle! {
    /// A stack: last in, first out, of type `BPF_MAP_TYPE_STACK` (since kernel 4.20).
    Stack<V>, key: (), value: V, from Stack
}
create!(Stack<V>, key: (), value: V, Stack);

macro_rules! push_and_pop {
    ($handle:ident) => {
        impl<T: Borrow<MapData>, V: Pod> $handle<T, V> {
            /// The number of values there is room for.
            pub fn capacity(&self) -> u32 {
                self.inner.borrow().max_entries()
            }

            /// A copy of the next value, which stays. `flags` is 0.
            ///
            /// # Errors
            ///
            /// [`MapError::ElementNotFound`] when there is none, [`MapError::SyscallError`] when
            /// the kernel refuses.
            pub fn peek(&self, flags: u64) -> Result<V, MapError> {
                self.inner.borrow().probe(pod::zeroed(), flags)
            }
        }

        impl<T: BorrowMut<MapData>, V: Pod> $handle<T, V> {
            /// Takes the next value out. `flags` is 0.
            ///
            /// # Errors
            ///
            /// [`MapError::ElementNotFound`] when there is none, [`MapError::SyscallError`] when
            /// the kernel refuses.
            pub fn pop(&mut self, flags: u64) -> Result<V, MapError> {
                self.inner.borrow_mut().pop(flags)
            }

            /// Puts a value in. `flags` is 0, or `BPF_EXIST` (2) to drop the oldest value when
            /// there is no room.
            ///
            /// # Errors
            ///
            /// [`MapError::Full`] when there is no room, [`MapError::SyscallError`] when the kernel
            /// refuses.
            pub fn push(&mut self, value: impl Borrow<V>, flags: u64) -> Result<(), MapError> {
                self.inner.borrow_mut().push(value.borrow(), flags)
            }
        }
    };
}
push_and_pop!(Queue);
push_and_pop!(Stack);
