//! `cargo xtask demo`: the main job. The firewall of `examples/xdp-drop`, built as its users build
//! it, drops the packets of one address and logs every decision.
//!
//! It runs on this machine's own kernel, in network namespaces of its own, where that is allowed, and
//! in a guest elsewhere. `aya-demo` does the sending and counting in both.

use std::{process::Command, time::Duration};

use crate::{
    args::Args,
    error::{Context as _, Error, Result},
    process, test,
    vm::{self, GuestCommand, GuestFile, Kernel, Spec, guest},
};

const EXAMPLE: &str = "xdp-drop";
const RUNNER: &str = "aya-demo";

/// The exit code of the runner where the machine does not let it try.
const NOT_HERE: i32 = 3;

const LIMIT: Duration = Duration::from_secs(180);

pub(crate) fn run(mut args: Args) -> Result<()> {
    let kernel: Option<String> = args.take_value("--kernel")?;
    args.finish()?;
    if let Some(kernel) = kernel {
        return in_guest(&kernel);
    }
    let why = match on_this_machine()? {
        Outcome::Ran => return Ok(()),
        Outcome::NotHere(why) => why,
    };
    println!("xtask: {why}: running the demo in a virtual machine instead");
    in_guest(test::DEFAULT_KERNEL)
}

enum Outcome {
    Ran,
    NotHere(&'static str),
}

fn on_this_machine() -> Result<Outcome> {
    if !process::is_root() {
        return Ok(Outcome::NotHere("this is not root, and eBPF needs it"));
    }
    println!("xtask: building {EXAMPLE} and what runs it");
    let mut cargo = process::cargo();
    process::run(cargo.args([
        "build",
        "--release",
        "--package",
        EXAMPLE,
        "--package",
        RUNNER,
    ]))?;
    let built = process::target_dir().join("release");
    let status = Command::new(built.join(RUNNER))
        .arg(built.join(EXAMPLE))
        .status()
        .context(RUNNER)?;
    match status.code() {
        Some(0) => Ok(Outcome::Ran),
        Some(NOT_HERE) => Ok(Outcome::NotHere(
            "this machine's kernel or its rules do not allow it",
        )),
        _ => Err(Error::new(
            "the firewall did not do its job on this machine's kernel",
        )),
    }
}

fn in_guest(kernel: &str) -> Result<()> {
    let kernel = Kernel::get(kernel)?;
    println!("xtask: building {EXAMPLE} and what runs it, linked statically");
    let mut spec = Spec {
        limit: LIMIT,
        ..Spec::default()
    };
    spec.add_demo()?;
    match spec.run(&kernel, &mut vm::command::print)?[..] {
        [0] => Ok(()),
        _ => Err(format!(
            "the firewall did not do its job on kernel {}",
            kernel.release
        )
        .into()),
    }
}

impl Spec {
    /// Adds the demo's command, and its executables as users deploy them: one static file each.
    pub(crate) fn add_demo(&mut self) -> Result<()> {
        let built = guest::build(&[EXAMPLE, RUNNER])?;
        let guest_path = |name: &str| format!("bin/{name}");
        for name in [EXAMPLE, RUNNER] {
            self.files.push(GuestFile {
                path: guest_path(name),
                source: built.join(name),
            });
        }
        let words = [RUNNER, EXAMPLE]
            .map(|name| format!("/{}", guest_path(name)))
            .to_vec();
        self.commands.push(GuestCommand {
            words,
            ..GuestCommand::default()
        });
        Ok(())
    }
}
