//! Nothing is left of a program when its owner is done: by drop, by a panic, by `kill -9`.
//!
//! These tests count what the whole kernel holds, so they are in an executable of their own and one
//! waits for the other.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use aya::{Ebpf, programs::XdpMode};
use aya_netlab::{Lab, NEAR};
use aya_tests::{Inventory, TestResult, in_both_modes, object, xdp};

/// Set for the process that is killed: the mode of the object it loads.
const VICTIM: &str = "AYA_TESTS_VICTIM";
/// The firewall example, with its maps and its log.
const OBJECT: &str = "xdp-drop-ebpf";
const ATTACHED: &str = "attached";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn attach(object: &[u8]) -> TestResult<Ebpf> {
    let mut ebpf = Ebpf::load(object)?;
    let program = xdp(&mut ebpf, "xdp_drop")?;
    program.load()?;
    program.attach(NEAR, XdpMode::default())?;
    Ok(ebpf)
}

in_both_modes! {
    /// After a drop.
    fn drop_leaves_nothing(object: "xdp-drop-ebpf", since 5, 8) {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let _lab = Lab::new(&[])?;
        let before = Inventory::take()?;
        let ebpf = attach(object)?;
        assert_ne!(Inventory::take()?, before);
        drop(ebpf);
        before.expect("after drop")
    }

    /// After a panic.
    fn a_panic_leaves_nothing(object: "xdp-drop-ebpf", since 5, 8) {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let _lab = Lab::new(&[])?;
        let before = Inventory::take()?;
        let ebpf = attach(object)?;
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _owned = ebpf;
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert!(panicked.is_err());
        before.expect("after a panic")
    }

    /// After a process that was killed.
    fn a_kill_leaves_nothing(object: "xdp-drop-ebpf", since 5, 9) {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let _lab = Lab::new(&[])?;
        let before = Inventory::take()?;
        let mode = if aya_tests::object("donor", OBJECT) == Some(object) { "donor" } else { "native" };
        let mut victim = Command::new(std::env::current_exe()?)
            .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
            .env(VICTIM, mode)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = victim.stdout.take().ok_or("no output")?;
        let attached = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains(ATTACHED));
        let during = Inventory::take()?;
        victim.kill()?;
        victim.wait()?;
        assert!(attached, "the process to be killed did not attach its program");
        assert_ne!(during.programs, before.programs);
        before.expect("after kill -9")
    }
}

/// The process that [`a_kill_leaves_nothing`] kills; an ordinary run of the tests passes by.
#[test]
fn victim() -> TestResult {
    let Ok(mode) = std::env::var(VICTIM) else {
        return Ok(());
    };
    let _ebpf = attach(object(&mode, OBJECT).ok_or("no object")?)?;
    println!("{ATTACHED}");
    std::thread::sleep(std::time::Duration::from_secs(60));
    Err("nobody killed this process".into())
}
