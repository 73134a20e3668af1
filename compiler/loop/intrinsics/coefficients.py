"""Constants and polynomial coefficients of the elementary functions, by dtype (ascending powers).

``tests/loop/intrinsics/fit.py`` derives them: minimax fits in high precision, relative to the function's value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Polynomial = tuple[float, ...]


def parts(value: str, dtype: type[np.floating], count: int) -> Polynomial:
    """``value`` (decimal digits) as a sum of ``count`` numbers of ``dtype``, the largest first."""
    numerator, scale = int(value.replace(".", "")), 10 ** len(value.partition(".")[2])
    numbers: list[float] = []
    for _ in range(count):
        part = float(dtype(numerator / scale))
        numbers.append(part)
        top, bottom = part.as_integer_ratio()
        numerator, scale = numerator * bottom - top * scale, scale * bottom
    return tuple(numbers)


LN_2 = "0.693147180559945309417232121458176568075500134360255254120680"
HALF_PI = "1.570796326794896619231321691639751442098584699687552910487472"


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format, and the coefficients of the functions in it."""

    bits: str  # the integer dtype of the same width
    mantissa: int  # stored bits of the significand
    bits_of_one: int
    root_half: int  # the bits of √½
    least: float  # the smallest normal number
    rounder: float  # 1.5·2^mantissa: adding it rounds to an integer, in the low bits
    ln_2: Polynomial
    half_pi: Polynomial
    exp_range: tuple[float, float]  # beyond it e^x is 0 or infinite
    exp: Polynomial  # (e^r - 1)/r on [0, ln 2]
    log: Polynomial  # (ln(1+f) - f + f²/2)/f³ on [√½ - 1, √2 - 1]
    sin: Polynomial  # (sin √u / √u - 1)/u on [0, (π/4)²]
    cos: Polynomial  # (cos √u - 1 + u/2)/u² on [0, (π/4)²]
    tanh: tuple[Polynomial, Polynomial]  # tanh √u / √u, numerator and denominator
    erf: tuple[Polynomial, Polynomial]  # erf √u / √u, numerator and denominator
    odd_limits: tuple[float, float]  # the tanh and erf fits hold up to these |x|


FLOAT32 = Format(
    bits="int32",
    mantissa=23,
    bits_of_one=0x3F800000,
    root_half=0x3F3504F3,
    least=2.0**-126,
    rounder=1.5 * 2.0**23,
    ln_2=parts(LN_2, np.float32, 2),
    half_pi=parts(HALF_PI, np.float32, 3),
    exp_range=(-88.0, 89.0),
    exp=(
        1.000005960236528,
        0.4998708349785502,
        0.16755491169566838,
        0.03906263191220315,
        0.011669376366422471,
    ),
    log=(
        0.333339106549459,
        -0.25001337226021997,
        0.19963067621451389,
        -0.1657757937097275,
        0.14914720459955497,
        -0.14267520972110231,
        0.087006212243204,
    ),
    sin=(
        -0.16666654609602974,
        0.008332160764251442,
        -0.00019515283411015131,
    ),
    cos=(
        0.04166664568302045,
        -0.0013887316256060184,
        2.443315721320081e-05,
    ),
    tanh=(
        (
            0.9999999794604988,
            0.13380422071700035,
            0.0034948688083815877,
            2.0597136988537565e-05,
            1.333788004081656e-08,
        ),
        (
            1.0,
            0.46713737589043564,
            0.025874252144759843,
            0.0003284453910264438,
            7.769740037007783e-07,
        ),
    ),
    erf=(
        (
            1.1283791096808338,
            0.1998997168494149,
            0.05056999205261995,
            0.003700456142493587,
            0.00014181504200577554,
            -1.9575510419583223e-06,
            1.992230759465759e-08,
        ),
        (
            1.0,
            0.5104881780341054,
            0.11498808912390986,
            0.014351000390425027,
            0.0009557323094161406,
        ),
    ),
    odd_limits=(9.35, 4.0),
)

FLOAT64 = Format(
    bits="int64",
    mantissa=52,
    bits_of_one=0x3FF0000000000000,
    root_half=0x3FE6A09E667F3BCD,
    least=2.0**-1022,
    rounder=1.5 * 2.0**52,
    ln_2=parts(LN_2, np.float64, 2),
    half_pi=parts(HALF_PI, np.float64, 3),
    exp_range=(-709.0, 710.0),
    exp=(
        1.0000000000000009,
        0.4999999999999221,
        0.1666666666690108,
        0.041666666631673684,
        0.008333333635288067,
        0.0013888872583376212,
        0.00019841843835114058,
        2.4788226100299687e-05,
        2.7760725064918542e-06,
        2.562229760202808e-07,
        3.529674534263816e-08,
    ),
    log=(
        0.33333333333328524,
        -0.250000000000063,
        0.20000000001652926,
        -0.1666666666673353,
        0.1428571409410403,
        -0.12499999814644987,
        0.11111121744561069,
        -0.10000018340055011,
        0.09090589313919137,
        -0.08332554947269166,
        0.07697635763068043,
        -0.0716016791608476,
        0.06622099237040778,
        -0.06042046123531969,
        0.05972228343426422,
        -0.06783507631497718,
        0.0632493964898649,
        -0.0283248667632632,
    ),
    sin=(
        -0.16666666666666666,
        0.008333333333333323,
        -0.000198412698412548,
        2.7557319214064833e-06,
        -2.5052104881852167e-08,
        1.6058363165428431e-10,
        -7.578540334275516e-13,
    ),
    cos=(
        0.041666666666666595,
        -0.0013888888888873056,
        2.4801587288851758e-05,
        -2.755731417930859e-07,
        2.0875700843163533e-09,
        -1.1358536565399604e-11,
    ),
    tanh=(
        (
            1.0,
            0.12816734700458793,
            0.0027930073962597153,
            7.360193664809218e-06,
        ),
        (
            1.0,
            0.46150068033792124,
            0.023293234175568483,
            0.00020660150868434798,
        ),
    ),
    erf=(
        (
            1.1283791670955126,
            0.14350666445234173,
            0.04548361307364023,
            0.0018774112301466698,
            0.00019688472848195746,
            7.771782908432446e-08,
        ),
        (
            1.0,
            0.4605128033529129,
            0.09381307035703182,
            0.010693079309004224,
            0.0006924982068914429,
            2.081025630263971e-05,
        ),
    ),
    odd_limits=(0.55, 1.0),
)

#: e^(x²)·erfc(x) on [1, 6], in float64; float32 needs only one range.
ERFC = (
    (
        1.000000001529774,
        1.5134686471071324,
        1.1428044861605842,
        0.5186229849923372,
        0.14748016857716104,
        0.024897503620920074,
        0.001977581878563007,
        -4.6370982439914514e-10,
    ),
    (
        1.0,
        2.641847832907473,
        3.12381043381498,
        2.153870956840979,
        0.9413891103578754,
        0.26314499763599825,
        0.04413038895096144,
        0.003505137770470764,
    ),
)

FORMATS = {"float32": FLOAT32, "float64": FLOAT64}
