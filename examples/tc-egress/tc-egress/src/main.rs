//! Drops the packets that leave an interface for blocked addresses, and logs every decision.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use aya::{
    maps::HashMap,
    programs::{SchedClassifier, TcAttachType, tc},
};
use aya_log::EbpfLogger;
use clap::Parser;
use log::{debug, info};
use tc_egress_common::{Address, Entry};
use tokio::signal;

/// Drops the packets that leave an interface for blocked addresses, and logs every decision.
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
        "/tc-egress-ebpf"
    )))?;
    let logger = EbpfLogger::init(&mut ebpf).context("cannot read what the program logs")?;
    tokio::spawn(logger.forward());

    let map = ebpf
        .map_mut("BLOCKLIST")
        .context("the object has no map BLOCKLIST")?;
    let mut blocklist: HashMap<_, Address, Entry> = HashMap::try_from(map)?;
    for address in options.block {
        blocklist.insert(Address::from(address), 0, 0)?;
    }

    // Kernels before 6.6 attach to this; it may be there already, and newer ones do without.
    if let Err(error) = tc::qdisc_add_clsact(&options.iface) {
        debug!("{error}");
    }
    let program: &mut SchedClassifier = ebpf
        .program_mut("tc_egress")
        .context("the object has no program tc_egress")?
        .try_into()?;
    program.load()?;
    program
        .attach(&options.iface, TcAttachType::Egress)
        .with_context(|| format!("cannot attach to {}", options.iface))?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}
