//! How a type is written where it is used.

use std::collections::{HashMap, VecDeque};

use aya_obj::btf::{Btf, BtfError, IntEncoding, Kind, Param, Type, TypeId};

use super::{
    Budget,
    layout::Layouts,
    names::{Scope, identifier},
};

/// How far pointers, arrays and functions may be nested in one another without a name in between.
const DEPTH_LIMIT: u32 = 64;

pub(super) const VOID: &str = "::core::ffi::c_void";

/// A type that is to be declared.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: TypeId,
    /// Its name in Rust.
    pub(super) name: String,
}

/// The declaration that a type is used in, after which types without a name are called.
#[derive(Debug)]
pub(super) struct Place<'n> {
    name: &'n str,
    /// Types without a name so far.
    count: u32,
    /// These types.
    items: Vec<Item>,
}

impl<'n> Place<'n> {
    pub(super) fn new(name: &'n str) -> Self {
        Self {
            name,
            count: 0,
            items: Vec::new(),
        }
    }
}

/// Types and their names in Rust, and what is left to be declared.
#[derive(Debug)]
pub(super) struct Types<'a> {
    pub(super) btf: &'a Btf,
    pub(super) layouts: Layouts<'a>,
    /// Names of enumerators, which may differ from those of types.
    pub(super) constants: Scope,
    pub(super) budget: Budget,
    named: HashMap<TypeId, String>,
    names: Scope,
    queue: VecDeque<Item>,
    /// The definition of each struct (`false`) and union (`true`) with a name.
    definitions: HashMap<(&'a str, bool), TypeId>,
}

impl<'a> Types<'a> {
    pub(super) fn new(btf: &'a Btf) -> Self {
        let mut definitions = HashMap::new();
        for (id, ty) in btf.iter() {
            let is_union = matches!(ty.kind, Kind::Union(_));
            if (is_union || matches!(ty.kind, Kind::Struct(_))) && !ty.name.is_none() {
                definitions
                    .entry((btf.name(ty.name), is_union))
                    .or_insert(id);
            }
        }
        let mut names = Scope::default();
        for support in ["__BindgenBitfieldUnit", "__IncompleteArrayField"] {
            names.claim(support.to_owned());
        }
        Self {
            btf,
            layouts: Layouts::new(btf),
            constants: Scope::default(),
            budget: Budget::new(btf),
            named: HashMap::new(),
            names,
            queue: VecDeque::new(),
            definitions,
        }
    }

    /// The next type to be declared.
    pub(super) fn next(&mut self) -> Option<Item> {
        self.queue.pop_front()
    }

    /// Puts the types without a name that were met in a declaration next, right after it.
    pub(super) fn leave(&mut self, place: Place<'_>) {
        for item in place.items.into_iter().rev() {
            self.queue.push_front(item);
        }
    }

    /// The name of a type that has one, which is declared if it is not yet.
    pub(super) fn declare(&mut self, id: TypeId) -> Result<String, BtfError> {
        let id = self.defining(id)?;
        if let Some(name) = self.named.get(&id) {
            self.budget.spend(name.len())?;
            return Ok(name.clone());
        }
        let name = self.names.claim(identifier(self.btf.type_name(id)));
        self.budget.spend(name.len())?;
        self.named.insert(id, name.clone());
        self.queue.push_back(Item {
            id,
            name: name.clone(),
        });
        Ok(name)
    }

    /// The type that is declared under a type's name: a struct's definition instead of its
    /// declaration, and `struct x` instead of `typedef struct x x`.
    fn defining(&self, id: TypeId) -> Result<TypeId, BtfError> {
        let Some(ty) = self.btf.get(id) else {
            return Ok(id);
        };
        if let Kind::Typedef(to) = ty.kind
            && let Some((tag, target)) = self.btf.resolve(to)?
            && is_tagged(&target.kind)
            && self.btf.name(target.name) == self.btf.name(ty.name)
        {
            return self.defining(tag);
        }
        if let Kind::Fwd { is_union } = ty.kind {
            let key = (self.btf.name(ty.name), is_union);
            return Ok(self.definitions.get(&key).copied().unwrap_or(id));
        }
        Ok(id)
    }

    /// The type as it is written in a declaration.
    pub(super) fn write(&mut self, id: TypeId, place: &mut Place<'_>) -> Result<String, BtfError> {
        self.write_within(id, place, 0)
    }

