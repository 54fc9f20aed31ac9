//! User space of `slides-fentry`, which the slides leave out: forwards the log, and prints what is in the
//! map in the end.
use aya::{Btf, maps::HashMap, programs::FEntry};
use aya_log::EbpfLogger;
use tokio::io::{Interest, unix::AsyncFd};

#[tokio::main]
async fn main() -> Result<(), anyhow::Error> {
    env_logger::init();
    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/slides-fentry"
    )))?;
    let mut logger = AsyncFd::with_interest(EbpfLogger::init(&mut ebpf)?, Interest::READABLE)?;
    tokio::spawn(async move {
        loop {
            let mut guard = logger.readable_mut().await.unwrap();
            guard.get_inner_mut().flush();
            guard.clear_ready();
        }
    });
    let program: &mut FEntry = ebpf.program_mut("kernel_clone").unwrap().try_into()?;
    program.load("kernel_clone", &Btf::from_sys_fs()?)?;
    program.attach()?;
    println!("Waiting for Ctrl-C...");
    tokio::signal::ctrl_c().await?;
    let pids: HashMap<_, u32, u32> = HashMap::try_from(ebpf.map("pids").unwrap())?;
    for entry in pids.iter() {
        let (pid, value) = entry?;
        println!("pids[{pid}] = {value}.");
    }
    Ok(())
}
