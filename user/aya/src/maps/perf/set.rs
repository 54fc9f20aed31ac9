//! [`PerfEventArrayBuffers`]: the buffers of all CPUs, read as one.

use std::{
    borrow::{Borrow, BorrowMut},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use aya_sys::{
    Errno,
    epoll::Epoll,
    poll::{self, Ready},
};

use super::{
    Events, PerfBufferError, PerfEvent, PerfEventArray, PerfEventArrayBuffer, RecordBuffer,
};
use crate::{
    maps::{MapData, MapError, wait},
    util::online_cpus,
};

/// The buffers of all CPUs behind one descriptor, made by [`PerfEventArray::open_all`].
///
/// Records of one CPU come in order; towards those of others there is none.
///
/// # CPUs that come and go
///
/// What a CPU has sent before it went offline can still be read, and its buffer is quiet from then on.
/// [`refresh`](Self::refresh) opens the buffers of CPUs that have come.
///
/// ```no_run
/// # fn example(map: aya::maps::Map) -> Result<(), Box<dyn std::error::Error>> {
/// use aya::maps::perf::{PerfEvent, PerfEventArray};
///
/// let mut events = PerfEventArray::try_from(map)?.open_all(None)?;
/// while events.wait(None)? {
///     events.for_each(|cpu, event| match event {
///         PerfEvent::Sample { head, tail } => println!("CPU {cpu}: {head:x?} {tail:x?}"),
///         PerfEvent::Lost { count } => println!("CPU {cpu} lost {count} records"),
///     });
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PerfEventArrayBuffers<T> {
    array: PerfEventArray<T>,
    page_count: Option<usize>,
    buffers: Vec<OfCpu<T>>,
    /// Readable when one of those that are watched is.
    epoll: Epoll,
    /// Whose turn it is to be read first.
    first: usize,
    lost: u64,
    /// How often in a row there was nothing to read.
    empty: u8,
}

#[derive(Debug)]
struct OfCpu<T> {
    cpu: u32,
    buffer: PerfEventArrayBuffer<T>,
    /// False when nothing comes any more.
    watched: bool,
}

impl<T: BorrowMut<MapData>> PerfEventArrayBuffers<T> {
    pub(super) fn open(
        array: PerfEventArray<T>,
        page_count: Option<usize>,
    ) -> Result<Self, PerfBufferError> {
        let mut set = Self {
            array,
            page_count,
            buffers: Vec::new(),
            epoll: Epoll::new().map_err(|error| PerfBufferError::IOError(error.into()))?,
            first: 0,
            lost: 0,
            empty: 0,
        };
        set.refresh()?;
        Ok(set)
    }

    /// Opens the buffers of CPUs that have come online, and returns the CPUs. Buffers of CPUs that are
    /// offline are kept until they were read.
    ///
    /// # Errors
    ///
    /// As those of [`PerfEventArray::open`].
    pub fn refresh(&mut self) -> Result<Vec<u32>, PerfBufferError> {
        let online = online_cpus().map_err(|(_, error)| PerfBufferError::IOError(error))?;
        for of_cpu in &mut self.buffers {
            if of_cpu.watched && (!online.contains(&of_cpu.cpu) || of_cpu.is_closed()) {
                of_cpu.unwatch(&self.epoll)?;
            }
        }
        self.buffers
            .retain(|of_cpu| of_cpu.watched || of_cpu.buffer.readable());
        let mut opened = Vec::new();
        for cpu in online {
            if self
                .buffers
                .iter()
                .any(|of_cpu| of_cpu.watched && of_cpu.cpu == cpu)
            {
                continue;
            }
            let buffer = match self.array.open(cpu, self.page_count) {
                Ok(buffer) => buffer,
                Err(error) if has_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            self.epoll.add_readable(buffer.as_fd()).map_err(io_error)?;
            self.buffers.push(OfCpu {
                cpu,
                buffer,
                watched: true,
            });
            opened.push(cpu);
        }
        Ok(opened)
    }
}

impl<T: Borrow<MapData>> PerfEventArrayBuffers<T> {
    /// Waits until there is something to read, for `timeout` at most, or for ever. False when the time is
    /// over, or when a signal came before.
    ///
    /// # Errors
    ///
    /// [`MapError::Closed`] when nothing can come any more.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, PerfBufferError> {
        let Self {
            array,
            buffers,
            epoll,
            empty,
            ..
        } = self;
        let map: &MapData = (*array.map).borrow();
        wait::until(map.name(), epoll.as_fd(), timeout, || {
            look(buffers, empty, epoll, map)
        })
        .map_err(PerfBufferError::MapError)
    }

    /// What [`read_events`](Self::read_events) reads, if there is something. For tasks, which call it
    /// whenever the descriptor is readable.
    #[cfg(any(feature = "async_tokio", feature = "async_std"))]
    pub(super) fn some_events<B: RecordBuffer>(
        &mut self,
        buffers: &mut [B],
    ) -> Option<Result<Events, PerfBufferError>> {
        let map: &MapData = (*self.array.map).borrow();
        match look(&mut self.buffers, &mut self.empty, &self.epoll, map) {
            Ok(false) => None,
            Ok(true) => super::asynchronous::some_events(self.read_events(buffers)),
            Err(error) => Some(Err(PerfBufferError::MapError(error))),
        }
    }

    /// The map's name.
    #[cfg(any(feature = "async_tokio", feature = "async_std"))]
    pub(super) fn name(&self) -> &str {
        let map: &MapData = (*self.array.map).borrow();
        map.name()
    }
}

impl<T> PerfEventArrayBuffers<T> {
    /// Calls `f` with a CPU and each event that is there at the time of the call, as
    /// [`PerfEventArrayBuffer::for_each`].
    pub fn for_each<F>(&mut self, mut f: F)
    where
        F: FnMut(u32, PerfEvent<'_>),
    {
        let Self { buffers, lost, .. } = self;
        for OfCpu { cpu, buffer, .. } in buffers {
            buffer.for_each(|event| {
                count(lost, event);
                f(*cpu, event);
            });
        }
    }

    /// Copies records into `buffers`, one each, as [`PerfEventArrayBuffer::read_events`]. Each call begins
    /// with another CPU, so that none has to wait for the others.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn read_events<B: RecordBuffer>(
        &mut self,
        buffers: &mut [B],
    ) -> Result<Events, PerfBufferError> {
        let mut all = Events::default();
        let cpus = self.buffers.len();
        for turn in 0..cpus {
            let index = (self.first + turn) % cpus;
            let (Some(of_cpu), Some(rest)) =
                (self.buffers.get_mut(index), buffers.get_mut(all.read..))
            else {
                break;
            };
            if rest.is_empty() {
                break;
            }
            let Events { read, lost } = of_cpu.buffer.read_events(rest)?;
            all.read += read;
            all.lost = all.lost.saturating_add(lost);
        }
        self.first = self.first.wrapping_add(1);
        self.lost = self.lost.wrapping_add(all.lost as u64);
        Ok(all)
    }

    /// The CPUs whose buffers are open.
    pub fn cpus(&self) -> impl Iterator<Item = u32> + '_ {
        self.buffers.iter().map(|of_cpu| of_cpu.cpu)
    }

    /// How many records found a buffer full, as far as that was read: the kernel tells of them before the
    /// next record that finds room.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// Whether there is something to read. `empty` is how often in a row there was nothing.
///
/// The buffer of a CPU that went offline may be ready for ever, with nothing in it. So after some times in
/// a row such buffers are looked for, and are not watched any more.
fn look<T>(
    buffers: &mut [OfCpu<T>],
    empty: &mut u8,
    epoll: &Epoll,
    map: &MapData,
) -> Result<bool, MapError> {
    const IN_A_ROW: u8 = 4;
    if *empty == IN_A_ROW {
        *empty = 0;
        for of_cpu in buffers.iter_mut() {
            if of_cpu.watched && of_cpu.is_closed() {
                of_cpu.unwatch(epoll).map_err(|_| closed(map))?;
            }
        }
    }
    if buffers.iter().any(|of_cpu| of_cpu.buffer.readable()) {
        *empty = 0;
        return Ok(true);
    }
    *empty += 1;
    match buffers.iter().any(|of_cpu| of_cpu.watched) {
        true => Ok(false),
        false => Err(closed(map)),
    }
}

fn count(lost: &mut u64, event: PerfEvent<'_>) {
    if let PerfEvent::Lost { count } = event {
        *lost = lost.wrapping_add(count);
    }
}

impl<T> OfCpu<T> {
    /// Whether nothing comes any more.
    fn is_closed(&self) -> bool {
        let ready = poll::readable(self.buffer.as_fd(), Some(Duration::ZERO));
        matches!(ready, Ok(Ready::Closed))
    }

    fn unwatch(&mut self, epoll: &Epoll) -> Result<(), PerfBufferError> {
        self.watched = false;
        epoll.remove(self.buffer.as_fd()).map_err(io_error)
    }
}

fn io_error(error: aya_sys::Error) -> PerfBufferError {
    PerfBufferError::IOError(error.into())
}

fn closed(map: &MapData) -> MapError {
    wait::closed(map.name(), io::ErrorKind::BrokenPipe.into())
}

/// Whether the CPU went offline after the list was read.
fn has_gone(error: &PerfBufferError) -> bool {
    let gone = Some(Errno::ENODEV.0);
    matches!(error, PerfBufferError::OpenError { io_error } if io_error.raw_os_error() == gone)
}

/// Readable when one of the buffers is. Read everything before waiting again.
impl<T> AsFd for PerfEventArrayBuffers<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl<T> AsRawFd for PerfEventArrayBuffers<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
