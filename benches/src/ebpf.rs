//! What programs cost: instruction slots, object size, the verifier's work, JIT code. Those without log
//! statements stand beside the same in C, compiled by clang.

use std::fs;

use aya::{Ebpf, programs::Xdp};
use aya_benches::{Result, figure};
use aya_obj::{Config, ObjectSpec};

use crate::Objects;

/// Example, program, and the bars of slots and bytes.
const EXAMPLES: &[(&str, &str, f64, f64)] = &[
    ("xdp-hello", "xdp_hello", 20.0, 6144.0),
    ("xdp-log", "xdp_log", 60.0, 9216.0),
    ("xdp-drop", "xdp_drop", 65.0, 9216.0),
];

/// The other examples, with their programs: figures to watch. Most of what they are is what they log.
const OTHERS: &[(&str, &str)] = &[
    ("cgroup-skb-egress", "cgroup_skb_egress"),
    ("kprobetcp", "kprobetcp"),
    ("lsm-nice", "task_setnice"),
    ("packet-payload", "packet_payload"),
    ("process-log", "kernel_clone"),
    ("runc-watch", "runc_watch"),
    ("task-alloc", "task_alloc"),
    ("tc-egress", "tc_egress"),
];

/// Programs that exist in both languages, by the names of object and function.
const PAIRS: &[(&str, &str)] = &[
    ("drop-by-hash", "drop_by_hash"),
    ("probe-argument", "probe_argument"),
];

pub(crate) fn run(objects: &Objects) -> Result<()> {
    for &(example, program, slots_bar, bytes) in EXAMPLES {
        let object = fs::read(objects.path(example, false))?;
        figure(
            &format!("{example}: object"),
            object.len() as f64,
            "bytes",
            bytes,
        );
        let used = slots(&object, program)? as f64;
        figure(&format!("{example}: program"), used, "slots", slots_bar);
        let mut ebpf = Ebpf::load(&object)?;
        let xdp: &mut Xdp = ebpf
            .program_mut(program)
            .ok_or("the object holds another program than the example's")?
            .try_into()?;
        xdp.load()?;
        let info = xdp.info()?;
        let verified = info.verified_instruction_count().unwrap_or(0);
        let hello = example == "xdp-hello";
        let (verified_bar, jit_bar) = if hello {
            (40.0, 150.0)
        } else {
            (f64::INFINITY, f64::INFINITY)
        };
        figure(
            &format!("{example}: verified"),
            verified.into(),
            "insns",
            verified_bar,
        );
        figure(
            &format!("{example}: JIT code"),
            info.size_jitted().into(),
            "bytes",
            jit_bar,
        );
    }
    for &(example, program) in OTHERS {
        let object = fs::read(objects.path(example, false))?;
        let used = slots(&object, program)?;
        println!("{example}: {used} slots, {} bytes", object.len());
    }
    for &(object, program) in PAIRS {
        let of = |peer| slots(&fs::read(objects.path(object, peer))?, program);
        let (ours, c) = (of(false)?, of(true)?);
        println!("{object}: {ours} slots, in C {c}");
        figure(
            &format!("{object}: beside C"),
            ours as f64 / c as f64,
            "x",
            1.15,
        );
    }
    Ok(())
}

/// The whole program as it is handed to the kernel, sub-programs included.
fn slots(object: &[u8], program: &str) -> Result<usize> {
    let linked = ObjectSpec::parse(object)?
        .configure(&Config::default())?
        .link()?;
    let program = linked
        .programs
        .iter()
        .find(|each| each.spec.name == program)
        .ok_or("the object holds another program than the example's")?;
    Ok(program.insns.len())
}
