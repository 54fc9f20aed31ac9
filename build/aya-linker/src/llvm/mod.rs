//! LLVM, opened at run time: safe handles over the C interface.
//!
//! This module is the only one of the crate with `unsafe` code. Its rule: handles ([`Value`],
//! [`Block`], [`Type`], [`Meta`]) are made only by the functions here, out of the one module of a
//! [`Session`], which is never freed: it lives as long as its process, and that is a short-lived
//! child (see [`isolate`]). Whoever erases a value gives its handle up; the stages of
//! [`lower`](crate::lower) collect handles before they erase, and erase each one once.
#![allow(unsafe_code)]

mod api;
mod debug;
pub(crate) mod isolate;
mod session;
mod types;

use std::ffi::{CStr, CString, c_char, c_uint};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use api::{Api, Library, Ptr};

pub(crate) use debug::{DebugBuilder, Meta};
pub(crate) use session::{Builder, Session};
pub(crate) use types::{Type, TypeKind};

static API: OnceLock<Api> = OnceLock::new();

fn api() -> &'static Api {
    #[expect(clippy::expect_used, reason = "handles exist only after `open`")]
    API.get().expect("LLVM is open")
}

/// Opens the library, once per process, if `accept` takes its major version; gives that.
///
/// # Errors
/// What the dynamic loader says.
pub(crate) fn open(path: &Path, accept: impl Fn(u32) -> bool) -> Result<u32, String> {
    let library = Library::open(path)?;
    let major = library.major()?;
    if accept(major) && API.get().is_none() {
        let _ = API.set(library.api()?);
    }
    Ok(major)
}

/// The text as LLVM wants it; what follows a zero byte is cut off, as LLVM itself would.
fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text.as_bytes()[..end]).unwrap_or_default()
}

/// A string that LLVM allocated for us.
fn owned_message(message: *mut c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: LLVM gave a zero-terminated string that is ours to dispose of, once.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        (api().LLVMDisposeMessage)(message);
        text
    }
}

fn text_of(start: *const u8, length: usize) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: LLVM gave the start and length of a string that lives as long as its owner.
    let bytes = unsafe { std::slice::from_raw_parts(start, length) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Anything with a value: function, global variable, constant, instruction, argument.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Value(Ptr);

/// A basic block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Block(Ptr);

/// `LLVMLinkage`, as far as the linker uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Linkage {
    External = 0,
    Internal = 8,
}

/// `LLVMOpcode`, as far as the linker uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Opcode {
    Unreachable = 7,
    Mul = 12,
    UDiv = 14,
    SDiv = 15,
    URem = 17,
    SRem = 18,
    Alloca = 26,
    Load = 27,
    Store = 28,
    GetElementPtr = 29,
    PtrToInt = 39,
    IntToPtr = 40,
    Phi = 44,
    Call = 45,
    Other = u32::MAX,
}

impl Opcode {
    fn from_raw(raw: u32) -> Self {
        [
            Self::Unreachable,
            Self::Mul,
            Self::UDiv,
            Self::SDiv,
            Self::URem,
            Self::SRem,
            Self::Alloca,
            Self::Load,
            Self::Store,
            Self::GetElementPtr,
            Self::PtrToInt,
            Self::IntToPtr,
            Self::Phi,
            Self::Call,
        ]
        .into_iter()
        .find(|opcode| *opcode as u32 == raw)
        .unwrap_or(Self::Other)
    }
}

/// `LLVMValueKind`, as far as the linker uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Argument,
    Function,
    Variable,
    ConstantExpr,
    Aggregate,
    Zero,
    DataArray,
    Int,
    InlineAsm,
    Instruction,
    Other,
}

/// Follows a linked list of LLVM's until its null.
fn list(first: Ptr, next: unsafe extern "C" fn(Ptr) -> Ptr) -> Vec<Ptr> {
    let mut found = Vec::new();
    let mut item = first;
    while !item.is_null() {
        found.push(item);
        // SAFETY: `item` is a live element of the list that `next` belongs to.
        item = unsafe { next(item) };
    }
    found
}

/// Where an attribute sits: `LLVMAttributeFunctionIndex`.
const FUNCTION: c_uint = c_uint::MAX;

fn attribute_kind(name: &str) -> c_uint {
    // SAFETY: start and length of a live string.
    unsafe { (api().LLVMGetEnumAttributeKindForName)(name.as_ptr(), name.len()) }
}

