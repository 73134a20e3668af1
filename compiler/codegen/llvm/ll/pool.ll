; The threads of a process that run entries together. The caller is thread 0 and begins at once. The first region with enough
; work calls the workers, which are created when they are first called, and join wherever the entry then is. One call at a time
; has the workers: a call that begins meanwhile runs on one thread, with the same results.
;
; Workers wait for a ticket, a number that grows with every call and has in its low 16 bits how many threads take part (0: the
; workers end). They enter through a gate, which counts the workers inside and closes when the caller is finished: a worker that
; arrives too late stays outside, and nobody waits for it.
;
; Trials decide whether a call uses workers at all (trials.ll).

@netwright.ticket = internal global { i32, i32, [56 x i8] } zeroinitializer, align 64   ; ticket, workers asleep
@netwright.gate = internal global { i64, i32, [52 x i8] } zeroinitializer, align 64     ; ticket | open | inside, callers asleep
@netwright.job = internal global { ptr, ptr, i32, i32, ptr, [32 x i8] } zeroinitializer, align 64  ; entry, context, nthreads, spins, block
@netwright.owner = internal global { i32, i32, [56 x i8] } zeroinitializer, align 64    ; taken, workers made
@netwright.workers = internal global [${most} x { ptr, i32, i32 }] zeroinitializer, align 64  ; thread, first ticket, number

@netwright.workers.asleep = internal alias i32, getelementptr (i8, ptr @netwright.ticket, i32 4)
@netwright.caller.asleep = internal alias i32, getelementptr (i8, ptr @netwright.gate, i32 8)
@netwright.made = internal alias i32, getelementptr (i8, ptr @netwright.owner, i32 4)
@netwright.job.context = internal alias ptr, getelementptr ({ ptr, ptr, i32, i32, ptr, [32 x i8] }, ptr @netwright.job, i32 0, i32 1)
@netwright.job.nthreads = internal alias i32, getelementptr ({ ptr, ptr, i32, i32, ptr, [32 x i8] }, ptr @netwright.job, i32 0, i32 2)
@netwright.job.spins = internal alias i32, getelementptr ({ ptr, ptr, i32, i32, ptr, [32 x i8] }, ptr @netwright.job, i32 0, i32 3)
@netwright.job.block = internal alias ptr, getelementptr ({ ptr, ptr, i32, i32, ptr, [32 x i8] }, ptr @netwright.job, i32 0, i32 4)

declare i32 @pthread_create(ptr, ptr, ptr, ptr) nonlazybind
declare i32 @pthread_join(ptr, ptr) nonlazybind
declare i32 @pthread_sigmask(i32, ptr, ptr) nonlazybind
declare i32 @sigfillset(ptr) nonlazybind

; int32_t run(entry, context, nthreads, spins): runs the entry on this many threads and returns its error code. Threads wait for
; each other for this many turns of a loop before they sleep (1: they sleep at once, for more threads than processors).
define i32 @${pool}run(ptr %entry, ptr %context, i32 %nthreads, i32 %spins) #0 {
begin:
  %several = icmp ugt i32 %nthreads, 1
  %given = icmp ne ptr %context, null
  %fits = icmp ule i32 %nthreads, ${most}
  %some = and i1 %several, %given
  %can = and i1 %some, %fits
  br i1 %can, label %look, label %alone
look:
  %field = getelementptr { ptr, ptr, ptr, ptr, ptr }, ptr %context, i32 0, i32 4
  %block = load ptr, ptr %field
  %address = ptrtoint ptr %block to i64
  %odd = and i64 %address, 7
  %aligned = icmp eq i64 %odd, 0
  %missing = icmp eq ptr %block, null
  %there = xor i1 %missing, true
  %usable = and i1 %aligned, %there
  br i1 %usable, label %take, label %alone
take:
  %taking = cmpxchg ptr @netwright.owner, i32 0, i32 1 acquire monotonic
  %taken = extractvalue { i32, i1 } %taking, 1
  br i1 %taken, label %together, label %alone
alone:
  %single = call i32 %entry(ptr %context, i32 0, i32 1)
  ret i32 %single
