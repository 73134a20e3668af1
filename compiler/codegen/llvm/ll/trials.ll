; Whether calling workers pays depends on the machine, its caches and other processes, which the count of operations does not
; show. So the pool tries it: for each entry and amount of work, it knows the typical time of a call alone and together, and
; does what is better. Times are those of whole calls: data that a call leaves in another core's cache costs the next call time.
;
; Calls that follow a pause of ${rest} ns or more are judged by themselves: workers sleep then and have to be woken, caches have
; lost data, and it says nothing about calls that follow each other closely. Their times differ much: so unless they have much work
; they begin alone, and go on so until calling workers wins by a quarter, not a 32nd.
;
; Three calls give one median; the typical time follows these medians. The first call after a change is left out, since its data
; is in the caches of other cores. A trial of the alternative takes four calls: the first trial after four calls, then after 16
; more, 32, 64. For calls of ${long_call} ns and more a trial takes three calls, none left out; for calls 16 times as long it
; takes one call, first after 64. Trials that take longer than the calls in their place would have are as far apart as makes that
; a 64th of the time, but at most ${seldom} calls. A trial is due at once when calls have become slower than the alternative was,
; or when the caller slept for all but one part in nthreads of a call that took over twice as long as the alternative does: then
; other processes run, and stopped a worker in the middle of a share. The alternative has to win two trials in a row.

; For each call: its key, the typical times alone and together, two of the last three times, whether together is better, whether
; the alternative is being tried, calls left until that changes, calls between trials, trials won, and how many of three times
; are known (-1: the next one is left out).
@netwright.known = internal global [64 x { i64, [2 x i64], [2 x i64], i32, i32, i32, i32, i32, i32 }] zeroinitializer, align 64
; The present call: its entry in the table above or NULL, when it began, whether it is together, whether workers were called; and
; when the call before it ended
@netwright.trial = internal global { ptr, i64, i32, i32, i64 } zeroinitializer, align 8

@netwright.trial.began = internal alias i64, getelementptr ({ ptr, i64, i32, i32, i64 }, ptr @netwright.trial, i32 0, i32 1)
@netwright.trial.together = internal alias i32, getelementptr ({ ptr, i64, i32, i32, i64 }, ptr @netwright.trial, i32 0, i32 2)
@netwright.trial.called = internal alias i32, getelementptr ({ ptr, i64, i32, i32, i64 }, ptr @netwright.trial, i32 0, i32 3)
@netwright.trial.ended = internal alias i64, getelementptr ({ ptr, i64, i32, i32, i64 }, ptr @netwright.trial, i32 0, i32 4)

; Whether this call of an entry, with this much work on this many threads, should call workers.
define internal i1 @netwright.judge(ptr %entry, i64 %work, i32 %nthreads) #0 {
begin:
  %address = ptrtoint ptr %entry to i64
  %mixed = mul i64 %work, -7046029254386353131
  %call = xor i64 %address, %mixed
  %wide = zext i32 %nthreads to i64
  %sum = add i64 %call, %wide
  %began = load i64, ptr @netwright.trial.began
  %ended = load i64, ptr @netwright.trial.ended
  %pause = sub i64 %began, %ended
  %long.pause = icmp sge i64 %pause, ${rest}
  %any.before = icmp ne i64 %ended, 0
  %rested.call = and i1 %long.pause, %any.before
  %rest = select i1 %rested.call, i64 81985529216486895, i64 0
  %either = xor i64 %sum, %rest
  %which = or i64 %either, 1
  %spread = mul i64 %which, -7046029254386353131
  %slot = lshr i64 %spread, 58
  %known = getelementptr [64 x { i64, [2 x i64], [2 x i64], i32, i32, i32, i32, i32, i32 }], ptr @netwright.known, i64 0, i64 %slot
  %alone.at = getelementptr i8, ptr %known, i32 8
  %together.at = getelementptr i8, ptr %known, i32 16
  %one.at = getelementptr i8, ptr %known, i32 24
  %two.at = getelementptr i8, ptr %known, i32 32
  %best.at = getelementptr i8, ptr %known, i32 40
  %trying.at = getelementptr i8, ptr %known, i32 44
  %left.at = getelementptr i8, ptr %known, i32 48
  %gap.at = getelementptr i8, ptr %known, i32 52
  %wins.at = getelementptr i8, ptr %known, i32 56
  %count.at = getelementptr i8, ptr %known, i32 60
  store ptr %known, ptr @netwright.trial
  %its = load i64, ptr %known
  %same = icmp eq i64 %its, %which
  br i1 %same, label %decide, label %fresh
