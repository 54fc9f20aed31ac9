//! What both halves of task-alloc share: the types of the map between them.
#![no_std]

/// A process: what user space calls a thread's id.
pub type Pid = i32;
