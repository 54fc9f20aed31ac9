//! Maps that say where packets go: out of devices, to CPUs, to other programs, to AF_XDP sockets; and by
//! prefixes, whether they go on at all.

mod devices;
mod lookups;
mod xsk;

use aya::{
    Ebpf,
    maps::{Array, MapError},
    programs::{ProgramFd, XdpMode},
};
use aya_netlab::{FAR_ADDRESS, Lab, udp_packet};
use aya_tests::{TestResult, map, xdp};
use nix::errno::Errno;

const PORT: u16 = 4000;
/// What programs leave for the test: see the module of this name in the eBPF program.
mod slot {
    pub(crate) const DEVICE: u32 = 0;
    pub(crate) const PROGRAM: u32 = 1;
    pub(crate) const QUEUE: u32 = 2;
    pub(crate) const FROM: u32 = 3;
    pub(crate) const TO: u32 = 4;
    pub(crate) const CPU: u32 = 5;
    pub(crate) const CLASS: u32 = 6;
    pub(crate) const ERROR: u32 = 7;
}

fn slots<const N: usize>(ebpf: &mut Ebpf, which: [u32; N]) -> TestResult<[u64; N]> {
    let slots: Array<_, u64> = map(ebpf, "SLOTS")?;
    let mut values = [0; N];
    for (value, slot) in values.iter_mut().zip(which) {
        *value = slots.get(&slot, 0)?;
    }
    Ok(values)
}

/// Sends a datagram without a checksum to the near side: programs change its payload, and in driver mode
/// nobody would compute one.
fn send_from(lab: &Lab, source: [u8; 4], payload: &str) -> TestResult {
    Ok(lab.send_packet(&udp_packet(source.into(), 1000, PORT, payload.as_bytes()))?)
}

fn send(lab: &Lab, payload: &str) -> TestResult {
    send_from(lab, FAR_ADDRESS.octets(), payload)
}

/// Loads a program and attaches it to an interface of the namespace that the thread is in.
fn attach(ebpf: &mut Ebpf, name: &str, interface: &str, mode: XdpMode) -> TestResult {
    let program = xdp(ebpf, name)?;
    if program.fd().is_err() {
        program.load()?;
    }
    program.attach(interface, mode)?;
    Ok(())
}

/// Loads a program to be put into a map; its descriptor and id.
fn loaded(ebpf: &mut Ebpf, name: &str) -> TestResult<(ProgramFd, u32)> {
    let program = xdp(ebpf, name)?;
    program.load()?;
    Ok((program.fd()?.try_clone()?, program.info()?.id()))
}

/// Why the kernel refused what must fail there.
fn errno(result: Result<(), MapError>) -> TestResult<Errno> {
    match result {
        Err(MapError::SyscallError(error)) => Ok(Errno::from_raw(
            error.io_error.raw_os_error().ok_or("no number")?,
        )),
        Err(error) => Err(error.into()),
        Ok(()) => Err("it was accepted".into()),
    }
}
