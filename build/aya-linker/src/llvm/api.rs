//! The LLVM-C functions that the linker calls, found in a library opened at run time.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::path::Path;

/// An opaque LLVM object.
pub(super) type Ptr = *mut c_void;
type Str = *const c_char;
type Bytes = *const u8;

/// Declares the table: one row per function, its name and its C signature.
macro_rules! api {
    ($($name:ident($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        #[allow(non_snake_case)]
        pub(super) struct Api { $(pub(super) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)* }

        impl Api {
            fn resolve(symbol: impl Fn(&CStr) -> Result<Ptr, String>) -> Result<Self, String> {
                Ok(Self { $($name: {
                    const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => c"",
                    };
                    let found = symbol(NAME)?;
                    // SAFETY: `found` is the address of the function of that name, which LLVM's C headers
                    // declare with the signature of this row.
                    unsafe { std::mem::transmute::<Ptr, unsafe extern "C" fn($($arg),*) $(-> $ret)?>(found) }
                },)* })
            }
        }
    };
}

api! {
    LLVMInitializeBPFTargetInfo();
    LLVMInitializeBPFTarget();
    LLVMInitializeBPFTargetMC();
    LLVMInitializeBPFAsmPrinter();
    LLVMInitializeBPFAsmParser();
    LLVMParseCommandLineOptions(c_int, *const Str, Str);
    LLVMInstallFatalErrorHandler(extern "C" fn(Str));
    LLVMDisposeMessage(*mut c_char);
    LLVMGetErrorMessage(Ptr) -> *mut c_char;

    LLVMContextCreate() -> Ptr;
    LLVMContextSetDiagnosticHandler(Ptr, extern "C" fn(Ptr, Ptr), Ptr);
    LLVMGetDiagInfoDescription(Ptr) -> *mut c_char;
    LLVMGetDiagInfoSeverity(Ptr) -> c_uint;
    LLVMCreateMemoryBufferWithMemoryRangeCopy(Bytes, usize, Str) -> Ptr;
    LLVMGetBufferStart(Ptr) -> Bytes;
    LLVMGetBufferSize(Ptr) -> usize;
    LLVMParseBitcodeInContext2(Ptr, Ptr, *mut Ptr) -> c_int;
    LLVMParseIRInContext(Ptr, Ptr, *mut Ptr, *mut *mut c_char) -> c_int;
    LLVMLinkModules2(Ptr, Ptr) -> c_int;
    LLVMVerifyModule(Ptr, c_uint, *mut *mut c_char) -> c_int;
    LLVMPrintModuleToFile(Ptr, Str, *mut *mut c_char) -> c_int;

    LLVMGetTarget(Ptr) -> Str;
    LLVMSetTarget(Ptr, Str);
    LLVMSetModuleDataLayout(Ptr, Ptr);
    LLVMGetTargetFromTriple(Str, *mut Ptr, *mut *mut c_char) -> c_int;
    LLVMCreateTargetMachine(Ptr, Str, Str, Str, c_uint, c_uint, c_uint) -> Ptr;
    LLVMCreateTargetDataLayout(Ptr) -> Ptr;
    LLVMCopyStringRepOfTargetData(Ptr) -> *mut c_char;
    LLVMABISizeOfType(Ptr, Ptr) -> u64;
    LLVMOffsetOfElement(Ptr, Ptr, c_uint) -> u64;
    LLVMCreatePassBuilderOptions() -> Ptr;
    LLVMDisposePassBuilderOptions(Ptr);
    LLVMRunPasses(Ptr, Str, Ptr, Ptr) -> Ptr;
    LLVMTargetMachineEmitToMemoryBuffer(Ptr, Ptr, c_uint, *mut *mut c_char, *mut Ptr) -> c_int;

    LLVMGetFirstFunction(Ptr) -> Ptr;
    LLVMGetNextFunction(Ptr) -> Ptr;
    LLVMGetFirstGlobal(Ptr) -> Ptr;
    LLVMGetNextGlobal(Ptr) -> Ptr;
    LLVMGetNamedFunction(Ptr, Str) -> Ptr;
    LLVMAddFunction(Ptr, Str, Ptr) -> Ptr;
    LLVMAddGlobal(Ptr, Ptr, Str) -> Ptr;
    LLVMDeleteFunction(Ptr);
    LLVMDeleteGlobal(Ptr);

    LLVMGetValueName2(Ptr, *mut usize) -> Bytes;
    LLVMSetValueName2(Ptr, Bytes, usize);
    LLVMGetValueKind(Ptr) -> c_uint;
    LLVMTypeOf(Ptr) -> Ptr;
    LLVMGetLinkage(Ptr) -> c_uint;
    LLVMSetLinkage(Ptr, c_uint);
    LLVMSetVisibility(Ptr, c_uint);
    LLVMIsDeclaration(Ptr) -> c_int;
    LLVMGetSection(Ptr) -> Str;
    LLVMSetSection(Ptr, Str);
    LLVMSetAlignment(Ptr, c_uint);
    LLVMGetOrdering(Ptr) -> c_uint;
    LLVMSetOrdering(Ptr, c_uint);
    LLVMSetVolatile(Ptr, c_int);
    LLVMIsGlobalConstant(Ptr) -> c_int;
    LLVMSetGlobalConstant(Ptr, c_int);
    LLVMSetUnnamedAddress(Ptr, c_uint);
    LLVMGetInitializer(Ptr) -> Ptr;
    LLVMSetInitializer(Ptr, Ptr);
    LLVMGlobalGetValueType(Ptr) -> Ptr;
    LLVMReplaceAllUsesWith(Ptr, Ptr);
    LLVMGetFirstUse(Ptr) -> Ptr;
    LLVMGetNextUse(Ptr) -> Ptr;
    LLVMGetUser(Ptr) -> Ptr;
    LLVMGetNumOperands(Ptr) -> c_int;
    LLVMGetOperand(Ptr, c_uint) -> Ptr;
    LLVMSetOperand(Ptr, c_uint, Ptr);
    LLVMGetRawDataValues(Ptr, *mut usize) -> Bytes;
    LLVMConstIntGetZExtValue(Ptr) -> u64;
    LLVMGetConstOpcode(Ptr) -> c_uint;
    LLVMHasPersonalityFn(Ptr) -> c_int;
    LLVMSetPersonalityFn(Ptr, Ptr);
    LLVMGetIntrinsicID(Ptr) -> c_uint;

    LLVMGetFirstBasicBlock(Ptr) -> Ptr;
    LLVMGetNextBasicBlock(Ptr) -> Ptr;
    LLVMGetFirstInstruction(Ptr) -> Ptr;
    LLVMGetNextInstruction(Ptr) -> Ptr;
    LLVMGetLastInstruction(Ptr) -> Ptr;
    LLVMGetBasicBlockParent(Ptr) -> Ptr;
    LLVMGetInstructionParent(Ptr) -> Ptr;
    LLVMGetInstructionOpcode(Ptr) -> c_uint;
    LLVMInstructionEraseFromParent(Ptr);
    LLVMGetCalledValue(Ptr) -> Ptr;
    LLVMGetNumArgOperands(Ptr) -> c_uint;
    LLVMGetUndef(Ptr) -> Ptr;

    LLVMGetTypeKind(Ptr) -> c_uint;
    LLVMGetIntTypeWidth(Ptr) -> c_uint;
    LLVMGetElementType(Ptr) -> Ptr;
    LLVMGetReturnType(Ptr) -> Ptr;
    LLVMCountParamTypes(Ptr) -> c_uint;
    LLVMGetParamTypes(Ptr, *mut Ptr);
    LLVMIntTypeInContext(Ptr, c_uint) -> Ptr;
    LLVMVoidTypeInContext(Ptr) -> Ptr;
    LLVMPointerTypeInContext(Ptr, c_uint) -> Ptr;
    LLVMFunctionType(Ptr, *mut Ptr, c_uint, c_int) -> Ptr;
    LLVMConstInt(Ptr, u64, c_int) -> Ptr;
    LLVMConstNull(Ptr) -> Ptr;
    LLVMConstStringInContext2(Ptr, Bytes, usize, c_int) -> Ptr;
    LLVMConstIntToPtr(Ptr, Ptr) -> Ptr;
    LLVMConstArray2(Ptr, *mut Ptr, u64) -> Ptr;

    LLVMGetEnumAttributeKindForName(Bytes, usize) -> c_uint;
    LLVMCreateEnumAttribute(Ptr, c_uint, u64) -> Ptr;
    LLVMAddAttributeAtIndex(Ptr, c_uint, Ptr);
    LLVMGetEnumAttributeAtIndex(Ptr, c_uint, c_uint) -> Ptr;
    LLVMRemoveEnumAttributeAtIndex(Ptr, c_uint, c_uint);
    LLVMRemoveStringAttributeAtIndex(Ptr, c_uint, Bytes, c_uint);
    LLVMGetCallSiteEnumAttribute(Ptr, c_uint, c_uint) -> Ptr;
    LLVMGetEnumAttributeValue(Ptr) -> u64;
    LLVMAddCallSiteAttribute(Ptr, c_uint, Ptr);
    LLVMRemoveCallSiteEnumAttribute(Ptr, c_uint, c_uint);

    LLVMCreateBuilderInContext(Ptr) -> Ptr;
    LLVMDisposeBuilder(Ptr);
    LLVMPositionBuilderBefore(Ptr, Ptr);
    LLVMPositionBuilderAtEnd(Ptr, Ptr);
    LLVMSetCurrentDebugLocation2(Ptr, Ptr);
    LLVMBuildCall2(Ptr, Ptr, Ptr, *mut Ptr, c_uint, Str) -> Ptr;
    LLVMGetInlineAsm(Ptr, Str, usize, Str, usize, c_int, c_int, c_uint, c_int) -> Ptr;
    LLVMBuildLoad2(Ptr, Ptr, Ptr, Str) -> Ptr;
    LLVMBuildPtrToInt(Ptr, Ptr, Ptr, Str) -> Ptr;
    LLVMBuildSub(Ptr, Ptr, Ptr, Str) -> Ptr;
    LLVMBuildICmp(Ptr, c_uint, Ptr, Ptr, Str) -> Ptr;
    LLVMBuildSelect(Ptr, Ptr, Ptr, Ptr, Str) -> Ptr;
    LLVMGetGEPSourceElementType(Ptr) -> Ptr;
    LLVMBuildRet(Ptr, Ptr) -> Ptr;
    LLVMBuildRetVoid(Ptr) -> Ptr;
    LLVMBuildIntCast2(Ptr, Ptr, Ptr, c_int, Str) -> Ptr;
    LLVMBuildAtomicRMW(Ptr, c_uint, Ptr, Ptr, c_uint, c_int) -> Ptr;

    LLVMInstructionGetDebugLoc(Ptr) -> Ptr;
    LLVMDILocationGetLine(Ptr) -> c_uint;
    LLVMDILocationGetScope(Ptr) -> Ptr;
    LLVMDILocationGetInlinedAt(Ptr) -> Ptr;
    LLVMDIScopeGetFile(Ptr) -> Ptr;
    LLVMDIFileGetFilename(Ptr, *mut c_uint) -> Bytes;
    LLVMGetSubprogram(Ptr) -> Ptr;
    LLVMDISubprogramGetLine(Ptr) -> c_uint;
    LLVMGetMetadataKind(Ptr) -> c_uint;
    LLVMMetadataAsValue(Ptr, Ptr) -> Ptr;
    LLVMValueAsMetadata(Ptr) -> Ptr;
    LLVMGetMDNodeNumOperands(Ptr) -> c_uint;
    LLVMGetMDNodeOperands(Ptr, *mut Ptr);
    LLVMDITypeGetSizeInBits(Ptr) -> u64;
    LLVMDITypeGetName(Ptr, *mut usize) -> Bytes;
    LLVMGlobalCopyAllMetadata(Ptr, *mut usize) -> Ptr;
    LLVMValueMetadataEntriesGetKind(Ptr, c_uint) -> c_uint;
    LLVMValueMetadataEntriesGetMetadata(Ptr, c_uint) -> Ptr;
    LLVMDisposeValueMetadataEntries(Ptr);
    LLVMGlobalSetMetadata(Ptr, c_uint, Ptr);
    LLVMCreateDIBuilder(Ptr) -> Ptr;
    LLVMDIBuilderFinalize(Ptr);
    LLVMDisposeDIBuilder(Ptr);
    LLVMDIBuilderCreateBasicType(Ptr, Bytes, usize, u64, c_uint, c_uint) -> Ptr;
    LLVMDIBuilderCreatePointerType(Ptr, Ptr, u64, u32, c_uint, Bytes, usize) -> Ptr;
    LLVMDIBuilderGetOrCreateSubrange(Ptr, i64, i64) -> Ptr;
    LLVMDIBuilderCreateArrayType(Ptr, u64, u32, Ptr, *mut Ptr, c_uint) -> Ptr;
    LLVMDIBuilderCreateSubroutineType(Ptr, Ptr, *mut Ptr, c_uint, c_uint) -> Ptr;
    LLVMDIBuilderCreateEnumerator(Ptr, Bytes, usize, i64, c_int) -> Ptr;
    LLVMDIBuilderCreateEnumerationType(Ptr, Ptr, Bytes, usize, Ptr, c_uint, u64, u32, *mut Ptr, c_uint, Ptr) -> Ptr;
    LLVMDIBuilderCreateMemberType(Ptr, Ptr, Bytes, usize, Ptr, c_uint, u64, u32, u64, c_uint, Ptr) -> Ptr;
    LLVMDIBuilderCreateStructType(Ptr, Ptr, Bytes, usize, Ptr, c_uint, u64, u32, c_uint, Ptr, *mut Ptr, c_uint, c_uint, Ptr, Bytes, usize) -> Ptr;
    LLVMDIBuilderCreateExpression(Ptr, *mut u64, usize) -> Ptr;
    LLVMDIBuilderCreateGlobalVariableExpression(Ptr, Ptr, Bytes, usize, Bytes, usize, Ptr, c_uint, Ptr, c_int, Ptr, Ptr, u32) -> Ptr;
}

/// An opened library. It is never closed.
pub(super) struct Library(Ptr);

impl Library {
    /// Opens the library.
    ///
    /// # Errors
    /// What the dynamic loader says.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| "the path contains a zero byte".to_owned())?;
        // SAFETY: `name` is a zero-terminated string; libLLVM's initialisers have no requirements.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            Err(last_error())
        } else {
            Ok(Self(handle))
        }
    }

    fn symbol(&self, name: &CStr) -> Result<Ptr, String> {
        // SAFETY: the handle is open; the name is zero-terminated.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if found.is_null() {
            Err(last_error())
        } else {
            Ok(found)
        }
    }

    /// Its major version.
    ///
    /// # Errors
    /// When it is no LLVM, or one from before version 16.
    pub(super) fn major(&self) -> Result<u32, String> {
        type GetVersion = unsafe extern "C" fn(*mut c_uint, *mut c_uint, *mut c_uint);
        let found = self.symbol(c"LLVMGetVersion")?;
        let [mut major, mut minor, mut patch] = [0; 3];
        // SAFETY: LLVM's headers declare the function so; it fills in three integers.
        unsafe {
            std::mem::transmute::<Ptr, GetVersion>(found)(&mut major, &mut minor, &mut patch)
        };
        Ok(major)
    }

    /// Finds every function of the table.
    ///
    /// # Errors
    /// The first that is missing.
    pub(super) fn api(&self) -> Result<Api, String> {
        Api::resolve(|name| self.symbol(name))
    }
}

fn last_error() -> String {
    // SAFETY: dlerror has no preconditions; its string stays valid until the next call on this thread.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            "unknown error".to_owned()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}