fresh:
  store i64 %which, ptr %known
  store i64 0, ptr %alone.at
  store i64 0, ptr %together.at
  %much.work = icmp uge i64 %work, ${much}
  %rests.not = xor i1 %rested.call, true
  %begins = or i1 %much.work, %rests.not
  %begins.best = zext i1 %begins to i32
  store i32 %begins.best, ptr %best.at
  store i32 0, ptr %trying.at
  store i32 4, ptr %left.at
  store i32 8, ptr %gap.at
  store i32 0, ptr %wins.at
  store i32 -1, ptr %count.at
  br label %decide
decide:
  %best = load i32, ptr %best.at
  %other = xor i32 %best, 1
  %best.time.at = getelementptr i64, ptr %alone.at, i32 %best
  %other.time.at = getelementptr i64, ptr %alone.at, i32 %other
  %best.time = load i64, ptr %best.time.at
  %other.time = load i64, ptr %other.time.at
  %trying = load i32, ptr %trying.at
  %left = load i32, ptr %left.at
  %gap = load i32, ptr %gap.at
  %wins = load i32, ptr %wins.at
  %tries = icmp ne i32 %trying, 0
  %done = icmp eq i32 %left, 0
  %is.long = icmp uge i64 %best.time, ${long_call}
  %sixteenth.time = lshr i64 %best.time, 4
  %is.longest = icmp uge i64 %sixteenth.time, ${long_call}
  %start = select i1 %is.long, i32 0, i32 -1
  %calls.workers = icmp ne i32 %other, 0
  %careful = and i1 %calls.workers, %rested.call
  br i1 %done, label %turn, label %watch
turn:
  br i1 %tries, label %compare, label %first
first:
  %unknown = icmp eq i64 %other.time, 0
  %is.new = icmp ult i32 %gap, 16
  %new.long = and i1 %is.longest, %is.new
  %later = and i1 %unknown, %new.long
  br i1 %later, label %postpone, label %try
postpone:
  store i32 64, ptr %gap.at
  store i32 64, ptr %left.at
  br label %choose
watch:
  br i1 %tries, label %choose, label %compare.last
compare.last:
  %clearly = select i1 %careful, i64 2, i64 4
  %sixteenth = lshr i64 %other.time, %clearly
  %much = add i64 %other.time, %sixteenth
  %slower = icmp ugt i64 %best.time, %much
  %has.other = icmp ne i64 %other.time, 0
  %overtaken = and i1 %slower, %has.other
  %some = add i32 %left, 16
  %rested = icmp ule i32 %some, %gap
  %due = and i1 %overtaken, %rested
  br i1 %due, label %try, label %choose
try:
  %three = select i1 %is.long, i32 3, i32 4
  %calls = select i1 %is.longest, i32 1, i32 %three
  store i32 1, ptr %trying.at
  store i32 %calls, ptr %left.at
  store i32 %start, ptr %count.at
  br label %choose
compare:
  store i32 0, ptr %trying.at
  store i32 %start, ptr %count.at
  %finest = select i1 %careful, i64 2, i64 5
  %part = lshr i64 %other.time, %finest
  %more = add i64 %other.time, %part
  %won = icmp ult i64 %more, %best.time
  br i1 %won, label %win, label %lose
win:
  %second = icmp ne i32 %wins, 0
  %first.wins = xor i32 %wins, 1
  store i32 %first.wins, ptr %wins.at
  %now.best = select i1 %second, i32 %other, i32 %best
  store i32 %now.best, ptr %best.at
  %kept.gap = select i1 %second, i32 16, i32 %gap
  store i32 %kept.gap, ptr %gap.at
  %again = select i1 %is.long, i32 2, i32 8
  %soon = select i1 %is.long, i32 4, i32 16
  %wait = select i1 %second, i32 %soon, i32 %again
  store i32 %wait, ptr %left.at
  br label %choose
lose:
  store i32 0, ptr %wins.at
  %tried.long = select i1 %is.long, i64 3, i64 4
  %tried = select i1 %is.longest, i64 1, i64 %tried.long
  %longer = call i64 @llvm.umax.i64(i64 %other.time, i64 %best.time)
  %excess = sub i64 %longer, %best.time
  %lost = mul i64 %excess, %tried
  %scaled = shl i64 %lost, 6
  %least.time = call i64 @llvm.umax.i64(i64 %best.time, i64 1)
  %fair = udiv i64 %scaled, %least.time
  %bounded = call i64 @llvm.umin.i64(i64 %fair, i64 ${seldom})
  %worth = trunc i64 %bounded to i32
  %twice = shl i32 %gap, 1
  %raised = call i32 @llvm.umax.i32(i32 %twice, i32 16)
  %rising = call i32 @llvm.umin.i32(i32 %raised, i32 64)
  %next.gap = call i32 @llvm.umax.i32(i32 %worth, i32 %rising)
  store i32 %next.gap, ptr %gap.at
  store i32 %next.gap, ptr %left.at
  br label %choose
