//! Where records come from: a ring buffer, or on kernels before 5.8 a perf buffer per CPU.

use std::{
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd},
};

use aya::maps::{
    Map, MapData, PerfEventArray, RingBuf,
    perf::{PerfEvent, PerfEventArrayBuffers},
};

use crate::error::Error;

/// Pages of each CPU's buffer: 64 KiB where pages have 4 KiB.
const PERF_PAGES: usize = 16;

#[allow(clippy::large_enum_variant, reason = "a logger has one")]
#[derive(Debug)]
pub(crate) enum Source {
    Ring(RingBuf<MapData>),
    Perf {
        buffers: PerfEventArrayBuffers<MapData>,
        /// For records that a buffer's end splits.
        joined: Vec<u8>,
    },
}

impl Source {
    pub(crate) fn open(map: Map) -> Result<Self, Error> {
        if !matches!(map, Map::PerfEventArray(_)) {
            return Ok(Self::Ring(RingBuf::try_from(map)?));
        }
        let buffers = PerfEventArray::try_from(map)?.open_all(Some(PERF_PAGES));
        Ok(Self::Perf {
            buffers: buffers.map_err(Error::PerfBufferError)?,
            joined: Vec::new(),
        })
    }

    /// Calls `f` with each record that is there. A ring buffer's may come as fast as they are read: it
    /// stops at `most` of them, and says so by true.
    pub(crate) fn drain(&mut self, most: usize, mut f: impl FnMut(&[u8])) -> bool {
        match self {
            Self::Ring(ring) => {
                if most == 0 {
                    return true;
                }
                let mut left = most;
                let stopped = ring.try_for_each(|record| {
                    f(&record);
                    left -= 1;
                    match left {
                        0 => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    }
                });
                stopped.is_break()
            }
            Self::Perf { buffers, joined } => {
                buffers.for_each(|_, event| match event {
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
                false
            }
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Ring(ring) => ring.as_fd(),
            Self::Perf { buffers, .. } => buffers.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write as _},
        os::fd::AsRawFd as _,
    };

    use aya::maps::MapData;
    use aya_sys::{Errno, bpf};
    use aya_uapi::{Insn, MapType, ProgType, bindings::BPF_PSEUDO_MAP_FD};

    use super::*;

    /// An XDP program that sends the eight bytes `record` through a perf event array.
    fn program(map: BorrowedFd<'_>, record: u64) -> Vec<Insn> {
        const STX_DW: u8 = 0x7b;
        const ADD64_K: u8 = 0x07;
        const MOV32_K: u8 = 0xb4;
        const EXIT: u8 = 0x95;
        let mut code = Insn::ld_imm64(3, 0, record).to_vec();
        code.push(Insn::new(STX_DW, 10, 3, -8, 0));
        code.extend(Insn::ld_imm64(
            2,
            BPF_PSEUDO_MAP_FD as u8,
            map.as_raw_fd() as u64,
        ));
        // BPF_F_CURRENT_CPU: the lower 32 bits.
        code.push(Insn::new(MOV32_K, 3, 0, 0, -1));
        code.push(Insn::mov64_reg(4, 10));
        code.push(Insn::new(ADD64_K, 4, 0, 0, -8));
        code.push(Insn::mov64_imm(5, 8));
        code.push(Insn::call(25));
        code.push(Insn::mov64_imm(0, 2));
        code.push(Insn::new(EXIT, 0, 0, 0, 0));
        code
    }

    #[test]
    fn perf_buffers_of_all_cpus_are_one_source() {
        let cpus = aya::util::nr_cpus().unwrap();
        let created = bpf::map_create(&bpf::MapCreate {
            key_size: 4,
            value_size: 4,
            max_entries: u32::try_from(cpus).unwrap(),
            ..bpf::MapCreate::new(MapType::PERF_EVENT_ARRAY)
        });
        let fd = match created {
            Ok(fd) => fd,
            Err(error) if matches!(error.errno, Errno::EPERM | Errno::ENOSYS) => {
                let line = "SKIP: perf_buffers_of_all_cpus_are_one_source: needs CAP_BPF\n";
                return io::stderr().write_all(line.as_bytes()).unwrap();
            }
            Err(error) => panic!("{error}"),
        };
        let record = 0x0102_0304_0506_0708;
        let code = program(fd.as_fd(), record);
        let program = bpf::prog_load(bpf::ProgLoad::new(ProgType::XDP, &code, c"GPL")).unwrap();
        let map = Map::from_map_data(MapData::from_fd(fd).unwrap()).unwrap();
        let mut source = Source::open(map).unwrap();
        let run = |repeat| {
            bpf::prog_test_run(
                program.as_fd(),
                bpf::TestRun {
                    data_in: Some(&[0; 64]),
                    repeat,
                    ..bpf::TestRun::default()
                },
            )
            .unwrap();
        };
        let received = |source: &mut Source| {
            let mut count = 0;
            source.drain(usize::MAX, |bytes| {
                // The kernel pads: the record is the beginning.
                assert_eq!(bytes.get(..8), Some(&record.to_ne_bytes()[..]));
                count += 1;
            });
            count
        };
        assert_eq!(received(&mut source), 0);
        run(1);
        assert_eq!(received(&mut source), 1);
        // Often enough that buffers wrap, in portions that fit.
        for _ in 0..50 {
            run(100);
            assert_eq!(received(&mut source), 100);
        }
    }
}
