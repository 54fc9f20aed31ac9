//! The kernel's verifier: how much it writes, and what its log says.

use std::fmt;

bitflags::bitflags! {
    /// How much the verifier writes about a program that it rejects.
    ///
    /// The first attempt at loading a program is always silent, because writing the log slows
    /// the verifier down; the level is that of the second attempt, made when the first was
    /// rejected. See `log_level` in [bpf(2)](https://man7.org/linux/man-pages/man2/bpf.2.html).
    ///
    /// ```
    /// use aya::VerifierLogLevel;
    /// let level = VerifierLogLevel::VERBOSE | VerifierLogLevel::STATS;
    /// assert_eq!(level.bits(), 7);
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct VerifierLogLevel: u32 {
        /// Write nothing: the error then has no reason to show.
        const DISABLE = 0;
        /// The instructions on the path that leads to the rejection.
        const DEBUG = 1;
        /// All instructions on all paths.
        const VERBOSE = 2 | 1;
        /// The work done: instructions processed, states kept.
        const STATS = 4;
    }
}

impl Default for VerifierLogLevel {
    fn default() -> Self {
        Self::DEBUG | Self::STATS
    }
}

/// What the verifier wrote about a program, in full.
///
/// [`Display`](fmt::Display) gives the whole text, which can be megabytes long;
/// [`reason`](Self::reason) is the line to show first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct VerifierLog(String);

impl VerifierLog {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let end = bytes.iter().position(|byte| *byte == 0);
        let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        Self(String::from_utf8_lossy(text).into_owned())
    }

    /// The whole log.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The line that says why the program was rejected: the last that is neither an instruction
    /// nor statistics.
    pub fn reason(&self) -> Option<&str> {
        let said = |line: &&str| !line.is_empty() && !is_statistics(line);
        let mut lines = self.0.lines().rev().map(str::trim).filter(said);
        lines.find(|line| instruction(line).is_none() && !is_context(line))
    }

    /// The instruction at which the verifier stopped, counted from the program's first one.
    pub fn instruction(&self) -> Option<usize> {
        self.0
            .lines()
            .rev()
            .find_map(|line| instruction(line.trim()))
    }

    /// The source line the verifier was at, as it prints it for programs with line information:
    /// the code, on newer kernels followed by `@ file:line`.
    pub fn source_line(&self) -> Option<&str> {
        let mut lines = self.0.lines().rev();
        let line = lines.find_map(|line| line.trim().strip_prefix(';'))?.trim();
        (!line.is_empty()).then_some(line)
    }
}

/// `12: (61) r0 = *(u32 *)(r1 +0)`: the number before the opcode.
fn instruction(line: &str) -> Option<usize> {
    let (number, rest) = line.split_once(": (")?;
    let opcode = rest.get(..2)?;
    u8::from_str_radix(opcode, 16).ok()?;
    number.parse().ok()
}

/// A source line, or a state that the verifier shows with what it says.
fn is_context(line: &str) -> bool {
    const STARTS: [&str; 3] = [";", "cur state:", "old state:"];
    STARTS.iter().any(|start| line.starts_with(start))
}

fn is_statistics(line: &str) -> bool {
    const STARTS: [&str; 5] = [
        "processed ",
        "verification time ",
        "stack depth ",
        "mark_precise: ",
        "insns processed ",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
}

impl fmt::Display for VerifierLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VerifierLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A `{:?}` of an error reaches terminals: the log's lines stay lines.
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"func#0 @0\n0: R1=ctx() R10=fp0\n; return *(int *)0; @ a.c:5\n\
        0: (b7) r1 = 0                        ; R1_w=0\n1: (61) r0 = *(u32 *)(r1 +0)\n\
        R1 invalid mem access 'scalar'\nverification time 90 usec\nstack depth 0\n\
        processed 2 insns (limit 1000000) max_states_per_insn 0\n\0\0\0";

    #[test]
    fn the_reason_is_found_among_instructions_and_statistics() {
        let log = VerifierLog::new(LOG);
        assert_eq!(log.reason(), Some("R1 invalid mem access 'scalar'"));
        assert_eq!(log.instruction(), Some(1));
        assert_eq!(log.source_line(), Some("return *(int *)0; @ a.c:5"));
        assert!(log.as_str().ends_with("max_states_per_insn 0\n"));
    }

    #[test]
    fn states_are_not_the_reason() {
        let log = b"4: (05) goto pc-2\ninfinite loop detected at insn 4\n\
            cur state: R0=1 R10=fp0\nold state: R0=1 R10=fp0\nprocessed 5 insns\n\0";
        let log = VerifierLog::new(log);
        assert_eq!(log.reason(), Some("infinite loop detected at insn 4"));
    }

    #[test]
    fn an_empty_log_has_no_reason() {
        let log = VerifierLog::new(b"\0\0");
        assert_eq!(
            (log.reason(), log.instruction(), log.source_line()),
            (None, None, None)
        );
    }
}
