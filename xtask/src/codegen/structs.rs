//! Structs: clang compiles a file with a variable of each, the BTF tells where the members lie.
//!
//! Rust code without `unsafe` cannot read unions, so none comes out: of a union's alternatives one is
//! taken, the largest unless a variant asks for another, and its members become the struct's own.
//! Holes become explicit padding, so that every byte of a struct belongs to a field.

use std::{collections::BTreeSet, fmt::Write as _};

use aya_obj::btf::Btf;
use object::{Object as _, ObjectSection as _};

use crate::error::{Context as _, Result};

use super::{
    descriptions::describe,
    headers::Headers,
    helpers,
    layout::{Source, alignment, rename},
    selection::{ARCHES, ATTRS, MORE_STRUCTS, SKIPPED, VARIANTS, Variant},
};

/// `structs.rs`, `attr.rs`, `arch.rs` and the layout test as (name, text).
pub(super) fn generate(headers: &Headers) -> Result<Vec<(String, String)>> {
    let mut names: Vec<String> = headers
        .read("linux/bpf.h")?
        .lines()
        .filter_map(|line| line.strip_prefix("struct ")?.strip_suffix(" {"))
        .filter(|name| !SKIPPED.contains(name))
        .map(str::to_owned)
        .collect();
    names.extend(MORE_STRUCTS.iter().map(|name| (*name).to_owned()));
    let btf = compile(
        headers,
        "x86",
        &[],
        &names,
        &["bpf_attr", "bpf_iter_link_info"],
    )?;
    let mut layouts = Layouts::default();

    let mut structs = String::from("//! Structs of the headers.\n\nuse core::ffi::c_void;\n");
    for name in &names {
        let source = Source::find(&btf, name)?;
        structs += &source.emit(name, &[], &describe("struct", name), false, &mut layouts)?;
    }
    let opaque: BTreeSet<String> = helpers::pointees(headers)?.into_iter().collect();
    for name in opaque.iter().filter(|name| !names.contains(name)) {
        // Registers are the architecture's business.
        if name != "pt_regs" {
            let _ = write!(
                structs,
                "\n/// `struct {name}` of the kernel, known to programs by address alone.\n#[derive(Clone, Copy, Debug)]\n#[repr(C)]\npub struct {name} {{\n    _opaque: [u8; 0],\n}}\n"
            );
        }
    }
    for variant in VARIANTS {
        structs += &emit_variant(&btf, variant, &mut layouts)?;
    }

    let mut attr = String::from(
        "//! Arguments of bpf(2), one struct for each command or for each form of it.\n//!\n//! They end with their last member: the kernel takes what is missing as zeros.\n",
    );
    let mut attr_layouts = Layouts::default();
    for variant in ATTRS {
        attr += &emit_variant(&btf, variant, &mut attr_layouts)?;
    }

    let mut arch = String::from("//! Registers, by architecture.\n");
    for (rust, kernel, define) in ARCHES {
        let btf = compile(
            headers,
            kernel,
            &[define],
            &["bpf_perf_event_data".to_owned()],
            &[],
        )?;
        let source = Source::find(&btf, "bpf_perf_event_data")?;
        let regs = source.members()?.first().copied().ok_or("no registers")?;
        let regs = source.resolved(regs.ty)?;
        let _ = write!(arch, "\n/// {rust}\npub mod {rust} {{\n");
        let mut own = Layouts::default();
        arch += &Source { id: regs, ..source }.emit(
            "pt_regs",
            &[],
            "Registers as a probe's context holds them.",
            false,
            &mut own,
        )?;
        arch += &source
            .emit(
                "bpf_perf_event_data",
                &[],
                "Context of a perf event program.",
                false,
                &mut own,
            )?
            .replace(&format!(": {},", btf.type_name(regs)), ": pt_regs,")
            .replace(
                &format!(": {}::ZEROED,", btf.type_name(regs)),
                ": pt_regs::ZEROED,",
            );
        arch += "}\n";
    }

    Ok(vec![
        ("structs.rs".to_owned(), structs),
        ("attr.rs".to_owned(), attr),
        ("arch.rs".to_owned(), arch),
        ("layout.rs".to_owned(), layout_test(&layouts, &attr_layouts)),
    ])
}

/// Sizes and offsets as the compiler of the headers sees them, for a test.
#[derive(Default)]
struct Layouts(Vec<String>);

