"""Breaks the compiler's own rules, one at a time, and sees whether a test notices.

A *rule* is a place where the compiler decides something: a condition, a comparison, a threshold, a step that is taken
or not. ``python -m tests.rules compiler/passes`` breaks each rule of a folder, or, with ``--count 100 --seed 1``, some
that are drawn, and runs the tests that reach it until one fails. (``tests/mutations`` breaks specs, not the compiler.)

What it prints is a line per rule that no test noticed, and a table per module:

- *noticed*: a test fails, crashes or does not end in its time;
- *equivalent*: listed in ``equivalent.txt`` with the reason why the compiler decides the same, whatever this rule says;
- *UNBROKEN*: the running process has no function to put the broken one in, or two that look alike;
- *SURVIVED*: a rule that nothing holds in place: either a test is missing, or the rule is not needed.

Nothing on disk is changed. The tests are collected once; a process per broken rule is forked from there, gets the new
code of the one function, and ends with its first failing test. Which tests reach a rule is found first, by tracing all.
"""
