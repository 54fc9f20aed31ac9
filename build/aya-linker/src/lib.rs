//! Links LLVM bitcode from rustc into eBPF objects.
