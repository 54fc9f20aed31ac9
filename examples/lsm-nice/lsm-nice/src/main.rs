//! Keeps a process, by default this one, from being made more important with `renice`.

use std::process;

use anyhow::Context as _;
use aya::{Btf, EbpfLoader, programs::Lsm};
use aya_log::EbpfLogger;
use clap::Parser;
use log::info;
use tokio::signal;

/// Keeps a process from being made more important with `renice`.
#[derive(Parser)]
struct Options {
    /// Process to watch; this one if absent.
    #[arg(short, long)]
    pid: Option<i32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let pid = match options.pid {
        Some(pid) => pid,
        None => process::id().try_into()?,
    };
    info!("PID: {pid}");
    let mut ebpf =
        EbpfLoader::new()
            .override_global("PID", &pid, true)
            .load(aya::include_bytes_aligned!(concat!(
                env!("OUT_DIR"),
                "/lsm-nice-ebpf"
            )))?;
    let logger = EbpfLogger::init(&mut ebpf).context("cannot read what the program logs")?;
    tokio::spawn(logger.forward());

    let btf = Btf::from_sys_fs()?;
    let program: &mut Lsm = ebpf
        .program_mut("task_setnice")
        .context("the object has no program task_setnice")?
        .try_into()?;
    program.load("task_setnice", &btf)?;
    program.attach()?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}
