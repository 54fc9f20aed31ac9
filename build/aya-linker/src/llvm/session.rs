//! One link: a context, a target machine and the module that everything is merged into.

use std::cell::OnceCell;
use std::ffi::{CStr, c_char, c_uint};
use std::path::Path;
use std::ptr;

use super::api::Ptr;
use super::{Kind, Type, TypeKind, Value, api, attribute_kind, c_string, list, owned_message};

/// What LLVM's code generator reports while it works.
#[derive(Default)]
struct Reports(std::cell::RefCell<Vec<String>>);

/// A context with one module, and the machine that code is generated for.
pub(crate) struct Session {
    context: Ptr,
    module: Ptr,
    machine: OnceCell<(Ptr, Ptr)>,
    reports: &'static Reports,
}

extern "C" fn report(info: Ptr, reports: Ptr) {
    // SAFETY: LLVM passes a live diagnostic and the pointer that was registered with the handler,
    // which is to a leaked `Reports` of the same thread.
    unsafe {
        // 0 is an error; warnings, remarks and notes are not ours to show
        if (api().LLVMGetDiagInfoSeverity)(info) == 0 {
            let text = owned_message((api().LLVMGetDiagInfoDescription)(info));
            (*reports.cast::<Reports>()).0.borrow_mut().push(text);
        }
    }
}

impl Session {
    /// Reads the first module; the others are added with [`merge`](Self::merge).
    pub(crate) fn new(name: &str, bitcode: &[u8]) -> Result<Self, String> {
        let reports: &'static Reports = Box::leak(Box::default());
        // SAFETY: LLVM is open. The handler's pointer is to leaked memory.
        let context = unsafe {
            let context = (api().LLVMContextCreate)();
            (api().LLVMContextSetDiagnosticHandler)(
                context,
                report,
                ptr::from_ref(reports).cast_mut().cast(),
            );
            context
        };
        let mut session = Self {
            context,
            module: ptr::null_mut(),
            machine: OnceCell::new(),
            reports,
        };
        session.module = session.parse(name, bitcode)?;
        Ok(session)
    }

    fn parse(&self, name: &str, bitcode: &[u8]) -> Result<Ptr, String> {
        let mut module = ptr::null_mut();
        let label = c_string(name);
        // SAFETY: the buffer copies the bytes; the parser takes it over.
        let failed = unsafe {
            let buffer = (api().LLVMCreateMemoryBufferWithMemoryRangeCopy)(
                bitcode.as_ptr(),
                bitcode.len(),
                label.as_ptr(),
            );
            (api().LLVMParseBitcodeInContext2)(self.context, buffer, &mut module)
        };
        if failed == 0 {
            Ok(module)
        } else {
            Err(self.take_reports().join("; "))
        }
    }

    /// Links another bitcode module in.
    pub(crate) fn merge(&self, name: &str, bitcode: &[u8]) -> Result<(), String> {
        let other = self.parse(name, bitcode)?;
        self.link(other)
    }

    /// Links a module in that is written as LLVM's text, without triple and data layout.
    pub(crate) fn merge_text(&self, name: &str, text: &str) -> Result<(), String> {
        let text = format!(
            "target datalayout = \"{}\"\ntarget triple = \"{}\"\n{text}",
            self.layout(),
            self.triple()
        );
        let label = c_string(name);
        let text = c_string(&text);
        let (mut module, mut message) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the buffer copies the text (its terminator stays outside); the parser takes it over.
        let failed = unsafe {
            let buffer = (api().LLVMCreateMemoryBufferWithMemoryRangeCopy)(
                text.as_ptr().cast(),
                text.as_bytes().len(),
                label.as_ptr(),
            );
            (api().LLVMParseIRInContext)(self.context, buffer, &mut module, &mut message)
        };
        if failed != 0 {
            return Err(owned_message(message));
        }
        self.link(module)
    }

    fn link(&self, other: Ptr) -> Result<(), String> {
        // SAFETY: two modules of one context; the second one is consumed.
        let failed = unsafe { (api().LLVMLinkModules2)(self.module, other) };
        if failed == 0 {
            Ok(())
        } else {
            Err(self.take_reports().join("; "))
        }
    }

    /// The errors that LLVM reported since the last call.
    pub(crate) fn take_reports(&self) -> Vec<String> {
        self.reports.0.take()
    }

