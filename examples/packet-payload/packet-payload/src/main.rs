//! Prints every packet that arrives at an interface.

use anyhow::Context as _;
use aya::{
    maps::perf::{AsyncPerfEventArray, PerfBufferError},
    programs::{SchedClassifier, TcAttachType, tc},
    util::online_cpus,
};
use bytes::BytesMut;
use clap::Parser;
use log::{debug, info, warn};
use packet_payload_common::Head;
use tokio::signal;

/// Prints every packet that arrives at an interface.
#[derive(Parser)]
struct Options {
    /// Network interface to attach to.
    #[arg(short, long, default_value = "eth0")]
    iface: String,
}

/// Pages of each CPU's buffer: a mebibyte.
const PAGES: usize = 256;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/packet-payload-ebpf"
    )))?;
    let map = ebpf
        .take_map("PACKETS")
        .context("the object has no map PACKETS")?;
    let mut packets = AsyncPerfEventArray::try_from(map)?;
    // Each CPU has a buffer of its own, and a task that reads it.
    for cpu in online_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))? {
        let mut buffer = packets.open(cpu, Some(PAGES))?;
        tokio::spawn(async move {
            let mut records = vec![BytesMut::new(); 10];
            loop {
                let events = buffer.read_events(&mut records).await?;
                if events.lost > 0 {
                    warn!("{} packets were lost: the buffer was full", events.lost);
                }
                for record in records.iter().take(events.read) {
                    print(record);
                }
            }
            #[expect(unreachable_code, reason = "names the type of the error")]
            Ok::<(), PerfBufferError>(())
        });
    }

    // Kernels before 6.6 attach to this; it may be there already, and newer ones do without.
    if let Err(error) = tc::qdisc_add_clsact(&options.iface) {
        debug!("{error}");
    }
    let program: &mut SchedClassifier = ebpf
        .program_mut("packet_payload")
        .context("the object has no program packet_payload")?
        .try_into()?;
    program.load()?;
    program
        .attach(&options.iface, TcAttachType::Ingress)
        .with_context(|| format!("cannot attach to {}", options.iface))?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}

/// Prints a record: the head, then the packet, then what rounds the record up.
fn print(record: &[u8]) {
    let Some((head, rest)) = record.split_at_checked(size_of::<Head>()) else {
        return;
    };
    let Head { length, .. } = bytemuck::pod_read_unaligned(head);
    let packet = usize::try_from(length).ok().and_then(|end| rest.get(..end));
    if let Some(packet) = packet {
        info!("size={length} packet={packet:02x?}");
    }
}
