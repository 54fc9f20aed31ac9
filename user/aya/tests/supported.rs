//! What the kernel is asked, against its version: each answer must be what the version says.

use std::io::Write as _;

use aya::{
    maps::{MapData, MapError, MapOptions, MapType},
    programs::{ProgramError, ProgramType},
    sys::{self, BpfHelper, SyscallError},
    util::KernelVersion,
};

fn version(major: u8, minor: u8) -> KernelVersion {
    KernelVersion::new(major, minor, 0)
}

fn skip(test: &str, error: &std::io::Error) {
    let line = format!("SKIP: {test}: {error}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The running kernel; `None`, and a line that says so, without the right to ask it.
fn kernel(test: &str) -> Option<KernelVersion> {
    match sys::is_map_supported(MapType::Array) {
        Ok(supported) => {
            assert!(supported, "every kernel has arrays");
            Some(KernelVersion::current().unwrap())
        }
        Err(SyscallError { io_error, .. }) => {
            skip(test, &io_error);
            None
        }
    }
}

#[test]
fn features_come_with_their_version() {
    let Some(kernel) = kernel("features_come_with_their_version") else {
        return;
    };
    let rows = [
        ("names", sys::is_bpf_name_supported(), version(4, 15)),
        ("types", sys::is_btf_supported(), version(4, 18)),
        (
            "global data",
            sys::is_bpf_global_data_supported(),
            version(5, 2),
        ),
        (
            "cpumap programs",
            sys::is_cpumap_prog_id_supported(),
            version(5, 9),
        ),
        (
            "devmap programs",
            sys::is_devmap_prog_id_supported(),
            version(5, 8),
        ),
        ("perf links", sys::is_perf_link_supported(), version(5, 15)),
    ];
    for (name, answer, since) in rows {
        assert_eq!(answer.unwrap(), kernel >= since, "{name} on {kernel}");
    }
}

#[test]
fn maps_come_with_their_version() {
    let Some(kernel) = kernel("maps_come_with_their_version") else {
        return;
    };
    for row in aya_uapi::maps::MAPS {
        let map_type = MapType::try_from(row.map_type.0).unwrap();
        let since = version(row.since.major, row.since.minor);
        let answer = sys::is_map_supported(map_type).unwrap();
        assert_eq!(answer, kernel >= since, "{map_type:?} on {kernel}");
        if kernel < since {
            is_too_new(map_type, &row.map_type.to_string(), since);
        }
    }
    assert!(!sys::is_map_supported(MapType::Unspecified).unwrap());
}

/// The error of a map that the kernel lacks names type and version.
fn is_too_new(map_type: MapType, type_name: &str, since: KernelVersion) {
    let options = MapOptions::new().map_type(map_type).key_size(4);
    let options = options.value_size(8).max_entries(1);
    let error = MapData::create_with("LATER", options).unwrap_err();
    assert!(
        matches!(&error, MapError::KernelTooOld { name, since: said, .. } if name == "LATER" && *said == since),
        "{map_type:?}: {error:?}"
    );
    assert!(error.to_string().contains(type_name), "{error}");
}

#[test]
fn programs_and_helpers() {
    let Some(kernel) = kernel("programs_and_helpers") else {
        return;
    };
    for prog_type in aya_uapi::ProgType::ALL {
        let rows = aya_uapi::programs::PROGRAMS.iter();
        let rows = rows.filter(|row| row.prog_type == *prog_type);
        let Some(since) = rows
            .map(|row| version(row.since.major, row.since.minor))
            .min()
        else {
            continue;
        };
        let program_type = ProgramType::of(*prog_type);
        let answer = match sys::is_program_supported(program_type) {
            Ok(answer) => answer,
            // Some types need more rights than others.
            Err(ProgramError::SyscallError(SyscallError { io_error, .. })) => {
                assert_eq!(io_error.kind(), std::io::ErrorKind::PermissionDenied);
                skip(
                    &format!("programs_and_helpers: {program_type:?}"),
                    &io_error,
                );
                continue;
            }
            Err(error) => panic!("{program_type:?}: {error}"),
        };
        // Kernels can be built without some types, so only what is too new is sure.
        assert!(kernel >= since || !answer, "{program_type:?} on {kernel}");
    }
    assert!(sys::is_program_supported(ProgramType::Xdp).unwrap());
    assert!(!sys::is_program_supported(ProgramType::Unspecified).unwrap());

    let ask = |helper| sys::is_helper_supported(ProgramType::Xdp, helper).unwrap();
    assert!(ask(BpfHelper::BPF_FUNC_map_lookup_elem));
    assert!(ask(BpfHelper::BPF_FUNC_redirect_map));
    let output = ask(BpfHelper::BPF_FUNC_ringbuf_output);
    assert_eq!(output, kernel >= version(5, 8));
    // Of other programs, and of none.
    assert!(!ask(BpfHelper::BPF_FUNC_skb_store_bytes));
    assert!(!ask(99_999));
    assert!(matches!(
        sys::is_helper_supported(ProgramType::Tracing, 1),
        Err(ProgramError::NotSupportedYet { .. })
    ));
}
