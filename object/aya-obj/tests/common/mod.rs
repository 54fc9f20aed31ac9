//! Objects to test with, compiled from C where the machine has a compiler for eBPF.
#![allow(dead_code)]

use std::{
    io::Write as _,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// Says on the terminal that a test did not run, and why.
pub(crate) fn skip(test: &str, reason: &str) {
    let _ = std::io::stderr().write_all(format!("SKIP: {test}: {reason}\n").as_bytes());
}

/// What the C programs share.
const PRELUDE: &str = r#"
typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define noinline __attribute__((noinline))
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*ringbuf_output)(void *, void *, u64, u64, void *) = (void *)130;
static long (*loop)(u32, void *, void *, u64) = (void *)181;
struct xdp_md { u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
char LICENSE[] SEC("license") = "GPL";
"#;

/// Compiles C for eBPF. `None`, said aloud, without clang.
pub(crate) fn compile(test: &str, source: &str) -> Option<Vec<u8>> {
    compile_with(test, source, &["-g", "-target", "bpfel"])
}

/// Compiles C with these options.
pub(crate) fn compile_with(test: &str, source: &str, options: &[&str]) -> Option<Vec<u8>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("aya-obj-{}-{number}.o", std::process::id());
    let output = std::env::temp_dir().join(name);
    // A file, not a pipe, so that the object holds the text of source lines.
    let input = output.with_extension("c");
    std::fs::write(&input, [PRELUDE, source].concat()).unwrap();
    let status = ["clang-19", "clang"].into_iter().find_map(|clang| {
        Command::new(clang)
            .args(["-O2", "-Wno-everything", "-c", "-o"])
            .args([&output, &input])
            .args(options)
            .status()
            .ok()
    });
    std::fs::remove_file(&input).unwrap();
    let Some(status) = status else {
        skip(test, "no clang");
        return None;
    };
    assert!(status.success(), "{test}: clang refused the source");
    let object = std::fs::read(&output).unwrap();
    std::fs::remove_file(&output).unwrap();
    Some(object)
}

/// A program with maps, globals, functions, callbacks and a second program.
pub(crate) const FIREWALL: &str = r#"
struct key { u32 addr; }; struct value { u64 count; u8 tag[3][4]; };
struct { __uint(type, 1); __type(key, struct key); __type(value, struct value);
         __uint(max_entries, 1024); __uint(map_flags, 1); __uint(pinning, 1); } BLOCKLIST SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } LOGS SEC(".maps");
struct inner { __uint(type, 2); __type(key, u32); __type(value, u64); __uint(max_entries, 3); } INNER SEC(".maps");
struct { __uint(type, 12); __uint(max_entries, 2); __type(key, u32);
         __array(values, struct inner); } OUTER SEC(".maps") = { .values = { [1] = &INNER } };
int tail(struct xdp_md *ctx);
struct { __uint(type, 3); __uint(max_entries, 4); __uint(key_size, 4);
         __array(values, int (void *)); } TAILS SEC(".maps") = { .values = { [2] = (void *)&tail } };
const volatile u32 LEVEL = 3;
const volatile u8 FLAG = 1;
u64 dropped;
u64 start = 77;
static noinline int callback(u32 index, void *ctx) { dropped += index; return LEVEL & 1; }
noinline int helper(u32 x) { return x * LEVEL + start; }
static noinline int local(u32 x) { start += x; return helper(x) + FLAG; }
SEC("xdp") int firewall(struct xdp_md *ctx) {
    struct key key = { ctx->ingress_ifindex };
    struct value *value = lookup(&BLOCKLIST, &key);
    if (!value) { loop(3, callback, 0, 0); return local(key.addr); }
    u64 record[2] = { 1, value->count };
    ringbuf_output(&LOGS, record, sizeof record, 0, ctx);
    dropped++;
    return helper(2);
}
SEC("xdp") int tail(struct xdp_md *ctx) { return local(1); }
SEC("mystery/thing") int unknown(void *ctx) { return 0; }
"#;
