//! A control group (version 2) of its own for a test.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use crate::{During as _, Error};

/// A control group that threads can be in one by one, so that tests run side by side in one process.
/// It is removed when this is dropped.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    folder: File,
}

impl Cgroup {
    /// Makes a control group in the one that the calling thread is in: threads of a process can only be in
    /// control groups that are.
    ///
    /// # Errors
    /// Without `CAP_SYS_ADMIN`, or where no cgroup2 file system is mounted.
    pub fn new() -> Result<Self, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = home().during("find the thread's cgroup")?;
        Self::make(home.join(format!("aya-netlab-{}-{number}", process::id())))
    }

    /// Makes a control group in this one. It must be dropped before this one.
    ///
    /// # Errors
    /// When there is one of this name.
    pub fn child(&self, name: &str) -> Result<Self, Error> {
        Self::make(self.path.join(name))
    }

    fn make(path: PathBuf) -> Result<Self, Error> {
        fs::create_dir(&path).during("make a cgroup")?;
        let folder = File::open(&path).during("open a cgroup")?;
        let cgroup = Self { path, folder };
        fs::write(cgroup.path.join("cgroup.type"), "threaded")
            .during("make a cgroup of threads")?;
        Ok(cgroup)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a closure while the calling thread is in the control group. The sockets that it makes belong
    /// to the control group for good.
    ///
    /// # Errors
    /// When the thread cannot move.
    pub fn run<T>(&self, run: impl FnOnce() -> T) -> Result<T, Error> {
        let home = home().during("find the thread's cgroup")?;
        enter(&self.path).during("enter a cgroup")?;
        // Back on all ways out, a panic's too.
        struct Back(PathBuf);
        impl Drop for Back {
            fn drop(&mut self) {
                enter(&self.0).expect("a thread can go back to its cgroup");
            }
        }
        let _back = Back(home);
        Ok(run())
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Threads that have ended a moment ago are still counted.
        for _ in 0..100 {
            match fs::remove_dir(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    thread::sleep(Duration::from_millis(20));
                }
                _ => break,
            }
        }
    }
}

/// Where the hierarchy is mounted.
///
/// # Errors
/// When it is not.
fn mounted() -> io::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mut mounts = mounts.lines().map(|line| line.split(' '));
    let found = mounts.find_map(|mut words| {
        let path = words.nth(1)?;
        (words.next()? == "cgroup2").then(|| PathBuf::from(path))
    });
    found.ok_or_else(|| io::Error::other("no cgroup2 file system is mounted"))
}

/// The calling thread's control group.
fn home() -> io::Result<PathBuf> {
    let groups = fs::read_to_string("/proc/thread-self/cgroup")?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = path.ok_or_else(|| io::Error::other("the thread has no cgroup of version 2"))?;
    Ok(mounted()?.join(path))
}

/// Moves the calling thread.
fn enter(path: &Path) -> io::Result<()> {
    fs::write(path.join("cgroup.threads"), "0")
}
