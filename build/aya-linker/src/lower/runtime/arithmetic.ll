; Arithmetic that eBPF has no instructions for. What is `alwaysinline` disappears into its callers; the
; division stays a function of its own: it loops over 128 bits.

define i64 @__aya_umulh(i64 %a, i64 %b) #0 {
  %a0 = and i64 %a, 4294967295
  %a1 = lshr i64 %a, 32
  %b0 = and i64 %b, 4294967295
  %b1 = lshr i64 %b, 32
  %p00 = mul i64 %a0, %b0
  %p01 = mul i64 %a0, %b1
  %p10 = mul i64 %a1, %b0
  %p11 = mul i64 %a1, %b1
  %carry = lshr i64 %p00, 32
  %m1 = add i64 %p10, %carry
  %m1.low = and i64 %m1, 4294967295
  %m1.high = lshr i64 %m1, 32
  %m2 = add i64 %p01, %m1.low
  %m2.high = lshr i64 %m2, 32
  %sum = add i64 %p11, %m1.high
  %high = add i64 %sum, %m2.high
  ret i64 %high
}

define i128 @__aya_mul(i128 %a, i128 %b) #0 {
  %al = trunc i128 %a to i64
  %as = lshr i128 %a, 64
  %ah = trunc i128 %as to i64
  %bl = trunc i128 %b to i64
  %bs = lshr i128 %b, 64
  %bh = trunc i128 %bs to i64
  %low = mul i64 %al, %bl
  %h0 = call i64 @__aya_umulh(i64 %al, i64 %bl)
  %h1 = mul i64 %al, %bh
  %h2 = mul i64 %ah, %bl
  %h01 = add i64 %h0, %h1
  %high = add i64 %h01, %h2
  %low.wide = zext i64 %low to i128
  %high.wide = zext i64 %high to i128
  %high.up = shl i128 %high.wide, 64
  %product = or i128 %high.up, %low.wide
  ret i128 %product
}

define { i64, i1 } @__aya_umulo64(i64 %a, i64 %b) #0 {
  %low = mul i64 %a, %b
  %high = call i64 @__aya_umulh(i64 %a, i64 %b)
  %over = icmp ne i64 %high, 0
  %r0 = insertvalue { i64, i1 } poison, i64 %low, 0
  %r1 = insertvalue { i64, i1 } %r0, i1 %over, 1
  ret { i64, i1 } %r1
}

define { i64, i1 } @__aya_smulo64(i64 %a, i64 %b) #0 {
  %low = mul i64 %a, %b
  %unsigned = call i64 @__aya_umulh(i64 %a, i64 %b)
  %a.sign = ashr i64 %a, 63
  %b.sign = ashr i64 %b, 63
  %a.fix = and i64 %a.sign, %b
  %b.fix = and i64 %b.sign, %a
  %h1 = sub i64 %unsigned, %a.fix
  %high = sub i64 %h1, %b.fix
  %sign = ashr i64 %low, 63
  %over = icmp ne i64 %high, %sign
  %r0 = insertvalue { i64, i1 } poison, i64 %low, 0
  %r1 = insertvalue { i64, i1 } %r0, i1 %over, 1
  ret { i64, i1 } %r1
}

define { i128, i1 } @__aya_umulo128(i128 %a, i128 %b) #0 {
  %al = trunc i128 %a to i64
  %as = lshr i128 %a, 64
  %ah = trunc i128 %as to i64
  %bl = trunc i128 %b to i64
  %bs = lshr i128 %b, 64
  %bh = trunc i128 %bs to i64
  %product = call i128 @__aya_mul(i128 %a, i128 %b)
  %ah.some = icmp ne i64 %ah, 0
  %bh.some = icmp ne i64 %bh, 0
  %both = and i1 %ah.some, %bh.some
  %x = call i64 @__aya_umulh(i64 %al, i64 %bh)
  %x.over = icmp ne i64 %x, 0
  %y = call i64 @__aya_umulh(i64 %ah, i64 %bl)
  %y.over = icmp ne i64 %y, 0
  ; the high half is the sum of what does not overflow by itself: it wrapped if it is less than a part
  %h1 = mul i64 %al, %bh
  %h2 = mul i64 %ah, %bl
  %cross = add i64 %h1, %h2
  %cross.over = icmp ult i64 %cross, %h1
  %ps = lshr i128 %product, 64
  %ph = trunc i128 %ps to i64
  %sum.over = icmp ult i64 %ph, %cross
  %o1 = or i1 %both, %x.over
  %o2 = or i1 %o1, %y.over
  %o3 = or i1 %o2, %cross.over
  %over = or i1 %o3, %sum.over
  %r0 = insertvalue { i128, i1 } poison, i128 %product, 0
  %r1 = insertvalue { i128, i1 } %r0, i1 %over, 1
  ret { i128, i1 } %r1
}

