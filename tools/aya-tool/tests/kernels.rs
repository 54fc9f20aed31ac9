//! Bindings to real kernels compile by themselves, with every size and offset asserted: those under
//! test (`AYA_TEST_KERNELS`), and the running one.

mod common;

use std::{env, fs, path::PathBuf};

use common::{MODULE, folder, rustc, rustc_for_ebpf, skip};

/// What programs ask for, and how they use it.
const TYPES: &[&str] = &[
    "task_struct",
    "sock",
    "sock_common",
    "dentry",
    "sk_buff",
    "pt_regs",
];
const USES: &str = "
use vmlinux::{dentry, pt_regs, sk_buff, sock, sock_common, task_struct};

pub unsafe fn addresses(sock: *const sock) -> (u16, u32, [u8; 16]) {
    let common: *const sock_common = unsafe { &raw const (*sock).__sk_common };
    let common: sock_common = unsafe { common.read() };
    let four: u32 = unsafe { common.__bindgen_anon_1.__bindgen_anon_1.skc_rcv_saddr };
    let six = common.skc_v6_rcv_saddr;
    (common.skc_family, four, unsafe { six.in6_u.u6_addr8 })
}

pub unsafe fn task(task: *const task_struct) -> (i32, u64, u32, i8, *const task_struct) {
    let task = unsafe { &*task };
    let code = unsafe { (*task.mm).__bindgen_anon_1.start_code };
    (task.pid, code, task.in_execve(), task.comm[0] as i8, task.real_parent)
}

pub unsafe fn others(entry: *mut dentry, buffer: *const sk_buff) -> (u32, u16, u32) {
    let mode = unsafe { (*(*entry).d_inode).i_mode };
    (unsafe { (*entry).d_flags }, mode, unsafe { (*buffer).len })
}

pub fn instruction(regs: &pt_regs) -> u64 {
    regs.ip
}
";

/// The types of kernels, with a name for each.
fn kernels() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    match env::var_os("AYA_TEST_KERNELS") {
        Some(folder) => {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                found.push((name, entry.path().join("btf")));
            }
            found.retain(|(_, path)| path.is_file());
        }
        None => skip(
            "kernels",
            "no types of other kernels; use `cargo xtask test --kernel …`",
        ),
    }
    let running = PathBuf::from(aya_tool::KERNEL_BTF);
    match running.is_file() {
        true => found.push(("running".to_owned(), running)),
        false => skip("kernels", "the running kernel shows no types"),
    }
    found
}

#[test]
fn bindings_of_each_kernel_compile_by_themselves() {
    for (kernel, path) in kernels() {
        let text = aya_tool::generate(&path, TYPES).unwrap();
        assert_eq!(text, aya_tool::generate(&path, TYPES).unwrap(), "{kernel}");
        assert!(
            !text.contains("_opaque:"),
            "{kernel}: a struct without its fields"
        );

        let folder = folder(&format!("kernel-{kernel}"));
        fs::write(folder.join("vmlinux.rs"), text).unwrap();
        fs::write(folder.join("main.rs"), format!("#![no_std]{MODULE}{USES}")).unwrap();
        // As native mode compiles it, or else the host. Every offset is compared once.
        let library = ["--edition=2021", "--crate-type=lib", "--emit=metadata"];
        if rustc_for_ebpf(&folder, "2024").is_some() {
            rustc(&folder, &[&library[..], &["-O"]].concat());
        } else {
            rustc(
                &folder,
                &[&library[..], &["-Cdebug-assertions=on"]].concat(),
            );
            skip(
                "kernels",
                "not compiled for eBPF machines: run `rustup component add rust-src`",
            );
        }
    }
}
