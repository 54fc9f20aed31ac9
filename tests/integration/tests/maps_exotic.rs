//! Maps of the kernel's own inner life: structures of callbacks, and positions of instructions.

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use aya::{
    Ebpf,
    maps::{
        Array, InsnArray, Map, MapData, MapError, StructOps, StructOpsError, StructOpsState,
        StructOpsTarget,
    },
    programs::{ProgramError, Xdp},
};
use aya_sys::bpf::{ProgLoad, prog_load};
use aya_tests::{
    TestResult,
    cgroups::Scene,
    in_both_modes, missing_privilege, program, require_kernel, skip,
    tracing::{kernel_btf, may_trace_functions},
};
use aya_uapi::{AttachType, Insn, ProgType, bindings::BPF_PSEUDO_MAP_VALUE};
use nix::sys::socket::{getsockopt, setsockopt, sockopt::TcpCongestion};

/// Whether something can be tried here; if not, it was skipped.
fn can(test: &str, since: (u32, u32)) -> TestResult<bool> {
    match missing_privilege() {
        Some(reason) => {
            skip(test, reason)?;
            Ok(false)
        }
        None => require_kernel(test, since),
    }
}

/// Loads a program for a member of a structure.
fn member(target: StructOpsTarget, insns: &[Insn]) -> TestResult<OwnedFd> {
    Ok(prog_load(ProgLoad {
        expected_attach_type: Some(AttachType(target.member)),
        attach_btf_id: target.btf_id,
        name: "member",
        ..ProgLoad::new(ProgType::STRUCT_OPS, insns, c"GPL")
    })?)
}

/// A program that returns a number.
const fn returns(number: i32) -> [Insn; 2] {
    [Insn::mov64_imm(0, number), Insn::EXIT]
}

/// A program that adds 1 to the number that an array holds.
fn counts(array: &MapData) -> Vec<Insn> {
    /// `BPF_STX | BPF_ATOMIC | BPF_DW`, with `BPF_ADD` as what it does.
    const ADD: Insn = Insn::new(0xdb, 1, 2, 0, 0);
    let mut map = Insn::ld_imm64(1, BPF_PSEUDO_MAP_VALUE as u8, 0);
    map[0].imm = array.fd().as_fd().as_raw_fd();
    let [first, second] = map;
    vec![
        first,
        second,
        Insn::mov64_imm(2, 1),
        ADD,
        Insn::mov64_imm(0, 0),
        Insn::EXIT,
    ]
}

/// Sends over a connection that is controlled by an algorithm, and gets back what its name is.
fn exchange(algorithm: &str) -> TestResult<OsString> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    setsockopt(&sender, TcpCongestion, &OsString::from(algorithm))?;
    let name = getsockopt(&sender, TcpCongestion)?;
    let (mut receiver, _) = listener.accept()?;
    for _ in 0..4 {
        let mut received = [0; 4];
        sender.write_all(b"data")?;
        receiver.read_exact(&mut received)?;
        receiver.write_all(&received)?;
        sender.read_exact(&mut received)?;
    }
    Ok(name)
}

/// A congestion control whose functions are programs: the kernel calls them for a connection.
#[test]
fn struct_ops_of_tcp() -> TestResult {
    if !can("struct_ops_of_tcp", (5, 6))? {
        return Ok(());
    }
    let tracing = aya_tests::object("donor", "tracing").or(aya_tests::object("native", "tracing"));
    if !may_trace_functions("struct_ops_of_tcp", tracing.ok_or("no object for tracing")?)? {
        return Ok(());
    }
    let btf = kernel_btf()?;
    let mut control = StructOps::create("tcp_congestion_ops", btf)?;
    assert_eq!(control.state()?, StructOpsState::Initial);
    let acknowledged = Array::<_, u64>::create(1, 0)?;
    let programs = [
        ("ssthresh", returns(2).to_vec()),
        ("undo_cwnd", returns(2).to_vec()),
        ("cong_avoid", counts(acknowledged.data())),
    ];
    for (name, insns) in &programs {
        control.set_program(name, member(control.target(name)?, insns)?)?;
    }
    // Without a name the kernel does not take it.
    let nameless = control
        .register()
        .err()
        .ok_or("registered without a name")?;
    assert!(
        matches!(
            nameless,
            StructOpsError::MapError(MapError::SyscallError(_))
        ),
        "{nameless:?}"
    );
    control.set_text("name", "aya_tests")?;
    control.register()?;
    assert_eq!(control.state()?, StructOpsState::InUse);
    assert!(control.register().is_err(), "registered twice");

    let _scene = Scene::new()?;
    assert_eq!(exchange("aya_tests")?, "aya_tests");
    assert!(acknowledged.get(&0, 0)? >= 1);

    // Another handle takes it out.
    let id = control.data().info()?.id();
    drop(control);
    let found = Map::from_map_data(MapData::from_id(id)?)?;
    let mut control = StructOps::from_map(found, "tcp_congestion_ops", btf)?;
    assert_eq!(control.state()?, StructOpsState::InUse);
    control.unregister()?;
    assert!(exchange("aya_tests").is_err(), "it is still there");
    assert!(matches!(
        control.unregister(),
        Err(StructOpsError::MapError(
            MapError::KeyNotFound | MapError::SyscallError(_)
        ))
    ));
    Ok(())
}

