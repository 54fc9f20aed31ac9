//! Maps of maps, of kernel objects, and of what belongs to kernel objects.

use std::{fs::File, net::UdpSocket, num::NonZeroU32};

use aya::{
    maps::{
        Array, ArrayOfMaps, CgroupStorage, CgrpStorage, CpuMap, DevMap, DevMapHash, FromMapData,
        HashMap, HashOfMaps, InnerMap, InodeStorage, Map, MapData, MapError, MapKeys,
        PerCpuCgroupStorage, PerCpuValues, ReusePortSockArray, SkStorage, TaskStorage,
        cgroup_storage::CgroupStorageKey,
        xdp::{XdpMapError, dev_map::DevMapValue},
    },
    programs::{Program, ProgramFd},
};

use crate::{Result, is};

fn redirecting(
    mut devices: DevMap<&mut MapData>,
    mut by_key: DevMapHash<MapData>,
    mut cpus: CpuMap<MapData>,
    program: &Program,
) -> Result<(), XdpMapError> {
    let program: ProgramFd = program.fd().unwrap().try_clone().unwrap();
    devices.set(0, 1, None, 0)?;
    devices.set(0, 1, Some(&program), 0)?;
    let value = devices.get(0, 0)?;
    let _: (u32, Option<NonZeroU32>) = (value.if_index, value.prog_id);
    let _: u32 = devices.len();
    for value in devices.iter() {
        let _: u32 = value?.if_index;
    }
    by_key.insert(7, 1, Some(&program), 0)?;
    let _: u32 = by_key.get(7, 0)?.if_index;
    for entry in &by_key {
        let (_, _): (u32, DevMapValue) = entry?;
    }
    let _: MapKeys<'_, u32> = by_key.keys();
    by_key.remove(7)?;
    cpus.set(0, 192, Some(&program), 0)?;
    let _: u32 = cpus.get(0, 0)?.queue_size;
    let _: u32 = cpus.len();
    match cpus.set(0, 192, None, 0) {
        Err(XdpMapError::ChainedProgramNotSupported) => {}
        Err(XdpMapError::MapError(error)) => is::<MapError>(error),
        _ => {}
    }
    Ok(())
}

fn storages(
    mut old: CgroupStorage<&mut MapData, u64>,
    mut old_per_cpu: PerCpuCgroupStorage<MapData, u64>,
    mut cgroups: CgrpStorage<MapData, u64>,
    mut inodes: InodeStorage<MapData, u64>,
    mut sockets: SkStorage<MapData, u64>,
    file: File,
) -> Result {
    let key = CgroupStorageKey::new(1, 0);
    old.insert(key, &1, 0)?;
    let _: u64 = old.get(key, 0)?;
    let values: PerCpuValues<u64> = old_per_cpu.get(key, 0)?;
    old_per_cpu.insert(key, values, 0)?;
    cgroups.insert(&file, &1, 0)?;
    let _: u64 = cgroups.get(&file, 0)?;
    cgroups.remove(&file)?;
    inodes.insert(&file, &1, 0)?;
    let _: u64 = inodes.get(&file, 0)?;
    inodes.remove(&file)?;
    sockets.insert(&file, &1, 0)?;
    let _: u64 = sockets.get(&file, 0)?;
    sockets.remove(&file)?;
    Ok(())
}

fn of_maps(
    mut array: ArrayOfMaps<&mut MapData, Array<MapData, u32>>,
    mut hash: HashOfMaps<MapData, u32, HashMap<MapData, u32, u32>>,
) -> Result {
    let inner: Array<MapData, u32> = array.get(&0, 0)?;
    array.set(1, &inner, 0)?;
    let _: (u32, bool) = (array.len(), array.is_empty());
    let inner: HashMap<MapData, u32, u32> = hash.get(&0, 0)?;
    hash.insert(&1, &inner, 0)?;
    hash.insert(2, &inner, 0)?;
    hash.remove(&1)?;
    let _: MapKeys<'_, u32> = hash.keys();
    hash.pin("/sys/fs/bpf/x")?;
    Ok(())
}

fn any_of<T: FromMapData + InnerMap>(outer: &mut ArrayOfMaps<MapData, T>) -> Result {
    let inner = outer.get(&0, 0)?;
    Ok(outer.set(1, &inner, 0)?)
}

fn sharing_a_port(mut map: ReusePortSockArray<MapData>, socket: UdpSocket) -> Result {
    map.set(0, &socket, 0)?;
    map.clear_index(&0)?;
    let _: MapKeys<'_, u32> = map.indices();
    Ok(())
}

fn conversions(map: fn() -> Map) -> Result<(), MapError> {
    let _: ArrayOfMaps<MapData, Array<MapData, u8>> = map().try_into()?;
    let _: HashOfMaps<MapData, u8, Array<MapData, u8>> = map().try_into()?;
    let _: CgroupStorage<MapData, u8> = map().try_into()?;
    let _: PerCpuCgroupStorage<MapData, u8> = map().try_into()?;
    let _: CgrpStorage<MapData, u8> = map().try_into()?;
    let _: InodeStorage<MapData, u8> = map().try_into()?;
    let _: SkStorage<MapData, u8> = map().try_into()?;
    let _: TaskStorage<MapData, u8> = map().try_into()?;
    let _: ReusePortSockArray<MapData> = map().try_into()?;
    let _: CpuMap<MapData> = map().try_into()?;
    let _: DevMap<MapData> = map().try_into()?;
    let _: DevMapHash<&MapData> = (&map()).try_into()?;
    Ok(())
}

/// Paths by which existing programs import.
fn paths() {
    use aya::maps::{cgroup_storage, cgrp_storage, inode_storage, of_maps, sk_storage, sock, xdp};
    let _: Option<xdp::CpuMap<MapData>> = None;
    let _: Option<xdp::DevMap<MapData>> = None;
    let _: Option<xdp::DevMapHash<MapData>> = None;
    let _: Option<cgroup_storage::CgroupStorage<MapData, u8>> = None;
    let _: Option<cgroup_storage::PerCpuCgroupStorage<MapData, u8>> = None;
    let _: Option<cgrp_storage::CgrpStorage<MapData, u8>> = None;
    let _: Option<inode_storage::InodeStorage<MapData, u8>> = None;
    let _: Option<sk_storage::SkStorage<MapData, u8>> = None;
    let _: Option<of_maps::ArrayOfMaps<MapData, MapData>> = None;
    let _: Option<of_maps::HashOfMaps<MapData, u8, MapData>> = None;
    let _: Option<sock::ReusePortSockArray<MapData>> = None;
}
