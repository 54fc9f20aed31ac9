//! Types of values.

use std::ptr;

use super::api::Ptr;
use super::{Value, api};

/// A type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Type(pub(super) Ptr);

/// `LLVMTypeKind`, as far as the linker uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TypeKind {
    Void,
    Float,
    Integer,
    Struct,
    Array,
    Pointer,
    Vector,
    Other,
}

impl Type {
    pub(crate) fn kind(self) -> TypeKind {
        // SAFETY: a live type.
        match unsafe { (api().LLVMGetTypeKind)(self.0) } {
            0 => TypeKind::Void,
            1..=6 | 18 => TypeKind::Float,
            8 => TypeKind::Integer,
            10 => TypeKind::Struct,
            11 => TypeKind::Array,
            12 => TypeKind::Pointer,
            13 => TypeKind::Vector,
            _ => TypeKind::Other,
        }
    }

    /// Width of an integer type, 0 for others.
    pub(crate) fn bits(self) -> u32 {
        if self.kind() != TypeKind::Integer {
            return 0;
        }
        // SAFETY: a live integer type.
        unsafe { (api().LLVMGetIntTypeWidth)(self.0) }
    }

    /// The elements' type of an array.
    pub(crate) fn element(self) -> Self {
        // SAFETY: a live array type.
        Self(unsafe { (api().LLVMGetElementType)(self.0) })
    }

    /// What a function type returns.
    pub(crate) fn returns(self) -> Self {
        // SAFETY: a live function type.
        Self(unsafe { (api().LLVMGetReturnType)(self.0) })
    }

    /// What a function type takes.
    pub(crate) fn parameters(self) -> Vec<Self> {
        // SAFETY: a live function type; room for as many types as it has parameters.
        unsafe {
            let mut types = vec![ptr::null_mut(); (api().LLVMCountParamTypes)(self.0) as usize];
            (api().LLVMGetParamTypes)(self.0, types.as_mut_ptr());
            types.into_iter().map(Self).collect()
        }
    }

    /// The registers that a value of the type occupies as an argument or result.
    pub(crate) fn registers(self) -> usize {
        match self.kind() {
            TypeKind::Void => 0,
            TypeKind::Integer => self.bits().div_ceil(64) as usize,
            TypeKind::Struct | TypeKind::Array | TypeKind::Vector => 2,
            _ => 1,
        }
    }

    pub(crate) fn null(self) -> Value {
        // SAFETY: a live sized type.
        Value(unsafe { (api().LLVMConstNull)(self.0) })
    }

    /// A constant of an integer type.
    pub(crate) fn constant(self, value: u64) -> Value {
        // SAFETY: a live integer type.
        Value(unsafe { (api().LLVMConstInt)(self.0, value, 0) })
    }
}
