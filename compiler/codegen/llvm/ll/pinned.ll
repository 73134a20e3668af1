; Pins workers to processors: the first worker to the first of the given processors, and so on.

@netwright.processors = internal global { i32, [${most} x i32] } zeroinitializer, align 64  ; how many, which

declare i32 @sched_setaffinity(i32, ${long}, ptr) nonlazybind

; Pins the calling thread, the worker of this number, to its processor.
define internal void @netwright.keep(i32 %number) #0 {
begin:
  %mask = alloca [16 x i64], align 8
  %count = load i32, ptr @netwright.processors
  %none = icmp eq i32 %count, 0
  br i1 %none, label %return, label %find
find:
  %before = sub i32 %number, 1
  %place = urem i32 %before, %count
  %at = getelementptr { i32, [${most} x i32] }, ptr @netwright.processors, i32 0, i32 1, i32 %place
  %processor = load i32, ptr %at
  %word = lshr i32 %processor, 5
  %bit = and i32 %processor, 31
  %set = shl i32 1, %bit
  br label %clear
clear:
  %cleared = phi i32 [ 0, %find ], [ %more, %clear ]
  %empty = getelementptr i32, ptr %mask, i32 %cleared
  store i32 0, ptr %empty
  %more = add i32 %cleared, 1
  %last = icmp eq i32 %more, 32
  br i1 %last, label %ask, label %clear
ask:
  %its = getelementptr i32, ptr %mask, i32 %word
  store i32 %set, ptr %its
  ; if the system refuses, the thread runs anywhere
  %unused = call i32 @sched_setaffinity(i32 0, ${long} 128, ptr %mask)
  br label %return
return:
  ret void
}

; int32_t pin(processors, count): from the next call on, workers stay on these processors, whose numbers must be below 1024.
; Returns 1 if a call is using the workers, or there are too many processors.
define i32 @${pool}pin(ptr %processors, i32 %count) #0 {
begin:
  %fits = icmp ule i32 %count, ${most}
  br i1 %fits, label %stop, label %busy
stop:
  %stopped = call i32 @${pool}stop()
  %well = icmp eq i32 %stopped, 0
  br i1 %well, label %take, label %busy
take:
  %taking = cmpxchg ptr @netwright.owner, i32 0, i32 1 acquire monotonic
  %taken = extractvalue { i32, i1 } %taking, 1
  br i1 %taken, label %look, label %busy
look:
  %any = icmp ne i32 %count, 0
  br i1 %any, label %copy, label %done
copy:
  %number = phi i32 [ 0, %look ], [ %next, %copy ]
  %from = getelementptr i32, ptr %processors, i32 %number
  %processor = load i32, ptr %from
  %bounded = and i32 %processor, 1023
  %to = getelementptr { i32, [${most} x i32] }, ptr @netwright.processors, i32 0, i32 1, i32 %number
  store i32 %bounded, ptr %to
  %next = add i32 %number, 1
  %all = icmp eq i32 %next, %count
  br i1 %all, label %done, label %copy
done:
  store i32 %count, ptr @netwright.processors
  store atomic i32 0, ptr @netwright.owner release, align 4
  ret i32 0
busy:
  ret i32 1
}
