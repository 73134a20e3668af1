; Runs a kernel in as many shares as its %work pays for: one for each thread at most, or several if it is %finely divided. Kernels
; whose arguments have the same types share this function, so that an entry has little code for each of its calls. Returns the
; error code of what this thread ran alone; shares report theirs.
define internal i32 ${divided}(ptr %block, ptr %walk, i32 %tid, i64 %grain, i64 %limit, i64 %work, i1 %finely, ptr %kernel${arguments}) #0 {
entry:
  %several = icmp sgt i64 %limit, 1
  br i1 %several, label %weigh, label %single
weigh:
  %worth = sdiv i64 %work, %grain
  %pays = icmp sgt i64 %worth, 1
  br i1 %pays, label %divide, label %single
divide:
  %threads = call i64 @llvm.smin.i64(i64 %worth, i64 %limit)
  %fair = sdiv i64 ${shares}, %limit
  %most = call i64 @llvm.smin.i64(i64 %fair, i64 ${each})
  %enough = mul i64 %limit, ${fine}
  %fine = sdiv i64 %worth, %enough
  %fewer = call i64 @llvm.smin.i64(i64 %fine, i64 %most)
  %own = call i64 @llvm.smax.i64(i64 %fewer, i64 1)
  %each.wide = select i1 %finely, i64 %own, i64 1
  %shares.wide = mul i64 %threads, %each.wide
  %each = trunc i64 %each.wide to i32
  %shares = trunc i64 %shares.wide to i32
  %missed.wide = call i64 @llvm.smin.i64(i64 %worth, i64 ${wake})
  %missed = trunc i64 %missed.wide to i32
  %region = call i32 @netwright.begin(ptr %block, ptr %walk, i32 %tid, i32 %missed)
  %alone = icmp slt i32 %region, 0
  br i1 %alone, label %whole, label %take
take:
  %share = call i32 @netwright.share(ptr %block, i32 %region, i32 %tid, i32 %shares, i32 %each)
  %over = icmp slt i32 %share, 0
  br i1 %over, label %return, label %run
run:
  %code = call i32 %kernel(${given}i32 %share, i32 %shares)
  call void @netwright.shared(ptr %block, i32 %region, i32 %shares, i32 %code)
  br label %take
single:
  %stretch = getelementptr i8, ptr %walk, i32 ${stretch}
  store i32 1, ptr %stretch
  %leads = icmp eq i32 %tid, 0
  br i1 %leads, label %whole, label %return
whole:
  %result = call i32 %kernel(${given}i32 0, i32 1)
  ret i32 %result
return:
  ret i32 0
}
