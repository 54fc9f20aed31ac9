; The memory functions, for what LLVM cannot expand in place. The variants with 8 move words; everything
; behind their pointers and lengths is aligned to 8. They are written as loops that the verifier can
; follow: one counter, one comparison.

define void @__aya_memcpy(ptr %to, ptr %from, i64 %n) #0 !dbg !10 {
entry:
  %none = icmp eq i64 %n, 0
  br i1 %none, label %done, label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %q = getelementptr i8, ptr %from, i64 %i
  %v = load i8, ptr %q
  %p = getelementptr i8, ptr %to, i64 %i
  store i8 %v, ptr %p
  %j = add nuw i64 %i, 1
  %more = icmp ult i64 %j, %n
  br i1 %more, label %next, label %done
done:
  ret void
}

define void @__aya_memcpy8(ptr %to, ptr %from, i64 %n) #0 !dbg !11 {
entry:
  %none = icmp eq i64 %n, 0
  br i1 %none, label %done, label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %q = getelementptr i8, ptr %from, i64 %i
  %v = load i64, ptr %q
  %p = getelementptr i8, ptr %to, i64 %i
  store i64 %v, ptr %p
  %j = add nuw i64 %i, 8
  %more = icmp ult i64 %j, %n
  br i1 %more, label %next, label %done
done:
  ret void
}

define void @__aya_memset(ptr %to, i32 %byte, i64 %n) #0 !dbg !12 {
entry:
  %v = trunc i32 %byte to i8
  %none = icmp eq i64 %n, 0
  br i1 %none, label %done, label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %p = getelementptr i8, ptr %to, i64 %i
  store i8 %v, ptr %p
  %j = add nuw i64 %i, 1
  %more = icmp ult i64 %j, %n
  br i1 %more, label %next, label %done
done:
  ret void
}

define void @__aya_memset8(ptr %to, i32 %byte, i64 %n) #0 !dbg !13 {
entry:
  %low = and i32 %byte, 255
  %one = zext i32 %low to i64
  %v = mul i64 %one, 72340172838076673
  %none = icmp eq i64 %n, 0
  br i1 %none, label %done, label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %p = getelementptr i8, ptr %to, i64 %i
  store i64 %v, ptr %p
  %j = add nuw i64 %i, 8
  %more = icmp ult i64 %j, %n
  br i1 %more, label %next, label %done
done:
  ret void
}

define void @__aya_memmove(ptr %to, ptr %from, i64 %n) #0 !dbg !14 {
entry:
  %none = icmp eq i64 %n, 0
  br i1 %none, label %done, label %choose
choose:
  %above = icmp ult ptr %from, %to
  br i1 %above, label %down, label %up
up:
  %i = phi i64 [ 0, %choose ], [ %j, %up ]
  %q = getelementptr i8, ptr %from, i64 %i
  %v = load i8, ptr %q
  %p = getelementptr i8, ptr %to, i64 %i
  store i8 %v, ptr %p
  %j = add nuw i64 %i, 1
  %more = icmp ult i64 %j, %n
  br i1 %more, label %up, label %done
down:
  %k = phi i64 [ %n, %choose ], [ %l, %down ]
  %l = add i64 %k, -1
  %r = getelementptr i8, ptr %from, i64 %l
  %w = load i8, ptr %r
  %s = getelementptr i8, ptr %to, i64 %l
  store i8 %w, ptr %s
  %again = icmp ne i64 %l, 0
  br i1 %again, label %down, label %done
done:
  ret void
}

define void @__aya_memmove8(ptr %to, ptr %from, i64 %n) #0 !dbg !15 {
entry:
  %none = icmp eq i64 %n, 0
  br i1 %none, label %done, label %choose
choose:
  %above = icmp ult ptr %from, %to
  br i1 %above, label %down, label %up
up:
  %i = phi i64 [ 0, %choose ], [ %j, %up ]
  %q = getelementptr i8, ptr %from, i64 %i
  %v = load i64, ptr %q
  %p = getelementptr i8, ptr %to, i64 %i
  store i64 %v, ptr %p
  %j = add nuw i64 %i, 8
  %more = icmp ult i64 %j, %n
  br i1 %more, label %up, label %done
down:
  %k = phi i64 [ %n, %choose ], [ %l, %down ]
  %l = add i64 %k, -8
  %r = getelementptr i8, ptr %from, i64 %l
  %w = load i64, ptr %r
  %s = getelementptr i8, ptr %to, i64 %l
  store i64 %w, ptr %s
  %again = icmp ne i64 %l, 0
  br i1 %again, label %down, label %done
done:
  ret void
}

define i32 @__aya_memcmp(ptr %a, ptr %b, i64 %n) #0 !dbg !16 {
entry:
  %none = icmp eq i64 %n, 0
  br i1 %none, label %same, label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %more ]
  %p = getelementptr i8, ptr %a, i64 %i
  %q = getelementptr i8, ptr %b, i64 %i
  %x = load i8, ptr %p
  %y = load i8, ptr %q
  %equal = icmp eq i8 %x, %y
  br i1 %equal, label %more, label %differ
more:
  %j = add nuw i64 %i, 1
  %again = icmp ult i64 %j, %n
  br i1 %again, label %next, label %same
differ:
  %wide.x = zext i8 %x to i32
  %wide.y = zext i8 %y to i32
  %difference = sub i32 %wide.x, %wide.y
  ret i32 %difference
same:
  ret i32 0
}

define i64 @__aya_strlen(ptr %s) #0 !dbg !17 {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %p = getelementptr i8, ptr %s, i64 %i
  %c = load i8, ptr %p
  %j = add nuw i64 %i, 1
  %end = icmp eq i8 %c, 0
  br i1 %end, label %done, label %next
done:
  ret i64 %i
}

attributes #0 = { noinline nounwind "no-builtins" }

!llvm.dbg.cu = !{!1}
!llvm.module.flags = !{!5}
!1 = distinct !DICompileUnit(language: DW_LANG_C11, file: !2, isOptimized: true, emissionKind: FullDebug)
!2 = !DIFile(filename: "memory", directory: "")
!3 = !DISubroutineType(types: !4)
!4 = !{null}
!5 = !{i32 2, !"Debug Info Version", i32 3}
!10 = distinct !DISubprogram(name: "__aya_memcpy", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
!11 = distinct !DISubprogram(name: "__aya_memcpy8", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
!12 = distinct !DISubprogram(name: "__aya_memset", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
!13 = distinct !DISubprogram(name: "__aya_memset8", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
!14 = distinct !DISubprogram(name: "__aya_memmove", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
!15 = distinct !DISubprogram(name: "__aya_memmove8", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
!16 = distinct !DISubprogram(name: "__aya_memcmp", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
!17 = distinct !DISubprogram(name: "__aya_strlen", unit: !1, file: !2, type: !3, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized)
