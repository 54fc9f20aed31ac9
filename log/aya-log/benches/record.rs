//! What formatting one log record costs: `cargo bench -p aya-log`.
//!
//! Prints nanoseconds per record, the best of several rounds. The logger writes the message into a
//! buffer, as one that prints does.

use std::{hint::black_box, io::Write as _, sync::Mutex, time::Instant};

use aya_log::Decoder;
use aya_log_common::{ArgumentKind, Level, descriptor::Descriptor};
use log::{Log, Metadata, Record};

const RECORDS: u32 = 200_000;

struct Buffer(Mutex<Vec<u8>>);

impl Log for Buffer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if let Ok(mut buffer) = self.0.lock() {
            buffer.clear();
            let _ = buffer.write_fmt(*record.args());
        }
    }

    fn flush(&self) {}
}

fn measure(name: &str, format: &str, kinds: &[ArgumentKind], arguments: &[u8]) {
    let descriptor = Descriptor {
        level: Level::Info,
        arguments: kinds.len() as u8,
        line: 1,
        target: "",
        module: "firewall",
        file: "src/main.rs",
        format,
    };
    let mut section = vec![0; descriptor.encoded_len()];
    assert!(descriptor.encode_into(&mut section));
    let mut record = 0u32.to_ne_bytes().to_vec();
    record.extend(kinds.iter().map(|&kind| kind as u8));
    record.resize(aya_log_common::record::head_len(kinds.len()), 0);
    record.extend(arguments);

    let mut decoder = Decoder::new(&section).expect("the section is well-formed");
    let logger = Buffer(Mutex::default());
    let best = (0..20)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..RECORDS {
                decoder
                    .log(black_box(&record), &logger)
                    .expect("the record is well-formed");
            }
            start.elapsed() / RECORDS
        })
        .min();
    let message = logger.0.into_inner().expect("nothing panicked");
    println!(
        "{name}: {:?} per record ({})",
        best.unwrap_or_default(),
        String::from_utf8_lossy(&message)
    );
}

fn main() {
    use ArgumentKind::{Ipv6Addr, U16, U32};
    measure("no argument", "received a packet", &[], &[]);
    let address = 0xc0a8_0164u32.to_ne_bytes();
    measure(
        "address and action",
        "SRC: {:i}, ACTION: {}",
        &[U32, U32],
        &[address, 1u32.to_ne_bytes()].concat(),
    );
    measure(
        "address and port",
        "SRC IP: {:i}, SRC PORT: {}",
        &[U32, U16],
        &[&address[..], &443u16.to_ne_bytes()].concat(),
    );
    let v6: std::net::Ipv6Addr = "2001:db8::ff00:42:8329".parse().expect("an address");
    measure("IPv6 address", "from {}", &[Ipv6Addr], &v6.octets());
}
