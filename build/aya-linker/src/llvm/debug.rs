//! Debug information: where code comes from, what types statics have, and types of our own.

use std::ptr;

use super::api::Ptr;
use super::{Session, Value, api, text_of};
use crate::error::Location;

/// A node of debug information.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Meta(Ptr);

/// `DW_ATE_signed` and `DW_ATE_unsigned`.
const SIGNED: u32 = 5;
const UNSIGNED: u32 = 7;

/// Where a type node keeps the type it refers to (pointee, element, member) and its elements.
///
/// LLVM keeps operands of a type node in the order file, scope, name, and since version 21 size and
/// offset as well, which moved the others.
const BASE: usize = 5;
const ELEMENTS: usize = 6;

impl Meta {
    fn some(raw: Ptr) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    /// The nodes it is made of; `None` where there is nothing.
    fn operands(self, session: &Session) -> Vec<Option<Self>> {
        // SAFETY: a live node of this context; room for as many operands as it has.
        unsafe {
            let value = (api().LLVMMetadataAsValue)(session.context(), self.0);
            let mut raw = vec![ptr::null_mut(); (api().LLVMGetMDNodeNumOperands)(value) as usize];
            (api().LLVMGetMDNodeOperands)(value, raw.as_mut_ptr());
            raw.into_iter()
                .map(|each| {
                    if each.is_null() {
                        None
                    } else {
                        Self::some((api().LLVMValueAsMetadata)(each))
                    }
                })
                .collect()
        }
    }

    /// `LLVMMetadataKind` of a derived, composite, basic or subroutine type.
    fn is_type(self) -> bool {
        // SAFETY: a live node.
        matches!(unsafe { (api().LLVMGetMetadataKind)(self.0) }, 11..=14)
    }

    fn is_composite(self) -> bool {
        // SAFETY: a live node.
        unsafe { (api().LLVMGetMetadataKind)(self.0) == 13 }
    }

    /// The name of a type or member.
    pub(crate) fn type_name(self) -> String {
        if !self.is_type() {
            return String::new();
        }
        let mut length = 0;
        // SAFETY: a live type node.
        let start = unsafe { (api().LLVMDITypeGetName)(self.0, &mut length) };
        text_of(start, length)
    }

    /// Bytes that a value of the type takes.
    pub(crate) fn size(self) -> u64 {
        if !self.is_type() {
            return 0;
        }
        // SAFETY: a live type node.
        unsafe { (api().LLVMDITypeGetSizeInBits)(self.0) / 8 }
    }

    /// What a pointer, array or member refers to.
    pub(crate) fn base(self, session: &Session) -> Option<Self> {
        self.operands(session)
            .get(BASE)
            .copied()
            .flatten()
            .filter(|node| node.is_type())
    }

    /// The members of a struct.
    pub(crate) fn members(self, session: &Session) -> Vec<Self> {
        if !self.is_composite() {
            return Vec::new();
        }
        let elements = self.operands(session).get(ELEMENTS).copied().flatten();
        elements.map_or_else(Vec::new, |list| {
            list.operands(session)
                .into_iter()
                .flatten()
                .filter(|node| node.is_type())
                .collect()
        })
    }
}

impl Value {
    /// The debug information of a static: the variable, its file and its type.
    fn variable(self, session: &Session) -> Option<Vec<Option<Meta>>> {
        let mut count = 0;
        // SAFETY: a live global variable; the entries are disposed of once; kind 0 is `!dbg`.
        let expression = unsafe {
            let entries = (api().LLVMGlobalCopyAllMetadata)(self.0, &mut count);
            let found = (0..count as u32)
                .find(|&index| (api().LLVMValueMetadataEntriesGetKind)(entries, index) == 0)
                .map(|index| (api().LLVMValueMetadataEntriesGetMetadata)(entries, index));
            (api().LLVMDisposeValueMetadataEntries)(entries);
            Meta::some(found?)
        };
        let variable = expression?.operands(session).first().copied().flatten()?;
        Some(variable.operands(session))
    }

    /// The type of a static, from its debug information.
    pub(crate) fn debug_type(self, session: &Session) -> Option<Meta> {
        self.variable(session)?
            .get(3)
            .copied()
            .flatten()
            .filter(|node| node.is_type())
    }

    /// The place in the user's source that an instruction stands for: the innermost one outside of
    /// the standard library, else the innermost one.
    pub(crate) fn location(self) -> Option<Location> {
        // SAFETY: a live instruction; a location's scope and inlined-at chain live as long as it.
        unsafe {
            let mut place = (api().LLVMInstructionGetDebugLoc)(self.0);
            let mut innermost = None;
            while !place.is_null() {
                let scope = (api().LLVMDILocationGetScope)(place);
                let found = file_of(scope).map(|file| Location {
                    file,
                    line: (api().LLVMDILocationGetLine)(place),
                });
                match found {
                    Some(found) if found.line != 0 && !found.is_library() => return Some(found),
                    found => innermost = innermost.or(found),
                }
                place = (api().LLVMDILocationGetInlinedAt)(place);
            }
            innermost
        }
    }

    /// The place in the source that a function is defined at.
    pub(crate) fn definition(self) -> Option<Location> {
        // SAFETY: a live function.
        unsafe {
            let subprogram = (api().LLVMGetSubprogram)(self.0);
            if subprogram.is_null() {
                return None;
            }
            Some(Location {
                file: file_of(subprogram)?,
                line: (api().LLVMDISubprogramGetLine)(subprogram),
            })
        }
    }
}

