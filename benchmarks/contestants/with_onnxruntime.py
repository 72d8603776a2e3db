"""ONNX Runtime: the trained function as a graph of its standard operations, one sample at a time."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.workloads import Array, Arrays, Workload

OPERATIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def graph(workload: Workload, start: Arrays) -> bytes:
    """Return a perceptron with softmax as an ONNX model."""
    widths, last = workload.options["widths"], len(workload.options["widths"]) - 1
    nodes, name = [], "x"
    for k in range(1, last + 1):
        nodes.append(helper.make_node("Gemm", [name, f"W{k}", f"b{k}"], [f"z{k}"], transB=1))
        kind, name = (OPERATIONS[workload.options["act"]], f"a{k}") if k < last else ("Softmax", "y")
        nodes.append(helper.make_node(kind, [f"z{k}"], [name]))
    made = helper.make_graph(
        nodes, workload.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, widths[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, widths[-1]])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in start.items()],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


class Session:
    """A session on one thread."""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(graph(workload, start), options, providers=["CPUExecutionProvider"])
        self.feeds = [{"x": np.ascontiguousarray(row[None])} for row in data["x"][:4].astype(np.float32)]

    def reset(self) -> None:
        """Nothing changes."""

    def run(self, steps: int) -> None:
        run, feeds = self.session.run, self.feeds
        for k in range(steps):
            run(None, feeds[k % 4])

    def outcome(self) -> dict[str, Array]:
        return {"y": np.concatenate([self.session.run(None, feed)[0] for feed in self.feeds])}
