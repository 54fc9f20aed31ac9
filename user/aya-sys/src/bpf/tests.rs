//! The commands on the running kernel. Each test skips loudly without the privilege.

use std::os::fd::{AsFd, OwnedFd};

use aya_uapi::{
    AttachType, Insn, MapType, ProgType,
    bindings::{
        BPF_ANY, BPF_EXIST, BPF_NOEXIST, XDP_FLAGS_REPLACE, XDP_FLAGS_SKB_MODE,
        XDP_FLAGS_UPDATE_IF_NOEXIST, xdp_action,
    },
};

use super::*;
use crate::{Errno, Result, fake::tests::needs_kernel, memlock, netlink, possible_cpus};

/// Kernels before 5.11 count locked memory. Where lifting is refused, what follows says so.
fn lift_memlock() {
    if let Err(error) = memlock::lift() {
        assert_eq!(error.errno, Errno::EPERM);
    }
}

fn create(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Result<Map> {
    lift_memlock();
    Map::create(&MapCreate {
        key_size,
        value_size,
        max_entries,
        ..MapCreate::new(map_type)
    })
}

fn load(prog_type: ProgType, insns: &[Insn]) -> Result<OwnedFd> {
    lift_memlock();
    prog_load(ProgLoad::new(prog_type, insns, c"GPL"))
}

#[test]
fn hash_elements() {
    let Some(map) = needs_kernel("bpf::hash_elements", || create(MapType::HASH, 4, 8, 2)) else {
        return;
    };
    let (any, new, old) = (
        u64::from(BPF_ANY),
        u64::from(BPF_NOEXIST),
        u64::from(BPF_EXIST),
    );
    let mut value = [0; 8];
    let missing = map.lookup(&[1; 4], &mut value, 0).unwrap_err();
    assert_eq!(
        (missing.call, missing.errno),
        ("bpf(BPF_MAP_LOOKUP_ELEM)", Errno::ENOENT)
    );
    map.update(&[1; 4], &[7; 8], new).unwrap();
    assert_eq!(
        map.update(&[1; 4], &[7; 8], new).unwrap_err().errno,
        Errno::EEXIST
    );
    assert_eq!(
        map.update(&[2; 4], &[8; 8], old).unwrap_err().errno,
        Errno::ENOENT
    );
    map.update(&[2; 4], &[8; 8], any).unwrap();
    assert_eq!(
        map.update(&[3; 4], &[9; 8], any).unwrap_err().errno,
        Errno::E2BIG
    );
    map.lookup(&[2; 4], &mut value, 0).unwrap();
    assert_eq!(value, [8; 8]);

    let mut keys = Vec::new();
    let mut key = [0; 4];
    let mut more = map.next_key(None, &mut key).unwrap();
    while more {
        keys.push(key);
        more = map.next_key(Some(&key.clone()), &mut key).unwrap();
    }
    keys.sort();
    assert_eq!(keys, [[1; 4], [2; 4]]);
    map.delete(&[1; 4]).unwrap();
    assert_eq!(map.delete(&[1; 4]).unwrap_err().errno, Errno::ENOENT);
}

#[test]
fn buffers_of_another_size_are_refused() {
    let test = "bpf::buffers_of_another_size_are_refused";
    let Some(map) = needs_kernel(test, || create(MapType::ARRAY, 4, 8, 1)) else {
        return;
    };
    let invalid = |result: Result<()>| assert_eq!(result.unwrap_err().errno, Errno::EINVAL);
    invalid(map.lookup(&[0; 4], &mut [0; 4], 0));
    invalid(map.lookup(&[0; 3], &mut [0; 8], 0));
    invalid(map.update(&[0; 4], &[0; 9], 0));
    invalid(map.next_key(None, &mut [0; 2]).map(drop));
    let mut keys = [0; 8];
    let batch = Batch {
        keys: &mut keys,
        values: &mut [0; 8],
    };
    let mut position = Position::new();
    invalid(map.lookup_batch(&mut position, batch, false, 0).map(drop));
    invalid(map.update_batch(&[0; 8], &[0; 8], 0).1);
    invalid(map.delete_batch(&[0; 5]).1);
}

#[test]
fn a_map_opened_again_knows_its_sizes() {
    let test = "bpf::a_map_opened_again_knows_its_sizes";
    let Some(map) = needs_kernel(test, || create(MapType::PERCPU_ARRAY, 4, 5, 3)) else {
        return;
    };
    let values = 8 * possible_cpus().unwrap();
    assert_eq!(map.value_size(), values);
    let again = Map::open(map.as_fd().try_clone_to_owned().unwrap()).unwrap();
    assert_eq!((again.key_size(), again.value_size()), (4, values));
    let mut value = vec![0xff; values];
    again.lookup(&[0; 4], &mut value, 0).unwrap();
    assert!(value.iter().all(|byte| *byte == 0));
    assert_eq!(again.stride(), 8);
    let invalid = |result: Result<()>| assert_eq!(result.unwrap_err().errno, Errno::EINVAL);
    invalid(again.lookup_on(&[0; 4], 0, &mut [0; 5]));
    invalid(again.update_on(&[0; 4], 0, &[0; 16], 0));
}

#[test]
fn queues_have_no_keys() {
    let Some(map) = needs_kernel("bpf::queues_have_no_keys", || {
        create(MapType::QUEUE, 0, 4, 4)
    }) else {
        return;
    };
    map.update(&[], &[1; 4], 0).unwrap();
    map.update(&[], &[2; 4], 0).unwrap();
    let mut value = [0; 4];
    map.lookup(&[], &mut value, 0).unwrap();
    assert_eq!(value, [1; 4]);
    map.take(&[], &mut value, 0).unwrap();
    map.take(&[], &mut value, 0).unwrap();
    assert_eq!(value, [2; 4]);
    assert_eq!(
        map.take(&[], &mut value, 0).unwrap_err().errno,
        Errno::ENOENT
    );
}

#[test]
fn batches() {
    let Some(map) = needs_kernel("bpf::batches", || create(MapType::ARRAY, 4, 4, 5)) else {
        return;
    };
    let keys: Vec<u8> = (0..5u32).flat_map(u32::to_ne_bytes).collect();
    let values: Vec<u8> = (10..15u32).flat_map(u32::to_ne_bytes).collect();
    assert_eq!(map.update_batch(&keys, &values, 0), (5, Ok(())));
    let (mut all_keys, mut all_values) = (Vec::<u8>::new(), Vec::<u8>::new());
    let mut position = Position::new();
    assert!(!position.has_begun());
    while !position.has_ended() {
        let (mut keys, mut values) = ([0; 8], [0; 8]);
        let batch = Batch {
            keys: &mut keys,
            values: &mut values,
        };
        let count = map.lookup_batch(&mut position, batch, false, 0).unwrap();
        all_keys.extend(&keys[..count * 4]);
        all_values.extend(&values[..count * 4]);
    }
    assert_eq!(all_keys, keys);
    assert_eq!(all_values, values);
    // The last key is outside.
    let keys = [[0; 4], [0xff; 4]].concat();
    let (done, result) = map.update_batch(&keys, &[7; 8], 0);
    assert_eq!((done, result.unwrap_err().errno), (1, Errno::E2BIG));
    // Nothing is ever taken out of an array.
    let (done, result) = map.delete_batch(&keys);
    assert_eq!((done, result.unwrap_err().errno), (0, Errno(524)));
}

#[test]
fn batches_that_are_taken() {
    let test = "bpf::batches_that_are_taken";
    let Some(map) = needs_kernel(test, || create(MapType::HASH, 4, 4, 8)) else {
        return;
    };
    let keys: Vec<u8> = (0..8u32).flat_map(u32::to_ne_bytes).collect();
    assert_eq!(map.update_batch(&keys, &keys, 0), (8, Ok(())));
    let (done, result) = map.delete_batch(&[keys[..8].to_owned(), vec![0xff; 4]].concat());
    assert_eq!((done, result.unwrap_err().errno), (2, Errno::ENOENT));
    let mut position = Position::new();
    let (mut taken, mut values) = ([0; 32], [0; 32]);
    let batch = Batch {
        keys: &mut taken,
        values: &mut values,
    };
    assert_eq!(map.lookup_batch(&mut position, batch, true, 0), Ok(6));
    assert!(position.has_ended());
    assert_eq!(taken, values);
    assert!(!map.next_key(None, &mut [0; 4]).unwrap());
}

#[test]
fn a_frozen_map_is_read_only() {
    let test = "bpf::a_frozen_map_is_read_only";
    let Some(map) = needs_kernel(test, || create(MapType::ARRAY, 4, 4, 1)) else {
        return;
    };
    map.freeze().unwrap();
    assert_eq!(
        map.update(&[0; 4], &[0; 4], 0).unwrap_err().errno,
        Errno::EPERM
    );
}

#[test]
fn a_program_runs() {
    let pass = [Insn::mov64_imm(0, xdp_action::XDP_PASS as i32), Insn::EXIT];
    let Some(prog) = needs_kernel("bpf::a_program_runs", || load(ProgType::XDP, &pass)) else {
        return;
    };
    let info = prog_info(prog.as_fd()).unwrap();
    assert_eq!(info.type_, ProgType::XDP.0);
    assert_eq!(info.xlated_prog_len as usize, size_of_val(&pass));
    assert!(prog_map_ids(prog.as_fd()).unwrap().is_empty());
    let opened = prog_get_fd_by_id(info.id).unwrap();
    assert_eq!(prog_info(opened.as_fd()).unwrap().id, info.id);
    assert_eq!(prog_get_next_id(info.id - 1).unwrap(), Some(info.id));

    let packet = [0x55; 64];
    let mut out = [0; 128];
    let run = TestRun {
        data_in: Some(&packet),
        data_out: Some(&mut out),
        repeat: 3,
        ..TestRun::default()
    };
    let output = prog_test_run(prog.as_fd(), run).unwrap();
    assert_eq!(output.return_value, xdp_action::XDP_PASS);
    assert_eq!(output.data_size_out, 64);
    assert_eq!(out[..64], packet);

    let small = TestRun {
        data_in: Some(&packet),
        data_out: Some(&mut out[..8]),
        repeat: 1,
        ..TestRun::default()
    };
    let error = prog_test_run(prog.as_fd(), small).unwrap_err();
    assert_eq!(error.errno, Errno::ENOSPC);
}

#[test]
fn the_verifier_says_why() {
    let test = "bpf::the_verifier_says_why";
    let pass = [Insn::mov64_imm(0, 2), Insn::EXIT];
    if needs_kernel(test, || load(ProgType::XDP, &pass)).is_none() {
        return;
    }
    let mut log = [0xff; 4096];
    let error = prog_load(ProgLoad {
        name: "bad",
        log_level: 1,
        log: Some(&mut log),
        ..ProgLoad::new(ProgType::XDP, &[Insn::EXIT], c"GPL")
    })
    .unwrap_err();
    assert_eq!(
        (error.call, error.errno),
        ("bpf(BPF_PROG_LOAD)", Errno::EACCES)
    );
    let end = log.iter().position(|byte| *byte == 0).unwrap();
    let text = std::str::from_utf8(&log[..end]).unwrap();
    assert!(text.contains("R0 !read_ok"), "{text}");
}

#[test]
fn a_link_that_cannot_be_is_refused() {
    let test = "bpf::a_link_that_cannot_be_is_refused";
    let pass = [Insn::mov64_imm(0, 2), Insn::EXIT];
    let Some(prog) = needs_kernel(test, || load(ProgType::XDP, &pass)) else {
        return;
    };
    let missing = LinkTarget::Interface(0x7fff_ffff);
    let error = link_create(prog.as_fd(), missing, AttachType::XDP, 0, LinkOptions::None);
    let error = error.unwrap_err();
    assert_eq!(
        (error.call, error.errno),
        ("bpf(BPF_LINK_CREATE)", Errno::EINVAL)
    );
    let cookies = LinkOptions::KprobeMulti {
        addresses: &[1, 2],
        cookies: &[1],
        flags: 0,
    };
    let attach_type = AttachType::TRACE_KPROBE_MULTI;
    let error = link_create(prog.as_fd(), LinkTarget::None, attach_type, 0, cookies);
    assert_eq!(error.unwrap_err().errno, Errno::EINVAL);
}

#[test]
fn raw_tracepoints_are_links() {
    let test = "bpf::raw_tracepoints_are_links";
    let program = [Insn::mov64_imm(0, 0), Insn::EXIT];
    let Some(prog) = needs_kernel(test, || load(ProgType::RAW_TRACEPOINT, &program)) else {
        return;
    };
    let link = raw_tracepoint_open(prog.as_fd(), Some(c"sched_process_exit"), 0).unwrap();
    let info = link_info(link.as_fd()).unwrap();
    assert_eq!(info.type_, aya_uapi::LinkType::RAW_TRACEPOINT.0);
    assert_eq!(info.prog_id, prog_info(prog.as_fd()).unwrap().id);
    assert!(matches!(
        link_details(link.as_fd()).unwrap(),
        LinkDetails::Other(aya_uapi::LinkType::RAW_TRACEPOINT)
    ));
    let reopened = link_get_fd_by_id(info.id).unwrap();
    assert_eq!(link_info(reopened.as_fd()).unwrap().id, info.id);
    let error = raw_tracepoint_open(prog.as_fd(), Some(c"no_such_tracepoint"), 0).unwrap_err();
    assert_eq!(error.errno, Errno::ENOENT);
}

#[test]
fn btf_loads() {
    // Header, one 32-bit integer, strings.
    let mut btf = Vec::new();
    btf.extend(0xeb9f_u16.to_ne_bytes());
    btf.extend([1, 0]);
    for word in [24u32, 0, 16, 16, 5, 1, 1 << 24, 4, 32] {
        btf.extend(word.to_ne_bytes());
    }
    btf.extend(*b"\0u32\0");
    let Some(fd) = needs_kernel("bpf::btf_loads", || btf_load(&btf, None)) else {
        return;
    };
    let id = btf_info(fd.as_fd()).unwrap().id;
    assert!(id > 0);
    btf_get_fd_by_id(id).unwrap();
    let mut log = [0; 256];
    let error = btf_load(&btf[..40], Some(&mut log)).unwrap_err();
    assert_eq!(
        (error.call, error.errno),
        ("bpf(BPF_BTF_LOAD)", Errno::EINVAL)
    );
}

#[test]
fn statistics_and_queries() {
    let Some(_stats) = needs_kernel("bpf::statistics_and_queries", enable_stats) else {
        return;
    };
    let error = prog_query(
        LinkTarget::Interface(0x7fff_ffff),
        AttachType::TCX_INGRESS,
        0,
    );
    assert!(error.is_err());
    assert!(task_fd_query(std::process::id(), 0xffff).is_err());
    assert!(obj_get(c"/no/such/pin", 0).is_err_and(|error| error.errno == Errno::ENOENT));
}

/// Runs `body` in a network namespace of its own; `None` where that is not permitted.
fn in_new_netns(test: &str, body: impl FnOnce() + Send) -> Option<()> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: changes the namespace of this thread alone, which ends with `body`.
            let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            needs_kernel(test, || crate::call::check("unshare", result))?;
            body();
            Some(())
        });
        match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A program for the loopback interface of a new namespace.
