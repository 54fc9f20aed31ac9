//! Records of every sort, good and bad, on their way to a logger.

use std::sync::Mutex;

use aya_log::{Decoder, Error};
use aya_log_common::{
    ArgumentKind, Level,
    descriptor::Descriptor,
    record::{MAX_ARGUMENTS, head_len},
};
use log::{LevelFilter, Log, Metadata, Record};

const STATEMENT: Descriptor<'static> = Descriptor {
    level: Level::Info,
    arguments: 0,
    line: 7,
    target: "",
    module: "firewall::rules",
    file: "src/rules.rs",
    format: "hello",
};

/// Keeps what it is given, as text.
struct Recorder {
    limit: LevelFilter,
    lines: Mutex<Vec<String>>,
}

impl Recorder {
    fn new(limit: LevelFilter) -> Self {
        Self {
            limit,
            lines: Mutex::default(),
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

impl Log for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.limit
    }

    fn log(&self, record: &Record<'_>) {
        self.lines.lock().unwrap().push(format!(
            "{} {} {} {}:{} {}",
            record.level(),
            record.target(),
            record.module_path().unwrap(),
            record.file().unwrap(),
            record.line().unwrap(),
            record.args()
        ));
    }

    fn flush(&self) {}
}

/// A section, and the ids of its statements.
fn section(statements: &[Descriptor<'_>]) -> (Vec<u8>, Vec<u32>) {
    let mut section = Vec::new();
    let ids = statements
        .iter()
        .map(|statement| {
            let at = section.len();
            section.resize(at + statement.encoded_len(), 0);
            assert!(statement.encode_into(&mut section[at..]));
            u32::try_from(at).unwrap()
        })
        .collect();
    (section, ids)
}

fn record(id: u32, kinds: &[ArgumentKind], arguments: &[u8]) -> Vec<u8> {
    let mut record = id.to_ne_bytes().to_vec();
    record.extend(kinds.iter().map(|&kind| kind as u8));
    record.resize(head_len(kinds.len()), 0);
    record.extend(arguments);
    record
}

#[test]
fn a_message_has_its_place() {
    let statements = [
        STATEMENT,
        Descriptor {
            level: Level::Error,
            target: "elsewhere",
            line: 8,
            format: "{{{1} {0:i}}}",
            arguments: 2,
            ..STATEMENT
        },
    ];
    let (section, ids) = section(&statements);
    let mut decoder = Decoder::new(&section).unwrap();
    let recorder = Recorder::new(LevelFilter::Trace);
    let kinds = [ArgumentKind::U32, ArgumentKind::Bool];
    let arguments = [&0x0102_0304u32.to_ne_bytes()[..], &[1]].concat();
    for bytes in [record(ids[0], &[], &[]), record(ids[1], &kinds, &arguments)] {
        decoder.log(&bytes, &recorder).unwrap();
    }
    assert_eq!(
        recorder.take(),
        [
            "INFO firewall::rules firewall::rules src/rules.rs:7 hello",
            "ERROR elsewhere firewall::rules src/rules.rs:8 {true 1.2.3.4}",
        ]
    );
}

#[test]
fn what_the_logger_does_not_want_is_not_read() {
    let statement = Descriptor {
        arguments: 1,
        format: "{}",
        ..STATEMENT
    };
    let (section, _) = section(&[statement]);
    let mut decoder = Decoder::new(&section).unwrap();
    let quiet = Recorder::new(LevelFilter::Warn);
    // The argument is missing, but nobody looks.
    decoder.log(&[0; 4], &quiet).unwrap();
    assert!(quiet.take().is_empty());
    decoder
        .log(&[0; 4], &Recorder::new(LevelFilter::Info))
        .unwrap_err();
}

#[test]
fn bad_records_are_errors() {
    let statement = Descriptor {
        arguments: 1,
        format: "{:mac}",
        ..STATEMENT
    };
    let (section, _) = section(&[statement]);
    let mut decoder = Decoder::new(&section).unwrap();
    let recorder = Recorder::new(LevelFilter::Trace);
    let bad = [
        vec![],
        vec![0; 3],
        record(1, &[], &[]),
        record(0, &[], &[]),
        record(0, &[ArgumentKind::U32], &[0; 4]),
        record(0, &[ArgumentKind::Bytes], &[6, 0, 1, 2, 3]),
        record(0, &[ArgumentKind::Bytes], &[1, 0, 1]),
    ];
    for bytes in bad {
        assert!(decoder.log(&bytes, &recorder).is_err(), "{bytes:?}");
    }
    assert!(recorder.take().is_empty());
}

#[test]
fn bad_sections_are_errors() {
    let bad_formats = ["{", "{name}", "{:?}", "{1}", "{} {}"];
    for format in bad_formats {
        let (section, _) = section(&[
            STATEMENT,
            Descriptor {
                arguments: 1,
                format,
                ..STATEMENT
            },
        ]);
        let error = Decoder::new(&section).unwrap_err();
        assert!(
            matches!(&error, Error::Format { id, .. } if *id > 0),
            "{error}"
        );
        assert!(error.to_string().contains(format), "{error}");
    }
    let (many, _) = section(&[Descriptor {
        arguments: MAX_ARGUMENTS as u8 + 1,
        ..STATEMENT
    }]);
    assert!(matches!(Decoder::new(&many), Err(Error::Format { .. })));
    let (whole, _) = section(&[STATEMENT]);
    for len in 1..whole.len() {
        let cut = Decoder::new(&whole[..len]);
        assert!(matches!(cut, Err(Error::DescriptorError(_))), "{len}");
    }
    assert!(Decoder::new(&[]).is_ok());
}

#[test]
fn random_records_never_panic() {
    let formats = [
        "{} {}",
        "{:x} {:X}",
        "{:i} {:mac}",
        "{:MAC} {:p}",
        "{1} {0:i}",
    ];
    let statements = formats.map(|format| Descriptor {
        arguments: 2,
        format,
        ..STATEMENT
    });
    let (section, ids) = section(&statements);
    let mut decoder = Decoder::new(&section).unwrap();
    let recorder = Recorder::new(LevelFilter::Trace);
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 8) % below
    };
    for _ in 0..100_000 {
        let id = ids[next(5) as usize];
        let mut bytes = id.to_ne_bytes().to_vec();
        bytes.extend([next(20) as u8, next(20) as u8, 0, 0]);
        bytes.extend((0..next(48)).map(|_| next(256) as u8));
        let _ = decoder.log(&bytes, &recorder);
    }
    assert!(recorder.take().len() > 1000);
}