fn layout_test(structs: &Layouts, attrs: &Layouts) -> String {
    format!(
        "//! Sizes and offsets, as the C compiler lays the structs out.\n#![cfg(target_pointer_width = \"64\")]\n\nuse core::mem::offset_of;\n\nuse super::{{attr, structs::*}};\n\n#[test]\nfn structs() {{\n{}}}\n\n#[test]\nfn attrs() {{\n{}}}\n",
        structs.0.concat(),
        attrs.0.concat()
    )
}

fn emit_variant(btf: &Btf, variant: &Variant, layouts: &mut Layouts) -> Result<String> {
    let (name, source, keys, doc) = variant;
    let source_name = source
        .split_once(' ')
        .map_or(*source, |(_, source_name)| source_name);
    let doc = format!("{doc} (`{source}`).");
    Source::find(btf, source_name)?.emit(name, keys, &doc, true, layouts)
}

fn compile(
    headers: &Headers,
    arch: &str,
    defines: &[&str],
    structs: &[String],
    unions: &[&str],
) -> Result<Btf> {
    let mut source = String::new();
    if structs.iter().any(|name| name == "bpf_perf_event_data") {
        source += "#include <linux/bpf_perf_event.h>\n";
    }
    for name in structs {
        let _ = writeln!(source, "struct {name} v_{name};");
    }
    for name in unions {
        let _ = writeln!(source, "union {name} v_{name};");
    }
    let args: Vec<&str> = ["-g", "-c", "-O0"].iter().chain(defines).copied().collect();
    let elf = headers.clang(arch, &args, &source)?;
    let file = object::File::parse(elf.as_slice()).context("clang's output")?;
    let section = file.section_by_name(".BTF").ok_or("clang wrote no BTF")?;
    Btf::parse(section.data().context(".BTF")?).context(".BTF")
}

impl Source<'_> {
    /// The Rust struct. One that ends early has no padding for alternatives that are larger.
    fn emit(
        &self,
        name: &str,
        keys: &[&str],
        doc: &str,
        ends_early: bool,
        layouts: &mut Layouts,
    ) -> Result<String> {
        let mut fields = self.fields(0, keys, None)?;
        fields.sort_by_key(|field| field.offset);
        rename(&mut fields);
        let align = fields
            .iter()
            .map(|field| alignment(&field.kind))
            .max()
            .unwrap_or(1);
        let end = fields.last().map_or(0, |field| field.offset + field.size);
        let size = if ends_early {
            end.next_multiple_of(align)
        } else {
            self.size(self.id)?
        };
        let mut body = String::new();
        let mut zeroed = String::new();
        let mut bits = String::new();
        let mut at = 0;
        let mut holes = 0;
        let mut pad = |at: u32, to: u32, body: &mut String, zeroed: &mut String| {
            if at < to {
                let _ = writeln!(
                    body,
                    "/// Padding, zeros.\npub _pad{holes}: [u8; {}],",
                    to - at
                );
                let _ = writeln!(zeroed, "_pad{holes}: [0; {}],", to - at);
                holes += 1;
            }
        };
        let place = if name.starts_with(char::is_uppercase) {
            format!("attr::{name}")
        } else {
            name.to_owned()
        };
        let mut layout = format!("assert_eq!(size_of::<{place}>(), {size});\n");
        for field in &fields {
            pad(at, field.offset, &mut body, &mut zeroed);
            let mut doc = field.doc.clone();
            if !field.others.is_empty() {
                let others: Vec<String> = field
                    .others
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect();
                let _ = write!(doc, " Also known as {}.", others.join(", "));
            }
            let _ = writeln!(body, "/// {doc}\npub {}: {},", field.name, field.kind);
            let _ = writeln!(zeroed, "{}: {},", field.name, field.zero);
            if !field.name.starts_with("__reserved") {
                let _ = writeln!(
                    layout,
                    "assert_eq!(offset_of!({place}, {}), {});",
                    field.name, field.offset
                );
            }
            if field.bits.len() > 1 {
                for (bit_name, bit) in &field.bits {
                    let constant = bit_name.trim_start_matches('_').to_uppercase();
                    let _ = writeln!(
                        bits,
                        "/// Lowest bit of `{bit_name}` in `{}`.\npub const {constant}: {} = 1 << {bit};",
                        field.name, field.kind
                    );
                }
            }
            at = field.offset + field.size;
        }
        pad(at, size, &mut body, &mut zeroed);
        layouts.0.push(layout);
        Ok(format!(
            "
/// {doc}
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct {name} {{
{body}}}

impl {name} {{
    /// All bytes zero.
    pub const ZEROED: Self = Self {{
{zeroed}    }};
{bits}}}

impl Default for {name} {{
    fn default() -> Self {{
        Self::ZEROED
    }}
}}
"
        ))
    }
}