    fn write_within(
        &mut self,
        id: TypeId,
        place: &mut Place<'_>,
        depth: u32,
    ) -> Result<String, BtfError> {
        if depth > DEPTH_LIMIT {
            return Err(BtfError::Cycle { id });
        }
        self.budget.spend(1)?;
        let (id, ty) = match self.unqualified(id)? {
            (_, Some(found), _) => found,
            _ => return Ok(VOID.to_owned()),
        };
        Ok(match &ty.kind {
            Kind::Int { size, encoding, .. } => integer(self.btf.name(ty.name), *size, *encoding),
            Kind::Float {
                size: size @ (4 | 8),
            } => format!("f{}", size * 8),
            Kind::Float { size } => format!("[u8; {size}]"),
            Kind::Ptr(to) => self.pointer(*to, place, depth + 1)?,
            Kind::Array(array) => {
                let element = self.write_within(array.elem, place, depth + 1)?;
                match array.len {
                    0 => format!("__IncompleteArrayField<{element}>"),
                    len => format!("[{element}; {len}]"),
                }
            }
            Kind::FuncProto { ret, params } => self.function(*ret, params, place, depth + 1)?,
            kind if is_tagged(kind) && ty.name.is_none() => {
                place.count += 1;
                let name = format!("{}__bindgen_ty_{}", place.name, place.count);
                let name = self.names.claim(name);
                self.budget.spend(name.len())?;
                place.items.push(Item {
                    id,
                    name: name.clone(),
                });
                name
            }
            Kind::Typedef(_) => self.declare(id)?,
            kind if is_tagged(kind) => self.declare(id)?,
            // Functions, variables and sections are no types to be used.
            _ => VOID.to_owned(),
        })
    }

    /// What is behind qualifiers and tags, and whether one of them is `const`.
    #[allow(clippy::type_complexity)]
    fn unqualified(
        &self,
        id: TypeId,
    ) -> Result<(TypeId, Option<(TypeId, &'a Type)>, bool), BtfError> {
        let (mut at, mut constant) = (id, false);
        for _ in 0..DEPTH_LIMIT {
            match self.btf.get(at).map(|ty| (ty, &ty.kind)) {
                Some((_, Kind::Const(to))) => (at, constant) = (*to, true),
                Some((
                    _,
                    Kind::Volatile(to) | Kind::Restrict(to) | Kind::TypeTag { ty: to, .. },
                )) => at = *to,
                Some((ty, _)) => return Ok((at, Some((at, ty)), constant)),
                None => return Ok((at, None, constant)),
            }
        }
        Err(BtfError::Cycle { id })
    }

    fn pointer(
        &mut self,
        to: TypeId,
        place: &mut Place<'_>,
        depth: u32,
    ) -> Result<String, BtfError> {
        let target = self.write_within(to, place, depth)?;
        let resolved = self.btf.resolve(to)?;
        if let Some((_, ty)) = resolved
            && matches!(ty.kind, Kind::FuncProto { .. })
        {
            // Rust's functions are pointers already.
            return Ok(target);
        }
        let constant = self.unqualified(to)?.2;
        let qualifier = if constant { "const" } else { "mut" };
        Ok(format!("*{qualifier} {target}"))
    }

    fn function(
        &mut self,
        ret: TypeId,
        params: &[Param],
        place: &mut Place<'_>,
        depth: u32,
    ) -> Result<String, BtfError> {
        let mut text = String::from("::core::option::Option<unsafe extern \"C\" fn(");
        let (params, variadic) = match params {
            [params @ .., last] if last.name.is_none() && last.ty == TypeId::VOID => (params, true),
            params => (params, false),
        };
        for (index, param) in params.iter().enumerate() {
            if index > 0 {
                text += ", ";
            }
            text += &self.write_within(param.ty, place, depth)?;
        }
        // Rust has `...` only after another parameter.
        if variadic && !params.is_empty() {
            text += ", ...";
        }
        text.push(')');
        if self.btf.resolve(ret)?.is_some() {
            text += " -> ";
            text += &self.write_within(ret, place, depth)?;
        }
        text.push('>');
        self.budget.spend(text.len())?;
        Ok(text)
    }
}

/// Is that something that C calls by `struct`, `union` or `enum` and a name?
pub(super) fn is_tagged(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Struct(_) | Kind::Union(_) | Kind::Enum(_) | Kind::Enum64(_) | Kind::Fwd { .. }
    )
}

/// A number of that size; bytes where Rust has none.
pub(super) fn number(size: u32, signed: bool) -> String {
    match size {
        1 | 2 | 4 | 8 | 16 => format!("{}{}", if signed { 'i' } else { 'u' }, size * 8),
        _ => format!("[u8; {size}]"),
    }
}

fn integer(name: &str, size: u32, encoding: IntEncoding) -> String {
    if size == 1 && encoding.0 & IntEncoding::BOOL.0 != 0 {
        return "bool".to_owned();
    }
    // Whether `char` has a sign is the kernel's choice; programs expect their own kind of it.
    if size == 1 && name == "char" {
        return "::core::ffi::c_char".to_owned();
    }
    number(size, encoding.is_signed())
}
