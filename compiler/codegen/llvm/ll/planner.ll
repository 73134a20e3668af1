; The memory planner. %lives holds the first and last step of every buffer, %scratch two words per buffer.

define i64 @netwright.plan(i64 %count, ptr %sizes, ptr %lives, ptr %offsets, ptr %scratch) #0 {
entry:
  ; Sizes are checked and rounded, and buffers ordered by falling size (insertion sort, stable) in %order.
  %order = getelementptr i64, ptr %scratch, i64 0
  %placed = getelementptr i64, ptr %scratch, i64 %count
  br label %size
size:
  %i = phi i64 [ 0, %entry ], [ %i.next, %ordered ]
  %size.at = getelementptr i64, ptr %sizes, i64 %i
  %size.raw = load i64, ptr %size.at
  %size.bad = icmp ugt i64 %size.raw, ${limit}
  br i1 %size.bad, label %large, label %round
round:
  %size.more = add i64 %size.raw, ${round}
  %size.rounded = and i64 %size.more, ${aligned}
  store i64 %size.rounded, ptr %size.at
  br label %shift
shift:
  %hole = phi i64 [ %i, %round ], [ %hole.next, %shift.move ]
  %hole.first = icmp eq i64 %hole, 0
  br i1 %hole.first, label %ordered, label %shift.look
shift.look:
  %hole.next = sub i64 %hole, 1
  %left.at = getelementptr i64, ptr %order, i64 %hole.next
  %left = load i64, ptr %left.at
  %left.size.at = getelementptr i64, ptr %sizes, i64 %left
  %left.size = load i64, ptr %left.size.at
  %left.stays = icmp uge i64 %left.size, %size.rounded
  br i1 %left.stays, label %ordered, label %shift.move
shift.move:
  %hole.at = getelementptr i64, ptr %order, i64 %hole
  store i64 %left, ptr %hole.at
  br label %shift
ordered:
  %own.at = getelementptr i64, ptr %order, i64 %hole
  store i64 %i, ptr %own.at
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %count
  br i1 %i.more, label %size, label %place
place:
  %n = phi i64 [ 0, %ordered ], [ %n.next, %inserted ]
  %total = phi i64 [ 0, %ordered ], [ %total.next, %inserted ]
  %buffer.at = getelementptr i64, ptr %order, i64 %n
  %buffer = load i64, ptr %buffer.at
  %buffer.size.at = getelementptr i64, ptr %sizes, i64 %buffer
  %buffer.size = load i64, ptr %buffer.size.at
  %buffer.life = mul i64 %buffer, 2
  %buffer.first.at = getelementptr i32, ptr %lives, i64 %buffer.life
  %buffer.last.at = getelementptr i32, ptr %buffer.first.at, i64 1
  %buffer.first = load i32, ptr %buffer.first.at
  %buffer.last = load i32, ptr %buffer.last.at
  br label %look
look:
  %p = phi i64 [ 0, %place ], [ %p.next, %look.next ]
  %best = phi i64 [ -1, %place ], [ %best.next, %look.next ]
  %smallest = phi i64 [ ${limit}, %place ], [ %smallest.next, %look.next ]
  %end = phi i64 [ 0, %place ], [ %end.next, %look.next ]
  %p.more = icmp ult i64 %p, %n
  br i1 %p.more, label %look.other, label %choose
look.other:
  %other.at = getelementptr i64, ptr %placed, i64 %p
  %other = load i64, ptr %other.at
  %other.life = mul i64 %other, 2
  %other.first.at = getelementptr i32, ptr %lives, i64 %other.life
  %other.last.at = getelementptr i32, ptr %other.first.at, i64 1
  %other.first = load i32, ptr %other.first.at
  %other.last = load i32, ptr %other.last.at
  %after = icmp sgt i32 %other.first, %buffer.last
  %before = icmp sgt i32 %buffer.first, %other.last
  %apart = or i1 %after, %before
  br i1 %apart, label %look.next, label %look.gap
look.gap:
  %other.offset.at = getelementptr i64, ptr %offsets, i64 %other
  %other.offset = load i64, ptr %other.offset.at
  %other.size.at = getelementptr i64, ptr %sizes, i64 %other
  %other.size = load i64, ptr %other.size.at
  %gap = sub i64 %other.offset, %end
  %gap.fits = icmp sge i64 %gap, %buffer.size
  %gap.smaller = icmp slt i64 %gap, %smallest
  %gap.better = and i1 %gap.fits, %gap.smaller
  %best.gap = select i1 %gap.better, i64 %end, i64 %best
  %smallest.gap = select i1 %gap.better, i64 %gap, i64 %smallest
  %other.end = add i64 %other.offset, %other.size
  %end.gap = call i64 @llvm.smax.i64(i64 %end, i64 %other.end)
  br label %look.next
look.next:
  %best.next = phi i64 [ %best, %look.other ], [ %best.gap, %look.gap ]
  %smallest.next = phi i64 [ %smallest, %look.other ], [ %smallest.gap, %look.gap ]
  %end.next = phi i64 [ %end, %look.other ], [ %end.gap, %look.gap ]
  %p.next = add i64 %p, 1
  br label %look
choose:
  %none = icmp slt i64 %best, 0
  %offset = select i1 %none, i64 %end, i64 %best
  %offset.at = getelementptr i64, ptr %offsets, i64 %buffer
  store i64 %offset, ptr %offset.at
  %buffer.end = add i64 %offset, %buffer.size
  %end.bad = icmp ugt i64 %buffer.end, ${limit}
  %total.next = call i64 @llvm.smax.i64(i64 %total, i64 %buffer.end)
  br i1 %end.bad, label %large, label %insert
insert:
  %q = phi i64 [ %n, %choose ], [ %q.next, %insert.move ]
  %q.first = icmp eq i64 %q, 0
  br i1 %q.first, label %inserted, label %insert.look
insert.look:
  %q.next = sub i64 %q, 1
  %lower.at = getelementptr i64, ptr %placed, i64 %q.next
  %lower = load i64, ptr %lower.at
  %lower.offset.at = getelementptr i64, ptr %offsets, i64 %lower
  %lower.offset = load i64, ptr %lower.offset.at
  %lower.stays = icmp ule i64 %lower.offset, %offset
  br i1 %lower.stays, label %inserted, label %insert.move
insert.move:
  %upper.at = getelementptr i64, ptr %placed, i64 %q
  store i64 %lower, ptr %upper.at
  br label %insert
inserted:
  %new.at = getelementptr i64, ptr %placed, i64 %q
  store i64 %buffer, ptr %new.at
  %n.next = add i64 %n, 1
  %n.more = icmp ult i64 %n.next, %count
  br i1 %n.more, label %place, label %done
done:
  ret i64 %total.next
large:
  ret i64 -1
}
