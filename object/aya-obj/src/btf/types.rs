//! The types of BTF and their string table.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

/// The number of a type: 0 is `void`, the first one in the table is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`, or "nothing".
    pub const VOID: Self = Self(0);
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

/// The place of a name in the string table; [`Btf::name`] gives the text.
///
/// It stays valid while strings are added and is the offset that [`Btf::write`] puts out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub u32);

impl Name {
    /// The empty name: anonymous.
    pub const NONE: Self = Self(0);

    /// Is this the empty name?
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// One entry of the type table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Its name, [`Name::NONE`] when anonymous.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
}

/// What a type is, with the data of its kind (`BTF_KIND_*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer, `bool` or `char`.
    Int {
        /// Bytes it occupies.
        size: u32,
        /// Signed, `char`, `bool`: any combination.
        encoding: IntEncoding,
        /// First bit of an old-style bit field, else 0.
        offset: u8,
        /// Number of bits, usually `size * 8`.
        bits: u8,
    },
    /// A pointer to the type.
    Ptr(TypeId),
    /// An array.
    Array(Array),
    /// A `struct`.
    Struct(Struct),
    /// A `union`.
    Union(Struct),
    /// An `enum` whose values have up to 32 bits.
    Enum(Enum),
    /// A declaration of a `struct` or `union` whose definition is elsewhere.
    Fwd {
        /// A `union`, not a `struct`.
        is_union: bool,
    },
    /// Another name for the type.
    Typedef(TypeId),
    /// `volatile`.
    Volatile(TypeId),
    /// `const`.
    Const(TypeId),
    /// `restrict`.
    Restrict(TypeId),
    /// A function: a name for a [`Kind::FuncProto`] (since kernel 5.0).
    Func {
        /// Its prototype.
        proto: TypeId,
        /// How it is linked; the kernel verifies global functions on their own.
        linkage: FuncLinkage,
    },
    /// A function's parameters and result (since kernel 5.0).
    FuncProto {
        /// The result; `void` for none.
        ret: TypeId,
        /// The parameters. A last one without name and type stands for `...`.
        params: Vec<Param>,
    },
    /// A global variable (since kernel 5.2).
    Var {
        /// Its type.
        ty: TypeId,
        /// How it is linked.
        linkage: VarLinkage,
    },
    /// A section of data and the variables in it (since kernel 5.2).
    Datasec {
        /// Bytes. Compilers leave 0 to be filled in before loading.
        size: u32,
        /// The variables, by rising offset.
        vars: Vec<DatasecVar>,
    },
    /// A floating-point number (since kernel 5.13).
    Float {
        /// Bytes it occupies.
        size: u32,
    },
    /// A tag on a declaration (since kernel 5.16).
    DeclTag {
        /// What is tagged.
        ty: TypeId,
        /// Which member or parameter of it; -1 for the whole.
        component: i32,
        /// An attribute of the form `tag(…)`, written with the kind flag (since kernel 6.14).
        attribute: bool,
    },
    /// A tag on a type (since kernel 5.17).
    TypeTag {
        /// What is tagged.
        ty: TypeId,
        /// An attribute of the form `tag(…)`, written with the kind flag (since kernel 6.14).
        attribute: bool,
    },
    /// An `enum` whose values have up to 64 bits (since kernel 6.0).
    Enum64(Enum),
}

/// How an integer is meant: the bits `BTF_INT_SIGNED`, `BTF_INT_CHAR`, `BTF_INT_BOOL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntEncoding(pub u8);

impl IntEncoding {
    /// No bit set: an unsigned number.
    pub const UNSIGNED: Self = Self(0);
    /// A signed number.
    pub const SIGNED: Self = Self(1);
    /// A character.
    pub const CHAR: Self = Self(2);
    /// A truth value.
    pub const BOOL: Self = Self(4);

    /// Is the number signed?
    pub fn is_signed(self) -> bool {
        self.0 & Self::SIGNED.0 != 0
    }
}

