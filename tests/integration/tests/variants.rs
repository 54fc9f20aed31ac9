//! XDP programs for packets in fragments, and for the entries of cpumaps and devmaps.

use aya::{
    Ebpf,
    programs::{TestRun as _, TestRunOptions},
};
use aya_tests::{TestResult, in_both_modes, xdp};

/// More than fits into one page with the headroom of a packet.
const JUMBO: [u8; 9000] = [0; 9000];
const XDP_PASS: u32 = 2;

in_both_modes! {
    /// Only a program that says so gets packets in fragments.
    fn fragments(object: "variants", since 5, 18) {
        let mut ebpf = Ebpf::load(object)?;
        let program = xdp(&mut ebpf, "fragments")?;
        program.load()?;
        let options = TestRunOptions { data_in: Some(&JUMBO), ..TestRunOptions::default() };
        assert_eq!(program.test_run(options)?.return_value, XDP_PASS);
        Ok(())
    }

    /// What runs on the other CPU of a redirect.
    fn for_cpumaps(object: "variants", since 5, 9) {
        loads_but_does_not_run_by_itself(object, "cpumap")
    }

    /// What runs at the other device of a redirect.
    fn for_devmaps(object: "variants", since 5, 8) {
        loads_but_does_not_run_by_itself(object, "devmap")
    }
}

/// The kernel runs such a program for an entry of its map alone: it was loaded as what its section says.
fn loads_but_does_not_run_by_itself(object: &[u8], name: &str) -> TestResult {
    let mut ebpf = Ebpf::load(object)?;
    let program = xdp(&mut ebpf, name)?;
    program.load()?;
    let options = TestRunOptions {
        data_in: Some(&[0; 64]),
        ..TestRunOptions::default()
    };
    assert!(
        program.test_run(options).is_err(),
        "{name} ran as an ordinary XDP program"
    );
    Ok(())
}
