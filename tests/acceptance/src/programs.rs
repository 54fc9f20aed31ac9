//! What the documents print, and what they take for granted beside it.

/// A program of two halves, as users keep them.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the package and of the folder of its source.
    pub name: &'static str,
    /// The name of the object, where it is not the package's.
    pub object: &'static str,
    /// Whose user-space half it is.
    pub user: User,
    /// The crate that both halves share: its name and its source.
    pub common: Option<(&'static str, &'static str)>,
    /// The kernel's types that `vmlinux.rs` beside the source must have.
    pub types: &'static [&'static str],
    /// References to a `static mut`, which edition 2024 denies.
    pub static_mut: bool,
}

/// Where a user-space half comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The document prints it.
    Document,
    /// The document leaves it out: ours, in `users/`.
    Ours,
    /// There is nothing to run.
    Missing,
}

const fn program(name: &'static str) -> Program {
    Program {
        name,
        object: name,
        user: User::Document,
        common: None,
        types: &[],
        static_mut: false,
    }
}

/// All programs that must compile.
pub const PROGRAMS: &[Program] = &[
    program("xdp-hello"),
    program("xdp-log"),
    program("xdp-drop"),
    program("simple-xdp-program"),
    program("old-myapp"),
    Program {
        types: &["sock", "sock_common"],
        ..program("kprobetcp")
    },
    Program {
        types: &["task_struct"],
        ..program("lsm-nice")
    },
    Program {
        user: User::Ours,
        types: &["task_struct"],
        ..program("task-alloc")
    },
    Program {
        user: User::Ours,
        static_mut: true,
        ..program("slides-fentry")
    },
    Program {
        user: User::Ours,
        common: Some((
            "runc_common",
            "#![no_std]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RuncEvent {
    pub pid: u32,
}
",
        )),
        static_mut: true,
        ..program("blog-runc")
    },
];

/// The one that must not.
pub const REFUSED: Program = Program {
    user: User::Missing,
    ..program("type-safety")
};
