//! Refuses what the processes of a cgroup send to blocked addresses, and prints every decision.

use std::{fs::File, net::Ipv4Addr, path::PathBuf};

use anyhow::Context as _;
use aya::{
    maps::{HashMap, perf::AsyncPerfEventArray},
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType},
    util::online_cpus,
};
use bytes::BytesMut;
use cgroup_skb_egress_common::PacketLog;
use clap::Parser;
use log::info;
use tokio::signal;

/// Refuses what the processes of a cgroup send to blocked addresses, and prints every decision.
#[derive(Parser)]
struct Options {
    /// Directory of the cgroup.
    #[arg(short, long, default_value = "/sys/fs/cgroup/unified")]
    cgroup_path: PathBuf,

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
        "/cgroup-skb-egress-ebpf"
    )))?;
    let map = ebpf
        .map_mut("BLOCKLIST")
        .context("the object has no map BLOCKLIST")?;
    let mut blocklist: HashMap<_, u32, u32> = HashMap::try_from(map)?;
    for address in options.block {
        blocklist.insert(u32::from(address), 0, 0)?;
    }

    let map = ebpf
        .take_map("EVENTS")
        .context("the object has no map EVENTS")?;
    let mut events = AsyncPerfEventArray::try_from(map)?;
    // Each CPU has a buffer of its own, and a task that reads it.
    for cpu in online_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))? {
        let mut buffer = events.open(cpu, None)?;
        tokio::spawn(async move {
            let mut records = vec![BytesMut::with_capacity(size_of::<PacketLog>()); 10];
            loop {
                let read = buffer.read_events(&mut records).await?.read;
                for record in records.iter().take(read) {
                    print(record);
                }
            }
            #[expect(unreachable_code, reason = "names the type of the error")]
            Ok::<(), aya::maps::perf::PerfBufferError>(())
        });
    }

    let cgroup = File::open(&options.cgroup_path)
        .with_context(|| options.cgroup_path.display().to_string())?;
    let program: &mut CgroupSkb = ebpf
        .program_mut("cgroup_skb_egress")
        .context("the object has no program cgroup_skb_egress")?
        .try_into()?;
    program.load()?;
    program.attach(
        cgroup,
        CgroupSkbAttachType::Egress,
        CgroupAttachMode::Single,
    )?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}

/// Prints one event. Records are rounded up: what follows it is nothing.
fn print(record: &[u8]) {
    let Some(event) = record.get(..size_of::<PacketLog>()) else {
        return;
    };
    let event: PacketLog = bytemuck::pod_read_unaligned(event);
    let address = Ipv4Addr::from(event.ipv4_address);
    info!("LOG: DST {address}, ACTION {}", event.action);
}