impl Value {
    fn some(raw: Ptr) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    pub(crate) fn kind(self) -> Kind {
        // SAFETY: a live value.
        match unsafe { (api().LLVMGetValueKind)(self.0) } {
            0 => Kind::Argument,
            5 => Kind::Function,
            8 => Kind::Variable,
            10 => Kind::ConstantExpr,
            11 | 12 => Kind::Aggregate,
            14 | 15 | 20 | 25 => Kind::Zero,
            16 => Kind::DataArray,
            18 => Kind::Int,
            23 => Kind::InlineAsm,
            24 => Kind::Instruction,
            _ => Kind::Other,
        }
    }

    pub(crate) fn name(self) -> String {
        let mut length = 0;
        // SAFETY: a live value, a writable length.
        let start = unsafe { (api().LLVMGetValueName2)(self.0, &mut length) };
        text_of(start, length)
    }

    pub(crate) fn set_name(self, name: &str) {
        // SAFETY: a live value; start and length of a live string.
        unsafe { (api().LLVMSetValueName2)(self.0, name.as_ptr(), name.len()) }
    }

    pub(crate) fn ty(self) -> Type {
        // SAFETY: a live value.
        Type(unsafe { (api().LLVMTypeOf)(self.0) })
    }

    // Functions and global variables.

    pub(crate) fn is_declaration(self) -> bool {
        // SAFETY: a live function or global variable.
        unsafe { (api().LLVMIsDeclaration)(self.0) != 0 }
    }

    pub(crate) fn is_external(self) -> bool {
        // SAFETY: a live function or global variable.
        !matches!(unsafe { (api().LLVMGetLinkage)(self.0) }, 8 | 9)
    }

    pub(crate) fn set_linkage(self, linkage: Linkage) {
        // SAFETY: a live function or global variable. Local symbols must have default visibility.
        unsafe {
            if linkage == Linkage::Internal {
                (api().LLVMSetVisibility)(self.0, 0);
            }
            (api().LLVMSetLinkage)(self.0, linkage as c_uint);
        }
    }

    /// Its section, empty when it has none.
    pub(crate) fn section(self) -> String {
        // SAFETY: a live function or global variable; the string is its own.
        unsafe {
            let section = (api().LLVMGetSection)(self.0);
            if section.is_null() {
                String::new()
            } else {
                CStr::from_ptr(section).to_string_lossy().into_owned()
            }
        }
    }

    pub(crate) fn set_section(self, section: &str) {
        let section = c_string(section);
        // SAFETY: a live function or global variable; LLVM copies the string.
        unsafe { (api().LLVMSetSection)(self.0, section.as_ptr()) }
    }

    pub(crate) fn set_alignment(self, bytes: u32) {
        // SAFETY: a live global variable, load or store.
        unsafe { (api().LLVMSetAlignment)(self.0, bytes) }
    }

    /// Makes a relaxed atomic load or store a volatile one.
    pub(crate) fn relaxed_to_volatile(self) {
        const NOT_ATOMIC: c_uint = 0;
        const MONOTONIC: c_uint = 2;
        // SAFETY: a live load or store.
        unsafe {
            if (api().LLVMGetOrdering)(self.0) == MONOTONIC {
                (api().LLVMSetOrdering)(self.0, NOT_ATOMIC);
                (api().LLVMSetVolatile)(self.0, 1);
            }
        }
    }

    /// Two with the same content are not merged.
    pub(crate) fn make_address_significant(self) {
        // SAFETY: a live global variable; 0 is "no unnamed address".
        unsafe { (api().LLVMSetUnnamedAddress)(self.0, 0) }
    }

    pub(crate) fn is_constant(self) -> bool {
        // SAFETY: a live global variable.
        unsafe { (api().LLVMIsGlobalConstant)(self.0) != 0 }
    }

    /// Nothing outside of the module names it, and nothing writes to it.
    pub(crate) fn make_private_constant(self) {
        self.set_linkage(Linkage::Internal);
        // SAFETY: a live global variable.
        unsafe { (api().LLVMSetGlobalConstant)(self.0, 1) }
    }

    pub(crate) fn initializer(self) -> Option<Self> {
        // SAFETY: a live global variable.
        Self::some(unsafe { (api().LLVMGetInitializer)(self.0) })
    }

