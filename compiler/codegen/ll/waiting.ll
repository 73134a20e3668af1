; Waiting for a word of memory to change: a few turns of a loop, which costs least where the change is near, then asleep in
; the system, which costs the others least where it is not. Who changes a word calls netwright.announce afterwards.
;
; The one who waits counts itself in %parked and looks at the word again; the one who changes it looks at %parked
; afterwards. Both are sequentially consistent, so that at least one sees the other: nobody is left asleep.

; Returns what the word is once it is no longer %seen.
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

; Looks so many times; returns what the word was in the end.
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

; Sleeps until the word is no longer %seen; returns what it is.
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

; After a change of the word that was sequentially consistent: wakes those who sleep.
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
