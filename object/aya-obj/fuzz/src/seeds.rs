//! What mutation starts from: an object made by hand, and compiled ones where there is a compiler.

#[path = "../../tests/common/build.rs"]
#[allow(dead_code)]
mod build;
#[path = "../../tests/common/mod.rs"]
mod common;

/// Types of all sorts.
const TYPES: &str = concat!(
    include_str!("../../../../tools/aya-tool/tests/c/types.h"),
    "#define OBJECT(kind, name) kind name used_##name;\nEACH_TYPE(OBJECT)\n"
);

/// Whole objects and single sections, all of them valid.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut objects = vec![build::hand_made()];
    objects.extend(common::compile("seeds", common::FIREWALL));
    objects.extend(common::compile("seeds", TYPES));
    let big = ["-g", "-target", "bpfeb"];
    objects.extend(common::compile_with("seeds", common::FIREWALL, &big));
    let mut seeds = objects.clone();
    for object in objects {
        let types = aya_obj::ObjectSpec::parse(&object)
            .ok()
            .and_then(|spec| spec.btf);
        seeds.extend(types.and_then(|btf| btf.write(Default::default()).ok()));
    }
    seeds
}
