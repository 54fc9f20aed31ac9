//! Reports every start of the container runtime runc.

use anyhow::Context as _;
use aya::{
    maps::perf::{AsyncPerfEventArray, PerfBufferError},
    programs::TracePoint,
    util::online_cpus,
};
use bytes::BytesMut;
use clap::Parser;
use log::info;
use runc_watch_common::RuncEvent;
use tokio::signal;

/// Reports every start of the container runtime runc.
#[derive(Parser)]
struct Options {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Options {} = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/runc-watch-ebpf"
    )))?;
    let map = ebpf
        .take_map("RUNC_EVENTS")
        .context("the object has no map RUNC_EVENTS")?;
    let mut events = AsyncPerfEventArray::try_from(map)?;
    // Each CPU has a buffer of its own, and a task that reads it.
    for cpu in online_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))? {
        let mut buffer = events.open(cpu, None)?;
        tokio::spawn(async move {
            let mut records = vec![BytesMut::with_capacity(size_of::<RuncEvent>()); 10];
            loop {
                let read = buffer.read_events(&mut records).await?.read;
                for record in records.iter().take(read) {
                    // Records are rounded up: what follows the event is nothing.
                    if let Some(event) = record.get(..size_of::<RuncEvent>()) {
                        let event: RuncEvent = bytemuck::pod_read_unaligned(event);
                        info!("exec of runc: pid {}.", event.pid);
                    }
                }
            }
            #[expect(unreachable_code, reason = "names the type of the error")]
            Ok::<(), PerfBufferError>(())
        });
    }

    let program: &mut TracePoint = ebpf
        .program_mut("runc_watch")
        .context("the object has no program runc_watch")?
        .try_into()?;
    program.load()?;
    program.attach("sched", "sched_process_exec")?;

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}
