; An address of user space's in the arena -> the program's. Nothing is done with the map, but its address
; has to be in the program: that is how the verifier learns which arena it is.

define ptr @__aya_arena(ptr %arena, i64 %address) #0 {
  call void asm sideeffect "", "r"(ptr %arena)
  %theirs = inttoptr i64 %address to ptr addrspace(1)
  %ours = addrspacecast ptr addrspace(1) %theirs to ptr
  ret ptr %ours
}

attributes #0 = { alwaysinline nounwind }