define { i128, i1 } @__aya_smulo128(i128 %a, i128 %b) #0 {
  %a.sign = ashr i128 %a, 127
  %a.flip = xor i128 %a, %a.sign
  %a.abs = sub i128 %a.flip, %a.sign
  %b.sign = ashr i128 %b, 127
  %b.flip = xor i128 %b, %b.sign
  %b.abs = sub i128 %b.flip, %b.sign
  %u = call { i128, i1 } @__aya_umulo128(i128 %a.abs, i128 %b.abs)
  %u.product = extractvalue { i128, i1 } %u, 0
  %u.over = extractvalue { i128, i1 } %u, 1
  %sign = xor i128 %a.sign, %b.sign
  %flip = xor i128 %u.product, %sign
  %product = sub i128 %flip, %sign
  ; the result must have the sign that it should have, or be zero
  %wrong = xor i128 %product, %sign
  %is.wrong = icmp slt i128 %wrong, 0
  %some = icmp ne i128 %product, 0
  %sign.over = and i1 %is.wrong, %some
  %over = or i1 %u.over, %sign.over
  %r0 = insertvalue { i128, i1 } poison, i128 %product, 0
  %r1 = insertvalue { i128, i1 } %r0, i1 %over, 1
  ret { i128, i1 } %r1
}

define i128 @__aya_udiv(i128 %a, i128 %b) #0 {
  %r = alloca [2 x i128], align 8
  call void @__aya_split_div(ptr %r, i128 %a, i128 %b)
  %quotient = load i128, ptr %r, align 8
  ret i128 %quotient
}

define i128 @__aya_urem(i128 %a, i128 %b) #0 {
  %r = alloca [2 x i128], align 8
  call void @__aya_split_div(ptr %r, i128 %a, i128 %b)
  %place = getelementptr i8, ptr %r, i64 16
  %remainder = load i128, ptr %place, align 8
  ret i128 %remainder
}

define i128 @__aya_sdiv(i128 %a, i128 %b) #0 {
  %a.sign = ashr i128 %a, 127
  %a.flip = xor i128 %a, %a.sign
  %a.abs = sub i128 %a.flip, %a.sign
  %b.sign = ashr i128 %b, 127
  %b.flip = xor i128 %b, %b.sign
  %b.abs = sub i128 %b.flip, %b.sign
  %u = call i128 @__aya_udiv(i128 %a.abs, i128 %b.abs)
  %sign = xor i128 %a.sign, %b.sign
  %flip = xor i128 %u, %sign
  %quotient = sub i128 %flip, %sign
  ret i128 %quotient
}

define i128 @__aya_srem(i128 %a, i128 %b) #0 {
  %a.sign = ashr i128 %a, 127
  %a.flip = xor i128 %a, %a.sign
  %a.abs = sub i128 %a.flip, %a.sign
  %b.sign = ashr i128 %b, 127
  %b.flip = xor i128 %b, %b.sign
  %b.abs = sub i128 %b.flip, %b.sign
  %u = call i128 @__aya_urem(i128 %a.abs, i128 %b.abs)
  %flip = xor i128 %u, %a.sign
  %remainder = sub i128 %flip, %a.sign
  ret i128 %remainder
}

define void @__aya_split_div(ptr %r, i128 %a, i128 %b) #0 {
  %al = trunc i128 %a to i64
  %as = lshr i128 %a, 64
  %ah = trunc i128 %as to i64
  %bl = trunc i128 %b to i64
  %bs = lshr i128 %b, 64
  %bh = trunc i128 %bs to i64
  call void @__aya_udivrem(ptr %r, i64 %al, i64 %ah, i64 %bl, i64 %bh)
  ret void
}

; Quotient and remainder of two numbers of 128 bits, given by their halves, low first: schoolbook
; division, one bit a turn, from the highest. Division by zero gives all ones, not a fault.
define void @__aya_udivrem(ptr %r, i64 %al, i64 %ah, i64 %bl, i64 %bh) #1 !dbg !10 {
entry:
  %either = or i64 %ah, %bh
  %small = icmp eq i64 %either, 0
  br i1 %small, label %short, label %long
