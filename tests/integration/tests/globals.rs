//! Global variables: constants that are set before loading, and variables that user space and programs
//! share.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use aya::{
    Ebpf, EbpfError, EbpfLoader, Pod,
    features::{Feature, Features},
    maps::MapError,
    programs::{TestRun as _, TestRunOptions},
};
use aya_tests::{TestResult, in_both_modes, xdp};

/// Loads the program `name` of an object.
fn load(loader: &mut EbpfLoader<'_>, object: &[u8], name: &str) -> TestResult<Ebpf> {
    let mut ebpf = loader.load(object)?;
    xdp(&mut ebpf, name)?.load()?;
    Ok(ebpf)
}

fn run(ebpf: &mut Ebpf, name: &str, repeat: u32) -> TestResult<u32> {
    let options = TestRunOptions {
        data_in: Some(&[0; 64]),
        repeat,
        ..TestRunOptions::default()
    };
    Ok(xdp(ebpf, name)?.test_run(options)?.return_value)
}

fn get<T: Pod>(ebpf: &Ebpf, name: &str) -> TestResult<T> {
    Ok(ebpf.global(name)?.read()?)
}

fn set<T: Pod>(ebpf: &Ebpf, name: &str, value: T) -> TestResult {
    Ok(ebpf.global(name)?.write(&value)?)
}

