; far_sine of loop/interpreter/far.py, step by step: sin(x + quadrants·π/2) for |x| > 1e4.

@netwright.far.bits = private unnamed_addr constant [${count} x i64] [${words}]

define internal double @netwright.far(double %x, i64 %quadrants) #0 {
entry:
  %bits = bitcast double %x to i64
  %shifted = lshr i64 %bits, 52
  %exponent = and i64 %shifted, 2047
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  %place = sub i64 %exponent, 1013
  %first = lshr i64 %place, 6
  %at0 = getelementptr i64, ptr @netwright.far.bits, i64 %first
  %at1 = getelementptr i64, ptr %at0, i64 1
  %at2 = getelementptr i64, ptr %at0, i64 2
  %at3 = getelementptr i64, ptr %at0, i64 3
  %w0 = load i64, ptr %at0
  %w1 = load i64, ptr %at1
  %w2 = load i64, ptr %at2
  %w3 = load i64, ptr %at3
  ; 192 bits from the place on, in three words
  %left = and i64 %place, 63
  %h = call i64 @llvm.fshl.i64(i64 %w0, i64 %w1, i64 %left)
  %i = call i64 @llvm.fshl.i64(i64 %w1, i64 %w2, i64 %left)
  %j = call i64 @llvm.fshl.i64(i64 %w2, i64 %w3, i64 %left)
  ; m times them, of which the lowest 192 bits are kept: the first two are the quadrant
  %m.wide = zext i64 %m to i128
  %j.wide = zext i64 %j to i128
  %i.wide = zext i64 %i to i128
  %low = mul i128 %m.wide, %j.wide
  %low.rest = lshr i128 %low, 64
  %middle = mul i128 %m.wide, %i.wide
  %upper = add i128 %middle, %low.rest
  %p1 = trunc i128 %upper to i64
  %carry = lshr i128 %upper, 64
  %carried = trunc i128 %carry to i64
  %high = mul i64 %m, %h
  %p2 = add i64 %high, %carried
  %p0 = trunc i128 %low to i64
  ; the nearest multiple of π/2, and the distance to it in ±½, as 128 bits
  %near = add i64 %p2, 2305843009213693952
  %multiple = lshr i64 %near, 62
  %d1 = call i64 @llvm.fshl.i64(i64 %p2, i64 %p1, i64 2)
  %d0 = call i64 @llvm.fshl.i64(i64 %p1, i64 %p0, i64 2)
  %d1.wide = zext i64 %d1 to i128
  %d0.wide = zext i64 %d0 to i128
  %d1.high = shl i128 %d1.wide, 64
  %distance = or i128 %d1.high, %d0.wide
  %below = icmp slt i64 %d1, 0
  %opposite = sub i128 0, %distance
  %size = select i1 %below, i128 %opposite, i128 %distance
  %size.high = lshr i128 %size, 64
  %s1 = trunc i128 %size.high to i64
  %s0 = trunc i128 %size to i64
  %f1 = uitofp i64 %s1 to double
  %f0 = uitofp i64 %s0 to double
  %t1 = fmul double %f1, 0x3BF0000000000000
  %t0 = fmul double %f0, 0x37F0000000000000
  %turn = fadd double %t1, %t0
  %angle = fmul double %turn, 0x3FF921FB54442D18
  %minus = fneg double %angle
  %negative = icmp slt i64 %bits, 0
  %back = xor i1 %below, %negative
  %r = select i1 %back, double %minus, double %angle
  %turned = sub i64 0, %multiple
  %n = select i1 %negative, i64 %turned, i64 %multiple
  %quadrant = add i64 %n, %quadrants
  %u = fmul double %r, %r
${sine}
  %ru = fmul double %r, %u
  %sine.rest = fmul double %ru, %sine
  %sin = fadd double %r, %sine.rest
${cosine}
  %uu = fmul double %u, %u
  %cosine.rest = fmul double %uu, %cosine
  %half = fmul double %u, -0.5
  %cosine.start = fadd double %half, 1.0
  %cos = fadd double %cosine.start, %cosine.rest
  %parity = and i64 %quadrant, 1
  %even = icmp eq i64 %parity, 0
  %y = select i1 %even, double %sin, double %cos
  %y.minus = fneg double %y
  %side = and i64 %quadrant, 2
  %flip = icmp ne i64 %side, 0
  %signed = select i1 %flip, double %y.minus, double %y
  %finite = icmp ult i64 %exponent, 2047
  %result = select i1 %finite, double %signed, double 0x7FF8000000000000
  ret double %result
}
