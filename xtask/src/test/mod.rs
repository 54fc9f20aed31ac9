//! `cargo xtask test`: the workspace's tests on this machine, and the tests that need a kernel in
//! guests, one boot for each kernel and as many at a time as there are CPUs.

mod tally;

use std::{
    fs,
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use tally::{Counts, Log, Outcome, Tally};

use crate::{
    args::Args,
    error::{Context as _, Error, Result},
    process, setup,
    vm::{self, Event, GuestCommand, GuestFile, Kernel, Spec, guest},
};

/// The kernel that a developer's machine tests on.
pub(crate) const DEFAULT_KERNEL: &str = "6.12";

/// Tells tests which compiler modes to test.
const MODES_VARIABLE: &str = "AYA_TEST_MODES";
const MODES: &str = "donor,native";

/// Tells tests the folder that holds `SERIES/btf` for each kernel under test.
const KERNELS_VARIABLE: &str = "AYA_TEST_KERNELS";

/// Builds and runs programs as users do: the examples on each kernel, the others on [`DEFAULT_KERNEL`].
const ACCEPTANCE: &str = "aya-acceptance";

/// Runs the programs.
const BEHAVIOUR: [&str; 4] = ["--package", ACCEPTANCE, "--test", "behaviour"];

/// The folder of the examples, and of their tests.
const EXAMPLES: &str = "examples";

/// Tells examples the file with the kernel's types.
const TYPES_VARIABLE: &str = "AYA_BTF";

/// The packages whose tests need a kernel.
const INTEGRATION: &[&str] = &["aya-netlab", "aya-tests"];

/// The library's own tests that say what kernels can, which guests run too.
const ON_EACH_KERNEL: [&str; 8] = [
    "--package",
    "aya",
    "--test",
    "maps_elements",
    "--test",
    "maps_rings",
    "--test",
    "supported",
];

fn integration() -> impl Iterator<Item = &'static str> {
    INTEGRATION
        .iter()
        .flat_map(|package| ["--package", package])
}

/// Time for all tests on one kernel, emulated.
const LIMIT: Duration = Duration::from_secs(1800);

pub(crate) fn run(mut args: Args) -> Result<()> {
    let host = args.take_flag("--host");
    let guests = args.take_flag("--guests");
    let kernels = match args.take_value::<String>("--kernel")? {
        Some(list) => list
            .split(',')
            .map(|series| series.trim().to_owned())
            .collect(),
        None if host => Vec::new(),
        None => vec![DEFAULT_KERNEL.to_owned()],
    };
    let filter = args.take_word();
    args.finish()?;
    if host && guests {
        return Err(Error::new(
            "--host tests on this machine and --guests not: give one of them",
        ));
    }

    setup::native_toolchain()?;
    setup::peers();
    setup::bpf_file_system();
    let kernels = kernels
        .iter()
        .map(|series| Kernel::get(series))
        .collect::<Result<Vec<_>>>()?;

    for kernel in &kernels {
        kernel.btf()?;
    }

    let mut results = Vec::new();
    if !guests {
        results.push(("workspace".to_owned(), workspace(host, filter.as_deref())?));
    }
    if host {
        results.push(this_machine(filter.as_deref())?);
    }
    if !kernels.is_empty() {
        println!("xtask: building the tests for guests");
        let suite = Suite::integration(filter.as_deref())?;
        let runs = kernels.iter().map(|kernel| Run {
            name: format!("kernel {}", kernel.release),
            kernel,
            suite: &suite,
        });
        results.extend(in_guests(&Vec::from_iter(runs))?);
        results.extend(run_acceptance(&kernels, filter.as_deref())?);
    }
    verdict(&results)
}

