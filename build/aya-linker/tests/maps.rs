//! Definitions of maps: what the object says of them, and what cannot be in one from the start.

mod common;

use std::fs;
use std::path::Path;

use aya_linker::{DiagnosticKind, Error, Options};
use aya_obj::ObjectSpec;
use common::link_source;

/// `aya_map_def` by the conventions between the crates, with a content of any kind.
const DEFINITION: &str = "
#[allow(non_camel_case_types)]
#[repr(C)] pub struct aya_map_def<K, V, C> {
    numbers: [u32; 7], extra: u64, key: [*const K; 0], value: [*const V; 0], content: C,
}
#[repr(C)] struct Values<T: 'static>(&'static [T]);
#[repr(C)] struct OfMaps<M: 'static> { values: &'static [&'static M], inner: M }
#[repr(transparent)] struct Map<K, V, C = ()>(core::cell::UnsafeCell<aya_map_def<K, V, C>>);
unsafe impl<K, V, C> Sync for Map<K, V, C> {}
impl<K, V, C> Map<K, V, C> {
    const fn new(kind: u32, node: u32, extra: u64, content: C) -> Self {
        let numbers = [kind, size_of::<K>() as u32, size_of::<V>() as u32, 4, 0, node, 0];
        Self(core::cell::UnsafeCell::new(aya_map_def { numbers, extra, key: [], value: [], content }))
    }
}
#[unsafe(no_mangle)] #[unsafe(link_section = \"xdp\")]
extern \"C\" fn program(c: *mut u64) -> u64 { word(c, 0) }
";

/// Links the program with these maps, and reads the object.
fn linked(test: &str, maps: &str) -> Option<Result<ObjectSpec, Error>> {
    let source = format!("{DEFINITION}{maps}");
    let result = link_source(test, &source, &Options::default())?;
    let object = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(test)
        .join("main.o");
    Some(result.map(|_| {
        let bytes = fs::read(object).expect("the object");
        ObjectSpec::parse(&bytes).expect("an object")
    }))
}

#[test]
fn numbers_of_all_widths() {
    let maps = "
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static SMALL: Map<u32, u64> = Map::new(1, 3, 7, ());
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static LARGE: Map<u32, u64> = Map::new(1, 0, 1 << 44, ());
";
    let Some(object) = linked("numbers_of_all_widths", maps) else {
        return;
    };
    let object = object.expect("it links");
    let find = |name| object.maps.iter().find(|map| map.name == name);
    let (small, large) = (find("SMALL").expect("a map"), find("LARGE").expect("a map"));
    assert_eq!((small.numa_node, small.map_extra), (3, 7));
    assert_eq!((large.numa_node, large.map_extra), (0, 1 << 44));
    assert_eq!(
        (large.key_size, large.value_size, large.max_entries),
        (4, 8, 4)
    );
}

/// libbpf fills a map as soon as it is created: the maps that go into it must be there.
#[test]
fn maps_of_maps_come_last() {
    let maps = "
type Inner = Map<u32, u64>;
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static A_OUTER: Map<u32, u32, OfMaps<Inner>> =
    Map::new(12, 0, 0, OfMaps { values: &[&Z_INNER, &M_INNER], inner: Map::new(2, 0, 0, ()) });
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static M_INNER: Inner = Map::new(2, 0, 0, ());
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static Z_INNER: Inner = Map::new(2, 0, 0, ());
";
    let Some(object) = linked("maps_of_maps_come_last", maps) else {
        return;
    };
    let object = object.expect("it links");
    let last = object.maps.last().expect("maps");
    assert_eq!((last.name.as_str(), last.initial.len()), ("A_OUTER", 2));
    let inner = last.inner.as_deref().expect("a template");
    assert_eq!((inner.map_type.0, inner.value_size), (2, 8));
    let order: Vec<_> = last.initial.iter().map(|(index, _)| *index).collect();
    assert_eq!(order, [0, 1]);
}

/// The one finding about maps that must not link.
fn refused(test: &str, maps: &str, map: &str, value: &str) {
    let Some(result) = linked(test, maps) else {
        return;
    };
    let Err(Error::Program(found)) = result else {
        panic!("{:?}", result.map(|object| object.maps))
    };
    let [found] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(found.kind, DiagnosticKind::InitialValue, "{found}");
    let text = found.to_string();
    assert!(text.starts_with(map) && text.contains(value), "{text}");
}

#[test]
fn a_program_that_does_not_exist() {
    let maps = "
unsafe extern \"C\" { fn no_such_program(context: *mut u64) -> u64; }
type Entry = unsafe extern \"C\" fn(*mut u64) -> u64;
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static NEXT: Map<u32, u32, Values<Option<Entry>>> =
    Map::new(3, 0, 0, Values(&[None, Some(program as Entry), Some(no_such_program)]));
";
    let test = "a_program_that_does_not_exist";
    refused(test, maps, "NEXT: ", "(no_such_program)");
}

#[test]
fn a_function_that_is_no_program() {
    let maps = "
#[unsafe(no_mangle)] extern \"C\" fn subprogram(c: *mut u64) -> u64 { word(c, 1) }
type Entry = unsafe extern \"C\" fn(*mut u64) -> u64;
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static NEXT: Map<u32, u32, Values<Entry>> = Map::new(3, 0, 0, Values(&[subprogram]));
";
    refused(
        "a_function_that_is_no_program",
        maps,
        "NEXT: ",
        "(subprogram)",
    );
}

#[test]
fn a_static_that_is_no_map() {
    let maps = "
#[unsafe(no_mangle)] static COUNT: Map<u32, u64> = Map::new(2, 0, 0, ());
#[unsafe(no_mangle)] #[unsafe(link_section = \"maps\")]
static OUTER: Map<u32, u32, OfMaps<Map<u32, u64>>> =
    Map::new(13, 0, 0, OfMaps { values: &[&COUNT], inner: Map::new(2, 0, 0, ()) });
";
    refused("a_static_that_is_no_map", maps, "OUTER: ", "(COUNT)");
}
