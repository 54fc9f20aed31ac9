//! Perf event arrays as programs read them, waiting included.

use aya::{
    maps::{
        Map, MapData,
        perf::{Events, PerfBufferError, PerfEventArray, PerfEventArrayBuffer},
    },
    util::online_cpus,
};
use bytes::BytesMut;

fn read(map: Map) -> Result<usize, Box<dyn std::error::Error>> {
    let mut array = PerfEventArray::try_from(map)?;
    let mut all = 0;
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let mut buffer: PerfEventArrayBuffer<MapData> = array.open(cpu, Some(2))?;
        let mut records = std::iter::repeat_with(|| BytesMut::with_capacity(1024))
            .take(10)
            .collect::<Vec<_>>();
        let Events { read, lost } = buffer.read_events(&mut records)?;
        all += read + lost;
        let result: Result<Events, PerfBufferError> = buffer.read_events(&mut [Vec::<u8>::new()]);
        all += result?.read;
    }
    Ok(all)
}

#[cfg(any(feature = "async_tokio", feature = "async_std"))]
mod asynchronous {
    use super::*;
    use aya::maps::perf::{AsyncPerfEventArray, AsyncPerfEventArrayBuffer};

    fn sent<F: Future + Send + 'static>(future: F) -> F {
        future
    }

    fn open(mut map: Map) -> Result<(), Box<dyn std::error::Error>> {
        aya::maps::AsyncPerfEventArray::try_from(&mut map)?.pin("/sys/fs/bpf/events")?;
        let mut array: AsyncPerfEventArray<_> = map.try_into()?;
        for cpu in online_cpus().map_err(|(_, error)| error)? {
            let mut buffer: AsyncPerfEventArrayBuffer<MapData> = array.open(cpu, Some(256))?;
            drop(sent(async move {
                let mut records = (0..10)
                    .map(|_| BytesMut::with_capacity(4096))
                    .collect::<Vec<_>>();
                let events: Result<Events, PerfBufferError> =
                    buffer.read_events(&mut records).await;
                events.map(|events| records.iter().take(events.read).count())
            }));
        }
        Ok(())
    }
}
