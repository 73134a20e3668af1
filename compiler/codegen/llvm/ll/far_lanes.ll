; The function of those of the ${lanes} lanes at %x that are beyond the limit or NaN, and 0 for the others.
define internal void @netwright.far.${name}(ptr %x, i64 %quadrants) noinline #0 {
entry:
  br label %next
next:
  %lane = phi i64 [ 0, %entry ], [ %after, %done ]
  %at = getelementptr ${type}, ptr %x, i64 %lane
  %given = load ${type}, ptr %at
  %size = call ${type} @llvm.fabs.${suffix}(${type} %given)
  %far = fcmp ugt ${type} %size, ${limit}
  br i1 %far, label %compute, label %done
compute:
  %wide = ${widened}
  %sine = call double @netwright.far(double %wide, i64 %quadrants)
  %narrow = ${narrowed}
  br label %done
done:
  %y = phi ${type} [ 0.0, %next ], [ %narrow, %compute ]
  store ${type} %y, ptr %at
  %after = add i64 %lane, 1
  %last = icmp eq i64 %after, ${lanes}
  br i1 %last, label %finish, label %next
finish:
  ret void
}