    pub(crate) fn set_initializer(self, value: Self) {
        // SAFETY: a live global variable and a constant.
        unsafe { (api().LLVMSetInitializer)(self.0, value.0) }
    }

    /// The type of a function's signature or of a variable's content.
    pub(crate) fn content_type(self) -> Type {
        // SAFETY: a live function or global variable.
        Type(unsafe { (api().LLVMGlobalGetValueType)(self.0) })
    }

    pub(crate) fn delete_global(self) {
        // SAFETY: a live global variable without uses; the caller gives the handle up.
        unsafe { (api().LLVMDeleteGlobal)(self.0) }
    }

    pub(crate) fn delete_function(self) {
        // SAFETY: a live function without uses; the caller gives the handle up.
        unsafe { (api().LLVMDeleteFunction)(self.0) }
    }

    pub(crate) fn drop_personality(self) {
        // SAFETY: a live function.
        unsafe {
            if (api().LLVMHasPersonalityFn)(self.0) != 0 {
                (api().LLVMSetPersonalityFn)(self.0, ptr::null_mut());
            }
        }
    }

    pub(crate) fn is_intrinsic(self) -> bool {
        // SAFETY: a live function.
        unsafe { (api().LLVMGetIntrinsicID)(self.0) != 0 }
    }

    pub(crate) fn has_attribute(self, name: &str) -> bool {
        // SAFETY: a live function.
        unsafe {
            !(api().LLVMGetEnumAttributeAtIndex)(self.0, FUNCTION, attribute_kind(name)).is_null()
        }
    }

    pub(crate) fn add_attribute(self, session: &Session, name: &str) {
        // SAFETY: a live function, an attribute of the same context.
        unsafe { (api().LLVMAddAttributeAtIndex)(self.0, FUNCTION, session.attribute(name)) }
    }

    pub(crate) fn remove_attribute(self, name: &str) {
        let kind = attribute_kind(name);
        if kind != 0 {
            // SAFETY: a live function.
            unsafe { (api().LLVMRemoveEnumAttributeAtIndex)(self.0, FUNCTION, kind) }
        }
    }

    pub(crate) fn remove_string_attribute(self, name: &str) {
        // SAFETY: a live function; start and length of a live string.
        unsafe {
            (api().LLVMRemoveStringAttributeAtIndex)(
                self.0,
                FUNCTION,
                name.as_ptr(),
                name.len() as c_uint,
            );
        }
    }

    pub(crate) fn blocks(self) -> Vec<Block> {
        // SAFETY: a live function.
        let first = unsafe { (api().LLVMGetFirstBasicBlock)(self.0) };
        list(first, api().LLVMGetNextBasicBlock)
            .into_iter()
            .map(Block)
            .collect()
    }

    /// All instructions of a function, in order.
    pub(crate) fn instructions(self) -> Vec<Self> {
        self.blocks()
            .into_iter()
            .flat_map(Block::instructions)
            .collect()
    }

    // Constants.

    pub(crate) fn int(self) -> Option<u64> {
        // SAFETY: a live integer constant of at most 64 bits.
        (self.kind() == Kind::Int && self.ty().bits() <= 64)
            .then(|| unsafe { (api().LLVMConstIntGetZExtValue)(self.0) })
    }

    /// The bytes of a constant array of integers, in this machine's byte order.
    fn data(self) -> Vec<u8> {
        let mut length = 0;
        // SAFETY: a live constant data array; LLVM owns what is copied here.
        unsafe {
            let start = (api().LLVMGetRawDataValues)(self.0, &mut length);
            std::slice::from_raw_parts(start, length).to_vec()
        }
    }

    // Users and operands.

    pub(crate) fn users(self) -> Vec<Self> {
        // SAFETY: a live value and its list of uses.
        unsafe {
            let first = (api().LLVMGetFirstUse)(self.0);
            list(first, api().LLVMGetNextUse)
                .into_iter()
                .map(|each| Self((api().LLVMGetUser)(each)))
                .collect()
        }
    }

    pub(crate) fn operands(self) -> Vec<Self> {
        // SAFETY: a live user; indices below the number of its operands.
        unsafe {
            let count = (api().LLVMGetNumOperands)(self.0).max(0) as c_uint;
            (0..count)
                .filter_map(|index| Self::some((api().LLVMGetOperand)(self.0, index)))
                .collect()
        }
    }

