"""Loops over time, from Scan or Loop: converted to a recurrent layer, or unrolled."""

from .counting import Steps, whole
from .growing import Growing, growing
from .iteration import Given, Iteration, Read, State
from .running import run

__all__ = ["Given", "Growing", "Iteration", "Read", "State", "Steps", "growing", "run", "whole"]