/// An array's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// Type of one element.
    pub elem: TypeId,
    /// Type of the index; any integer.
    pub index: TypeId,
    /// Number of elements.
    pub len: u32,
}

/// The body of a `struct` or `union`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Struct {
    /// Bytes it occupies.
    pub size: u32,
    /// Its members; the kernel wants them by rising offset.
    pub members: Vec<Member>,
}

/// A member of a `struct` or `union`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, [`Name::NONE`] when anonymous.
    pub name: Name,
    /// Its type.
    pub ty: TypeId,
    /// Where it begins, in bits.
    pub bit_offset: u32,
    /// Width in bits of a bit field, else 0.
    pub bits: u8,
}

/// The body of an `enum`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// Are the values signed? (Known to kernels since 6.0.)
    pub signed: bool,
    /// Bytes it occupies.
    pub size: u32,
    /// Its named values.
    pub values: Vec<EnumValue>,
}

/// A named value of an `enum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// Its name.
    pub name: Name,
    /// The value, sign-extended if the `enum` is signed.
    pub value: i64,
}

/// A parameter of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeId,
}

/// A variable's place in its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatasecVar {
    /// The [`Kind::Var`], or the [`Kind::Func`] in `.ksyms`.
    pub ty: TypeId,
    /// Where it begins, in bytes. Compilers leave 0 to be filled in before loading.
    pub offset: u32,
    /// Bytes it occupies.
    pub size: u32,
}

macro_rules! linkage {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub u32);

        impl $name {
            /// Seen in its own unit only.
            pub const STATIC: Self = Self(0);
            /// Seen by others.
            pub const GLOBAL: Self = Self(1);
            /// Defined elsewhere.
            pub const EXTERN: Self = Self(2);
        }
    };
}
linkage!(
    /// How a function is linked (`BTF_FUNC_*`).
    FuncLinkage
);
linkage!(
    /// How a variable is linked (`BTF_VAR_*`).
    VarLinkage
);

/// A table of types and the strings that name them.
///
/// ```
/// use aya_obj::btf::{Btf, Kind, IntEncoding, TypeId};
/// use aya_obj::Endianness;
///
/// let mut btf = Btf::new();
/// let name = btf.intern("u32");
/// let id = btf.add(name, Kind::Int { size: 4, encoding: IntEncoding::UNSIGNED, offset: 0, bits: 32 });
/// assert_eq!(id, TypeId(1));
/// let again = Btf::parse(&btf.write(Endianness::Little)?)?;
/// assert_eq!(again.type_name(id), "u32");
/// # Ok::<(), aya_obj::btf::BtfError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Btf {
    /// The types; `types[0]` has the id 1, as `void` is not stored.
    pub types: Vec<Type>,
    /// Strings, each ended by a zero byte; begins with the empty one.
    pub(super) strings: String,
    /// Where each string begins. Made when the first string is added.
    interned: Option<BTreeMap<Box<str>, Name>>,
}

impl Default for Btf {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Btf {
    fn eq(&self, other: &Self) -> bool {
        self.types == other.types && self.strings == other.strings
    }
}

impl Btf {
    /// A table without types.
    pub fn new() -> Self {
        Self::from_parts(Vec::new(), String::from("\0"))
    }

    pub(super) fn from_parts(types: Vec<Type>, strings: String) -> Self {
        Self {
            types,
            strings,
            interned: None,
        }
    }