    pub(crate) fn set_operand(self, index: u32, value: Self) {
        // SAFETY: a live instruction with this operand, and a live value of its type.
        unsafe { (api().LLVMSetOperand)(self.0, index, value.0) }
    }

    pub(crate) fn replace_uses(self, with: Self) {
        // SAFETY: two live values of one type.
        unsafe { (api().LLVMReplaceAllUsesWith)(self.0, with.0) }
    }

    // Instructions.

    pub(crate) fn opcode(self) -> Opcode {
        // SAFETY: a live instruction or constant expression, else "other".
        unsafe {
            match self.kind() {
                Kind::Instruction => Opcode::from_raw((api().LLVMGetInstructionOpcode)(self.0)),
                Kind::ConstantExpr => Opcode::from_raw((api().LLVMGetConstOpcode)(self.0)),
                _ => Opcode::Other,
            }
        }
    }

    /// The number of a constant that is a number in the shape of an address, as the ids of log
    /// statements are; else the value itself.
    pub(super) fn number_inside(self) -> Self {
        match (self.kind(), self.opcode(), self.operands().first()) {
            (Kind::ConstantExpr, Opcode::IntToPtr, Some(number)) if number.kind() == Kind::Int => {
                *number
            }
            _ => self,
        }
    }

    pub(crate) fn is_call(self) -> bool {
        self.kind() == Kind::Instruction && self.opcode() == Opcode::Call
    }

    /// What the first index of a `getelementptr` counts.
    pub(crate) fn source_element_type(self) -> Type {
        // SAFETY: a live `getelementptr`, instruction or constant expression.
        Type(unsafe { (api().LLVMGetGEPSourceElementType)(self.0) })
    }

    /// What a call calls.
    pub(crate) fn callee(self) -> Option<Self> {
        if !self.is_call() {
            return None;
        }
        // SAFETY: a live call.
        Self::some(unsafe { (api().LLVMGetCalledValue)(self.0) })
    }

    /// The arguments of a call.
    pub(crate) fn arguments(self) -> Vec<Self> {
        // SAFETY: a live call; its arguments are its first operands.
        let count = unsafe { (api().LLVMGetNumArgOperands)(self.0) } as usize;
        let mut operands = self.operands();
        operands.truncate(count);
        operands
    }

    pub(crate) fn add_call_attribute(self, session: &Session, name: &str) {
        // SAFETY: a live call, an attribute of the same context.
        unsafe { (api().LLVMAddCallSiteAttribute)(self.0, FUNCTION, session.attribute(name)) }
    }

    /// The alignment that a call promises for a pointer argument.
    pub(crate) fn argument_alignment(self, argument: u32) -> u64 {
        // SAFETY: a live call; arguments count from 1 in attribute lists.
        unsafe {
            let found =
                (api().LLVMGetCallSiteEnumAttribute)(self.0, argument + 1, attribute_kind("align"));
            if found.is_null() {
                1
            } else {
                (api().LLVMGetEnumAttributeValue)(found)
            }
        }
    }

    pub(crate) fn remove_call_attribute(self, name: &str) {
        // SAFETY: a live call.
        unsafe { (api().LLVMRemoveCallSiteEnumAttribute)(self.0, FUNCTION, attribute_kind(name)) }
    }

    pub(crate) fn block(self) -> Block {
        // SAFETY: a live instruction.
        Block(unsafe { (api().LLVMGetInstructionParent)(self.0) })
    }

    /// The function that an instruction is in.
    pub(crate) fn function(self) -> Self {
        self.block().function()
    }

    pub(crate) fn erase(self) {
        // SAFETY: a live instruction without uses; the caller gives the handle up.
        unsafe { (api().LLVMInstructionEraseFromParent)(self.0) }
    }
}

impl Block {
    pub(crate) fn instructions(self) -> Vec<Value> {
        // SAFETY: a live block.
        let first = unsafe { (api().LLVMGetFirstInstruction)(self.0) };
        list(first, api().LLVMGetNextInstruction)
            .into_iter()
            .map(Value)
            .collect()
    }

    pub(crate) fn last(self) -> Option<Value> {
        // SAFETY: a live block.
        Value::some(unsafe { (api().LLVMGetLastInstruction)(self.0) })
    }

    pub(crate) fn function(self) -> Value {
        // SAFETY: a live block inside a function.
        Value(unsafe { (api().LLVMGetBasicBlockParent)(self.0) })
    }
}
