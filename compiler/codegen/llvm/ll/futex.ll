; Sleeping on Linux: a system call that returns at once if the word has changed since it was read. It may also return for no
; reason.

declare ${long} @syscall(${long}, ...) nonlazybind

define internal void @netwright.sleep(ptr %word, i32 %seen) #0 {
  ; 128: FUTEX_WAIT among the threads of one process
  %unused = call ${long} (${long}, ...) @syscall(${long} ${futex}, ptr %word, i32 128, i32 %seen, ptr null, ptr null, i32 0)
  ret void
}

define internal void @netwright.wake(ptr %word) #0 {
  ; 129: FUTEX_WAKE
  %unused = call ${long} (${long}, ...) @syscall(${long} ${futex}, ptr %word, i32 129, i32 2147483647, ptr null, ptr null, i32 0)
  ret void
}
