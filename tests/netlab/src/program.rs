//! A program under test, run as its user runs it.

use std::{
    io::{self, BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// After this long without an end, Ctrl-C is pressed again.
const PRESS_AGAIN: Duration = Duration::from_secs(2);

/// A running program whose output is read line by line. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<io::Result<String>>,
}

impl Running {
    /// Starts a program in the calling thread's network namespace; both its outputs are kept.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let (output, ours) = io::pipe()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(ours.try_clone()?)
            .stderr(ours)
            .spawn()?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The next line of its output, or `None` when there is none until `deadline` or ever.
    ///
    /// # Errors
    /// When its output is not text.
    pub fn line(&self, deadline: Instant) -> io::Result<Option<String>> {
        let patience = deadline.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(patience).ok().transpose()
    }

    /// Waits until a line contains `text`. The lines up to it come along, whether it came or not.
    ///
    /// # Errors
    /// When its output is not text.
    pub fn wait_for(&self, text: &str, patience: Duration) -> io::Result<(bool, Vec<String>)> {
        let deadline = Instant::now() + patience;
        let mut lines = Vec::new();
        while let Some(line) = self.line(deadline)? {
            let found = line.contains(text);
            lines.push(line);
            if found {
                return Ok((true, lines));
            }
        }
        Ok((false, lines))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Presses Ctrl-C and waits for the end; what it says meanwhile comes along.
    ///
    /// As a person would, it presses again when nothing happens: tokio forgets a signal that comes between
    /// the two steps of getting ready for it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn interrupt(&mut self, patience: Duration) -> io::Result<(ExitStatus, Vec<String>)> {
        let id = Pid::from_raw(self.child.id().try_into().map_err(io::Error::other)?);
        let deadline = Instant::now() + patience;
        let mut lines = Vec::new();
        while Instant::now() < deadline {
            kill(id, Signal::SIGINT)?;
            let soon = deadline.min(Instant::now() + PRESS_AGAIN);
            if let Some(status) = self.ends_by(soon, &mut lines)? {
                return Ok((status, lines));
            }
        }
        Err(does_not_end())
    }

    /// Waits for the end; what it says meanwhile comes along.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn end(&mut self, patience: Duration) -> io::Result<(ExitStatus, Vec<String>)> {
        let mut lines = Vec::new();
        let ended = self.ends_by(Instant::now() + patience, &mut lines)?;
        Ok((ended.ok_or_else(does_not_end)?, lines))
    }

    fn ends_by(
        &mut self,
        deadline: Instant,
        lines: &mut Vec<String>,
    ) -> io::Result<Option<ExitStatus>> {
        while let Some(line) = self.line(deadline)? {
            lines.push(line);
        }
        // Its output is closed, or its time over: then there is nothing to wait for.
        if Instant::now() >= deadline {
            return Ok(None);
        }
        self.child.wait().map(Some)
    }
}

fn does_not_end() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the program does not end")
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors say that it has ended already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
