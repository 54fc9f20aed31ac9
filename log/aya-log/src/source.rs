//! Where records come from: a ring buffer, or on kernels before 5.8 a perf buffer per CPU.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use aya::{
    maps::{
        Map, MapData, PerfEventArray, RingBuf,
        perf::{PerfEvent, PerfEventArrayBuffer},
    },
    util::online_cpus,
};
use aya_sys::epoll::Epoll;

use crate::error::Error;

/// Pages of each CPU's buffer: 64 KiB where pages have 4 KiB.
const PERF_PAGES: usize = 16;

#[derive(Debug)]
pub(crate) enum Source {
    Ring(RingBuf<MapData>),
    Perf {
        /// Readable when one of the buffers is.
        epoll: Epoll,
        buffers: Vec<PerfEventArrayBuffer<MapData>>,
        /// For records that a buffer's end splits.
        joined: Vec<u8>,
    },
}

impl Source {
    pub(crate) fn open(map: Map) -> Result<Self, Error> {
        if !matches!(map, Map::PerfEventArray(_)) {
            return Ok(Self::Ring(RingBuf::try_from(map)?));
        }
        let mut array = PerfEventArray::try_from(map)?;
        let epoll = Epoll::new().map_err(|error| Error::Io(error.into()))?;
        let buffers = online_cpus()
            .map_err(|(_, error)| Error::Io(error))?
            .into_iter()
            .map(|cpu| {
                let buffer = array
                    .open(cpu, Some(PERF_PAGES))
                    .map_err(Error::PerfBufferError)?;
                epoll
                    .add_readable(buffer.as_fd())
                    .map_err(|error| Error::Io(io::Error::from(error)))?;
                Ok(buffer)
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self::Perf {
            epoll,
            buffers,
            joined: Vec::new(),
        })
    }

    /// Calls `f` with each record that is there.
    pub(crate) fn drain(&mut self, mut f: impl FnMut(&[u8])) {
        match self {
            Self::Ring(ring) => {
                while let Some(record) = ring.next() {
                    f(&record);
                }
            }
            Self::Perf {
                buffers, joined, ..
            } => {
                for buffer in buffers {
                    buffer.for_each(|event| match event {
                        PerfEvent::Sample { head, tail: [] } => f(head),
                        PerfEvent::Sample { head, tail } => {
                            joined.clear();
                            joined.extend_from_slice(head);
                            joined.extend_from_slice(tail);
                            f(joined);
                        }
                        // The program has counted them.
                        PerfEvent::Lost { .. } => {}
                    });
                }
            }
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Ring(ring) => ring.as_fd(),
            Self::Perf { epoll, .. } => epoll.as_fd(),
        }
    }
}