    pub(crate) fn triple(&self) -> String {
        // SAFETY: the module's own string.
        unsafe {
            CStr::from_ptr((api().LLVMGetTarget)(self.module))
                .to_string_lossy()
                .into_owned()
        }
    }

    /// Prepares the code generator. `arguments` are LLVM's own command-line options, which it reads
    /// once per process.
    pub(crate) fn create_machine(
        &self,
        triple: &str,
        cpu: &str,
        features: &str,
        arguments: &[&str],
    ) -> Result<(), String> {
        let arguments: Vec<_> = std::iter::once("aya-linker")
            .chain(arguments.iter().copied())
            .map(c_string)
            .collect();
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        let (name, cpu, features) = (c_string(triple), c_string(cpu), c_string(features));
        let (mut target, mut message) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: zero-terminated strings that outlive the calls; the target's parts are initialised first.
        let (machine, layout) = unsafe {
            (api().LLVMInitializeBPFTargetInfo)();
            (api().LLVMInitializeBPFTarget)();
            (api().LLVMInitializeBPFTargetMC)();
            (api().LLVMInitializeBPFAsmPrinter)();
            (api().LLVMInitializeBPFAsmParser)();
            (api().LLVMParseCommandLineOptions)(
                arguments.len() as i32,
                arguments.as_ptr(),
                c"".as_ptr(),
            );
            if (api().LLVMGetTargetFromTriple)(name.as_ptr(), &mut target, &mut message) != 0 {
                return Err(owned_message(message));
            }
            // optimisation level 3; static relocation, or `match` becomes a table of distances between
            // sections; default code model
            let machine = (api().LLVMCreateTargetMachine)(
                target,
                name.as_ptr(),
                cpu.as_ptr(),
                features.as_ptr(),
                3,
                1,
                0,
            );
            if machine.is_null() {
                return Err(format!("no machine for {triple}"));
            }
            (machine, (api().LLVMCreateTargetDataLayout)(machine))
        };
        let _ = self.machine.set((machine, layout));
        Ok(())
    }

    fn machine(&self) -> (Ptr, Ptr) {
        self.machine
            .get()
            .copied()
            .unwrap_or((ptr::null_mut(), ptr::null_mut()))
    }

    fn layout(&self) -> String {
        // SAFETY: the machine's layout; the copy is ours.
        owned_message(unsafe { (api().LLVMCopyStringRepOfTargetData)(self.machine().1) })
    }

    /// Makes the module one for the machine: triple and data layout.
    pub(crate) fn retarget(&self, triple: &str) {
        let triple = c_string(triple);
        // SAFETY: module and layout live; LLVM copies the string.
        unsafe {
            (api().LLVMSetModuleDataLayout)(self.module, self.machine().1);
            (api().LLVMSetTarget)(self.module, triple.as_ptr());
        }
    }

    /// Runs a pipeline of passes, for the machine unless `generic`.
    pub(crate) fn run(&self, passes: &str, generic: bool) -> Result<(), String> {
        let text = c_string(passes);
        let machine = if generic {
            ptr::null_mut()
        } else {
            self.machine().0
        };
        // SAFETY: module and machine live; the options are disposed of once.
        let error = unsafe {
            let options = (api().LLVMCreatePassBuilderOptions)();
            let error = (api().LLVMRunPasses)(self.module, text.as_ptr(), machine, options);
            (api().LLVMDisposePassBuilderOptions)(options);
            error
        };
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: the error is consumed by the call.
        let message = unsafe { (api().LLVMGetErrorMessage)(error) };
        Err(format!("{passes}: {}", owned_message(message)))
    }