/// The file of a scope.
///
/// # Safety
/// `scope` is a live scope node.
unsafe fn file_of(scope: Ptr) -> Option<String> {
    // SAFETY: as required; the name lives as long as the file node.
    unsafe {
        let file = (api().LLVMDIScopeGetFile)(scope);
        if file.is_null() {
            return None;
        }
        let mut length = 0;
        let start = (api().LLVMDIFileGetFilename)(file, &mut length);
        Some(text_of(start, length as usize))
    }
}

/// Makes debug information of our own.
pub(crate) struct DebugBuilder<'s> {
    session: &'s Session,
    builder: Ptr,
}

impl<'s> DebugBuilder<'s> {
    pub(crate) fn new(session: &'s Session) -> Self {
        // SAFETY: the module lives.
        let builder = unsafe { (api().LLVMCreateDIBuilder)(session.module()) };
        Self { session, builder }
    }

    /// `int`.
    pub(crate) fn int(&self) -> Meta {
        self.integer("int", 32, SIGNED)
    }

    fn integer(&self, name: &str, bits: u64, encoding: u32) -> Meta {
        // SAFETY: a live builder; start and length of a live string.
        Meta(unsafe {
            (api().LLVMDIBuilderCreateBasicType)(
                self.builder,
                name.as_ptr(),
                name.len(),
                bits,
                encoding,
                0,
            )
        })
    }

    /// A pointer to the type.
    pub(crate) fn pointer(&self, to: Meta) -> Meta {
        // SAFETY: a live builder and a live type.
        Meta(unsafe {
            (api().LLVMDIBuilderCreatePointerType)(self.builder, to.0, 64, 0, 0, ptr::null(), 0)
        })
    }

    /// An array.
    pub(crate) fn array(&self, element: Meta, count: u32) -> Meta {
        let bits = element.size() * 8;
        // SAFETY: a live builder and a live type.
        Meta(unsafe {
            let mut range = (api().LLVMDIBuilderGetOrCreateSubrange)(self.builder, 0, count.into());
            (api().LLVMDIBuilderCreateArrayType)(
                self.builder,
                u64::from(count) * bits,
                bits as u32,
                element.0,
                &mut range,
                1,
            )
        })
    }

    /// A function without arguments that returns the type.
    pub(crate) fn function(&self, returns: Meta) -> Meta {
        // SAFETY: a live builder and a live type; LLVM copies the list of one.
        Meta(unsafe {
            let mut types = [returns.0];
            (api().LLVMDIBuilderCreateSubroutineType)(
                self.builder,
                ptr::null_mut(),
                types.as_mut_ptr(),
                1,
                0,
            )
        })
    }

    /// An enumeration of 64 bits without a name, whose one value is `name`.
    pub(crate) fn enumeration(&self, name: &str, value: u64) -> Meta {
        let file = ptr::null_mut();
        // what holds it decides how wide it is in BTF
        let holder = self.integer("u64", 64, UNSIGNED);
        // SAFETY: a live builder and type, start and length of a live string; LLVM copies the list of one.
        Meta(unsafe {
            let mut values = [(api().LLVMDIBuilderCreateEnumerator)(
                self.builder,
                name.as_ptr(),
                name.len(),
                value.cast_signed(),
                1,
            )];
            (api().LLVMDIBuilderCreateEnumerationType)(
                self.builder,
                file,
                ptr::null(),
                0,
                file,
                0,
                64,
                0,
                values.as_mut_ptr(),
                1,
                holder.0,
            )
        })
    }

    /// A struct without a name whose members follow each other without holes.
    pub(crate) fn structure(&self, members: &[(&str, Meta)]) -> Meta {
        let file = ptr::null_mut();
        let mut total = 0;
        // SAFETY: a live builder, live types, start and length of live strings.
        unsafe {
            let mut nodes: Vec<Ptr> = members
                .iter()
                .map(|(name, ty)| {
                    let (offset, bits) = (total, ty.size() * 8);
                    total += bits;
                    (api().LLVMDIBuilderCreateMemberType)(
                        self.builder,
                        file,
                        name.as_ptr(),
                        name.len(),
                        file,
                        0,
                        bits,
                        0,
                        offset,
                        0,
                        ty.0,
                    )
                })
                .collect();
            Meta((api().LLVMDIBuilderCreateStructType)(
                self.builder,
                file,
                ptr::null(),
                0,
                file,
                0,
                total,
                0,
                0,
                ptr::null_mut(),
                nodes.as_mut_ptr(),
                nodes.len() as u32,
                0,
                ptr::null_mut(),
                ptr::null(),
                0,
            ))
        }
    }

    /// Describes `global` as an exported variable of the type, in the place of `origin`.
    pub(crate) fn describe(&self, global: Value, name: &str, ty: Meta, origin: Value) {
        let parts = origin.variable(self.session).unwrap_or_default();
        let part = |index: usize| {
            parts
                .get(index)
                .copied()
                .flatten()
                .map_or(ptr::null_mut(), |node: Meta| node.0)
        };
        let (scope, file) = (part(0), part(2));
        // SAFETY: a live builder, live nodes, start and length of live strings; kind 0 is `!dbg`.
        unsafe {
            let expression =
                (api().LLVMDIBuilderCreateExpression)(self.builder, ptr::null_mut(), 0);
            let variable = (api().LLVMDIBuilderCreateGlobalVariableExpression)(
                self.builder,
                scope,
                name.as_ptr(),
                name.len(),
                ptr::null(),
                0,
                file,
                0,
                ty.0,
                0,
                expression,
                ptr::null_mut(),
                0,
            );
            (api().LLVMGlobalSetMetadata)(global.0, 0, variable);
        }
    }
}

impl Drop for DebugBuilder<'_> {
    fn drop(&mut self) {
        // SAFETY: the builder is ours, and this is its end.
        unsafe {
            (api().LLVMDIBuilderFinalize)(self.builder);
            (api().LLVMDisposeDIBuilder)(self.builder);
        }
    }
}
