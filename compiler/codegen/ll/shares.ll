; How threads divide an entry. Each of its kernel calls is a region, numbered in order; a region has shares, which are the parts
; that the kernel's parallel loops are cut into. Whoever is there takes a share that nobody has: its own first, so that data stays
; with its core, then any, so that nobody waits for a thread that has not come or has lost its processor. A region is over when
; all shares are done. A thread that is late finds region after region over and catches up.
;
; The block, 64 bytes that a host with threads of its own zeroes before each call:
;   0  i64  the region in hand, and in the low half which shares are taken: a bit for each, or how many where there are over 32
;   8  i32  shares done
;  12  i32  error noted, the largest
;  16  i32  error latched: set with the end of a region, so that all threads leave with the same code
;  20  i32  threads asleep
;  24  i32  turns to spin before sleeping (0: ${spins})
;  28  i32  operations that are worth a share (0: ${grain})
;  32  ptr  what calls the pool's workers, or NULL where the host brings its threads itself
;  40  i64  nanoseconds that thread 0 has slept

; The next share of a region for this thread, or -1 once the region is over. ``alone``: nobody else has been called yet.
define i32 @netwright.share(ptr %block, ptr %alone, i32 %region, i32 %tid, i32 %shares) #0 {
entry:
  %half = getelementptr i8, ptr %block, i32 4
  %asleep = getelementptr i8, ptr %block, i32 20
  %was = load i32, ptr %alone
  %first = icmp ne i32 %was, 0
  br i1 %first, label %summon, label %look
summon:
  store i32 0, ptr %alone
  %wide = zext i32 %region to i64
  %fresh = shl i64 %wide, 32
  store atomic i64 %fresh, ptr %block release, align 8
  %summon.at = getelementptr i8, ptr %block, i32 32
  %workers = load ptr, ptr %summon.at
  call void %workers()
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
  br i1 %same, label %pick, label %over
pick:
  %few = icmp ule i32 %shares, 32
  %within = icmp ult i32 %tid, %shares
  %bit = and i32 %tid, 31
  %own = shl i32 1, %bit
  %own.taken = and i32 %taken, %own
  %own.free = icmp eq i32 %own.taken, 0
  %mine = and i1 %within, %own.free
  %free = xor i32 %taken, -1
  %lowest = call i32 @llvm.cttz.i32(i32 %free, i1 false)
  %by.bit = select i1 %mine, i32 %tid, i32 %lowest
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
  %turns = getelementptr i8, ptr %block, i32 24
  %asked = load i32, ptr %turns
  %default = icmp eq i32 %asked, 0
  %spins = select i1 %default, i32 ${spins}, i32 %asked
  %soon = call i32 @netwright.spin(ptr %half, i32 %region, i32 %spins)
  %passed = icmp ne i32 %soon, %region
  br i1 %passed, label %over, label %park
park:
  %from = call i64 @netwright.clock()
  %late = call i32 @netwright.park(ptr %half, i32 %region, ptr %asleep)
  %leads = icmp eq i32 %tid, 0
  br i1 %leads, label %measure, label %over
measure:
  %to = call i64 @netwright.clock()
  %slept.at = getelementptr i8, ptr %block, i32 40
  %slept = load i64, ptr %slept.at
  %time = sub i64 %to, %from
  %sum = add i64 %slept, %time
  store i64 %sum, ptr %slept.at
  br label %over
over:
  ret i32 -1
}

; A share is done, with a code. The last one of a region ends it.
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

declare i32 @llvm.cttz.i32(i32, i1)
