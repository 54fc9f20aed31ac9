//! User space of `task-alloc`, which its document leaves out: prints what is in the map in the end.
use aya::{Btf, maps::HashMap, programs::Lsm};

#[tokio::main]
async fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/task-alloc"
    )))?;
    let program: &mut Lsm = ebpf.program_mut("task_alloc").unwrap().try_into()?;
    program.load("task_alloc", &Btf::from_sys_fs()?)?;
    program.attach()?;
    println!("Waiting for Ctrl-C...");
    tokio::signal::ctrl_c().await?;
    let processes: HashMap<_, i32, i32> = HashMap::try_from(ebpf.map("PROCESSES").unwrap())?;
    for entry in processes.iter() {
        let (key, pid) = entry?;
        println!("PROCESSES[{key}] = {pid}.");
    }
    Ok(())
}
