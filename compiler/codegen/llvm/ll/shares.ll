; How threads divide an entry. Each kernel call with enough work is a region, and its shares are the parts that the kernel's
; parallel loops are cut into. A thread takes a share that no other has taken: first its own, so that data stays in its core's
; cache, then any, so that nobody waits for a thread that has not arrived or has lost its processor. A region is over when all
; of its shares are done. A late thread finds region after region over and so catches up.
;
; Thread 0 alone runs calls that are too small to divide. A sequence of such calls is a stretch: thread 0 does not report any of
; them, only that the stretch is over, at the next region. Regions and stretches are numbered in order, the same on every
; thread: each region counts one, and so does each stretch between two of them.
;
; The block, 64 bytes that a host with its own threads zeroes before each call:
;    0  i64  high half: the present region or stretch; low half: which shares of the region are taken, one bit each, or how many
;            if there are over 32
;    8  i32  shares done
;   12  i32  recorded error, the largest
;   16  i32  latched error: set at the end of a region, so that all threads leave with the same code
;   20  i32  threads asleep until a region is over
;   24  i32  turns to spin before sleeping (0: ${spins})
;   28  i32  operations that pay for a share (0: ${grain})
;   32  ptr  the function that calls the pool's workers, or NULL if the host brings its own threads
;   40  i64  nanoseconds that thread 0 has slept
;   48  i32  threads asleep until a stretch is over
;   56  i64  operations of the whole call, written by thread 0
;
; A thread's progress through the entry, 16 bytes of its own:
;    0  i32  it is alone: there is one thread, or the pool's workers have not been called yet
;    4  i32  the number of the next region or stretch
;    8  i32  1 within a stretch
;   12  i32  shares that thread 0 could have left to workers that were not called, or slept, and at first
;           a part of the shares of the whole call; negative if there are no workers

; Begins a region whose work pays for %worth shares: returns its number, or -1 if thread 0 should run it alone, since that costs
; less than calling or waking workers. The shares that the workers miss add up, and they are called once the sum pays for it.
define i32 @netwright.begin(ptr %block, ptr %walk, i32 %tid, i32 %worth) #0 {
entry:
  %number.at = getelementptr i8, ptr %walk, i32 4
  %stretch.at = getelementptr i8, ptr %walk, i32 8
  %missed.at = getelementptr i8, ptr %walk, i32 12
  %alone = load i32, ptr %walk
  %number = load i32, ptr %number.at
  %stretch = load i32, ptr %stretch.at
  %region = add i32 %number, %stretch
  %next = add i32 %region, 1
  store i32 %next, ptr %number.at
  store i32 0, ptr %stretch.at
  %wide = zext i32 %region to i64
  %fresh = shl i64 %wide, 32
  %joined = icmp eq i32 %alone, 0
  %follows = icmp ne i32 %tid, 0
  %missed = load i32, ptr %missed.at
  %sum = add i32 %missed, %worth
  %enough = icmp sge i32 %sum, ${wake}
  br i1 %joined, label %open, label %weigh
weigh:
  br i1 %enough, label %summon, label %single
single:
  store i32 %sum, ptr %missed.at
  ret i32 -1
summon:
  store atomic i64 %fresh, ptr %block release, align 8
  %summon.at = getelementptr i8, ptr %block, i32 32
  %workers = load ptr, ptr %summon.at
  %come = call i1 %workers()
  br i1 %come, label %join, label %refused
join:
  store i32 0, ptr %walk
  store i32 0, ptr %missed.at
  br label %return
refused:
  store i32 -1073741824, ptr %missed.at
  ret i32 -1
open:
  br i1 %follows, label %return, label %leads
leads:
  %was.stretch = icmp ne i32 %stretch, 0
  br i1 %was.stretch, label %publish, label %look
publish:
  store atomic i64 %fresh, ptr %block seq_cst, align 8
  br label %look
look:
  %asleep.at = getelementptr i8, ptr %block, i32 48
  %asleep = load atomic i32, ptr %asleep.at seq_cst, align 4
  %none = icmp eq i32 %asleep, 0
  br i1 %none, label %return, label %consider
