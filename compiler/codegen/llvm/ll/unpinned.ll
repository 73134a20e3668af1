; For systems that cannot say on which processors a thread may run.

define internal void @netwright.keep(i32 %number) #0 {
  ret void
}

define i32 @${pool}pin(ptr %processors, i32 %count) #0 {
  ret i32 1
}
define internal void @netwright.place(i32 %index) #0 {
  ret void
}

define internal void @netwright.part(i32 %nthreads) #0 {
  ret void
}

define internal void @netwright.arrive(i32 %number) #0 {
  ret void
}