    /// Checks that the module is well formed.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let mut message: *mut c_char = ptr::null_mut();
        // SAFETY: the module lives; 2 returns the status instead of aborting.
        let broken = unsafe { (api().LLVMVerifyModule)(self.module, 2, &mut message) };
        let message = owned_message(message);
        if broken == 0 { Ok(()) } else { Err(message) }
    }

    /// Writes the module as text.
    pub(crate) fn print(&self, path: &Path) -> Result<(), String> {
        let path = c_string(&path.to_string_lossy());
        let mut message = ptr::null_mut();
        // SAFETY: the module lives.
        let failed =
            unsafe { (api().LLVMPrintModuleToFile)(self.module, path.as_ptr(), &mut message) };
        if failed == 0 {
            Ok(())
        } else {
            Err(owned_message(message))
        }
    }

    /// Generates the ELF object.
    pub(crate) fn emit(&self) -> Result<Vec<u8>, String> {
        let (mut message, mut buffer) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: machine and module live; 1 is "object file"; the buffer's bytes are copied.
        unsafe {
            let failed = (api().LLVMTargetMachineEmitToMemoryBuffer)(
                self.machine().0,
                self.module,
                1,
                &mut message,
                &mut buffer,
            );
            if failed != 0 {
                return Err(owned_message(message));
            }
            Ok(std::slice::from_raw_parts(
                (api().LLVMGetBufferStart)(buffer),
                (api().LLVMGetBufferSize)(buffer),
            )
            .to_vec())
        }
    }

    // What is in the module.

    pub(crate) fn functions(&self) -> Vec<Value> {
        // SAFETY: the module lives.
        let first = unsafe { (api().LLVMGetFirstFunction)(self.module) };
        list(first, api().LLVMGetNextFunction)
            .into_iter()
            .map(Value)
            .collect()
    }

    /// Functions with a body.
    pub(crate) fn definitions(&self) -> Vec<Value> {
        self.functions()
            .into_iter()
            .filter(|function| !function.is_declaration())
            .collect()
    }

    pub(crate) fn globals(&self) -> Vec<Value> {
        // SAFETY: the module lives.
        let first = unsafe { (api().LLVMGetFirstGlobal)(self.module) };
        list(first, api().LLVMGetNextGlobal)
            .into_iter()
            .map(Value)
            .collect()
    }

    pub(crate) fn function(&self, name: &str) -> Option<Value> {
        let name = c_string(name);
        // SAFETY: the module lives; the string is zero-terminated.
        Value::some(unsafe { (api().LLVMGetNamedFunction)(self.module, name.as_ptr()) })
    }

    pub(crate) fn add_function(&self, name: &str, ty: Type) -> Value {
        let name = c_string(name);
        // SAFETY: the module lives; a function type of its context.
        Value(unsafe { (api().LLVMAddFunction)(self.module, name.as_ptr(), ty.0) })
    }

    pub(crate) fn add_global(&self, name: &str, ty: Type) -> Value {
        let name = c_string(name);
        // SAFETY: the module lives; a sized type of its context.
        Value(unsafe { (api().LLVMAddGlobal)(self.module, ty.0, name.as_ptr()) })
    }

    // Types and constants.

    pub(crate) fn int_type(&self, bits: u32) -> Type {
        // SAFETY: the context lives.
        Type(unsafe { (api().LLVMIntTypeInContext)(self.context, bits) })
    }

    pub(crate) fn void_type(&self) -> Type {
        // SAFETY: the context lives.
        Type(unsafe { (api().LLVMVoidTypeInContext)(self.context) })
    }

    pub(crate) fn pointer_type(&self) -> Type {
        // SAFETY: the context lives.
        Type(unsafe { (api().LLVMPointerTypeInContext)(self.context, 0) })
    }

    pub(crate) fn function_type(&self, returns: Type, parameters: &[Type]) -> Type {
        let mut raw: Vec<Ptr> = parameters.iter().map(|each| each.0).collect();
        // SAFETY: live types of one context; LLVM copies the list.
        Type(unsafe { (api().LLVMFunctionType)(returns.0, raw.as_mut_ptr(), raw.len() as u32, 0) })
    }

    /// A pointer with a fixed value.
    pub(crate) fn address(&self, value: u64) -> Value {
        let number = self.int_type(64).constant(value);
        // SAFETY: an integer constant and a pointer type of one context.
        Value(unsafe { (api().LLVMConstIntToPtr)(number.0, self.pointer_type().0) })
    }

    pub(crate) fn size_of(&self, ty: Type) -> u64 {
        // SAFETY: the machine's layout and a live sized type.
        unsafe { (api().LLVMABISizeOfType)(self.machine().1, ty.0) }
    }

    /// The bytes of a constant as they lie in memory; places of pointers are zero. `None` where it
    /// holds something that has no bytes yet.
    pub(crate) fn bytes(&self, constant: Value) -> Option<Vec<u8>> {
        let ty = constant.ty();
        let size = usize::try_from(self.size_of(ty)).ok()?;
        let mut bytes = vec![0; size];
        let constant = constant.number_inside();
        match constant.kind() {
            Kind::Zero | Kind::Function | Kind::Variable | Kind::ConstantExpr => {}
            Kind::Int => {
                let value = constant.int()?.to_le_bytes();
                for (to, from) in bytes.iter_mut().zip(value) {
                    *to = from;
                }
            }
            Kind::DataArray => {
                bytes = constant.data();
            }
            Kind::Aggregate => {
                for (index, operand) in constant.operands().into_iter().enumerate() {
                    let offset = usize::try_from(self.element_offset(ty, index)?).ok()?;
                    let part = self.bytes(operand)?;
                    bytes
                        .get_mut(offset..offset.checked_add(part.len())?)?
                        .copy_from_slice(&part);
                }
            }
            _ => return None,
        }
        Some(bytes)
    }

    /// The addresses that a constant holds, each with its offset.
    pub(crate) fn addresses(&self, constant: Value, offset: u64, found: &mut Vec<(u64, Value)>) {
        match constant.number_inside().kind() {
            Kind::Function | Kind::Variable | Kind::ConstantExpr => found.push((offset, constant)),
            Kind::Aggregate => {
                for (index, operand) in constant.operands().into_iter().enumerate() {
                    if let Some(inner) = self.element_offset(constant.ty(), index) {
                        self.addresses(operand, offset + inner, found);
                    }
                }
            }
            _ => {}
        }
    }

    /// A constant array of bytes.
    pub(crate) fn byte_string(&self, bytes: &[u8]) -> Value {
        // SAFETY: the context lives; start and length of a live slice, which LLVM copies; 1 adds no zero.
        Value(unsafe {
            (api().LLVMConstStringInContext2)(self.context, bytes.as_ptr(), bytes.len(), 1)
        })
    }

    /// A constant array of addresses.
    pub(crate) fn address_list(&self, addresses: &[Value]) -> Value {
        let mut raw: Vec<Ptr> = addresses.iter().map(|each| each.0).collect();
        // SAFETY: constants of the pointer type; LLVM copies the list.
        Value(unsafe {
            (api().LLVMConstArray2)(self.pointer_type().0, raw.as_mut_ptr(), raw.len() as u64)
        })
    }

    fn element_offset(&self, ty: Type, index: usize) -> Option<u64> {
        let index = u32::try_from(index).ok()?;
        match ty.kind() {
            TypeKind::Struct => {
                // SAFETY: the machine's layout, a live struct type and an index below its length.
                Some(unsafe { (api().LLVMOffsetOfElement)(self.machine().1, ty.0, index) })
            }
            TypeKind::Array => Some(u64::from(index) * self.size_of(ty.element())),
            _ => None,
        }
    }

    /// An attribute without a value.
    pub(super) fn attribute(&self, name: &str) -> Ptr {
        // SAFETY: the context lives.
        unsafe { (api().LLVMCreateEnumAttribute)(self.context, attribute_kind(name), 0) }
    }

    pub(super) fn context(&self) -> Ptr {
        self.context
    }

    pub(super) fn module(&self) -> Ptr {
        self.module
    }

    /// Builds instructions before `place`, with its source line.
    pub(crate) fn before(&self, place: Value) -> Builder {
        // SAFETY: the context lives, and so does the instruction.
        unsafe {
            let builder = (api().LLVMCreateBuilderInContext)(self.context);
            (api().LLVMPositionBuilderBefore)(builder, place.0);
            (api().LLVMSetCurrentDebugLocation2)(
                builder,
                (api().LLVMInstructionGetDebugLoc)(place.0),
            );
            Builder(builder)
        }
    }

    /// Cuts a block off before `place` and builds a new end there, with its source line. The blocks
    /// that followed lose a predecessor, so this is only for places that nothing follows:
    /// an `unreachable` ends the block.
    pub(crate) fn instead_of_rest(&self, place: Value) -> Builder {
        let block = place.block();
        // SAFETY: the context lives, and so does the instruction until it is erased here; what comes
        // after it in the block has no users left once the later ones are gone.
        unsafe {
            let builder = (api().LLVMCreateBuilderInContext)(self.context);
            (api().LLVMSetCurrentDebugLocation2)(
                builder,
                (api().LLVMInstructionGetDebugLoc)(place.0),
            );
            while let Some(last) = block.last() {
                let done = last == place;
                (api().LLVMReplaceAllUsesWith)(last.0, (api().LLVMGetUndef)(last.ty().0));
                last.erase();
                if done {
                    break;
                }
            }
            (api().LLVMPositionBuilderAtEnd)(builder, block.0);
            Builder(builder)
        }
    }
}

