//! Values with a lock.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::bpf_spin_lock,
    btf_maps::HashMap,
    helpers::generated::{bpf_spin_lock as lock, bpf_spin_unlock as unlock},
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// Two numbers that belong together.
#[repr(C)]
pub struct Account {
    lock: bpf_spin_lock,
    deposits: u32,
    sum: u64,
}

#[btf_map]
static ACCOUNTS: HashMap<u32, Account, 4> = HashMap::new();

/// Pays 10 into the account 1; says whether there is one.
#[xdp]
fn deposit(_ctx: XdpContext) -> u32 {
    let Some(account) = ACCOUNTS.get_ptr_mut(&1) else {
        return 0;
    };
    // SAFETY: the value is there, and everybody else takes the lock.
    unsafe {
        lock(&raw mut (*account).lock);
        (*account).deposits += 1;
        (*account).sum += 10;
        unlock(&raw mut (*account).lock);
    }
    1
}

aya_ebpf::panic_handler!();

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";
