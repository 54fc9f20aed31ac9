#![no_std]
#![no_main]

use aya_ebpf::{{ebpf}};
use aya_log_ebpf::info;

{{item}}#[{{attribute}}]
pub fn {{crate_name}}(ctx: {{context}}) -> {{returns}} {
    info!(&ctx, "{{event}}");
    {{result}}
}

aya_ebpf::panic_handler!();