/// Builds instructions at one place.
pub(crate) struct Builder(Ptr);

impl Builder {
    pub(crate) fn call(&self, function: Value, arguments: &[Value]) -> Value {
        let mut raw: Vec<Ptr> = arguments.iter().map(|each| each.0).collect();
        let ty = function.content_type();
        // SAFETY: a live function, its own type and as many arguments as that has parameters.
        Value(unsafe {
            (api().LLVMBuildCall2)(
                self.0,
                ty.0,
                function.0,
                raw.as_mut_ptr(),
                raw.len() as u32,
                c"".as_ptr(),
            )
        })
    }

    /// The 64-bit `value` by way of a register: what comes out is no constant to the code generator.
    pub(crate) fn register(&self, value: Value) -> Value {
        const CONSTRAINTS: &CStr = c"=r,0";
        let mut types = [value.ty().0];
        let mut arguments = [value.0];
        // SAFETY: a function type of one 64-bit parameter and result, which the constraints speak of too,
        // without assembly (of dialect 0) in it, side effects, aligned stack or unwinding; and a call of
        // it with a live value of that type.
        Value(unsafe {
            let ty = (api().LLVMFunctionType)(types[0], types.as_mut_ptr(), 1, 0);
            let (text, len) = (CONSTRAINTS.as_ptr(), CONSTRAINTS.count_bytes());
            let copy = (api().LLVMGetInlineAsm)(ty, c"".as_ptr(), 0, text, len, 0, 0, 0, 0);
            (api().LLVMBuildCall2)(self.0, ty, copy, arguments.as_mut_ptr(), 1, c"".as_ptr())
        })
    }

