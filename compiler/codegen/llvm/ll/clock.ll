; Nanoseconds of a monotonic clock.

declare i32 @clock_gettime(i32, ptr) nonlazybind

define internal i64 @netwright.clock() #0 {
  %time = alloca { ${long}, ${long} }, align 16
  %unused = call i32 @clock_gettime(i32 ${monotonic}, ptr %time)
  %seconds = load ${long}, ptr %time
  %rest.at = getelementptr { ${long}, ${long} }, ptr %time, i32 0, i32 1
  %rest = load ${long}, ptr %rest.at
  %seconds.wide = ${widen} ${long} %seconds to i64
  %rest.wide = ${widen} ${long} %rest to i64
  %scaled = mul i64 %seconds.wide, 1000000000
  %nanoseconds = add i64 %scaled, %rest.wide
  ret i64 %nanoseconds
}
