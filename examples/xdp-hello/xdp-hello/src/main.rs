//! Logs a line for every packet that an interface receives.

use anyhow::Context as _;
use aya::programs::{Xdp, XdpMode};
use aya_log::EbpfLogger;
use clap::Parser;
use log::info;
use tokio::signal;

/// Logs a line for every packet that an interface receives.
#[derive(Parser)]
struct Options {
    /// Network interface to attach to.
    #[arg(short, long, default_value = "eth0")]
    iface: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/xdp-hello-ebpf"
    )))?;
    let logger = EbpfLogger::init(&mut ebpf).context("cannot read what the program logs")?;
    tokio::spawn(logger.forward());

    let program: &mut Xdp = ebpf
        .program_mut("xdp_hello")
        .context("the object has no program xdp_hello")?
        .try_into()?;
    program.load()?;
    program
        .attach(&options.iface, XdpMode::default())
        .with_context(|| format!("cannot attach to {}", options.iface))?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}