in_both_modes! {
    /// Constants of `.rodata` and of a section of the author's, with their first values and with others.
    fn constants_are_set_before_loading(object: "channels", since 5, 8) {
        let mut ebpf = load(&mut EbpfLoader::new(), object, "constants")?;
        assert_eq!(run(&mut ebpf, "constants", 1)?, 11 + 1);
        assert_eq!((get::<i32>(&ebpf, "PID")?, get::<u16>(&ebpf, "SETTING")?), (0, 1));

        let (pid, address, setting) = (1_000_000_i32, [1_u8, 2, 3, 4], 500_u16);
        let mut loader = EbpfLoader::new();
        loader
            .override_global("PID", &pid, true)
            .override_global("ADDRESS", &address, true)
            .override_global("SETTING", &setting, true)
            .override_global("NO_SUCH_VARIABLE", &0_u8, false);
        let mut ebpf = load(&mut loader, object, "constants")?;
        assert_eq!(run(&mut ebpf, "constants", 1)?, 1_000_510);
        assert_eq!(get::<[u8; 4]>(&ebpf, "ADDRESS")?, address);
        Ok(())
    }

    /// Variables too.
    fn variables_are_set_before_loading(object: "channels", since 5, 8) {
        let mut loader = EbpfLoader::new();
        let (step, runs) = (10_u32, 5_u64);
        loader.override_global("STEP", &step, true).override_global("RUNS", &runs, true);
        let mut ebpf = load(&mut loader, object, "variables")?;
        run(&mut ebpf, "variables", 2)?;
        assert_eq!(get::<u64>(&ebpf, "RUNS")?, 25);
        Ok(())
    }

    /// What one side writes the other one sees, and no other variable changes.
    fn variables_are_shared(object: "channels", since 5, 8) {
        let mut ebpf = load(&mut EbpfLoader::new(), object, "variables")?;
        assert_eq!(run(&mut ebpf, "variables", 1)?, 1);
        assert_eq!((get::<u64>(&ebpf, "RUNS")?, get::<u8>(&ebpf, "FLAG")?), (3, 2));
        assert_eq!(get::<[u32; 3]>(&ebpf, "LAST")?, [3, 4, 5]);

        set(&ebpf, "STEP", 100_u32)?;
        set(&ebpf, "ATOMIC", 7_u64)?;
        set(&ebpf, "FLAG", 200_u8)?;
        assert_eq!(run(&mut ebpf, "variables", 1)?, 200);
        assert_eq!((get::<u64>(&ebpf, "RUNS")?, get::<u8>(&ebpf, "FLAG")?), (103, 201));
        assert_eq!(get::<u64>(&ebpf, "ATOMIC")?, 8);
        set(&ebpf, "LIMIT", 103_u32)?;
        run(&mut ebpf, "variables", 5)?;
        assert_eq!(get::<u64>(&ebpf, "RUNS")?, 103);
        set(&ebpf, "LAST", [7_u32, 8, 9])?;
        assert_eq!(get::<[u32; 3]>(&ebpf, "LAST")?, [7, 8, 9]);
        assert_eq!((get::<u64>(&ebpf, "RUNS")?, get::<u32>(&ebpf, "STEP")?), (103, 100));
        Ok(())
    }

    /// Writing one variable takes nothing away from what programs do to its neighbours meanwhile.
    fn neighbours_keep_their_values(object: "channels", since 5, 8) {
        const RUNS: u32 = 200_000;
        let mut ebpf = load(EbpfLoader::new().override_global("LIMIT", &u32::MAX, true), object, "variables")?;
        let last = ebpf.global::<[u32; 3]>("LAST")?;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut writes = 0;
                while !done.load(Ordering::Relaxed) {
                    last.write(&[writes; 3])?;
                    writes += 1;
                }
                Ok::<_, MapError>(writes)
            });
            let ran = run(&mut ebpf, "variables", RUNS);
            done.store(true, Ordering::Relaxed);
            ran?;
            assert!(writer.join().map_err(|_| "the writer panicked")?? > 0);
            assert_eq!(get::<u64>(&ebpf, "RUNS")?, 3 * u64::from(RUNS));
            Ok(())
        })
    }

    /// Of a number that a program is just changing nobody sees a part.
    fn numbers_are_read_in_one_piece(object: "channels", since 5, 8) {
        const RUNS: u32 = 200_000;
        let mut ebpf = load(EbpfLoader::new().override_global("LIMIT", &u32::MAX, true), object, "variables")?;
        let runs = ebpf.global::<u64>("RUNS")?;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let now = runs.read()?;
                    assert!(now >= last && now.is_multiple_of(3), "{now} after {last}");
                    last = now;
                }
                Ok::<_, MapError>(last)
            });
            let ran = run(&mut ebpf, "variables", RUNS);
            done.store(true, Ordering::Relaxed);
            ran?;
            assert!(reader.join().map_err(|_| "the reader panicked")?? > 0);
            assert_eq!(runs.read()?, 3 * u64::from(RUNS));
            Ok(())
        })
    }

    /// Variables are there as long as somebody has them, whatever becomes of the maps of their sections.
    fn variables_outlive_their_maps(object: "channels", since 5, 8) {
        let mut ebpf = load(&mut EbpfLoader::new(), object, "variables")?;
        let names: Vec<_> = ebpf.maps().map(|(name, _)| name.to_owned()).collect();
        for name in names.iter().filter(|name| name.starts_with('.')) {
            drop(ebpf.take_map(name));
        }
        let (runs, step) = (ebpf.global::<u64>("RUNS")?, ebpf.global::<u32>("STEP")?);
        step.write(&5)?;
        run(&mut ebpf, "variables", 1)?;
        drop(ebpf);
        assert_eq!((runs.read()?, step.read()?), (5, 5));
        Ok(())
    }

    /// Mistakes say what is wrong and what there is.
    fn mistakes_are_explained(object: "channels", since 5, 8) {
        let error = EbpfLoader::new().override_global("PIDD", &1_i32, true).load(object).err();
        let message = error.ok_or("loaded")?.to_string();
        for part in ["`PIDD`", "`PID`", "`ADDRESS`", "`RUNS`"] {
            assert!(message.contains(part), "{message}");
        }
        let error = EbpfLoader::new().override_global("PID", &1_u8, true).load(object).err();
        let error = error.ok_or("loaded")?;
        assert!(matches!(error, EbpfError::RelocationError(_)), "{error:?}");
        let message = error.to_string();
        for part in ["`PID`", "4 bytes", "given 1"] {
            assert!(message.contains(part), "{message}");
        }

        let ebpf = Ebpf::load(object)?;
        let error = ebpf.global::<u64>("STEP").err().ok_or("found")?;
        assert!(matches!(error, MapError::GlobalSize { size: 8, expected: 4, .. }), "{error}");
        assert!(error.to_string().starts_with("global `STEP` has 4 bytes"), "{error}");
        let error = ebpf.global::<i32>("PIDD").err().ok_or("found")?;
        assert!(matches!(error, MapError::GlobalNotFound { .. }), "{error}");
        assert!(error.to_string().ends_with("did you mean `PID`?"), "{error}");
        let error = ebpf.global::<i32>("PID")?.write(&1).err().ok_or("a constant was written")?;
        assert!(matches!(&error, MapError::GlobalNotWritable { name, .. } if name == "PID"), "{error}");
        assert!(error.to_string().contains("override_global"), "{error}");

        // Before 5.5.
        let features = Features::without(&[Feature::MappedArrays]);
        let ebpf = EbpfLoader::new().features(features).load(object)?;
        let step = ebpf.global::<u32>("STEP")?;
        assert_eq!((step.read()?, get::<i32>(&ebpf, "PID")?), (3, 0));
        let error = step.write(&1).err().ok_or("written")?;
        assert!(matches!(error, MapError::GlobalNotWritable { .. }), "{error}");
        Ok(())
    }
}
