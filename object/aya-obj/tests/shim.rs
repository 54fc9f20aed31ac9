//! Output to ring buffers on kernels without them.

mod common;

use aya_obj::{Config, LinkedObject, ObjectSpec, add_shim_type};
use aya_uapi::{Insn, MapType};
use common::{FIREWALL, compile};

fn link(bytes: &[u8]) -> LinkedObject {
    let spec = ObjectSpec::parse(bytes).unwrap();
    spec.configure(&Config::default()).unwrap().link().unwrap()
}

/// Follows the appended function's moves, from the registers at its start to those at its call.
fn arguments(body: &[Insn]) -> [i64; 6] {
    let mut registers = [0, 1, 2, 3, 4, 5];
    for insn in body {
        let dst = usize::from(insn.dst());
        match insn.code {
            0xbf => registers[dst] = registers[usize::from(insn.src())],
            0xb4 => registers[dst] = i64::from(insn.imm as u32),
            _ => break,
        }
    }
    registers
}

#[test]
fn ring_output_becomes_perf_output() {
    let Some(bytes) = compile("ring_output_becomes_perf_output", FIREWALL) else {
        return;
    };
    let mut object = link(&bytes);
    let ty = add_shim_type(object.btf.as_mut().unwrap());
    let rings: Vec<bool> = object
        .maps
        .iter()
        .map(|map| map.map_type == MapType::RINGBUF)
        .collect();
    let program = object
        .programs
        .iter_mut()
        .find(|program| program.spec.name == "firewall")
        .unwrap();
    let before = program.clone();
    let turned = program.ring_to_perf(|map| rings[map.0 as usize], Some(ty));
    assert_eq!(turned, 1);

    let start = before.insns.len();
    let call = before
        .insns
        .iter()
        .position(|i| i.insn.helper() == Some(130))
        .unwrap();
    let insn = program.insns[call].insn;
    assert!(insn.is_subprogram_call());
    assert_eq!(call + 1 + insn.imm as usize, start);
    let others = |insns: &[aya_obj::spec::Instruction]| -> Vec<_> {
        insns[..start]
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != call)
            .map(|(_, i)| *i)
            .collect()
    };
    assert_eq!(others(&before.insns), others(&program.insns));

    // map, data, size, flags, ctx arrive in 1 to 5; ctx, map, this CPU, data, size leave.
    let body: Vec<Insn> = program.insns[start..].iter().map(|i| i.insn).collect();
    assert_eq!(arguments(&body)[1..], [5, 1, 0xffff_ffff, 2, 3]);
    assert_eq!(body[body.len() - 2].helper(), Some(25));
    assert_eq!(body[body.len() - 1], Insn::EXIT);

    // Types and lines stay complete.
    assert_eq!(program.func_info().last(), Some(&(start as u32, ty)));
    assert_eq!(program.line_info().last().unwrap().insn, start as u32);
}

#[test]
fn real_ring_buffers_are_left_alone() {
    let Some(bytes) = compile("real_ring_buffers_are_left_alone", FIREWALL) else {
        return;
    };
    let mut object = link(&bytes);
    for program in &mut object.programs {
        let before = program.insns.clone();
        assert_eq!(program.ring_to_perf(|_| false, None), 0);
        assert_eq!(program.insns, before);
    }
}

#[test]
fn the_map_is_found_through_moves_and_blocks() {
    // Two outputs to different maps; the compiler keeps addresses in registers of its choice.
    let source = r#"
        struct { __uint(type, 27); __uint(max_entries, 4096); } A SEC(".maps");
        struct { __uint(type, 27); __uint(max_entries, 4096); } B SEC(".maps");
        SEC("xdp") int one(struct xdp_md *ctx) {
            u64 x = ctx->data;
            ringbuf_output(&A, &x, 8, 0, ctx);
            ringbuf_output(&B, &x, 8, 0, ctx);
            if (x > 7) { x++; ringbuf_output(&A, &x, 8, 0, ctx); }
            return 2;
        }
    "#;
    let Some(bytes) = compile("the_map_is_found_through_moves_and_blocks", source) else {
        return;
    };
    let mut object = link(&bytes);
    let a = object.maps.iter().position(|map| map.name == "A").unwrap();
    let program = &mut object.programs[0];
    assert_eq!(program.ring_to_perf(|map| map.0 as usize == a, None), 2);
    let left = program
        .insns
        .iter()
        .filter(|i| i.insn.helper() == Some(130));
    assert_eq!(left.count(), 1);
}