together:
  %block.1 = getelementptr i8, ptr %block, i32 8
  %block.2 = getelementptr i8, ptr %block, i32 16
  %block.6 = getelementptr i8, ptr %block, i32 48
  store i64 0, ptr %block
  store i64 0, ptr %block.1
  store i64 0, ptr %block.2
  store i64 0, ptr %block.6
  %turns = getelementptr i8, ptr %block, i32 24
  store i32 %spins, ptr %turns
  %summon = getelementptr i8, ptr %block, i32 32
  store ptr @netwright.summon, ptr %summon
  %slept.at = getelementptr i8, ptr %block, i32 40
  store i64 0, ptr %slept.at
  store ptr %entry, ptr @netwright.job
  store ptr %context, ptr @netwright.job.context
  store i32 %nthreads, ptr @netwright.job.nthreads
  store i32 %spins, ptr @netwright.job.spins
  store ptr %block, ptr @netwright.job.block
  store ptr null, ptr @netwright.trial
  store i32 0, ptr @netwright.trial.called
  %now = call i64 @netwright.clock()
  store i64 %now, ptr @netwright.trial.began
  %code = call i32 %entry(ptr %context, i32 0, i32 %nthreads)
  %called = load i32, ptr @netwright.trial.called
  %nobody = icmp eq i32 %called, 0
  br i1 %nobody, label %note, label %close
close:
  %open = atomicrmw and ptr @netwright.gate, i64 -2147483649 acq_rel
  br label %wait
wait:
  %inside = load atomic i32, ptr @netwright.gate acquire, align 4
  %empty = icmp eq i32 %inside, 0
  br i1 %empty, label %note, label %stay
stay:
  %soon = call i32 @netwright.spin(ptr @netwright.gate, i32 %inside, i32 %spins)
  %unchanged = icmp eq i32 %soon, %inside
  br i1 %unchanged, label %sleep, label %wait
sleep:
  %from = call i64 @netwright.clock()
  %fewer = call i32 @netwright.park(ptr @netwright.gate, i32 %inside, ptr @netwright.caller.asleep)
  %to = call i64 @netwright.clock()
  %nap = sub i64 %to, %from
  %so.far = load i64, ptr %slept.at
  %sum = add i64 %so.far, %nap
  store i64 %sum, ptr %slept.at
  br label %wait
note:
  %slept = load i64, ptr %slept.at
  call void @netwright.note(i64 %slept, i32 %nthreads)
  store atomic i32 0, ptr @netwright.owner release, align 4
  ret i32 %code
}

; Called by the first region with enough work for workers: calls them, and returns whether there are any.
define internal i1 @netwright.summon() #0 {
begin:
  %entry = load ptr, ptr @netwright.job
  %nthreads = load i32, ptr @netwright.job.nthreads
  %block = load ptr, ptr @netwright.job.block
  %work.at = getelementptr i8, ptr %block, i32 56
  %work = load i64, ptr %work.at
  %pays = call i1 @netwright.judge(ptr %entry, i64 %work, i32 %nthreads)
  br i1 %pays, label %fetch, label %return
fetch:
  %others = sub i32 %nthreads, 1
  call void @netwright.hire(i32 %others)
  store i32 1, ptr @netwright.trial.called
  call void @netwright.call(i32 %nthreads)
  br label %return
return:
  ret i1 %pays
}

; The next ticket, with an open gate.
define internal void @netwright.call(i32 %nthreads) #0 {
  %ticket = load atomic i32, ptr @netwright.ticket monotonic, align 4
  %grown = add i32 %ticket, 65536
  %number = and i32 %grown, -65536
  %next = or i32 %number, %nthreads
  %wide = zext i32 %next to i64
  %high = shl i64 %wide, 32
  %open = or i64 %high, 2147483648
  call void @netwright.part(i32 %nthreads)
  store atomic i64 %open, ptr @netwright.gate release, align 8
  store atomic i32 %next, ptr @netwright.ticket seq_cst, align 4
  call void @netwright.announce(ptr @netwright.ticket, ptr @netwright.workers.asleep)
  ret void
}

; Creates workers until there are as many as wanted, or the system allows no more: then fewer help. Workers take no signals,
; which are for the host's threads.
define internal void @netwright.hire(i32 %needed) #0 {
begin:
  %old = alloca [128 x i8], align 16
  %all = alloca [128 x i8], align 16
  %had = load i32, ptr @netwright.made
  %enough = icmp uge i32 %had, %needed
  br i1 %enough, label %return, label %block
block:
  %filled = call i32 @sigfillset(ptr %all)
  %blocked = call i32 @pthread_sigmask(i32 ${setmask}, ptr %all, ptr %old)
  br label %make
make:
  %made = phi i32 [ %had, %block ], [ %more, %count ]
  %worker = getelementptr [${most} x { ptr, i32, i32 }], ptr @netwright.workers, i32 0, i32 %made
  %more = add i32 %made, 1
  %ticket = load atomic i32, ptr @netwright.ticket monotonic, align 4
  %first = getelementptr { ptr, i32, i32 }, ptr %worker, i32 0, i32 1
  store i32 %ticket, ptr %first
  %number = getelementptr { ptr, i32, i32 }, ptr %worker, i32 0, i32 2
  store i32 %more, ptr %number
  call void @netwright.place(i32 %made)
  %failed = call i32 @pthread_create(ptr %worker, ptr null, ptr @netwright.work, ptr %worker)
  %failure = icmp ne i32 %failed, 0
  br i1 %failure, label %done, label %count
