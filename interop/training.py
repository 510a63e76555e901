"""What golden files, cases and checks have in common: how a training goes, and how arrays are written as JSON."""

import gzip
import os

import numpy as np


def to_json(array):
    """float32 values survive as the shortest decimals that give them back."""
    array = np.asarray(array)
    return {"shape": list(array.shape), "data": [float(str(value)) for value in array.astype("float32").ravel()]}


def from_json(value, dtype="float32"):
    return np.array(value["data"], dtype).reshape(value["shape"])


def batch_of(array, step, batch_size):
    """The samples of a step: in order, and from the start again when they run out."""
    start = step * batch_size % len(array)
    return array[start : start + batch_size]


def train(model, x, y, steps, batch_size, first=0):
    """Losses of `steps` steps, each of its batch alone: Keras would average over the calls."""
    losses = []
    for step in range(first, first + steps):
        model.reset_metrics()
        loss = model.train_on_batch(batch_of(x, step, batch_size), batch_of(y, step, batch_size))
        losses.append(float(np.ravel(loss)[0]))
    return losses


def evaluate(model, x, y):
    """{loss, accuracy} as Keras computes them."""
    model.reset_metrics()
    result = model.evaluate(x, y, batch_size=500, verbose=0, return_dict=True)
    return {name: float(value) for name, value in result.items()}


def read_idx(folder, name):
    """The array in an IDX file, gzipped or not."""
    path = os.path.join(folder, name)
    opener = open
    if not os.path.exists(path):
        path, opener = path + ".gz", gzip.open
    with opener(path, "rb") as file:
        content = file.read()
    rank = content[3]
    shape = np.frombuffer(content, ">u4", rank, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def mnist(folder, part):
    """Images (n, 28, 28, 1) in 0 to 1 and one-hot labels (n, 10). `part` is train or t10k."""
    images = read_idx(folder, f"{part}-images-idx3-ubyte")
    labels = read_idx(folder, f"{part}-labels-idx1-ubyte")
    return (images[..., None] / np.float32(255)).astype("float32"), np.eye(10, dtype="float32")[labels]