fn xdp_pass() -> Result<OwnedFd> {
    lift_memlock();
    let pass = [Insn::mov64_imm(0, xdp_action::XDP_PASS as i32), Insn::EXIT];
    prog_load(ProgLoad {
        expected_attach_type: Some(AttachType::XDP),
        ..ProgLoad::new(ProgType::XDP, &pass, c"GPL")
    })
}

#[test]
fn an_xdp_link_on_an_interface() {
    let test = "bpf::an_xdp_link_on_an_interface";
    let (Some(first), Some(second)) = (needs_kernel(test, xdp_pass), needs_kernel(test, xdp_pass))
    else {
        return;
    };
    in_new_netns(test, || {
        let index = netlink::interface_index("lo").unwrap();
        let target = LinkTarget::Interface(index);
        let link = link_create(
            first.as_fd(),
            target,
            AttachType::XDP,
            XDP_FLAGS_SKB_MODE,
            LinkOptions::None,
        );
        let link = match link {
            Ok(link) => link,
            // Kernels before 5.9.
            Err(error) => {
                assert_eq!(error.errno, Errno::EINVAL);
                return;
            }
        };
        let id = |prog: &OwnedFd| prog_info(prog.as_fd()).unwrap().id;
        let route = netlink::Route::open().unwrap();
        let attached = || route.xdp_programs(index).unwrap();
        assert_eq!(attached().generic, Some(id(&first)));
        match link_details(link.as_fd()).unwrap() {
            LinkDetails::Xdp(info) => assert_eq!((info.ifindex, info.prog_id), (index, id(&first))),
            other => panic!("{other:?}"),
        }
        let not_there = Some(second.as_fd());
        let error = link_update(link.as_fd(), second.as_fd(), not_there).unwrap_err();
        assert_eq!(error.errno, Errno::EPERM);
        link_update(link.as_fd(), second.as_fd(), Some(first.as_fd())).unwrap();
        assert!(attached().contains(id(&second)));
        link_detach(link.as_fd()).unwrap();
        assert_eq!(attached(), netlink::XdpPrograms::default());
    });
}

