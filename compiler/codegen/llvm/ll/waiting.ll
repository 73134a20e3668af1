; Waits for a word of memory to change: first for a few turns of a loop, which is fastest if the change comes soon, then asleep
; in the system, which disturbs other threads least if it does not. A thread that changes a word then calls netwright.announce.
;
; A waiting thread counts itself in %parked and then reads the word again; a thread that changes the word then reads %parked.
; Both are sequentially consistent, so at least one sees the other: no thread is left asleep.

; Returns the word once it differs from %seen.
define internal i32 @netwright.await(ptr %word, i32 %seen, ptr %parked, i32 %spins) #0 {
entry:
  %soon = call i32 @netwright.spin(ptr %word, i32 %seen, i32 %spins)
  %same = icmp eq i32 %soon, %seen
  br i1 %same, label %park, label %done
park:
  %late = call i32 @netwright.park(ptr %word, i32 %seen, ptr %parked)
  ret i32 %late
done:
  ret i32 %soon
}

; Reads the word up to %spins times; returns its last value.
define internal i32 @netwright.spin(ptr %word, i32 %seen, i32 %spins) #0 {
entry:
  br label %look
look:
  %turn = phi i32 [ 0, %entry ], [ %next, %again ]
  %now = load atomic i32, ptr %word acquire, align 4
  %new = icmp ne i32 %now, %seen
  %next = add i32 %turn, 1
  %patient = icmp ult i32 %next, %spins
  %old = xor i1 %new, true
  %on = and i1 %old, %patient
  br i1 %on, label %again, label %done
again:
  ${pause}
  br label %look
done:
  ret i32 %now
}

; Sleeps until the word differs from %seen; returns it.
define internal i32 @netwright.park(ptr %word, i32 %seen, ptr %parked) #0 {
entry:
  %before = atomicrmw add ptr %parked, i32 1 seq_cst
  br label %check
check:
  %now = load atomic i32, ptr %word seq_cst, align 4
  %changed = icmp ne i32 %now, %seen
  br i1 %changed, label %leave, label %sleep
sleep:
  call void @netwright.sleep(ptr %word, i32 %seen)
  br label %check
leave:
  %after = atomicrmw sub ptr %parked, i32 1 seq_cst
  ret i32 %now
}

; To be called after a sequentially consistent change of the word: wakes the sleeping threads.
define internal void @netwright.announce(ptr %word, ptr %parked) #0 {
entry:
  %asleep = load atomic i32, ptr %parked seq_cst, align 4
  %none = icmp eq i32 %asleep, 0
  br i1 %none, label %done, label %wake
wake:
  call void @netwright.wake(ptr %word)
  br label %done
done:
  ret void
}
