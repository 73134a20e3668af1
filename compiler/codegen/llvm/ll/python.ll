; An entry as a built-in function of CPython, which takes NumPy arrays. Between the interpreter's call and the entry there is
; only what may differ from the call before: the arrays, which are asked for their memory through the buffer protocol, and the
; engine's scratch memory. All of Python that is used belongs to its stable ABI since 3.11, and is called through addresses, so
; that the code can be cached. Pointers have 64 bits.
;
; runtime/engines/fast_call.py has the host's side: structures of the same fields.

; Py_buffer: memory, owner, bytes, bytes of an element, read-only, axes, format, shape, strides, suboffsets, internal.
%netwright.view = type { ptr, ptr, i64, i64, i32, i32, ptr, ptr, ptr, ptr, ptr }
; What an array has to be: where its pointer goes, format (a character of `struct`), bytes of an element, bytes, axes, shape,
; whether it is written, and where its largest element goes (NULL: nowhere).
%netwright.array = type { ptr, i64, i64, i64, i64, ptr, i64, ptr }
; Entry, context, engine (scratch memory, its bytes, who is told of marks), bytes of scratch memory, threads, turns that a
; thread waits, the pool's run (NULL: one thread), the planner, the type of arrays, how many arrays, the arrays.
%netwright.call = type { ptr, ptr, ptr, i64, i32, i32, ptr, ptr, ptr, i64, [${arrays} x %netwright.array] }
%netwright.context = type { ptr, ptr, ptr, ptr, ptr, ptr }

; PyTuple_GetItem, PyLong_AsVoidPtr, PyObject_Type, Py_DecRef, PyObject_GetBuffer, PyBuffer_Release, PyErr_Clear,
; PyEval_SaveThread, PyEval_RestoreThread, PyLong_FromLongLong.
@netwright.python = global [10 x ptr] zeroinitializer, align 8

define internal ptr @netwright.python.function(i32 %number) #0 {
  %at = getelementptr [10 x ptr], ptr @netwright.python, i32 0, i32 %number
  %function = load ptr, ptr %at
  ret ptr %function
}

; PyObject *call(PyObject *self, PyObject *const *arrays, Py_ssize_t count): runs the entry and returns its code, or -1, with
; nothing done, if an array is not exactly what the entry takes, if a written one overlaps another, or if there is not enough
; scratch memory. `self` is a tuple of the address of a %netwright.call and of what owns it.
define ptr @netwright.call.python(ptr %self, ptr %arrays, i64 %count) #0 {
begin:
  %views = alloca [${arrays} x %netwright.view]
  %tuple.item = call ptr @netwright.python.function(i32 0)
  %as.pointer = call ptr @netwright.python.function(i32 1)
  %number = call ptr %tuple.item(ptr %self, i64 0)
  %call = call ptr %as.pointer(ptr %number)
  %count.at = getelementptr %netwright.call, ptr %call, i32 0, i32 9
  %wanted = load i64, ptr %count.at
  %as.many = icmp eq i64 %count, %wanted
  br i1 %as.many, label %next, label %refuse
