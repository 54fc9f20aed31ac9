//! Questions about types: how large, what is behind the names and qualifiers.

use super::{Btf, BtfError, Kind, Type, TypeId};

/// How many types a chain of typedefs, qualifiers and arrays may have.
const CHAIN_LIMIT: usize = 64;

/// Bytes of a pointer on the eBPF machine.
const POINTER_SIZE: u64 = 8;

impl Btf {
    /// Finds the first type with that name that the test accepts.
    ///
    /// Walks the whole table: for many questions make an index once.
    pub fn find(&self, name: &str, accept: impl Fn(&Kind) -> bool) -> Option<TypeId> {
        self.iter()
            .find(|(_, ty)| accept(&ty.kind) && self.name(ty.name) == name)
            .map(|(id, _)| id)
    }

    /// What is behind typedefs, `const`, `volatile`, `restrict` and type tags. `Ok(None)` is
    /// `void`.
    ///
    /// # Errors
    ///
    /// [`BtfError::Cycle`] when the chain does not end, [`BtfError::BadReference`] when it leaves
    /// the table.
    pub fn resolve(&self, id: TypeId) -> Result<Option<(TypeId, &Type)>, BtfError> {
        let mut at = id;
        for _ in 0..CHAIN_LIMIT {
            if at == TypeId::VOID {
                return Ok(None);
            }
            let ty = self.get(at).ok_or(BtfError::BadReference { id, to: at })?;
            at = match ty.kind {
                Kind::Typedef(to)
                | Kind::Volatile(to)
                | Kind::Const(to)
                | Kind::Restrict(to)
                | Kind::TypeTag { ty: to, .. } => to,
                _ => return Ok(Some((at, ty))),
            };
        }
        Err(BtfError::Cycle { id })
    }

    /// Bytes that a value of the type occupies; `Ok(None)` for what has no size (`void`,
    /// functions, declarations).
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`], and [`BtfError::TooLarge`] past 4 GiB.
    pub fn size_of(&self, id: TypeId) -> Result<Option<u32>, BtfError> {
        let mut count = 1u64;
        let mut at = id;
        for _ in 0..CHAIN_LIMIT {
            let Some((_, ty)) = self.resolve(at)? else {
                return Ok(None);
            };
            let size = match &ty.kind {
                Kind::Array(array) => {
                    count = count
                        .checked_mul(u64::from(array.len))
                        .ok_or(BtfError::TooLarge { what: "array is" })?;
                    at = array.elem;
                    continue;
                }
                Kind::Var { ty, .. } => {
                    at = *ty;
                    continue;
                }
                Kind::Int { size, .. } | Kind::Float { size } | Kind::Datasec { size, .. } => {
                    u64::from(*size)
                }
                Kind::Struct(body) | Kind::Union(body) => u64::from(body.size),
                Kind::Enum(body) | Kind::Enum64(body) => u64::from(body.size),
                Kind::Ptr(_) => POINTER_SIZE,
                _ => return Ok(None),
            };
            return count
                .checked_mul(size)
                .and_then(|size| u32::try_from(size).ok())
                .map(Some)
                .ok_or(BtfError::TooLarge { what: "array is" });
        }
        Err(BtfError::Cycle { id })
    }

    /// Is that a function that has a prototype?
    pub(crate) fn is_typed_func(&self, id: TypeId) -> bool {
        match self.get(id).map(|ty| &ty.kind) {
            Some(Kind::Func { proto, .. }) => self.is_proto(*proto),
            _ => false,
        }
    }

    /// Is that the prototype of a function?
    pub(crate) fn is_proto(&self, id: TypeId) -> bool {
        let kind = self.get(id).map(|ty| &ty.kind);
        matches!(kind, Some(Kind::FuncProto { .. }))
    }

    /// The section of that name, with its number.
    pub fn datasec(&self, name: &str) -> Option<TypeId> {
        self.find(name, |kind| matches!(kind, Kind::Datasec { .. }))
    }
}
