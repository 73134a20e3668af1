"""Derives the coefficients in ``compiler/loop/intrinsics/coefficients.py``: run it with mpmath installed.

All are functions P/Q with the least largest weighted error w·|f - P/Q| on an interval, found in high
precision: polynomials by Remez exchange, rational functions by linearized least squares whose weights drift
to the minimax.
"""

from __future__ import annotations

from collections.abc import Callable

from mpmath import mp, mpf

mp.dps = 50
Function = Callable[[mpf], mpf]


def one(x: mpf) -> mpf:
    return mpf(1)


def polynomial(f: Function, low: float, high: float, degree: int, weight: Function = one):
    """Ascending coefficients of P and the largest weighted error."""
    count = degree + 2
    middle, half = (mpf(low) + mpf(high)) / 2, (mpf(high) - mpf(low)) / 2
    nodes = [middle - half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    samples = [(x, f(x), weight(x)) for x in (middle - half * mp.cos(mp.pi * i / 1200) for i in range(1201))]
    while True:
        rows = [[x**k for k in range(degree + 1)] + [mpf(-1) ** i / weight(x)] for i, x in enumerate(nodes)]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([f(x) for x in nodes]))
        numerator, level = list(solution)[:-1], abs(solution[degree + 1])
        errors = [w * (y - mp.polyval(numerator[::-1], x)) for x, y, w in samples]
        extremes: list[int] = []
        for i, e in enumerate(errors):
            if extremes and (e > 0) == (errors[extremes[-1]] > 0):
                if abs(e) > abs(errors[extremes[-1]]):
                    extremes[-1] = i
            else:
                extremes.append(i)
        while len(extremes) > count:
            extremes.pop(0 if abs(errors[extremes[0]]) < abs(errors[extremes[-1]]) else -1)
        largest = max(abs(e) for e in errors)
        if len(extremes) < count or largest <= level * (1 + mpf("1e-3")):
            return numerator, [mpf(1)], largest
        nodes = [samples[i][0] for i in extremes]


def rational(f: Function, low: float, high: float, p: int, q: int, weight: Function = one):
    """Ascending coefficients of P and of Q (Q(0) = 1), and the largest weighted error.

    The linearized equations are reweighted by 1/Q (Sanathanan and Koerner, 1963) and by the errors (Lawson,
    1961).
    """
    size = p + q + 1
    middle, half = (mpf(low) + mpf(high)) / 2, (mpf(high) - mpf(low)) / 2
    samples = [(x, f(x), weight(x)) for x in (middle - half * mp.cos(mp.pi * i / 200) for i in range(201))]
    shares = [mpf(1)] * len(samples)
    bottoms = [mpf(1)] * len(samples)
    for _ in range(30):
        normal, right = mp.zeros(size, size), mp.zeros(size, 1)
        for (x, y, w), share, bottom in zip(samples, shares, bottoms, strict=True):
            row = [x**k for k in range(p + 1)] + [-y * x**k for k in range(1, q + 1)]
            factor = share * (w / bottom) ** 2
            for i in range(size):
                right[i] += factor * row[i] * y
                for j in range(size):
                    normal[i, j] += factor * row[i] * row[j]
        solution = list(mp.lu_solve(normal, right))
        numerator, denominator = solution[: p + 1], [mpf(1), *solution[p + 1 :]]
        bottoms = [mp.polyval(denominator[::-1], x) for x, _, _ in samples]
        tops = [mp.polyval(numerator[::-1], x) for x, _, _ in samples]
        errors = [abs(w * (y - t / b)) for (_, y, w), t, b in zip(samples, tops, bottoms, strict=True)]
        largest = max(errors)
        shares = [share * (e + largest / 100) for share, e in zip(shares, errors, strict=True)]
        scale = len(shares) / sum(shares)
        shares = [share * scale for share in shares]
    return numerator, denominator, largest


def relative(f: Function) -> Function:
    return lambda x: 1 / abs(f(x))


def over_root(f: Function) -> Function:
    """u ↦ f(√u)/√u for odd f."""
    return lambda u: f(mp.sqrt(u)) / mp.sqrt(u) if u > mpf("1e-25") else mp.diff(f, 0)


def without(f: Function, *leading: mpf) -> Function:
    """What multiplies u^k after the k ``leading`` terms of f's series: they are then exact in the result."""
    count = len(leading)

    def rest(u: mpf) -> mpf:
        if abs(u) < mpf("1e-8"):
            return mp.taylor(f, 0, count)[count]
        return (f(u) - sum(c * u**k for k, c in enumerate(leading))) / u**count

    return rest


def share_of(f: Function, power: int) -> Function:
    """The weight that makes errors of a factor of u^power relative to f."""
    return lambda u: abs(u**power / f(u)) if u else mpf(0)


def expm1_ratio(x: mpf) -> mpf:
    return mp.expm1(x) / x if x else mpf(1)


def log1p_rest(f: mpf) -> mpf:
    """(ln(1+f) - f + f²/2) / f³."""
    if abs(f) < mpf("1e-12"):
        return mpf(1) / 3 - f / 4
    return (mp.log1p(f) - f + f * f / 2) / f**3


def erfc_scaled(x: mpf) -> mpf:
    """e^(x²)·erfc(x)."""
    return mp.exp(x * x) * mp.erfc(x)


def show(name: str, fit) -> None:
    numerator, denominator, error = fit
    print(f"# {name}: {mp.nstr(error, 3)}")
    for label, values in ((name, numerator), (f"{name}_Q", denominator)):
        if len(values) > 1:
            print(f"{label} = ({', '.join(repr(float(c)) for c in values)})")


def main() -> None:
    low, high = mp.sqrt(mpf(1) / 2) - 1, mp.sqrt(2) - 1
    log_weight = lambda f: abs(f**3 / mp.log1p(f)) if f else mpf(0)  # noqa: E731
    quarter = (mp.pi / 4) ** 2
    sin, cos = over_root(mp.sin), lambda u: mp.cos(mp.sqrt(u))
    for label, exp_degree, log_degree, sin_degree, cos_degree in (("F32", 4, 6, 2, 2), ("F64", 10, 17, 6, 5)):
        show(f"EXP_{label}", polynomial(expm1_ratio, 0, mp.log(2), exp_degree, share_of(mp.exp, 1)))
        show(f"LOG_{label}", polynomial(log1p_rest, low, high, log_degree, log_weight))
        show(f"SIN_{label}", polynomial(without(sin, mpf(1)), 0, quarter, sin_degree, share_of(sin, 1)))
        show(
            f"COS_{label}",
            polynomial(without(cos, mpf(1), mpf(-1) / 2), 0, quarter, cos_degree, share_of(cos, 2)),
        )
    tanh, erf = over_root(mp.tanh), over_root(mp.erf)
    show("TANH_F32", rational(tanh, 0, 9.01**2, 4, 4, relative(tanh)))
    show("ERF_F32", rational(erf, 0, 3.92**2, 6, 4, relative(erf)))
    show("TANH_F64", rational(tanh, 0, 0.55**2, 3, 3, relative(tanh)))
    show("ERF_F64", rational(erf, 0, 1, 5, 5, relative(erf)))
    show("ERFC_F64", rational(erfc_scaled, 1, 6, 7, 7, lambda x: mp.exp(-x * x)))


if __name__ == "__main__":
    main()