next:
  %i = phi i64 [ 0, %begin ], [ %i.next, %taken ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %take, label %memory
take:
  %i.next = add i64 %i, 1
  %given.at = getelementptr ptr, ptr %arrays, i64 %i
  %given = load ptr, ptr %given.at
  %array = getelementptr %netwright.call, ptr %call, i32 0, i32 10, i64 %i
  %view = getelementptr [${arrays} x %netwright.view], ptr %views, i32 0, i64 %i
  %fits = call i1 @netwright.call.view(ptr %call, ptr %array, ptr %given, ptr %view)
  br i1 %fits, label %apart, label %refuse
apart:                                    ; from all arrays before it, if this one or that one is written
  %j = phi i64 [ 0, %take ], [ %j.next, %compare ]
  %earlier = icmp ult i64 %j, %i
  br i1 %earlier, label %compare, label %taken
compare:
  %j.next = add i64 %j, 1
  %other.array = getelementptr %netwright.call, ptr %call, i32 0, i32 10, i64 %j
  %other = getelementptr [${arrays} x %netwright.view], ptr %views, i32 0, i64 %j
  %clash = call i1 @netwright.call.overlap(ptr %array, ptr %view, ptr %other.array, ptr %other)
  br i1 %clash, label %refuse.too, label %apart
taken:
  br label %next

memory:
  %context.at = getelementptr %netwright.call, ptr %call, i32 0, i32 1
  %context = load ptr, ptr %context.at
  %engine.at = getelementptr %netwright.call, ptr %call, i32 0, i32 2
  %engine = load ptr, ptr %engine.at
  %planned = call i1 @netwright.call.plan(ptr %call, ptr %views)
  br i1 %planned, label %compute, label %refuse
compute:
  %arena = load ptr, ptr %engine
  %passed.at = getelementptr ptr, ptr %engine, i32 2
  %passed = load ptr, ptr %passed.at
  %arena.at = getelementptr %netwright.context, ptr %context, i32 0, i32 2
  store ptr %arena, ptr %arena.at
  %told.at = getelementptr %netwright.context, ptr %context, i32 0, i32 5
  store ptr %passed, ptr %told.at
  %save = call ptr @netwright.python.function(i32 7)
  %restore = call ptr @netwright.python.function(i32 8)
  %thread = call ptr %save()
  %code = call i32 @netwright.call.entry(ptr %call, ptr %context)
  call void %restore(ptr %thread)
  call void @netwright.call.release(ptr %views, i64 %count)
  %result = sext i32 %code to i64
  br label %return

refuse.too:                               ; the view of this array is there as well
  br label %refuse
refuse:
  %held = phi i64 [ 0, %begin ], [ %i, %take ], [ %i.next, %refuse.too ], [ %count, %memory ]
  call void @netwright.call.release(ptr %views, i64 %held)
  br label %return
return:
  %value = phi i64 [ %result, %compute ], [ -1, %refuse ]
  %from.long = call ptr @netwright.python.function(i32 9)
  %answer = call ptr %from.long(i64 %value)
  ret ptr %answer
}

; Whether an object is such an array; then `view` is its memory and the pointer is in place, else there is nothing to release.
define internal i1 @netwright.call.view(ptr %call, ptr %array, ptr %object, ptr %view) #0 {
begin:
  %type.of = call ptr @netwright.python.function(i32 2)
  %decrease = call ptr @netwright.python.function(i32 3)
  %type = call ptr %type.of(ptr %object)
  call void %decrease(ptr %type)          ; the object holds its type
  %type.at = getelementptr %netwright.call, ptr %call, i32 0, i32 8
  %right = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, %right
  br i1 %is.array, label %ask, label %no
ask:
  %written.at = getelementptr %netwright.array, ptr %array, i32 0, i32 6
  %written = load i64, ptr %written.at
  %writable = trunc i64 %written to i32   ; PyBUF_WRITABLE is 1
  %flags = or i32 %writable, 60           ; PyBUF_C_CONTIGUOUS | PyBUF_FORMAT
  %get = call ptr @netwright.python.function(i32 4)
  %failed = call i32 %get(ptr %object, ptr %view, i32 %flags)
  %got = icmp eq i32 %failed, 0
  br i1 %got, label %look, label %clear
clear:
  %forget = call ptr @netwright.python.function(i32 6)
  call void %forget()
  br label %no
