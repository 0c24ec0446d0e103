"""Run all-MiniLM-L6-v2 from its safetensors on onnxruntime, without torch.

The graph is the BERT encoder (https://arxiv.org/abs/1810.04805) with the mean pooling and unit length of
sentence-transformers. The weights are handed to onnxruntime as they are in memory, not written into the
graph: serialising 90 MB of protobuf costs over a second at every start.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Precision: TypeAlias = Literal["fp32", "int8"]
Tensors: TypeAlias = Mapping[str, NDArray[Any]]
Model: TypeAlias = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]
"""Token ids, mask int64[batch, length] -> vectors float32[batch, 384] of unit length."""

LAYERS = 6
HEADS = 12
HIDDEN = 384
EPSILON = 1e-12  # of every layer norm
MASKED = -10_000.0  # added to the attention score of padding; exp() of it is 0
INLINE_BYTES = 1024  # smaller constants stay in the graph, where shape inference reads them
OPSET, IR_VERSION = 21, 10  # what onnxruntime 1.24, the oldest we allow, understands


class Graph:
    """Collect the nodes and weights of one ONNX graph."""

    def __init__(self, tensors: Tensors, precision: Precision) -> None:
        self.tensors = tensors
        self.precision = precision
        self.nodes: list[Any] = []
        self.weights: dict[str, NDArray[Any]] = {}

    def op(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """Append one node and return the name of its output."""
        name = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant once and return its name."""
        self.weights.setdefault(name, np.ascontiguousarray(values))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant vector of int64."""
        return self.weight(f"ints_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def number(self, value: float) -> str:
        """Add a constant scalar of float32."""
        return self.weight(f"float_{value}", np.array(value, np.float32))

    def dense(self, x: str, name: str) -> str:
        """Append x W^T + b in the graph's precision."""
        matrix, bias = self.tensors[f"{name}.weight"].T, self.weight(f"{name}.bias", self.tensors[f"{name}.bias"])
        if self.precision == "fp32":
            return self.op("Add", self.op("MatMul", x, self.weight(f"{name}.weight", matrix)), bias)
        scale = np.abs(matrix).max(axis=0) / np.float32(127)  # one scale a column, symmetric
        codes = self.weight(f"{name}.codes", np.rint(matrix / scale).astype(np.int8))
        scales = self.weight(f"{name}.scales", scale)
        return self.op("DynamicQuantizeMatMul", x, codes, scales, "", bias, domain="com.microsoft")

    def layer_norm(self, x: str, name: str) -> str:
        """Append a layer norm over the hidden axis."""
        weight = self.weight(f"{name}.weight", self.tensors[f"{name}.weight"])
        bias = self.weight(f"{name}.bias", self.tensors[f"{name}.bias"])
        return self.op("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)

    def embed(self) -> str:
        """Append the sum of word, position and segment embeddings, normalised."""
        tensors, prefix = self.tensors, "embeddings."
        words = self.weight("words", tensors[prefix + "word_embeddings.weight"])
        positions = tensors[prefix + "position_embeddings.weight"] + tensors[prefix + "token_type_embeddings.weight"][0]
        length = self.op("Slice", self.op("Shape", "ids"), self.integers(1), self.integers(2))
        places = self.op("Slice", self.weight("positions", positions), self.integers(0), length)
        return self.layer_norm(self.op("Add", self.op("Gather", words, "ids"), places), prefix + "LayerNorm")

    def heads(self, x: str, name: str, *, order: tuple[int, ...]) -> str:
        """Project x and split it into heads, axes in the given order."""
        shape = self.integers(0, 0, HEADS, HIDDEN // HEADS)
        return self.op("Transpose", self.op("Reshape", self.dense(x, name), shape), perm=order)

    def attend(self, x: str, name: str, padding: str) -> str:
        """Append multi-head self-attention; ``padding`` is added to its scores."""
        query = self.heads(x, f"{name}.self.query", order=(0, 2, 1, 3))
        key = self.heads(x, f"{name}.self.key", order=(0, 2, 3, 1))
        value = self.heads(x, f"{name}.self.value", order=(0, 2, 1, 3))
        scale = self.number((HIDDEN // HEADS) ** -0.5)
        scores = self.op("Add", self.op("Mul", self.op("MatMul", query, key), scale), padding)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        joined = self.op("Reshape", self.op("Transpose", mixed, perm=(0, 2, 1, 3)), self.integers(0, 0, HIDDEN))
        output = self.dense(joined, f"{name}.output.dense")
        return self.layer_norm(self.op("Add", output, x), f"{name}.output.LayerNorm")

    def layer(self, x: str, name: str, padding: str) -> str:
        """Append one encoder layer."""
        attended = self.attend(x, f"{name}.attention", padding)
        widened = self.op("Gelu", self.dense(attended, f"{name}.intermediate.dense"))
        narrowed = self.dense(widened, f"{name}.output.dense")
        return self.layer_norm(self.op("Add", narrowed, attended), f"{name}.output.LayerNorm")

    def pool(self, x: str, mask: str) -> str:
        """Append the mean over real tokens, scaled to unit length."""
        kept = self.op("Mul", x, self.op("Unsqueeze", mask, self.integers(2)))
        total = self.op("ReduceSum", kept, self.integers(1), keepdims=0)
        count = self.op("ReduceSum", mask, self.integers(1), keepdims=1)
        return self.op("LpNormalization", self.op("Div", total, count), axis=-1, p=2, output="vectors")


def open_model(tensors: Tensors, *, precision: Precision, threads: int) -> Model:
    """Load the model into onnxruntime; the tensors are not needed afterwards."""
    graph = _encoder(tensors, precision)
    large = {name: values for name, values in graph.weights.items() if values.nbytes >= INLINE_BYTES}
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    # Waiting threads sleep: spinning, they take the core from PostgreSQL and the event loop (half the speed, measured).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # onnxruntime copies these while it loads, so nothing here has to outlive the call.
    options.add_external_initializers(list(large), [ort.OrtValue.ortvalue_from_numpy(v) for v in large.values()])
    session = ort.InferenceSession(_serialise(graph), options, providers=["CPUExecutionProvider"])

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        (vectors,) = session.run(["vectors"], {"ids": ids, "mask": mask})
        return np.asarray(vectors, np.float32)

    return run


def _encoder(tensors: Tensors, precision: Precision) -> Graph:
    graph = Graph(tensors, precision)
    mask = graph.op("Cast", "mask", to=TensorProto.FLOAT)
    missing = graph.op("Sub", graph.number(1.0), graph.op("Unsqueeze", mask, graph.integers(1, 2)))
    padding = graph.op("Mul", missing, graph.number(MASKED))
    x = graph.embed()
    for number in range(LAYERS):
        x = graph.layer(x, f"encoder.layer.{number}", padding)
    graph.pool(x, mask)
    return graph


def _serialise(graph: Graph) -> bytes:
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in ("ids", "mask")]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", HIDDEN])]
    weights = [_constant(name, values) for name, values in graph.weights.items()]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, weights)
    model = helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def _constant(name: str, values: NDArray[Any]) -> Any:
    if values.nbytes < INLINE_BYTES:
        return numpy_helper.from_array(values, name)
    proto = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(values.dtype), dims=values.shape)
    proto.data_location = TensorProto.EXTERNAL
    proto.external_data.add(key="location", value="in memory")
    return proto