/// `cargo xtask acceptance`: only the examples, the programs of documents, and the template's.
pub(crate) fn acceptance(mut args: Args) -> Result<()> {
    let series: Option<String> = args.take_value("--kernel")?;
    let filter = args.take_word();
    args.finish()?;
    setup::native_toolchain()?;
    let kernel = Kernel::get(series.as_deref().unwrap_or(DEFAULT_KERNEL))?;
    verdict(&run_acceptance(&[kernel], filter.as_deref())?)
}

fn run_acceptance(kernels: &[Kernel], filter: Option<&str>) -> Result<Vec<(String, Outcome)>> {
    let mut suites = Vec::new();
    for kernel in kernels {
        suites.push(if kernel.series == DEFAULT_KERNEL {
            println!(
                "xtask: building the examples, the documents' programs and the template's projects"
            );
            Suite::acceptance(kernel, filter)?
        } else {
            println!("xtask: building the examples for kernel {}", kernel.release);
            let filter = format!("{EXAMPLES}::{}", filter.unwrap_or_default());
            Suite::new(executables(BEHAVIOUR)?, &[&filter]).with_examples(kernel)?
        });
    }
    let runs = kernels.iter().zip(&suites).map(|(kernel, suite)| Run {
        name: format!("acceptance on {}", kernel.release),
        kernel,
        suite,
    });
    in_guests(&Vec::from_iter(runs))
}

/// One boot of a guest.
struct Run<'a> {
    name: String,
    kernel: &'a Kernel,
    suite: &'a Suite,
}

/// Runs each in its guest, as many at a time as there are CPUs, and tells of each when it has ended.
fn in_guests(runs: &[Run<'_>]) -> Result<Vec<(String, Outcome)>> {
    vm::emulator()?;
    let at_a_time = thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(runs.iter().enumerate());
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next()
    };
    let work = || {
        let mut results = Vec::new();
        while let Some((number, run)) = next() {
            let log = match runs {
                [_] => Log::Live,
                _ => {
                    println!("xtask: {}: running", run.name);
                    Log::Kept(Vec::new())
                }
            };
            let outcome = run.suite.run(run.kernel, log);
            process::print(&outcome.kept);
            results.push((number, outcome));
        }
        results
    };
    let mut results = thread::scope(|scope| {
        let workers = Vec::from_iter((0..at_a_time.min(runs.len())).map(|_| scope.spawn(work)));
        let mut results = Vec::new();
        for worker in workers {
            let ended = worker.join().map_err(|_| "a guest's thread panicked")?;
            results.extend(ended);
        }
        Ok::<_, Error>(results)
    })?;
    results.sort_by_key(|(number, _)| *number);
    let outcomes = results.into_iter().map(|(_, outcome)| outcome);
    Ok(runs
        .iter()
        .map(|run| run.name.clone())
        .zip(outcomes)
        .collect())
}

/// Prints the failures, the counts and their sum, and judges them.
fn verdict(results: &[(String, Outcome)]) -> Result<()> {
    for (name, Outcome { failures, .. }) in results {
        if !failures.is_empty() {
            println!("\n{name}:\n{failures}");
        }
    }
    println!();
    let mut total = Counts::default();
    for (name, Outcome { counts, .. }) in results {
        println!("{name}: {counts}");
        total += *counts;
    }
    println!("{total}");
    if total.failed == 0 && total.passed > 0 {
        Ok(())
    } else if total.failed == 0 {
        Err(Error::new("no test ran: does the filter match one?"))
    } else {
        Err(Error::new("some tests failed"))
    }
}

/// All tests of the workspace as any user runs them; those that need more than is here skip.
fn workspace(host: bool, filter: Option<&str>) -> Result<Outcome> {
    println!("xtask: cargo test --workspace");
    let mut cargo = process::cargo();
    cargo
        .args(["test", "--workspace", "--no-fail-fast"])
        .env(MODES_VARIABLE, MODES)
        .env(KERNELS_VARIABLE, vm::kernel::kernels_dir());
    if host {
        // They follow by themselves, held to what this machine's kernel can do.
        cargo.args(
            INTEGRATION
                .iter()
                .flat_map(|package| ["--exclude", package]),
        );
    }
    cargo.args(filter);
    let mut tally = Tally::new(None, Log::Live);
    listen(&mut cargo, "cargo test", &mut tally)?;
    Ok(tally.close())
}