look:
  %memory = load ptr, ptr %view
  %bytes.at = getelementptr %netwright.view, ptr %view, i32 0, i32 2
  %size.at = getelementptr %netwright.view, ptr %view, i32 0, i32 3
  %axes.at = getelementptr %netwright.view, ptr %view, i32 0, i32 5
  %format.at = getelementptr %netwright.view, ptr %view, i32 0, i32 6
  %shape.at = getelementptr %netwright.view, ptr %view, i32 0, i32 7
  %bytes = load i64, ptr %bytes.at
  %size = load i64, ptr %size.at
  %axes.32 = load i32, ptr %axes.at
  %axes = zext i32 %axes.32 to i64
  %format = load ptr, ptr %format.at
  %shape = load ptr, ptr %shape.at
  %slot = load ptr, ptr %array
  %right.format.at = getelementptr %netwright.array, ptr %array, i32 0, i32 1
  %right.size.at = getelementptr %netwright.array, ptr %array, i32 0, i32 2
  %right.bytes.at = getelementptr %netwright.array, ptr %array, i32 0, i32 3
  %right.axes.at = getelementptr %netwright.array, ptr %array, i32 0, i32 4
  %right.shape.at = getelementptr %netwright.array, ptr %array, i32 0, i32 5
  %right.format = load i64, ptr %right.format.at
  %right.size = load i64, ptr %right.size.at
  %right.bytes = load i64, ptr %right.bytes.at
  %right.axes = load i64, ptr %right.axes.at
  %right.shape = load ptr, ptr %right.shape.at
  %address = ptrtoint ptr %memory to i64
  %low = sub i64 %size, 1                 ; sizes of elements are powers of two
  %odd = and i64 %address, %low
  %aligned = icmp eq i64 %odd, 0
  %same.size = icmp eq i64 %size, %right.size
  %same.bytes = icmp eq i64 %bytes, %right.bytes
  %same.axes = icmp eq i64 %axes, %right.axes
  %has.format = icmp ne ptr %format, null
  %a = and i1 %aligned, %same.size
  %b = and i1 %same.bytes, %same.axes
  %c = and i1 %a, %b
  %d = and i1 %c, %has.format
  br i1 %d, label %type.of.elements, label %release
type.of.elements:
  %letter = load i8, ptr %format
  %letter.64 = zext i8 %letter to i64
  %end.at = getelementptr i8, ptr %format, i32 1
  %same.letter = icmp eq i64 %letter.64, %right.format
  br i1 %same.letter, label %no.more, label %release
no.more:
  %end = load i8, ptr %end.at
  %alone = icmp eq i8 %end, 0
  br i1 %alone, label %axis, label %release
axis:
  %i = phi i64 [ 0, %no.more ], [ %i.next, %same ]
  %more = icmp ult i64 %i, %axes
  br i1 %more, label %same, label %yes
same:
  %extent.at = getelementptr i64, ptr %shape, i64 %i
  %right.extent.at = getelementptr i64, ptr %right.shape, i64 %i
  %extent = load i64, ptr %extent.at
  %right.extent = load i64, ptr %right.extent.at
  %i.next = add i64 %i, 1
  %same.extent = icmp eq i64 %extent, %right.extent
  br i1 %same.extent, label %axis, label %release
yes:
  store ptr %memory, ptr %slot
  ret i1 true
release:
  call void @netwright.call.release(ptr %view, i64 1)
  br label %no
no:
  ret i1 false
}

; Whether two arrays overlap and one of them is written.
define internal i1 @netwright.call.overlap(ptr %a, ptr %a.view, ptr %b, ptr %b.view) #0 {
  %a.written.at = getelementptr %netwright.array, ptr %a, i32 0, i32 6
  %b.written.at = getelementptr %netwright.array, ptr %b, i32 0, i32 6
  %a.written = load i64, ptr %a.written.at
  %b.written = load i64, ptr %b.written.at
  %written = or i64 %a.written, %b.written
  %matters = icmp ne i64 %written, 0
  %a.start = load i64, ptr %a.view
  %b.start = load i64, ptr %b.view
  %a.bytes.at = getelementptr %netwright.view, ptr %a.view, i32 0, i32 2
  %b.bytes.at = getelementptr %netwright.view, ptr %b.view, i32 0, i32 2
  %a.bytes = load i64, ptr %a.bytes.at
  %b.bytes = load i64, ptr %b.bytes.at
  %a.end = add i64 %a.start, %a.bytes
  %b.end = add i64 %b.start, %b.bytes
  %a.first = icmp ult i64 %a.start, %b.end
  %b.first = icmp ult i64 %b.start, %a.end
  %both = and i1 %a.first, %b.first
  %clash = and i1 %both, %matters
  ret i1 %clash
}

; Sets dims that are the largest element of an array, at least 1, and plans the memory again if there are any. Returns whether
; the scratch memory is large enough.
define internal i1 @netwright.call.plan(ptr %call, ptr %views) #0 {
begin:
  %engine.at = getelementptr %netwright.call, ptr %call, i32 0, i32 2
  %engine = load ptr, ptr %engine.at
  %room.at = getelementptr i64, ptr %engine, i32 1
  %room = load i64, ptr %room.at
  %bytes.at = getelementptr %netwright.call, ptr %call, i32 0, i32 3
  %planner.at = getelementptr %netwright.call, ptr %call, i32 0, i32 7
  %planner = load ptr, ptr %planner.at
  %fixed = icmp eq ptr %planner, null
  br i1 %fixed, label %enough, label %each
