//! Logs the addresses of every TCP connection that this machine opens.

use anyhow::Context as _;
use aya::programs::KProbe;
use aya_log::EbpfLogger;
use clap::Parser;
use log::info;
use tokio::signal;

/// Logs the addresses of every TCP connection that this machine opens.
#[derive(Parser)]
struct Options {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Options {} = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/kprobetcp-ebpf"
    )))?;
    let logger = EbpfLogger::init(&mut ebpf).context("cannot read what the program logs")?;
    tokio::spawn(logger.forward());

    let program: &mut KProbe = ebpf
        .program_mut("kprobetcp")
        .context("the object has no program kprobetcp")?
        .try_into()?;
    program.load()?;
    program.attach("tcp_connect", 0)?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}
