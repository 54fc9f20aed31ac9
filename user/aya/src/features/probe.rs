//! How a feature is found out: by the smallest call that only a kernel with it accepts.

use aya_obj::btf::{
    Btf, BtfFeatures, DatasecVar, Enum, EnumValue, FuncLinkage, IntEncoding, Kind, Name, TypeId,
    VarLinkage,
};
use aya_sys::{
    Error,
    bpf::{self, LinkTarget},
};
use aya_uapi::{AttachType, MapType, bindings::BPF_F_MMAPABLE};

use super::Feature;
use crate::btf::HOST;

/// Whether the running kernel has the feature: the error is how it refused it.
pub(super) fn probe(feature: Feature) -> Result<(), Error> {
    match feature {
        Feature::Names => map(MapType::ARRAY, 4, "probe", 0),
        Feature::MappedArrays => map(MapType::ARRAY, 4, "", BPF_F_MMAPABLE),
        Feature::RingBuf => map(MapType::RINGBUF, 0, "", 0),
        Feature::MapBatches => {
            let map = elements(MapType::ARRAY)?;
            map.update_batch(&[0; 4], &[0; 4], 0).1
        }
        Feature::OneCpu => elements(MapType::PERCPU_ARRAY)?.lookup_on(&[0; 4], 0, &mut [0; 8]),
        // The element that names a program is twice as large as the one that does not.
        Feature::DevMapPrograms => map(MapType::DEVMAP, 8, "", 0),
        Feature::CpuMapPrograms => map(MapType::CPUMAP, 8, "", 0),
        Feature::Btf => load(|_| ()),
        Feature::TcxLink => {
            // The loopback interface, which every network namespace has.
            let target = LinkTarget::Interface(1);
            bpf::prog_query(target, AttachType::TCX_INGRESS, 0).map(drop)
        }
        Feature::FuncInfo => load(|btf| function(btf, FuncLinkage::STATIC)),
        // What uses it finds out.
        Feature::HashTake
        | Feature::CgroupLink
        | Feature::XdpLink
        | Feature::BindMap
        | Feature::PerfLink
        | Feature::ProbeDevice
        | Feature::SockMapLink => Ok(()),
    }
}

/// Which kinds of types the running kernel knows.
pub(super) fn btf() -> BtfFeatures {
    BtfFeatures {
        func: accepts(|btf| function(btf, FuncLinkage::STATIC)),
        global_func: accepts(|btf| function(btf, FuncLinkage::GLOBAL)),
        datasec: accepts(|btf| {
            let linkage = VarLinkage::STATIC;
            let ty = named(btf, Kind::Var { ty: INT, linkage });
            let (offset, size) = (0, 4);
            let vars = vec![DatasecVar { ty, offset, size }];
            named(btf, Kind::Datasec { size, vars });
        }),
        float: accepts(|btf| {
            named(btf, Kind::Float { size: 4 });
        }),
        decl_tag: accepts(|btf| declaration_tag(btf, false)),
        attribute_tag: accepts(|btf| declaration_tag(btf, true)),
        type_tag: accepts(|btf| {
            let (ty, attribute) = (INT, false);
            let tag = named(btf, Kind::TypeTag { ty, attribute });
            btf.add(Name::NONE, Kind::Ptr(tag));
        }),
        enum64: accepts(|btf| {
            let name = btf.intern("x");
            let values = vec![EnumValue { name, value: 1 }];
            let (signed, size) = (false, 8);
            named(
                btf,
                Kind::Enum64(Enum {
                    signed,
                    size,
                    values,
                }),
            );
        }),
    }
}

/// The type that every blob begins with.
const INT: TypeId = TypeId(1);

/// Whether the kernel takes an `int` and the types that `add` adds.
fn accepts(add: impl FnOnce(&mut Btf)) -> bool {
    load(add).is_ok()
}

fn load(add: impl FnOnce(&mut Btf)) -> Result<(), Error> {
    let mut btf = Btf::new();
    let int = Kind::Int {
        size: 4,
        encoding: IntEncoding::SIGNED,
        offset: 0,
        bits: 32,
    };
    named(&mut btf, int);
    add(&mut btf);
    let data = btf.write(HOST);
    // What is made here is far from the limits of the format.
    bpf::btf_load(&data.unwrap_or_default(), None).map(drop)
}

fn named(btf: &mut Btf, kind: Kind) -> TypeId {
    let name = btf.intern("x");
    btf.add(name, kind)
}

fn function(btf: &mut Btf, linkage: FuncLinkage) {
    let (ret, params) = (TypeId::VOID, Vec::new());
    let proto = btf.add(Name::NONE, Kind::FuncProto { ret, params });
    named(btf, Kind::Func { proto, linkage });
}

fn declaration_tag(btf: &mut Btf, attribute: bool) {
    let linkage = VarLinkage::STATIC;
    let ty = named(btf, Kind::Var { ty: INT, linkage });
    let component = -1;
    named(
        btf,
        Kind::DeclTag {
            ty,
            component,
            attribute,
        },
    );
}

/// A map of one element, with keys and values of 4 bytes.
fn elements(map_type: MapType) -> Result<bpf::Map, Error> {
    bpf::Map::create(&bpf::MapCreate {
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        ..bpf::MapCreate::new(map_type)
    })
}

fn map(map_type: MapType, value_size: u32, name: &str, flags: u32) -> Result<(), Error> {
    let ring = map_type == MapType::RINGBUF;
    bpf::map_create(&bpf::MapCreate {
        key_size: if ring { 0 } else { 4 },
        value_size,
        // A ring buffer holds whole pages, of whatever size this machine has.
        max_entries: if ring { 1 << 16 } else { 1 },
        name,
        flags,
        ..bpf::MapCreate::new(map_type)
    })
    .map(drop)
}
