; Sleeping where there is no futex: one condition variable for all words. A thread changes a word before it takes the mutex to
; wake others. So a thread that holds the mutex and finds the word unchanged is asleep before the wake-up is sent.

@netwright.mutex = internal global [16 x i64] [i64 ${mutex}, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0], align 64
@netwright.condition = internal global [16 x i64] [i64 ${condition}, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0, i64 0], align 64

declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)

define internal void @netwright.sleep(ptr %word, i32 %seen) #0 {
entry:
  %locked = call i32 @pthread_mutex_lock(ptr @netwright.mutex)
  %now = load atomic i32, ptr %word seq_cst, align 4
  %same = icmp eq i32 %now, %seen
  br i1 %same, label %wait, label %done
wait:
  %woken = call i32 @pthread_cond_wait(ptr @netwright.condition, ptr @netwright.mutex)
  br label %done
done:
  %unlocked = call i32 @pthread_mutex_unlock(ptr @netwright.mutex)
  ret void
}

define internal void @netwright.wake(ptr %word) #0 {
  %locked = call i32 @pthread_mutex_lock(ptr @netwright.mutex)
  %sent = call i32 @pthread_cond_broadcast(ptr @netwright.condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @netwright.mutex)
  ret void
}