consider:
  %kept = select i1 %enough, i32 0, i32 %sum
  store i32 %kept, ptr %missed.at
  br i1 %enough, label %wake, label %return
wake:
  %half = getelementptr i8, ptr %block, i32 4
  call void @netwright.wake(ptr %half)
  br label %return
return:
  ret i32 %region
}

; The next share of a region for this thread, or -1 once the region is over. %each shares are a thread's own (1 if there are over
; 32): it takes these from the first to the last, and those of others from the last to the first.
define i32 @netwright.share(ptr %block, i32 %region, i32 %tid, i32 %shares, i32 %each) #0 {
entry:
  %half = getelementptr i8, ptr %block, i32 4
  %few = icmp ule i32 %shares, 32
  %start = mul i32 %tid, %each
  %within = icmp ult i32 %start, %shares
  %place.own = and i32 %start, 31
  %power = shl i32 1, %each
  %bits = sub i32 %power, 1
  %own = shl i32 %bits, %place.own
  %unused = sub i32 32, %shares
  %unused.few = and i32 %unused, 31
  %all = lshr i32 -1, %unused.few
  br label %look
look:
  %state = load atomic i64, ptr %block acquire, align 8
  br label %claim
claim:
  %now = phi i64 [ %state, %look ], [ %newer, %take ]
  %high = lshr i64 %now, 32
  %current = trunc i64 %high to i32
  %taken = trunc i64 %now to i32
  %same = icmp eq i32 %current, %region
  br i1 %same, label %pick, label %elsewhere
elsewhere:
  %before = icmp slt i32 %current, %region
  br i1 %before, label %early, label %over
early:
  call void @netwright.next(ptr %block, i32 %current)
  br label %look
pick:
  %not.taken = xor i32 %taken, -1
  %free = and i32 %not.taken, %all
  %own.free = and i32 %free, %own
  %own.left = icmp ne i32 %own.free, 0
  %mine = and i1 %within, %own.left
  %first = call i32 @llvm.cttz.i32(i32 %own.free, i1 false)
  %above = call i32 @llvm.ctlz.i32(i32 %free, i1 false)
  %last = sub i32 31, %above
  %by.bit = select i1 %mine, i32 %first, i32 %last
  %share = select i1 %few, i32 %by.bit, i32 %taken
  %left = icmp ult i32 %share, %shares
  br i1 %left, label %take, label %wait
take:
  %place = and i32 %share, 31
  %its = shl i32 1, %place
  %marked = or i32 %taken, %its
  %counted = add i32 %taken, 1
  %low = select i1 %few, i32 %marked, i32 %counted
  %low.wide = zext i32 %low to i64
  %high.wide = shl i64 %high, 32
  %next = or i64 %high.wide, %low.wide
  %exchange = cmpxchg ptr %block, i64 %now, i64 %next acq_rel acquire
  %newer = extractvalue { i64, i1 } %exchange, 0
  %well = extractvalue { i64, i1 } %exchange, 1
  br i1 %well, label %have, label %claim
have:
  ret i32 %share
wait:
  %spins = call i32 @netwright.turns(ptr %block)
  %soon = call i32 @netwright.spin(ptr %half, i32 %region, i32 %spins)
  %passed = icmp ne i32 %soon, %region
  br i1 %passed, label %look, label %park
park:
  %asleep = getelementptr i8, ptr %block, i32 20
  %from = call i64 @netwright.clock()
  %late = call i32 @netwright.park(ptr %half, i32 %region, ptr %asleep)
  %leads = icmp eq i32 %tid, 0
  br i1 %leads, label %measure, label %look
measure:
  %to = call i64 @netwright.clock()
  %slept.at = getelementptr i8, ptr %block, i32 40
  %slept = load i64, ptr %slept.at
  %time = sub i64 %to, %from
  %sum = add i64 %slept, %time
  store i64 %sum, ptr %slept.at
  br label %look
