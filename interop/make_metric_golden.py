"""Writes what Keras's metrics give for some outputs and targets, ties included: make_metric_golden.py OUT.json"""

import json
import pathlib
import sys

import quiet_keras  # noqa: F401
import keras
import numpy as np

random = np.random.default_rng(5)
# Few different values, so that there are ties.
output = (random.integers(0, 6, (40, 7)) / 5).astype(np.float32)
labels = random.integers(0, 7, 40)
rows = keras.utils.to_categorical(labels, 7)
numbers = random.integers(0, 2, (40, 7)).astype(np.float32)
cases = [
    ("categoricalAccuracy", {}, keras.metrics.CategoricalAccuracy(), rows),
    ("sparseCategoricalAccuracy", {}, keras.metrics.SparseCategoricalAccuracy(), labels),
    ("binaryAccuracy", {}, keras.metrics.BinaryAccuracy(), numbers),
    ("binaryAccuracy", {"threshold": 0.2}, keras.metrics.BinaryAccuracy(threshold=0.2), numbers),
    ("topKCategoricalAccuracy", {}, keras.metrics.TopKCategoricalAccuracy(), rows),
    ("topKCategoricalAccuracy", {"k": 2}, keras.metrics.TopKCategoricalAccuracy(k=2), rows),
    ("sparseTopKCategoricalAccuracy", {"k": 3}, keras.metrics.SparseTopKCategoricalAccuracy(k=3), labels),
    ("meanSquaredError", {}, keras.metrics.MeanSquaredError(), numbers),
]
found = []
for name, options, metric, targets in cases:
    metric.update_state(targets, output)
    serialized = keras.saving.serialize_keras_object(metric)
    kind = "labels" if targets is labels else "rows" if targets is rows else "numbers"
    found.append({"name": name, "options": options, "targets": kind, "value": float(metric.result()), "saved": serialized})
data = {"output": output.tolist(), "labels": labels.tolist(), "rows": rows.tolist(), "numbers": numbers.tolist()}
pathlib.Path(sys.argv[1]).write_text(json.dumps({**data, "cases": found}) + "\n")