    /// The type of that number; `None` for `void` and for numbers beyond the table.
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// The type of that number, to be changed.
    pub fn get_mut(&mut self, id: TypeId) -> Option<&mut Type> {
        self.types
            .get_mut(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// All types with their numbers.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (TypeId, &Type)> + '_ {
        self.types.iter().enumerate().map(|(i, ty)| (id_at(i), ty))
    }

    /// Adds a type and returns its number.
    pub fn add(&mut self, name: Name, kind: Kind) -> TypeId {
        let id = id_at(self.types.len());
        self.types.push(Type { name, kind });
        id
    }

    /// The text of a name; empty if it lies outside the table.
    pub fn name(&self, name: Name) -> &str {
        usize::try_from(name.0)
            .ok()
            .and_then(|at| self.strings.get(at..))
            .and_then(|rest| rest.split('\0').next())
            .unwrap_or_default()
    }

    /// The name of a type; empty for `void`, anonymous and unknown types.
    pub fn type_name(&self, id: TypeId) -> &str {
        self.get(id).map_or("", |ty| self.name(ty.name))
    }

    /// The whole string table, each string ended by a zero byte.
    pub fn strings(&self) -> &str {
        &self.strings
    }

    /// The place of a string in the table, which gets it if it has it not yet. Only what comes
    /// before a zero character counts.
    pub fn intern(&mut self, text: &str) -> Name {
        let text = text.split('\0').next().unwrap_or_default();
        if text.is_empty() {
            return Name::NONE;
        }
        let strings = &mut self.strings;
        let interned = self.interned.get_or_insert_with(|| {
            let mut at = 0u32;
            let mut places = BTreeMap::new();
            for text in strings.split_terminator('\0') {
                places.entry(text.into()).or_insert(Name(at));
                let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
                at = at.saturating_add(len).saturating_add(1);
            }
            places
        });
        if let Some(name) = interned.get(text) {
            return *name;
        }
        let name = Name(u32::try_from(strings.len()).unwrap_or(u32::MAX));
        strings.push_str(text);
        strings.push('\0');
        interned.insert(text.into(), name);
        name
    }
}

/// The number of the type at an index of the table.
fn id_at(index: usize) -> TypeId {
    TypeId(u32::try_from(index).map_or(u32::MAX, |i| i.saturating_add(1)))
}

/// Writes one walk over the names and type numbers in a type for shared and exclusive access.
macro_rules! visit {
    ($(#[$doc:meta])* $name:ident $iter:ident $($mutable:tt)?) => {
        $(#[$doc])*
        pub fn $name(
            & $($mutable)? self,
            mut names: impl FnMut(& $($mutable)? Name),
            mut types: impl FnMut(& $($mutable)? TypeId),
        ) {
            names(& $($mutable)? self.name);
            match & $($mutable)? self.kind {
                Kind::Int { .. } | Kind::Fwd { .. } | Kind::Float { .. } => {}
                Kind::Ptr(ty)
                | Kind::Typedef(ty)
                | Kind::Volatile(ty)
                | Kind::Const(ty)
                | Kind::Restrict(ty)
                | Kind::Func { proto: ty, .. }
                | Kind::Var { ty, .. }
                | Kind::DeclTag { ty, .. }
                | Kind::TypeTag { ty, .. } => types(ty),
                Kind::Array(array) => {
                    types(& $($mutable)? array.elem);
                    types(& $($mutable)? array.index);
                }
                Kind::Struct(body) | Kind::Union(body) => {
                    for member in body.members.$iter() {
                        names(& $($mutable)? member.name);
                        types(& $($mutable)? member.ty);
                    }
                }
                Kind::Enum(body) | Kind::Enum64(body) => {
                    for value in body.values.$iter() {
                        names(& $($mutable)? value.name);
                    }
                }
                Kind::FuncProto { ret, params } => {
                    types(ret);
                    for param in params.$iter() {
                        names(& $($mutable)? param.name);
                        types(& $($mutable)? param.ty);
                    }
                }
                Kind::Datasec { vars, .. } => {
                    for var in vars.$iter() {
                        types(& $($mutable)? var.ty);
                    }
                }
            }
        }
    };
}

impl Type {
    visit!(
        /// Calls the closures for every name and every type number in the type.
        visit iter
    );
    visit!(
        /// Calls the closures for every name and every type number in the type, to change them.
        visit_mut iter_mut mut
    );
}
