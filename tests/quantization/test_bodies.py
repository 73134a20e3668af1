"""What is the same in every step of loops, as a value outside of them."""

from __future__ import annotations

from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.quantization.bodies import body_of, outside

#: The inner loop multiplies by a number that follows from two consts of the outer one.
NESTED = """\
graph "g" {
  %0 = input() {name="w", role="parameter"} : float32[2]
  %1 = input() {name="v", role="parameter"} : float32[2]
  %2 = exp(%0) : float32[2]
  %3 = input() {name="h", role="input"} : float32[2]
  %4 = scan(%1, %2, %3) {body=graph "outer" {
    %0 = input() {name="v", role="body"} : float32[2]
    %1 = input() {name="w", role="body"} : float32[2]
    %2 = input() {name="h", role="body"} : float32[2]
    %3 = neg(%1) : float32[2]
    %4 = scan(%3, %0, %2) {body=graph "inner" {
      %0 = input() {name="n", role="body"} : float32[2]
      %1 = input() {name="v", role="body"} : float32[2]
      %2 = input() {name="h", role="body"} : float32[2]
      %3 = sub(%1, %0) : float32[2]
      %4 = mul(%3, %2) : float32[2]
      return "h"=%4
    }, length=3, n_consts=2, n_carries=1, reverse=False, unroll="none", name=""} : float32[2]
    return "h"=%4
  }, length=3, n_consts=2, n_carries=1, reverse=False, unroll="none", name=""} : float32[2]
  return "y"=%4
}
"""


def test_a_value_of_a_loop_in_a_loop() -> None:
    graph = parse_graph(NESTED)
    (outer,) = (node for node in graph if node.op == "scan")
    (inner,) = (node for node in body_of(outer) if node.op == "scan")
    (product,) = (node for node in body_of(inner) if node.op == "mul")
    value, _ = body_of(inner).operands(product)
    graph.set_output("x", outside(graph, [outer, inner], value))
    lines = [line.strip() for line in str(graph).splitlines()]
    assert lines[-4:-1] == [
        "%5 = neg(%2) : float32[2]",
        "%6 = sub(%1, %5) : float32[2]",
        'return "y"=%4, "x"=%6',
    ]
