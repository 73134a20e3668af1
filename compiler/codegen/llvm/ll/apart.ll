; Wakes workers on other processors than the caller's. Some systems, which keep few processors of a virtual machine busy, wake a
; thread on the processor of the thread that wakes it, although others have nothing to do: then both get half of it until one is
; moved, milliseconds later.
;
; A worker that wakes on the caller's processor says so. From then on, the caller takes its own processor away from that sleeping
; worker before it wakes it, and the worker takes it back as soon as it runs: it stays where it is, and may run where it might
; before. Workers that are pinned are left alone.

; Of each worker: 0, 1 while it has been sent to other processors, or 2 while that is being changed; whether it woke on the
; caller's processor; the mask that it gets back: NULL for everything, or the next one; the processors that it may use, one bit each; and
; those that it was sent to
@netwright.places = internal global [${most} x { i32, i32, ptr, [32 x i32], [32 x i32] }] zeroinitializer, align 64
; The caller's processor if the call woke workers, otherwise -1
@netwright.caller.processor = internal global i32 -1

declare i32 @sched_getcpu() nonlazybind
declare i32 @sched_getaffinity(i32, ${long}, ptr) nonlazybind
declare i32 @pthread_getaffinity_np(ptr, ${long}, ptr) nonlazybind
declare i32 @pthread_setaffinity_np(ptr, ${long}, ptr) nonlazybind

; For a new worker, the one of this number less one.
define internal void @netwright.place(i32 %index) #0 {
  %place = getelementptr [${most} x { i32, i32, ptr, [32 x i32], [32 x i32] }], ptr @netwright.places, i32 0, i32 %index
  store atomic i32 0, ptr %place monotonic, align 4
  ret void
}

; Called by the caller, before it publishes a ticket.
define internal void @netwright.part(i32 %nthreads) #0 {
begin:
  %pinned = load i32, ptr @netwright.processors
  %free = icmp eq i32 %pinned, 0
  %asleep = load atomic i32, ptr @netwright.workers.asleep monotonic, align 4
  %any = icmp ne i32 %asleep, 0
  %wakes = and i1 %free, %any
  br i1 %wakes, label %ask, label %none
ask:
  %processor = call i32 @sched_getcpu()
  %known = icmp ult i32 %processor, 1024
  br i1 %known, label %say, label %none
none:
  store atomic i32 -1, ptr @netwright.caller.processor monotonic, align 4
  ret void
say:
  store atomic i32 %processor, ptr @netwright.caller.processor monotonic, align 4
  %made = load i32, ptr @netwright.made
  %others = sub i32 %nthreads, 1
  %count = call i32 @llvm.umin.i32(i32 %made, i32 %others)
  br label %next
next:
  %index = phi i32 [ 0, %say ], [ %more, %look ], [ %more, %send ]
  %left = icmp ult i32 %index, %count
  br i1 %left, label %look, label %done
look:
  %more = add i32 %index, 1
  %place = getelementptr [${most} x { i32, i32, ptr, [32 x i32], [32 x i32] }], ptr @netwright.places, i32 0, i32 %index
  %crowded.at = getelementptr i8, ptr %place, i32 4
  %crowded = load atomic i32, ptr %crowded.at monotonic, align 4
  %met = icmp ne i32 %crowded, 0
  br i1 %met, label %send, label %next
send:
  %worker = getelementptr [${most} x { ptr, i32, i32 }], ptr @netwright.workers, i32 0, i32 %index
  %thread = load ptr, ptr %worker
  call void @netwright.send(ptr %thread, ptr %place, i32 %processor)
  br label %next
done:
  ret void
}

; Lets a worker run on all of its processors but one, if it has others.
define internal void @netwright.send(ptr %thread, ptr %place, i32 %processor) #0 {
begin:
  %all = alloca [32 x i32], align 8
  %got = alloca [32 x i32], align 8
  %back.at = getelementptr { i32, i32, ptr, [32 x i32], [32 x i32] }, ptr %place, i32 0, i32 2
  %mask = getelementptr { i32, i32, ptr, [32 x i32], [32 x i32] }, ptr %place, i32 0, i32 3
  %others = getelementptr { i32, i32, ptr, [32 x i32], [32 x i32] }, ptr %place, i32 0, i32 4
  %taking = cmpxchg ptr %place, i32 0, i32 2 acquire monotonic
  %taken = extractvalue { i32, i1 } %taking, 1
  br i1 %taken, label %read, label %again
again:
  ; it has not run since it was sent away the last time: what it gets back is known
  %retaking = cmpxchg ptr %place, i32 1, i32 2 acquire monotonic
  %retaken = extractvalue { i32, i1 } %retaking, 1
  br i1 %retaken, label %count, label %return
read:
  %failed = call i32 @pthread_getaffinity_np(ptr %thread, ${long} 128, ptr %mask)
  %failure = icmp ne i32 %failed, 0
  br i1 %failure, label %leave, label %count
count:
  call void @netwright.fill(ptr %got, i32 0)
  %rest = call i32 @netwright.without(ptr %others, ptr %mask, ptr %got, i32 %processor)
  %single = icmp eq i32 %rest, 0
  br i1 %single, label %leave, label %try