each:
  %count.at = getelementptr %netwright.call, ptr %call, i32 0, i32 9
  %count = load i64, ptr %count.at
  br label %next
next:
  %i = phi i64 [ 0, %each ], [ %i.next, %passed ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %array, label %again
array:
  %dim.at = getelementptr %netwright.call, ptr %call, i32 0, i32 10, i64 %i, i32 7
  %dim = load ptr, ptr %dim.at
  %none = icmp eq ptr %dim, null
  br i1 %none, label %passed, label %largest
largest:
  %view = getelementptr %netwright.view, ptr %views, i64 %i
  %view.size.at = getelementptr %netwright.view, ptr %view, i32 0, i32 3
  %view.bytes.at = getelementptr %netwright.view, ptr %view, i32 0, i32 2
  %numbers = load ptr, ptr %view
  %size = load i64, ptr %view.size.at
  %view.bytes = load i64, ptr %view.bytes.at
  %long = icmp eq i64 %size, 8
  br label %step
step:
  %at = phi i64 [ 0, %largest ], [ %at.next, %known ]
  %so.far = phi i64 [ 1, %largest ], [ %larger, %known ]
  %within = icmp ult i64 %at, %view.bytes
  br i1 %within, label %element, label %set
element:
  %place = getelementptr i8, ptr %numbers, i64 %at
  br i1 %long, label %element.64, label %element.32
element.64:
  %value.64 = load i64, ptr %place
  br label %known
element.32:
  %value.32 = load i32, ptr %place
  %value.wide = sext i32 %value.32 to i64
  br label %known
known:
  %value = phi i64 [ %value.64, %element.64 ], [ %value.wide, %element.32 ]
  %above = icmp sgt i64 %value, %so.far
  %larger = select i1 %above, i64 %value, i64 %so.far
  %at.next = add i64 %at, %size
  br label %step
set:
  store i64 %so.far, ptr %dim
  br label %passed
passed:
  %i.next = add i64 %i, 1
  br label %next
again:
  %context.at = getelementptr %netwright.call, ptr %call, i32 0, i32 1
  %context = load ptr, ptr %context.at
  %dims = load ptr, ptr %context
  %offsets.at = getelementptr %netwright.context, ptr %context, i32 0, i32 3
  %offsets = load ptr, ptr %offsets.at
  %needed = call i64 %planner(ptr %dims, ptr %offsets)
  store i64 %needed, ptr %bytes.at
  br label %enough
enough:
  %bytes = load i64, ptr %bytes.at
  %possible = icmp sge i64 %bytes, 0
  %fits = icmp sle i64 %bytes, %room
  %enough.room = and i1 %possible, %fits
  ret i1 %enough.room
}

; Runs the entry, on the pool's threads if there is one.
define internal i32 @netwright.call.entry(ptr %call, ptr %context) #0 {
begin:
  %entry = load ptr, ptr %call
  %pool.at = getelementptr %netwright.call, ptr %call, i32 0, i32 6
  %pool = load ptr, ptr %pool.at
  %single = icmp eq ptr %pool, null
  br i1 %single, label %alone, label %together
alone:
  %code = call i32 %entry(ptr %context, i32 0, i32 1)
  ret i32 %code
together:
  %threads.at = getelementptr %netwright.call, ptr %call, i32 0, i32 4
  %turns.at = getelementptr %netwright.call, ptr %call, i32 0, i32 5
  %threads = load i32, ptr %threads.at
  %turns = load i32, ptr %turns.at
  %shared.code = call i32 %pool(ptr %entry, ptr %context, i32 %threads, i32 %turns)
  ret i32 %shared.code
}

define internal void @netwright.call.release(ptr %views, i64 %count) #0 {
begin:
  %release = call ptr @netwright.python.function(i32 5)
  br label %next
next:
  %i = phi i64 [ 0, %begin ], [ %i.next, %free ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %free, label %done
free:
  %view = getelementptr %netwright.view, ptr %views, i64 %i
  call void %release(ptr %view)
  %i.next = add i64 %i, 1
  br label %next
done:
  ret void
}
