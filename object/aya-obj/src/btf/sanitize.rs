//! Type information that the running kernel accepts.
//!
//! An older kernel refuses BTF as a whole for one kind of type that it does not know. Such types
//! give way to known ones of the same size; numbers of types and places of names stay what they
//! were, so that maps and programs can go on referring to them.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use super::{
    Btf, DatasecVar, FuncLinkage, IntEncoding, Kind, Member, Name, Struct, Type, TypeId, VarLinkage,
};
use crate::order::sort_by_number;

/// What the kernel knows of BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BtfFeatures {
    /// Functions and prototypes (5.0).
    pub func: bool,
    /// Variables and sections (5.2).
    pub datasec: bool,
    /// Global functions (5.6).
    pub global_func: bool,
    /// Floating-point numbers (5.13).
    pub float: bool,
    /// Tags on declarations (5.16).
    pub decl_tag: bool,
    /// Tags on types (5.17).
    pub type_tag: bool,
    /// Enumerations of 64 bits, and signed ones (6.0).
    pub enum64: bool,
    /// Tags that are attributes (6.14).
    pub attribute_tag: bool,
}

impl BtfFeatures {
    /// Everything that this crate knows.
    pub const ALL: Self = Self {
        func: true,
        datasec: true,
        global_func: true,
        float: true,
        decl_tag: true,
        type_tag: true,
        enum64: true,
        attribute_tag: true,
    };
    /// What every kernel with BTF knows (4.18).
    pub const NONE: Self = Self {
        func: false,
        datasec: false,
        global_func: false,
        float: false,
        decl_tag: false,
        type_tag: false,
        enum64: false,
        attribute_tag: false,
    };
}

/// The longest name that kernels take.
const NAME_LIMIT: usize = 127;

impl Btf {
    /// Replaces what a kernel with these features refuses.
    ///
    /// ```
    /// use aya_obj::btf::{Btf, BtfFeatures, Kind};
    ///
    /// let mut btf = Btf::new();
    /// let name = btf.intern("double");
    /// let id = btf.add(name, Kind::Float { size: 8 });
    /// btf.sanitize(&BtfFeatures { float: false, ..BtfFeatures::ALL });
    /// assert!(matches!(&btf.get(id).unwrap().kind, Kind::Struct(body) if body.size == 8));
    /// ```
    pub fn sanitize(&mut self, features: &BtfFeatures) {
        if features.func {
            self.name_parameters();
        }
        let placeholder = self.placeholder(features);
        let ids: Vec<TypeId> = self.iter().map(|(id, _)| id).collect();
        for id in ids {
            let Some(ty) = self.get(id) else { continue };
            let (name, kind) = (ty.name, self.acceptable(&ty.kind, features, placeholder));
            let name = self.acceptable_name(name, &kind);
            if let Some(ty) = self.get_mut(id) {
                *ty = Type { name, kind };
            }
        }
    }

    /// The type that stands for the values of enumerations of 64 bits, added where it is needed.
    fn placeholder(&mut self, features: &BtfFeatures) -> TypeId {
        let needed = |ty: &Type| matches!(ty.kind, Kind::Enum64(_));
        if features.enum64 || !self.types.iter().any(needed) {
            return TypeId::VOID;
        }
        let name = self.intern("enum64_value");
        self.add(name, int(1))
    }

    fn acceptable(&self, kind: &Kind, features: &BtfFeatures, placeholder: TypeId) -> Kind {
        match kind {
            Kind::FuncProto { .. } if !features.func => int(4),
            Kind::Func { proto, .. } if !features.func => Kind::Typedef(*proto),
            Kind::Func { proto, .. } if !self.is_proto(*proto) => int(1),
            Kind::Func { proto, linkage } if *linkage != FuncLinkage::STATIC => Kind::Func {
                proto: *proto,
                linkage: match features.global_func {
                    true => FuncLinkage::GLOBAL,
                    false => FuncLinkage::STATIC,
                },
            },
            Kind::Var { .. } if !features.datasec => int(1),
            // Kernels know only variables that exist.
            Kind::Var { ty, linkage } if *linkage == VarLinkage::EXTERN => Kind::Var {
                ty: *ty,
                linkage: VarLinkage::GLOBAL,
            },
            Kind::Datasec { size, vars } => self.acceptable_section(*size, vars, features),
            Kind::Float { size } if !features.float => Kind::Struct(Struct {
                size: *size,
                members: Vec::new(),
            }),
            Kind::DeclTag { attribute, .. }
                if !features.decl_tag || *attribute && !features.attribute_tag =>
            {
                int(1)
            }
            Kind::TypeTag { ty, attribute }
                if !features.type_tag || *attribute && !features.attribute_tag =>
            {
                Kind::Const(*ty)
            }
            Kind::Enum(body) if !features.enum64 => {
                let mut body = body.clone();
                body.signed = false;
                for value in &mut body.values {
                    value.value &= i64::from(u32::MAX);
                }
                Kind::Enum(body)
            }
            Kind::Enum64(body) if !features.enum64 => {
                let member = |name| Member {
                    name,
                    ty: placeholder,
                    bit_offset: 0,
                    bits: 0,
                };
                Kind::Union(Struct {
                    size: body.size,
                    members: body.values.iter().map(|v| member(v.name)).collect(),
                })
            }
            kind => kind.clone(),
        }
    }