count:
  store i32 %more, ptr @netwright.made
  %complete = icmp uge i32 %more, %needed
  br i1 %complete, label %done, label %make
done:
  %unblocked = call i32 @pthread_sigmask(i32 ${setmask}, ptr %old, ptr null)
  br label %return
return:
  ret void
}

; The body of a worker.
define internal ptr @netwright.work(ptr %worker) #0 {
begin:
  %first.at = getelementptr { ptr, i32, i32 }, ptr %worker, i32 0, i32 1
  %first = load i32, ptr %first.at
  %number.at = getelementptr { ptr, i32, i32 }, ptr %worker, i32 0, i32 2
  %number = load i32, ptr %number.at
  call void @netwright.keep(i32 %number)
  br label %wait
wait:
  %seen = phi i32 [ %first, %begin ], [ %ticket, %called ], [ %ticket, %outside ], [ %ticket, %leave ], [ %ticket, %last ]
  %patience = phi i32 [ ${spins}, %begin ], [ 1, %called ], [ ${spins}, %outside ], [ %spins, %leave ], [ %spins, %last ]
  %ticket = call i32 @netwright.await(ptr @netwright.ticket, i32 %seen, ptr @netwright.workers.asleep, i32 %patience)
  call void @netwright.arrive(i32 %number)
  %nthreads = and i32 %ticket, 65535
  %ended = icmp eq i32 %nthreads, 0
  br i1 %ended, label %end, label %called
called:
  %mine = icmp ult i32 %number, %nthreads
  br i1 %mine, label %look, label %wait
look:
  %gate = load atomic i64, ptr @netwright.gate acquire, align 8
  br label %enter
enter:
  %now = phi i64 [ %gate, %look ], [ %newer, %try ]
  %high = lshr i64 %now, 32
  %its = trunc i64 %high to i32
  %same = icmp eq i32 %its, %ticket
  %flag = and i64 %now, 2147483648
  %open = icmp ne i64 %flag, 0
  %may = and i1 %same, %open
  br i1 %may, label %try, label %outside
outside:
  br label %wait
try:
  %in = add i64 %now, 1
  %exchange = cmpxchg ptr @netwright.gate, i64 %now, i64 %in acq_rel acquire
  %newer = extractvalue { i64, i1 } %exchange, 0
  %well = extractvalue { i64, i1 } %exchange, 1
  br i1 %well, label %work, label %enter
work:
  %entry = load ptr, ptr @netwright.job
  %context = load ptr, ptr @netwright.job.context
  %spins = load i32, ptr @netwright.job.spins
  %code = call i32 %entry(ptr %context, i32 %number, i32 %nthreads)
  %before = atomicrmw sub ptr @netwright.gate, i64 1 seq_cst
  %low = trunc i64 %before to i32
  %through = icmp eq i32 %low, 1
  br i1 %through, label %last, label %leave
leave:
  br label %wait
last:
  call void @netwright.announce(ptr @netwright.gate, ptr @netwright.caller.asleep)
  br label %wait
end:
  ret ptr null
}

; int32_t stop(void): ends the workers; the next call that needs them creates new ones. Returns 1 if a call is using them.
define i32 @${pool}stop() #0 {
begin:
  %taking = cmpxchg ptr @netwright.owner, i32 0, i32 1 acquire monotonic
  %taken = extractvalue { i32, i1 } %taking, 1
  br i1 %taken, label %say, label %busy
busy:
  ret i32 1
say:
  call void @netwright.call(i32 0)
  br label %next
next:
  %number = phi i32 [ 0, %say ], [ %more, %join ]
  %made = load i32, ptr @netwright.made
  %left = icmp ult i32 %number, %made
  br i1 %left, label %join, label %end
join:
  %worker = getelementptr [${most} x { ptr, i32, i32 }], ptr @netwright.workers, i32 0, i32 %number
  %thread = load ptr, ptr %worker
  %joined = call i32 @pthread_join(ptr %thread, ptr null)
  %more = add i32 %number, 1
  br label %next
end:
  store i32 0, ptr @netwright.made
  store atomic i32 0, ptr @netwright.owner release, align 4
  ret i32 0
}

; void forked(void): to be called in a forked process, which has none of its parent's workers. A call that another thread of the
; parent was in ended with that thread.
define void @${pool}forked() #0 {
  store i32 0, ptr @netwright.owner
  store i32 0, ptr @netwright.made
  store i32 0, ptr @netwright.workers.asleep
  store i32 0, ptr @netwright.caller.asleep
  ret void
}
