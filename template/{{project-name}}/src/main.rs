//! Loads the eBPF program, attaches it, and prints what it logs.
{% if option == "cgroup_path" %}
use std::fs::File;
{% elsif program_type == "socket_filter" %}
use std::net::UdpSocket;
{% endif %}
use anyhow::Context as _;
use aya::{{user}};
use aya_log::EbpfLogger;
{%- if option != "" %}
use clap::Parser;
{%- endif %}
use env_logger::Env;
use log::info;
use tokio::signal;
{% if option == "iface" %}
#[derive(Parser)]
struct Options {
    /// Network interface to attach to.
    #[arg(short, long, default_value = "{{default_iface}}")]
    iface: String,
}
{% elsif option == "cgroup_path" %}
#[derive(Parser)]
struct Options {
    /// Control group to attach to.
    #[arg(short, long, default_value = "/sys/fs/cgroup")]
    cgroup_path: String,
}
{% endif %}
#[tokio::main]
async fn main() -> anyhow::Result<()> {
{%- if option != "" %}
    let options = Options::parse();
{%- endif %}
    env_logger::init_from_env(Env::default().default_filter_or("info"));

    let mut ebpf = aya::Ebpf::load(aya::include_bytes_aligned!(concat!(
        env!("OUT_DIR"),
        "/{{project-name}}"
    )))?;
    tokio::spawn(EbpfLogger::init(&mut ebpf)?.forward());
{% if program_type == "sk_msg" %}
    let map = ebpf.map("{{sock_map}}").context("no map {{sock_map}}")?;
    let sockets = SockHash::<_, u32>::try_from(map)?.fd().try_clone()?;
{% endif %}
    let program: &mut {{handle}} = ebpf
        .program_mut("{{crate_name}}")
        .context("no program {{crate_name}}")?
        .try_into()?;
    program.load({{load}})?;
{%- if before != "" %}
    {{before}}
{%- endif %}
    {{attach}}

    info!("Waiting for Ctrl-C...");
    signal::ctrl_c().await?;
    info!("Exiting...");
    Ok(())
}