/// The tests that need a kernel, on this machine's own, as root.
fn this_machine(filter: Option<&str>) -> Result<(String, Outcome)> {
    let release = process::output(Command::new("uname").arg("-r"))?;
    let release = release.trim();
    println!("xtask: tests on this machine's kernel, {release}");
    let mut cargo = process::cargo();
    cargo
        .args(["test", "--no-fail-fast", "--tests"])
        .args(integration())
        .args(filter);
    if !process::is_root() {
        cargo.args(["--config", "target.'cfg(unix)'.runner=['sudo', '-E']"]);
    }
    cargo.args(["--", "--test-threads=1"]);
    let mut tally = Tally::new(Some(vm::kernel::version(release)), Log::Live);
    listen(&mut cargo, "cargo test", &mut tally)?;
    Ok((format!("this machine ({release})"), tally.close()))
}

/// Runs a command with both of its outputs going to a tally.
fn listen(command: &mut Command, name: &str, tally: &mut Tally) -> Result<()> {
    let (mut output, ours) = std::io::pipe().context("pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(ours.try_clone().context("pipe")?)
        .stderr(ours);
    let mut child = command.spawn().context(name)?;
    // The command holds this process's ends of the pipe, which must close for it to end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut buffer = [0; 4096];
    loop {
        match output.read(&mut buffer).context(name)? {
            0 => break,
            length => tally.feed(&buffer[..length]),
        }
    }
    let status = child.wait().context(name)?;
    tally.ended(name, status.code().unwrap_or(-1));
    Ok(())
}

/// A test executable for guests.
struct Executable {
    name: String,
    file: PathBuf,
}

/// Builds tests for guests.
fn executables(which: impl IntoIterator<Item = &'static str>) -> Result<Vec<Executable>> {
    let mut cargo = guest::cargo("test");
    cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
    cargo.args(which).stderr(Stdio::inherit());
    let messages = cargo.output().context("cargo test --no-run")?;
    if !messages.status.success() {
        return Err(Error::new("the tests for guests do not build"));
    }
    let messages = String::from_utf8_lossy(&messages.stdout);
    let executables: Vec<_> = messages
        .lines()
        .filter_map(|message| {
            // Paths here come from cargo and hold no quotes.
            let file = PathBuf::from(
                message
                    .split_once("\"executable\":\"")?
                    .1
                    .split_once('"')?
                    .0,
            );
            // Ordinary executables are one folder up.
            file.parent()?.ends_with("deps").then_some(())?;
            let stem = file.file_stem()?.to_str()?;
            let name = stem
                .rsplit_once('-')
                .map_or(stem, |(name, _)| name)
                .to_owned();
            Some(Executable { name, file })
        })
        .collect();
    if executables.is_empty() {
        Err(Error::new("no tests for guests"))
    } else {
        Ok(executables)
    }
}

/// Tests for one boot of a guest.
struct Suite {
    /// A name for each command.
    names: Vec<String>,
    spec: Spec,
}

const DEMO: &str = "demo";

impl Suite {
    /// A test runs whose name contains one of the filters, or any if there are none.
    fn new(executables: Vec<Executable>, filters: &[&str]) -> Self {
        let mut suite = Self {
            names: Vec::new(),
            spec: Spec {
                limit: LIMIT,
                ..Spec::default()
            },
        };
        for (number, Executable { name, file }) in executables.into_iter().enumerate() {
            // Packages may have tests of the same name.
            let path = format!("tests/{number}-{name}");
            // One test at a time: some count what the whole kernel holds.
            let words = [format!("/{path}"), "--test-threads=1".to_owned()];
            let filters = filters.iter().map(|filter| (*filter).to_owned());
            let words = words.into_iter().chain(filters).collect();
            suite.spec.files.push(GuestFile { path, source: file });
            suite.spec.commands.push(GuestCommand {
                words,
                ..GuestCommand::default()
            });
            suite.names.push(name);
        }
        suite
    }

    /// What runs on every kernel: the integration tests, and the demo.
    fn integration(filter: Option<&str>) -> Result<Self> {
        let tests = ["--tests"].into_iter().chain(integration());
        let mut tests = executables(tests)?;
        tests.extend(executables(ON_EACH_KERNEL)?);
        let mut suite = Self::new(tests, &Vec::from_iter(filter));
        if filter.is_none_or(|filter| DEMO.contains(filter)) {
            suite.spec.add_demo()?;
            suite.names.push(DEMO.to_owned());
        }
        Ok(suite)
    }

    /// The programs of documents about Aya, where this machine has them, and the template's projects.
    fn acceptance(kernel: &Kernel, filter: Option<&str>) -> Result<Self> {
        let base = process::target_dir().join("tmp");
        process::run(
            process::cargo()
                .args(["run", "--quiet", "--package", ACCEPTANCE, "--"])
                .arg(&base)
                .env("AYA_CARGO_GENERATE", setup::cargo_generate()?)
                .env(MODES_VARIABLE, MODES)
                .env(KERNELS_VARIABLE, vm::kernel::kernels_dir()),
        )?;
        let programs = base.join("programs");
        let filters = match filter {
            None if !programs.join("seeds").is_dir() => {
                println!("xtask: the documents are not on this machine (AYA_SEEDS)");
                vec![EXAMPLES, "template"]
            }
            other => Vec::from_iter(other),
        };
        let mut suite = Self::new(executables(BEHAVIOUR)?, &filters);
        suite.spec.add_folder("programs", &programs)?;
        suite.with_examples(kernel)
    }

    /// Adds the examples, as their users build them for this kernel.
    fn with_examples(mut self, kernel: &Kernel) -> Result<Self> {
        let folder = process::workspace().join(EXAMPLES);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).context(folder.display())? {
            let name = entry.context(folder.display())?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.sort();
        let built = guest::build_in(&names, &[(TYPES_VARIABLE, kernel.btf()?)])?;
        // The next kernel's take their places.
        let kept = process::target_dir().join("tmp").join(&kernel.series);
        fs::create_dir_all(&kept).context(kept.display())?;
        for name in names {
            let source = kept.join(&name);
            fs::copy(built.join(&name), &source).context(source.display())?;
            self.spec.files.push(GuestFile {
                path: format!("programs/{EXAMPLES}/{name}"),
                source,
            });
        }
        for command in &mut self.spec.commands {
            command
                .environment
                .push("AYA_ACCEPTANCE_PROGRAMS=/programs".to_owned());
        }
        Ok(self)
    }

    /// All of it on one kernel; what goes wrong with the guest is a failure among others.
    fn run(&self, kernel: &Kernel, log: Log) -> Outcome {
        let mut tally = Tally::new(Some(kernel.version()), log);
        tally.say(format_args!("\nxtask: tests on kernel {}", kernel.release));
        let name = |number: usize| self.names.get(number).map_or("?", String::as_str);
        let ran = self.spec.run(kernel, &mut |event| match event {
            Event::Begin(number) => {
                tally.say(format_args!("\n{} on {}", name(number), kernel.series));
            }
            Event::Output(bytes) => tally.feed(bytes),
            Event::End(number, code) if name(number) == DEMO => tally.verdict(DEMO, code),
            Event::End(number, code) => tally.ended(name(number), code),
            Event::Trouble(text) => tally.fail(text),
        });
        if let Err(error) = ran {
            tally.fail(error);
        }
        tally.close()
    }
}
