//! Records every creation of a process, and prints who created them.

use std::{collections::BTreeSet, pin::pin, time::Duration};

use anyhow::Context as _;
use aya::{
    Btf,
    maps::{HashMap, MapError},
    programs::Lsm,
};
use clap::Parser;
use log::info;
use task_alloc_common::Pid;
use tokio::{signal, time};

/// Records every creation of a process, and prints who created them.
#[derive(Parser)]
struct Options {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Options {} = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/task-alloc-ebpf"
    )))?;
    let btf = Btf::from_sys_fs()?;
    let program: &mut Lsm = ebpf
        .program_mut("task_alloc")
        .context("the object has no program task_alloc")?
        .try_into()?;
    program.load("task_alloc", &btf)?;
    program.attach()?;

    let map = ebpf
        .map("PROCESSES")
        .context("the object has no map PROCESSES")?;
    let processes: HashMap<_, Pid, Pid> = HashMap::try_from(map)?;
    let mut seen = BTreeSet::new();
    let mut ticks = time::interval(Duration::from_millis(200));
    let mut interrupted = pin!(signal::ctrl_c());
    info!("Waiting for Ctrl-C...");
    loop {
        let end = tokio::select! {
            end = &mut interrupted => Some(end),
            _ = ticks.tick() => None,
        };
        let now = processes
            .keys()
            .collect::<Result<BTreeSet<_>, MapError>>()?;
        for pid in now.difference(&seen) {
            info!("PROCESSES[{pid}] = {pid}.");
        }
        seen = now;
        if let Some(end) = end {
            end?;
            break;
        }
    }
    info!("Exiting...");
    Ok(())
}