choose:
  br i1 %is.longest, label %single, label %go
single:
  ; the median of three times is then the last one
  store i64 0, ptr %one.at
  store i64 -1, ptr %two.at
  store i32 2, ptr %count.at
  br label %go
go:
  %remaining = load i32, ptr %left.at
  %next = sub i32 %remaining, 1
  store i32 %next, ptr %left.at
  %chosen = load i32, ptr %best.at
  %differently = load i32, ptr %trying.at
  %way = xor i32 %chosen, %differently
  store i32 %way, ptr @netwright.trial.together
  %together = icmp ne i32 %way, 0
  ret i1 %together
}

; Records the time of a call, if it was judged; the caller slept for %slept nanoseconds of it.
define internal void @netwright.note(i64 %slept, i32 %nthreads) #0 {
begin:
  %known = load ptr, ptr @netwright.trial
  %none = icmp eq ptr %known, null
  br i1 %none, label %return, label %measure
measure:
  %way = load i32, ptr @netwright.trial.together
  %alone.at = getelementptr i8, ptr %known, i32 8
  %typical.at = getelementptr i64, ptr %alone.at, i32 %way
  %one.at = getelementptr i8, ptr %known, i32 24
  %two.at = getelementptr i8, ptr %known, i32 32
  %trying.at = getelementptr i8, ptr %known, i32 44
  %left.at = getelementptr i8, ptr %known, i32 48
  %count.at = getelementptr i8, ptr %known, i32 60
  %now = call i64 @netwright.clock()
  store i64 %now, ptr @netwright.trial.ended
  %began = load i64, ptr @netwright.trial.began
  %passed = sub i64 %now, %began
  %time = call i64 @llvm.umax.i64(i64 %passed, i64 1)
  %typical = load i64, ptr %typical.at
  %trying = load i32, ptr %trying.at
  %tries = icmp ne i32 %trying, 0
  %awake = sub i64 %time, %slept
  %wide = zext i32 %nthreads to i64
  %scaled = mul i64 %awake, %wide
  %slept.long = icmp slt i64 %scaled, %time
  %other.way = xor i32 %way, 1
  %other.at = getelementptr i64, ptr %alone.at, i32 %other.way
  %other = load i64, ptr %other.at
  %other.twice = shl i64 %other, 1
  %none.better = icmp ugt i64 %time, %other.twice
  %lost = and i1 %slept.long, %none.better
  br i1 %lost, label %lose, label %collect
lose:
  ; trying this way further would tell nothing new
  %most = call i64 @llvm.umax.i64(i64 %typical, i64 %time)
  store i64 %most, ptr %typical.at
  store i32 0, ptr %left.at
  ret void
collect:
  %count = load i32, ptr %count.at
  %more = add i32 %count, 1
  switch i32 %count, label %third [
    i32 -1, label %leave
    i32 0, label %first
    i32 1, label %second
  ]
first:
  store i64 %time, ptr %one.at
  br label %leave
second:
  store i64 %time, ptr %two.at
  br label %leave
leave:
  store i32 %more, ptr %count.at
  br label %return
third:
  store i32 0, ptr %count.at
  %one = load i64, ptr %one.at
  %two = load i64, ptr %two.at
  %low = call i64 @llvm.umin.i64(i64 %one, i64 %two)
  %high = call i64 @llvm.umax.i64(i64 %one, i64 %two)
  %below = call i64 @llvm.umin.i64(i64 %high, i64 %time)
  %median = call i64 @llvm.umax.i64(i64 %low, i64 %below)
  %off = sub i64 %median, %typical
  %step = ashr i64 %off, 2
  %followed = add i64 %typical, %step
  %unknown = icmp eq i64 %typical, 0
  %anew = or i1 %unknown, %tries
  %kept = select i1 %anew, i64 %median, i64 %followed
  store i64 %kept, ptr %typical.at
  br label %return
return:
  ret void
}

declare i32 @llvm.umin.i32(i32, i32)
declare i32 @llvm.umax.i32(i32, i32)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