    pub(crate) fn return_value(&self, value: Value) {
        // SAFETY: a live value of the function's return type.
        unsafe { (api().LLVMBuildRet)(self.0, value.0) };
    }

    pub(crate) fn return_void(&self) {
        // SAFETY: the builder stands at the end of a block.
        unsafe { (api().LLVMBuildRetVoid)(self.0) };
    }

    pub(crate) fn int_cast(&self, value: Value, ty: Type, signed: bool) -> Value {
        // SAFETY: a live integer and an integer type.
        Value(unsafe {
            (api().LLVMBuildIntCast2)(self.0, value.0, ty.0, signed.into(), c"".as_ptr())
        })
    }

    pub(crate) fn load(&self, ty: Type, address: Value) -> Value {
        // SAFETY: a sized type and a live pointer.
        Value(unsafe { (api().LLVMBuildLoad2)(self.0, ty.0, address.0, c"".as_ptr()) })
    }

    /// A pointer as a number.
    pub(crate) fn number(&self, pointer: Value, ty: Type) -> Value {
        // SAFETY: a live pointer and an integer type.
        Value(unsafe { (api().LLVMBuildPtrToInt)(self.0, pointer.0, ty.0, c"".as_ptr()) })
    }

    pub(crate) fn difference(&self, from: Value, value: Value) -> Value {
        // SAFETY: two live integers of one type.
        Value(unsafe { (api().LLVMBuildSub)(self.0, from.0, value.0, c"".as_ptr()) })
    }

    pub(crate) fn equal(&self, a: Value, b: Value) -> Value {
        const EQUAL: c_uint = 32;
        // SAFETY: two live integers of one type.
        Value(unsafe { (api().LLVMBuildICmp)(self.0, EQUAL, a.0, b.0, c"".as_ptr()) })
    }

    pub(crate) fn select(&self, condition: Value, yes: Value, no: Value) -> Value {
        // SAFETY: a live condition and two live values of one type.
        Value(unsafe { (api().LLVMBuildSelect)(self.0, condition.0, yes.0, no.0, c"".as_ptr()) })
    }

    /// `atomicrmw add` with relaxed order.
    pub(crate) fn atomic_add(&self, place: Value, value: Value) {
        const ADD: u32 = 1;
        const MONOTONIC: u32 = 2;
        // SAFETY: a live pointer and a live integer.
        unsafe { (api().LLVMBuildAtomicRMW)(self.0, ADD, place.0, value.0, MONOTONIC, 0) };
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        // SAFETY: the builder is ours, and this is its end.
        unsafe { (api().LLVMDisposeBuilder)(self.0) }
    }
}
