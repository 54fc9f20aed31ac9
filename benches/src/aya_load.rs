//! Loads every program of one object and says the process's peak memory: the subject of the `load`
//! benchmark, whose peer is `c/load.c`.

use std::{env, error::Error, fs};

use aya::{Ebpf, programs::Program};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("usage: aya-load OBJECT")?;
    let mut ebpf = Ebpf::load_file(path)?;
    for (name, program) in ebpf.programs_mut() {
        match program {
            Program::Xdp(xdp) => xdp.load()?,
            _ => return Err(format!("{name}: this benchmark loads XDP programs only").into()),
        }
    }
    let status = fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM:")) {
        println!("{line}");
    }
    Ok(())
}