leave:
  store atomic i32 0, ptr %place release, align 4
  ret void
try:
  ; A thread that may use all processors of its control group shall use those that the group gets later, too: so what it gets
  ; back has to be everything.
  call void @netwright.fill(ptr %got, i32 -1)
  %surely = call i32 @netwright.without(ptr %all, ptr %got, ptr %mask, i32 %processor)
  %tried = call i32 @pthread_setaffinity_np(ptr %thread, ${long} 128, ptr %all)
  %asked = call i32 @pthread_getaffinity_np(ptr %thread, ${long} 128, ptr %got)
  %difference = call i32 @netwright.without(ptr %all, ptr %got, ptr %others, i32 %processor)
  %bad = or i32 %tried, %asked
  %odd = or i32 %bad, %difference
  %unlimited = icmp eq i32 %odd, 0
  %gets = select i1 %unlimited, ptr null, ptr %mask
  store ptr %gets, ptr %back.at
  br i1 %unlimited, label %sent, label %limit
limit:
  %narrowed = call i32 @pthread_setaffinity_np(ptr %thread, ${long} 128, ptr %others)
  br label %sent
sent:
  store atomic i32 1, ptr %place release, align 4
  br label %return
return:
  ret void
}

define internal void @netwright.fill(ptr %mask, i32 %word) #0 {
begin:
  br label %next
next:
  %number = phi i32 [ 0, %begin ], [ %more, %next ]
  %at = getelementptr i32, ptr %mask, i32 %number
  store i32 %word, ptr %at
  %more = add i32 %number, 1
  %last = icmp eq i32 %more, 32
  br i1 %last, label %done, label %next
done:
  ret void
}

; Writes a mask without a processor; returns 0 if it is the same as another.
define internal i32 @netwright.without(ptr %to, ptr %from, ptr %other, i32 %processor) #0 {
begin:
  %place = lshr i32 %processor, 5
  %bit = and i32 %processor, 31
  %set = shl i32 1, %bit
  br label %next
next:
  %number = phi i32 [ 0, %begin ], [ %more, %next ]
  %sum = phi i32 [ 0, %begin ], [ %joined, %next ]
  %from.at = getelementptr i32, ptr %from, i32 %number
  %to.at = getelementptr i32, ptr %to, i32 %number
  %other.at = getelementptr i32, ptr %other, i32 %number
  %old = load i32, ptr %from.at
  %its = load i32, ptr %other.at
  %here = icmp eq i32 %number, %place
  %removed = select i1 %here, i32 %set, i32 0
  %kept = xor i32 %removed, -1
  %new = and i32 %old, %kept
  store i32 %new, ptr %to.at
  %change = xor i32 %new, %its
  %joined = or i32 %sum, %change
  %more = add i32 %number, 1
  %last = icmp eq i32 %more, 32
  br i1 %last, label %done, label %next
done:
  ret i32 %joined
}

; Called by a worker that has a new ticket: takes back what it may use, unless somebody has changed that meanwhile.
define internal void @netwright.arrive(i32 %number) #0 {
begin:
  %got = alloca [32 x i32], align 8
  %index = sub i32 %number, 1
  %place = getelementptr [${most} x { i32, i32, ptr, [32 x i32], [32 x i32] }], ptr @netwright.places, i32 0, i32 %index
  %state = load atomic i32, ptr %place monotonic, align 4
  %sent = icmp eq i32 %state, 1
  br i1 %sent, label %take, label %look
take:
  %taking = cmpxchg ptr %place, i32 1, i32 2 acquire monotonic
  %taken = extractvalue { i32, i1 } %taking, 1
  br i1 %taken, label %restore, label %return
restore:
  %back.at = getelementptr { i32, i32, ptr, [32 x i32], [32 x i32] }, ptr %place, i32 0, i32 2
  %back = load ptr, ptr %back.at
  %others = getelementptr { i32, i32, ptr, [32 x i32], [32 x i32] }, ptr %place, i32 0, i32 4
  %asked = call i32 @sched_getaffinity(i32 0, ${long} 128, ptr %got)
  %change = call i32 @netwright.without(ptr %got, ptr %got, ptr %others, i32 1024)
  %changed = icmp ne i32 %change, 0
  br i1 %changed, label %settled, label %give
give:
  call void @netwright.fill(ptr %got, i32 -1)
  %limited = icmp ne ptr %back, null
  %mask = select i1 %limited, ptr %back, ptr %got
  %restored = call i32 @sched_setaffinity(i32 0, ${long} 128, ptr %mask)
  br label %settled
settled:
  store atomic i32 0, ptr %place release, align 4
  br label %return
look:
  %caller = load atomic i32, ptr @netwright.caller.processor monotonic, align 4
  %unknown = icmp slt i32 %caller, 0
  br i1 %unknown, label %return, label %compare
compare:
  %own = call i32 @sched_getcpu()
  %same = icmp eq i32 %own, %caller
  br i1 %same, label %note, label %return
note:
  %crowded = getelementptr i8, ptr %place, i32 4
  store atomic i32 1, ptr %crowded monotonic, align 4
  br label %return
return:
  ret void
}