#[test]
fn xdp_by_netlink() {
    let test = "bpf::xdp_by_netlink";
    let (Some(first), Some(second)) = (needs_kernel(test, xdp_pass), needs_kernel(test, xdp_pass))
    else {
        return;
    };
    in_new_netns(test, || {
        let index = netlink::interface_index("lo").unwrap();
        let route = netlink::Route::open().unwrap();
        let attach = |prog: Option<&OwnedFd>, expected: Option<&OwnedFd>, flags: u32| {
            let prog = prog.map(AsFd::as_fd);
            let expected = expected.map(AsFd::as_fd);
            let flags = XDP_FLAGS_SKB_MODE | flags;
            route
                .xdp_attach(index, prog, expected, flags)
                .map_err(|refusal| refusal.error)
        };
        attach(Some(&first), None, XDP_FLAGS_UPDATE_IF_NOEXIST).unwrap();
        let id = prog_info(first.as_fd()).unwrap().id;
        assert_eq!(route.xdp_programs(index).unwrap().only, Some(id));
        let error = attach(Some(&second), None, XDP_FLAGS_UPDATE_IF_NOEXIST).unwrap_err();
        assert_eq!(
            (error.call, error.errno),
            ("netlink(RTM_SETLINK)", Errno::EBUSY)
        );
        let error = attach(Some(&second), Some(&second), XDP_FLAGS_REPLACE).unwrap_err();
        assert!(matches!(error.errno, Errno::EEXIST | Errno::EINVAL));
        match attach(Some(&second), Some(&first), XDP_FLAGS_REPLACE) {
            Ok(()) => {}
            // Kernels before 5.7.
            Err(error) => assert_eq!(error.errno, Errno::EINVAL),
        }
        attach(None, None, 0).unwrap();
        assert_eq!(route.xdp_programs(index).unwrap().only, None);
    });
}

#[test]
fn pins() {
    let test = "bpf::pins";
    let Some(map) = needs_kernel(test, || create(MapType::ARRAY, 4, 4, 1)) else {
        return;
    };
    let path = std::ffi::CString::new(format!("/sys/fs/bpf/aya-sys-test-{}", std::process::id()));
    let path = path.unwrap();
    let pinned = match obj_pin(map.as_fd(), &path) {
        // No BPF file system there.
        Err(error) if matches!(error.errno, Errno::ENOENT | Errno::EINVAL) => {
            needs_kernel(test, || {
                Err::<(), _>(crate::Error {
                    errno: Errno::EPERM,
                    ..error
                })
            })
        }
        result => needs_kernel(test, || result),
    };
    if pinned.is_none() {
        return;
    }
    assert_eq!(
        obj_pin(map.as_fd(), &path).unwrap_err().errno,
        Errno::EEXIST
    );
    let opened = obj_get(&path, 0);
    std::fs::remove_file(path.to_str().unwrap()).unwrap();
    let id = |fd: BorrowedFd<'_>| map_info(fd).unwrap().id;
    assert_eq!(id(opened.unwrap().as_fd()), id(map.as_fd()));
}
