//! Logs the source address and port of every TCP and UDP packet that an interface receives.

use anyhow::Context as _;
use aya::programs::{Xdp, XdpMode};
use aya_log::EbpfLogger;
use clap::Parser;
use log::info;
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal,
};

/// Logs the source address and port of every TCP and UDP packet that an interface receives.
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
        "/xdp-log-ebpf"
    )))?;
    let logger = EbpfLogger::init(&mut ebpf).context("cannot read what the program logs")?;
    tokio::spawn(forward(logger));

    let program: &mut Xdp = ebpf
        .program_mut("xdp_log")
        .context("the object has no program xdp_log")?
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

/// Hands the program's messages to the `log` crate as they come.
#[allow(
    deprecated,
    reason = "the logger keeps its file descriptor, as tokio wants it promised"
)]
async fn forward<L: log::Log>(logger: EbpfLogger<L>) -> std::io::Result<()> {
    let mut logger = AsyncFd::with_interest(logger, Interest::READABLE)?;
    loop {
        let mut ready = logger.readable_mut().await?;
        ready.get_inner_mut().flush();
        ready.clear_ready();
    }
}
