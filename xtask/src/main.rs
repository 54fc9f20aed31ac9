//! The project's own commands. This file only sends a command on to its module.

mod args;
mod bench;
mod build_ebpf;
mod codegen;
mod demo;
mod error;
mod fuzz;
mod lint;
mod miri;
mod process;
mod setup;
mod test;
mod vm;

use std::process::ExitCode;

use args::Args;
use error::Result;

/// One command: its name, its arguments as the usage text shows them, what it does, and its code.
struct Command {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: fn(Args) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "acceptance",
        usage: "[--kernel V] [FILTER]",
        about: "of the tests, the examples, the documents' programs and the template's projects, in a guest",
        run: test::acceptance,
    },
    Command {
        name: "codegen",
        usage: "[--check] [--headers DIR]",
        about: "write aya-uapi's generated files from the newest kernel's headers, or check them",
        run: codegen::run,
    },
    Command {
        name: "bench",
        usage: "[NAME]",
        about: "measure figures and hold them against their bars",
        run: bench::run,
    },
    Command {
        name: "btf",
        usage: "--kernel V",
        about: "the types of kernel V, as its `/sys/kernel/btf/vmlinux` has them; prints the file's path",
        run: vm::command::btf,
    },
    Command {
        name: "build-ebpf",
        usage: "NAME [--mode donor|native]",
        about: "build an eBPF program of the repository; the last line is its object's path",
        run: build_ebpf::run,
    },
    Command {
        name: "demo",
        usage: "[--kernel V]",
        about: "an XDP firewall drops the packets of one address and logs every decision",
        run: demo::run,
    },
    Command {
        name: "fuzz",
        usage: "[SECONDS]",
        about: "feed broken objects to aya-obj (default: 60 seconds)",
        run: fuzz::run,
    },
    Command {
        name: "lint",
        usage: "",
        about: "check the format, clippy and the documentation",
        run: lint::run,
    },
    Command {
        name: "miri",
        usage: "",
        about: "run what reads and writes shared memory under Miri, with simulated kernels",
        run: miri::run,
    },
    Command {
        name: "setup",
        usage: "",
        about: "install what benchmarks, guests and native mode need",
        run: setup::run,
    },
    Command {
        name: "test",
        usage: "[--kernel V,…] [--host] [--guests] [FILTER]",
        about: "run all tests, those that need a kernel in guests (default: 6.12) or on this machine",
        run: test::run,
    },
    Command {
        name: "vm",
        usage: "--kernel V [--timeout SECONDS] [-- FILE ARGS…]",
        about: "boot kernel V and run a static executable of this machine in it",
        run: vm::command::run,
    },
];

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask COMMAND\n\n");
    for command in COMMANDS {
        text += &format!(
            "  {} {}\n      {}\n",
            command.name, command.usage, command.about
        );
    }
    text
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        let asked_for_help = matches!(name.as_str(), "" | "help" | "-h" | "--help");
        if !asked_for_help {
            eprintln!("xtask: no command named `{name}`\n");
        }
        print!("{}", usage());
        return if asked_for_help {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        };
    };
    match (command.run)(Args::new(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
