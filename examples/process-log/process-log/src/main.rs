//! Logs every process that creates another.

use anyhow::Context as _;
use aya::{Btf, programs::FEntry};
use aya_log::EbpfLogger;
use clap::Parser;
use log::info;
use tokio::signal;

/// Logs every process that creates another.
#[derive(Parser)]
struct Options {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Options {} = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/process-log-ebpf"
    )))?;
    let logger = EbpfLogger::init(&mut ebpf).context("cannot read what the program logs")?;
    tokio::spawn(logger.forward());

    let btf = Btf::from_sys_fs()?;
    let program: &mut FEntry = ebpf
        .program_mut("kernel_clone")
        .context("the object has no program kernel_clone")?
        .try_into()?;
    program.load("kernel_clone", &btf)?;
    program.attach()?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}
