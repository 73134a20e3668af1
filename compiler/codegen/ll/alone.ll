; For systems without threads: entries are called with nthreads 1, and then no region has more than one share.

define i32 @netwright.begin(ptr %block, ptr %walk, i32 %tid, i32 %worth) #0 {
  ret i32 -1
}

define i32 @netwright.share(ptr %block, i32 %region, i32 %tid, i32 %shares) #0 {
  ret i32 -1
}

define void @netwright.shared(ptr %block, i32 %region, i32 %shares, i32 %code) #0 {
  ret void
}

define i32 @netwright.end(ptr %block, ptr %walk, i32 %tid, i32 %code, i1 %waits) #0 {
  ret i32 %code
}