/// What does not fit is told before the kernel is asked.
#[test]
fn struct_ops_that_do_not_fit() -> TestResult {
    if !can("struct_ops_that_do_not_fit", (5, 6))? {
        return Ok(());
    }
    let btf = kernel_btf()?;
    let told = |result: Result<(), StructOpsError>, words: &[&str]| -> TestResult {
        let message = result.err().ok_or("it fits")?.to_string();
        let all = words.iter().all(|word| message.contains(word));
        if all { Ok(()) } else { Err(message.into()) }
    };
    let unknown = StructOps::create("tcp_congestion_op", btf).map(drop);
    told(
        unknown,
        &["`tcp_congestion_op`", "did you mean `tcp_congestion_ops`"],
    )?;
    told(
        StructOps::create("task_struct", btf).map(drop),
        &["no structure `task_struct`"],
    )?;
    let mut control = StructOps::create("tcp_congestion_ops", btf)?;
    told(
        control.set_text("nam", "x"),
        &["no member `nam`", "did you mean `name`"],
    )?;
    told(
        control.set_text("name", &"x".repeat(16)),
        &["`name`", "16 bytes"],
    )?;
    told(control.set("name", &0_u8), &["`name`", "16 bytes"])?;
    told(
        control.set("ssthresh", &0_u64),
        &["`ssthresh`", "takes a program"],
    )?;
    told(
        control.set_program("flags", control_file()?),
        &["`flags`", "4 bytes"],
    )?;
    told(control.target("name").map(drop), &["`name`"])?;
    // A file is no program.
    control.set_text("name", "aya_tests_not")?;
    control.set_program("ssthresh", control_file()?)?;
    assert!(control.register().is_err(), "registered a file");
    let array = Map::from_map_data(MapData::from_id(
        Array::<_, u32>::create(1, 0)?.data().info()?.id(),
    )?);
    // The array is gone with its handle, or is none of this type.
    if let Ok(array) = array {
        told(
            StructOps::from_map(array, "tcp_congestion_ops", btf).map(drop),
            &["BPF_MAP_TYPE_ARRAY"],
        )?;
    }
    Ok(())
}

/// Something that is no program.
fn control_file() -> TestResult<std::fs::File> {
    Ok(std::fs::File::open("/proc/self/status")?)
}

in_both_modes! {
    /// Instructions are found again after the verifier and the compiler.
    fn positions_of_instructions(object: "maps_bloom", since 6, 19) {
        let mut ebpf = Ebpf::load(object)?;
        let bloom: &mut Xdp = program(&mut ebpf, "bloom")?;
        let mut positions = InsnArray::create(3, 0)?;
        positions.set(0, 0)?;
        positions.set(1, 1)?;
        positions.set(2, 2)?;
        assert!(matches!(positions.set(3, 0), Err(MapError::OutOfBounds { .. })));
        positions.data().freeze()?;
        assert!(matches!(positions.set(0, 1), Err(MapError::AccessDenied { .. })));
        bloom.bind_map(positions.data().fd())?;
        bloom.load()?;
        let found = positions.iter().collect::<Result<Vec<_>, _>>()?;
        let originals: Vec<_> = found.iter().map(|(_, position)| position.original).collect();
        assert_eq!(originals, [0, 1, 2]);
        let translated: Option<Vec<u32>> = found.iter().map(|(_, position)| position.translated).collect();
        assert!(translated.ok_or("some are gone")?.is_sorted());
        // The compiled program begins with what all programs do.
        let compiled: Vec<_> = found.iter().map(|(_, position)| position.compiled).collect();
        assert!(compiled[0] > 0 && compiled.is_sorted(), "{compiled:?}");
        assert!(matches!(bloom.bind_map(positions.data().fd()), Err(ProgramError::AlreadyLoaded)));
        assert!(bloom.info()?.map_ids()?.is_some_and(|ids| ids.len() == 2));

        // A program has no instruction of this number, and one map is for one program.
        let mut beyond = InsnArray::create(1, 0)?;
        beyond.set(0, 1 << 20)?;
        beyond.data().freeze()?;
        for map in [&beyond, &positions] {
            let mut ebpf = Ebpf::load(object)?;
            let bloom: &mut Xdp = program(&mut ebpf, "bloom")?;
            bloom.bind_map(map.data().fd())?;
            assert!(bloom.load().is_err(), "followed instructions of two programs, or none");
        }
        Ok(())
    }

    /// The same with a map that the object defines.
    fn positions_in_a_defined_map(object: "newest", since 7, 2) {
        let mut ebpf = Ebpf::load(object)?;
        let mut positions: InsnArray<_> = ebpf.take_map("OF_PASS").ok_or("no map")?.try_into()?;
        for index in 0..2 {
            positions.set(index, index)?;
        }
        positions.data().freeze()?;
        let pass: &mut Xdp = program(&mut ebpf, "pass")?;
        pass.bind_map(positions.data().fd())?;
        pass.load()?;
        let found = positions.iter().collect::<Result<Vec<_>, _>>()?;
        let translated: Vec<_> = found.iter().map(|(_, position)| position.translated).collect();
        assert_eq!(translated, [Some(0), Some(1)]);
        Ok(())
    }
}
