//! Counting what test executables say: libtest's result lines and our `SKIP:` lines.
//!
//! libtest knows no skipped tests. A test that cannot run writes `SKIP: NAME: REASON` to standard
//! error and returns, so libtest counts it as passed, and this takes it off again. On a kernel that
//! is under test the only good reason is `needs kernel X.Y` with a newer X.Y: everything else means
//! that the machine was not prepared, which is a failure.

use std::fmt;

use crate::process;

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// How a run of tests ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    /// What was said of the failures, to be said again where it is seen: at the end of everything.
    pub(crate) failures: String,
    /// The output that was not printed yet.
    pub(crate) kept: Vec<u8>,
}

/// What becomes of the output of test executables besides being read.
#[derive(Debug)]
pub(crate) enum Log {
    /// It is printed as it comes.
    Live,
    /// It is kept for the end: others run at the same time, and would come between.
    Kept(Vec<u8>),
}

/// Passes on the output of test executables as it comes, and counts.
#[derive(Debug)]
pub(crate) struct Tally {
    log: Log,
    /// The kernel under test, or `None` where any reason to skip is good.
    kernel: Option<(u32, u32)>,
    counts: Counts,
    /// Tests that returned without having run: libtest counts them as passed.
    not_run: usize,
    /// Failures that libtest reported since the last [`Self::ended`].
    reported: usize,
    failures: String,
    /// Whether the lines are of libtest's report on failed tests.
    in_report: bool,
    line: Vec<u8>,
}

impl Tally {
    pub(crate) fn new(kernel: Option<(u32, u32)>, log: Log) -> Self {
        Self {
            log,
            kernel,
            counts: Counts::default(),
            not_run: 0,
            reported: 0,
            failures: String::new(),
            in_report: false,
            line: Vec::new(),
        }
    }

    /// Puts words of our own between the executables' output.
    pub(crate) fn say(&mut self, text: impl fmt::Display) {
        self.pass_on(format!("{text}\n").as_bytes());
    }

    fn pass_on(&mut self, bytes: &[u8]) {
        match &mut self.log {
            Log::Live => process::print(bytes),
            Log::Kept(kept) => kept.extend_from_slice(bytes),
        }
    }

    /// Takes more of an executable's output.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.pass_on(bytes);
        self.count(bytes);
    }

    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.read(&String::from_utf8_lossy(&line));
            } else {
                self.line.push(*byte);
            }
        }
    }

    /// Takes note of an executable's end: one that fails without a failed test has crashed.
    pub(crate) fn ended(&mut self, name: &str, code: i32) {
        if !self.line.is_empty() {
            self.count(b"\n");
        }
        if code != 0 && self.reported == 0 {
            self.fail(format_args!("{name} ended with code {code}"));
        }
        self.reported = 0;
    }

    /// Takes note of the end of a command that is one test, with its exit code as the result.
    pub(crate) fn verdict(&mut self, name: &str, code: i32) {
        match code {
            0 => self.counts.passed += 1,
            _ => self.ended(name, code),
        }
    }

    /// Counts a failure that no test reported.
    pub(crate) fn fail(&mut self, what: impl fmt::Display) {
        let failure = format!("FAILED: {what}");
        self.say(&failure);
        self.note(&failure);
        self.counts.failed += 1;
    }

    fn note(&mut self, line: &str) {
        self.failures.push_str(line);
        self.failures.push('\n');
    }

    pub(crate) fn close(self) -> Outcome {
        let passed = self.counts.passed.saturating_sub(self.not_run);
        Outcome {
            counts: Counts {
                passed,
                ..self.counts
            },
            failures: self.failures,
            kept: match self.log {
                Log::Live => Vec::new(),
                Log::Kept(kept) => kept,
            },
        }
    }

    fn read(&mut self, line: &str) {
        self.in_report |= line == "failures:";
        self.in_report &= !line.starts_with("test result: ");
        if self.in_report {
            self.note(line);
        }
        if let Some(results) = line.trim_start().strip_prefix("test result: ") {
            let number = |what: &str| {
                results
                    .split([';', '.'])
                    .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok())
                    .unwrap_or(0)
            };
            self.counts.passed += number("passed");
            self.counts.failed += number("failed");
            self.reported += number("failed");
        } else if let Some((_, skip)) = line.split_once("SKIP: ") {
            self.not_run += 1;
            let reason = skip.split_once(": ").map_or("", |(_, reason)| reason);
            if self.kernel.is_none_or(|kernel| is_newer(reason, kernel)) {
                self.counts.skipped += 1;
            } else {
                self.fail(format_args!("not run though this kernel can: {skip}"));
                self.reported += 1;
            }
        }
    }
}

/// True for `needs kernel X.Y…` where X.Y is newer than `kernel`.
fn is_newer(reason: &str, kernel: (u32, u32)) -> bool {
    let Some(version) = reason.strip_prefix("needs kernel ") else {
        return false;
    };
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) > kernel,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "running 3 tests\nSKIP: links: needs kernel 6.6\ntest links ... ok\n\
                       test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.1s\n";

    fn tally(kernel: Option<(u32, u32)>, text: &str, code: i32) -> Counts {
        let mut tally = Tally::new(kernel, Log::Kept(Vec::new()));
        tally.feed(text.as_bytes());
        tally.ended("x", code);
        tally.close().counts
    }

    #[test]
    fn a_skip_is_neither_passed_nor_failed_where_the_kernel_is_older() {
        let expected = Counts {
            passed: 2,
            failed: 0,
            skipped: 1,
        };
        assert_eq!(tally(Some((6, 1)), RUN, 0), expected);
        assert_eq!(tally(None, RUN, 0), expected);
    }

    #[test]
    fn a_skip_without_need_is_a_failure() {
        let expected = Counts {
            passed: 2,
            failed: 1,
            skipped: 0,
        };
        assert_eq!(tally(Some((6, 6)), RUN, 0), expected);
        let other = RUN.replace("needs kernel 6.6", "not root");
        assert_eq!(tally(Some((6, 1)), &other, 0), expected);
    }

    #[test]
    fn a_crash_is_a_failure_and_a_failed_test_counts_once() {
        assert_eq!(tally(None, "running 1 test\n", 139).failed, 1);
        let failed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(
            tally(None, failed, 101),
            Counts {
                passed: 1,
                failed: 2,
                skipped: 0
            }
        );
    }

    #[test]
    fn failures_are_said_again() {
        let mut tally = Tally::new(Some((6, 1)), Log::Kept(Vec::new()));
        tally.feed(
            b"test a::b ... FAILED\nfailures:\n\n---- a::b stdout ----\nassertion\n\nfailures:\n    a::b\n\n\
              test result: FAILED. 0 passed; 1 failed;\nSKIP: c: not root\n",
        );
        let failures = tally.close().failures;
        assert!(
            failures.starts_with("failures:\n\n---- a::b stdout ----\nassertion\n"),
            "{failures}"
        );
        assert!(
            failures.ends_with("FAILED: not run though this kernel can: c: not root\n"),
            "{failures}"
        );
    }
}