short:
  %sq = udiv i64 %al, %bl
  %sr = urem i64 %al, %bl
  br label %done
long:
  br label %next
next:
  %i = phi i32 [ 0, %long ], [ %j, %next ]
  %nl = phi i64 [ %al, %long ], [ %nl.new, %next ]
  %nh = phi i64 [ %ah, %long ], [ %nh.shifted, %next ]
  %rl = phi i64 [ 0, %long ], [ %rl.new, %next ]
  %rh = phi i64 [ 0, %long ], [ %rh.new, %next ]
  ; remainder and number move left by one bit as one
  %nh.top = lshr i64 %nh, 63
  %nl.top = lshr i64 %nl, 63
  %rl.top = lshr i64 %rl, 63
  %overflow = lshr i64 %rh, 63
  %rh.up = shl i64 %rh, 1
  %rl.up = shl i64 %rl, 1
  %nh.up = shl i64 %nh, 1
  %nl.up = shl i64 %nl, 1
  %rh.shifted = or i64 %rh.up, %rl.top
  %rl.shifted = or i64 %rl.up, %nh.top
  %nh.shifted = or i64 %nh.up, %nl.top
  ; subtract; does it borrow? A branch here would make the verifier follow both ways, 128 times
  %rl.less = sub i64 %rl.shifted, %bl
  %rl.not = xor i64 %rl.shifted, -1
  %low.gone = and i64 %rl.not, %bl
  %low.equal = xor i64 %rl.not, %bl
  %low.kept = and i64 %low.equal, %rl.less
  %low.any = or i64 %low.gone, %low.kept
  %low.borrow = lshr i64 %low.any, 63
  %rh.first = sub i64 %rh.shifted, %bh
  %rh.less = sub i64 %rh.first, %low.borrow
  %rh.not = xor i64 %rh.shifted, -1
  %high.gone = and i64 %rh.not, %bh
  %high.equal = xor i64 %rh.not, %bh
  %high.kept = and i64 %high.equal, %rh.less
  %high.any = or i64 %high.gone, %high.kept
  %high.top = lshr i64 %high.any, 63
  ; hidden from the optimiser, which would make a comparison of the bit again
  %high.borrow = call i64 asm "", "=r,0"(i64 %high.top)
  %fits = xor i64 %high.borrow, 1
  %top = call i64 asm "", "=r,0"(i64 %overflow)
  %bit = or i64 %fits, %top
  ; all ones where the divisor goes into it
  %mask.open = sub i64 0, %bit
  %mask = call i64 asm "", "=r,0"(i64 %mask.open)
  %rl.differ = xor i64 %rl.shifted, %rl.less
  %rl.change = and i64 %rl.differ, %mask
  %rl.new = xor i64 %rl.shifted, %rl.change
  %rh.differ = xor i64 %rh.shifted, %rh.less
  %rh.change = and i64 %rh.differ, %mask
  %rh.new = xor i64 %rh.shifted, %rh.change
  %nl.new = or i64 %nl.up, %bit
  %j = add nuw nsw i32 %i, 1
  %more = icmp ult i32 %j, 128
  br i1 %more, label %next, label %done
done:
  %ql.out = phi i64 [ %sq, %short ], [ %nl.new, %next ]
  %qh.out = phi i64 [ 0, %short ], [ %nh.shifted, %next ]
  %rl.out = phi i64 [ %sr, %short ], [ %rl.new, %next ]
  %rh.out = phi i64 [ 0, %short ], [ %rh.new, %next ]
  store i64 %ql.out, ptr %r, align 8
  %p1 = getelementptr i8, ptr %r, i64 8
  store i64 %qh.out, ptr %p1, align 8
  %p2 = getelementptr i8, ptr %r, i64 16
  store i64 %rl.out, ptr %p2, align 8
  %p3 = getelementptr i8, ptr %r, i64 24
  store i64 %rh.out, ptr %p3, align 8
  ret void
}

attributes #0 = { alwaysinline nounwind }
attributes #1 = { noinline nounwind }

!llvm.dbg.cu = !{!1}
!llvm.module.flags = !{!5}
!1 = distinct !DICompileUnit(language: DW_LANG_C11, file: !2, isOptimized: true, emissionKind: FullDebug)
!2 = !DIFile(filename: "arithmetic", directory: "")
!3 = !DISubroutineType(types: !4)
!4 = !{null}
!5 = !{i32 2, !"Debug Info Version", i32 3}
!10 = distinct !DISubprogram(name: "__aya_udivrem", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
