//! User space of `blog-runc`, which the article describes without its code: prints each event.
use aya::{maps::perf::AsyncPerfEventArray, programs::TracePoint, util::online_cpus};
use bytes::BytesMut;
use runc_common::RuncEvent;

#[tokio::main]
async fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/blog-runc"
    )))?;
    let program: &mut TracePoint = ebpf.program_mut("runc_tracepoint").unwrap().try_into()?;
    program.load()?;
    program.attach("sched", "sched_process_exec")?;
    let mut events = AsyncPerfEventArray::try_from(ebpf.take_map("RUNC_EVENTS").unwrap())?;
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let mut of_cpu = events.open(cpu, None)?;
        tokio::spawn(async move {
            let mut buffers = vec![BytesMut::with_capacity(1024); 10];
            loop {
                let events = of_cpu.read_events(&mut buffers).await.unwrap();
                for buffer in buffers.iter().take(events.read) {
                    let (pid, _padding) = buffer.split_at(size_of::<RuncEvent>());
                    let pid = u32::from_ne_bytes(pid.try_into().unwrap());
                    println!("exec of runc: pid {pid}.");
                }
            }
        });
    }
    println!("Waiting for Ctrl-C...");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