    /// A section as a kernel takes it; without size, or to a kernel without sections, it becomes a
    /// structure.
    fn acceptable_section(&self, size: u32, vars: &[DatasecVar], features: &BtfFeatures) -> Kind {
        let mut vars: Vec<DatasecVar> = vars
            .iter()
            .copied()
            .filter(|var| match self.get(var.ty).map(|ty| &ty.kind) {
                Some(Kind::Var { .. }) => size != 0,
                // Without sections, variables are integers by now.
                Some(Kind::Int { .. }) => size != 0 && !features.datasec,
                _ => false,
            })
            .collect();
        sort_by_number(&mut vars, |var| var.offset.into());
        if features.datasec && size != 0 {
            return Kind::Datasec { size, vars };
        }
        let member = |var: &DatasecVar| Member {
            name: self.get(var.ty).map_or(Name::NONE, |ty| ty.name),
            ty: var.ty,
            bit_offset: var.offset.saturating_mul(8),
            bits: 0,
        };
        Kind::Struct(Struct {
            size,
            members: vars.iter().map(member).collect(),
        })
    }

    /// The name of a type of that kind: kernels want identifiers, and no names of qualifiers.
    fn acceptable_name(&mut self, name: Name, kind: &Kind) -> Name {
        match kind {
            Kind::Const(_) => Name::NONE,
            Kind::Struct(_)
            | Kind::Union(_)
            | Kind::Enum(_)
            | Kind::Enum64(_)
            | Kind::Fwd { .. }
            | Kind::Typedef(_)
            | Kind::Func { .. }
            | Kind::Var { .. } => match identifier(self.name(name)) {
                Some(legal) => self.intern(&legal),
                None => name,
            },
            _ => name,
        }
    }

    /// Gives the unnamed parameters of functions names, which the kernel insists on.
    fn name_parameters(&mut self) {
        let mut protos = BTreeSet::new();
        for ty in &self.types {
            if let Kind::Func { proto, .. } = ty.kind {
                protos.insert(proto);
            }
        }
        for proto in protos {
            let Some(Kind::FuncProto { ret, params }) = self.get(proto).map(|ty| &ty.kind) else {
                continue;
            };
            let (ret, mut params) = (*ret, params.clone());
            for (index, param) in params.iter_mut().enumerate() {
                if param.name.is_none() && param.ty != TypeId::VOID {
                    param.name = self.intern(&format!("arg{index}"));
                }
            }
            if let Some(ty) = self.get_mut(proto) {
                ty.kind = Kind::FuncProto { ret, params };
            }
        }
    }
}

/// An integer of that many bytes.
fn int(size: u8) -> Kind {
    Kind::Int {
        size: size.into(),
        encoding: IntEncoding::UNSIGNED,
        offset: 0,
        bits: size.saturating_mul(8),
    }
}

/// An identifier to stand for a name that is none; `None` if the name is fine as it is.
fn identifier(name: &str) -> Option<String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let starts_with_digit = name.starts_with(|c: char| c.is_ascii_digit());
    if name.len() <= NAME_LIMIT && !starts_with_digit && name.chars().all(is_legal) {
        return None;
    }
    let start = if starts_with_digit { "_" } else { "" };
    let legal = name.chars().map(|c| if is_legal(c) { c } else { '_' });
    Some(start.chars().chain(legal).take(NAME_LIMIT).collect())
}
