//! Drops the packets of blocked source addresses and logs every decision.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use aya::{
    maps::HashMap,
    programs::{Xdp, XdpMode},
};
use aya_log::EbpfLogger;
use clap::Parser;
use log::info;
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal,
};
use xdp_drop_common::{Address, Entry};

/// Drops the packets of blocked source addresses and logs every decision.
#[derive(Parser)]
struct Options {
    /// Network interface to attach to.
    #[arg(short, long, default_value = "eth0")]
    iface: String,

    /// IPv4 address to block; may be given several times.
    #[arg(short, long, default_value = "1.1.1.1")]
    block: Vec<Ipv4Addr>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/xdp-drop-ebpf"
    )))?;
    let logger = EbpfLogger::init(&mut ebpf).context("cannot read what the program logs")?;
    tokio::spawn(forward(logger));

    let map = ebpf
        .map_mut("BLOCKLIST")
        .context("the object has no map BLOCKLIST")?;
    let mut blocklist: HashMap<_, Address, Entry> = HashMap::try_from(map)?;
    for address in options.block {
        blocklist.insert(Address::from(address), 0, 0)?;
    }

    let program: &mut Xdp = ebpf
        .program_mut("xdp_drop")
        .context("the object has no program xdp_drop")?
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
