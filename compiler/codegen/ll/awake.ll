; For systems without known ways to sleep: waiting threads of a host keep spinning.

define internal void @netwright.sleep(ptr %word, i32 %seen) #0 {
  ${pause}
  ret void
}

define internal void @netwright.wake(ptr %word) #0 {
  ret void
}

define internal i64 @netwright.clock() #0 {
  ret i64 0
}