over:
  ret i32 -1
}

; Reports a share as done, with its error code. The last share of a region ends it.
define void @netwright.shared(ptr %block, i32 %region, i32 %shares, i32 %code) #0 {
entry:
  %error = getelementptr i8, ptr %block, i32 12
  %well = icmp eq i32 %code, 0
  br i1 %well, label %count, label %note
note:
  %noted.before = atomicrmw umax ptr %error, i32 %code monotonic
  br label %count
count:
  %done = getelementptr i8, ptr %block, i32 8
  %before = atomicrmw add ptr %done, i32 1 acq_rel
  %others = sub i32 %shares, 1
  %last = icmp eq i32 %before, %others
  br i1 %last, label %end, label %return
end:
  store atomic i32 0, ptr %done monotonic, align 4
  %noted = load atomic i32, ptr %error monotonic, align 4
  %latched = getelementptr i8, ptr %block, i32 16
  store atomic i32 %noted, ptr %latched monotonic, align 4
  %next = add i32 %region, 1
  %wide = zext i32 %next to i64
  %state = shl i64 %wide, 32
  store atomic i64 %state, ptr %block seq_cst, align 8
  %half = getelementptr i8, ptr %block, i32 4
  %asleep = getelementptr i8, ptr %block, i32 20
  call void @netwright.announce(ptr %half, ptr %asleep)
  br label %return
return:
  ret void
}

; Ends the entry with a code, and returns the code of all threads. Thread 0 ends it for all; another thread that ``waits``
; learns then whether thread 0 failed in the last stretch.
define i32 @netwright.end(ptr %block, ptr %walk, i32 %tid, i32 %code, i1 %waits) #0 {
entry:
  %alone = load i32, ptr %walk
  %single = icmp ne i32 %alone, 0
  br i1 %single, label %return, label %several
several:
  %half = getelementptr i8, ptr %block, i32 4
  %latched.at = getelementptr i8, ptr %block, i32 16
  %leads = icmp eq i32 %tid, 0
  %failed = icmp ne i32 %code, 0
  br i1 %leads, label %lead, label %follow
lead:
  br i1 %failed, label %latch, label %close
latch:
  store atomic i32 %code, ptr %latched.at monotonic, align 4
  br label %close
close:
  store atomic i64 9223372032559808512, ptr %block seq_cst, align 8
  %asleep = getelementptr i8, ptr %block, i32 48
  call void @netwright.announce(ptr %half, ptr %asleep)
  br label %return
follow:
  %must = xor i1 %failed, true
  %may = and i1 %waits, %must
  br i1 %may, label %look, label %return
look:
  %state = load atomic i64, ptr %block acquire, align 8
  %high = lshr i64 %state, 32
  %current = trunc i64 %high to i32
  %ended = icmp eq i32 %current, 2147483647
  br i1 %ended, label %learn, label %stay
stay:
  call void @netwright.next(ptr %block, i32 %current)
  br label %look
learn:
  %latched = load atomic i32, ptr %latched.at monotonic, align 4
  ret i32 %latched
return:
  ret i32 %code
}

; Waits until the present region or stretch is no longer the one with this number.
define internal void @netwright.next(ptr %block, i32 %current) #0 {
entry:
  %half = getelementptr i8, ptr %block, i32 4
  %asleep = getelementptr i8, ptr %block, i32 48
  %spins = call i32 @netwright.turns(ptr %block)
  %then = call i32 @netwright.await(ptr %half, i32 %current, ptr %asleep, i32 %spins)
  ret void
}

; For how many turns a thread spins before it sleeps.
define internal i32 @netwright.turns(ptr %block) #0 {
entry:
  %turns = getelementptr i8, ptr %block, i32 24
  %asked = load i32, ptr %turns
  %default = icmp eq i32 %asked, 0
  %spins = select i1 %default, i32 ${spins}, i32 %asked
  ret i32 %spins
}

declare i32 @llvm.cttz.i32(i32, i1)
declare i32 @llvm.ctlz.i32(i32, i1)
