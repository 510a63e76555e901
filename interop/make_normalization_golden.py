"""Writes test/golden/normalization/: a network with batch normalization, and how real Keras trained it.

Run it only when the files shall change: `interop/.venv/bin/python interop/make_normalization_golden.py`.
"""

import json
from pathlib import Path

from quiet_keras import keras

import numpy as np

FOLDER = Path(__file__).parent.parent / "test" / "golden" / "normalization"


def array(values):
    """Shape and elements, in the shortest form that gives back the same float32."""
    values = np.asarray(values, dtype="float32")
    return {"shape": list(values.shape), "data": [float(str(value)) for value in values.reshape(-1)]}


def network():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((5, 4, 2)),
            layers.Conv2D(5, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Flatten(),
            layers.Dense(6),
            layers.BatchNormalization(momentum=0.9, epsilon=0.01, scale=False),
            layers.Activation("tanh"),
            layers.BatchNormalization(center=False),
            layers.BatchNormalization(trainable=False),
            layers.Dense(3, activation="softmax"),
        ],
        name="normalized",
    )


def main():
    keras.utils.set_random_seed(5)
    random = np.random.default_rng(5)
    model = network()
    # Not the first values, which would hide what they do.
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
    x = (random.normal(size=(11, 5, 4, 2)) * 2 + 1).astype("float32").round(2)
    y = np.eye(3, dtype="float32")[random.integers(0, 3, 11)]
    FOLDER.mkdir(exist_ok=True)
    model.save(FOLDER / "batch_norm.h5")
    # Batches of 4, 4 and 3, three times over.
    before = model.predict(x, verbose=0)
    losses = []
    first = None
    for _ in range(3):
        for start in range(0, 11, 4):
            batch = slice(start, start + 4)
            losses.append(float(model.train_on_batch(x[batch], y[batch])))
            first = first or [array(weight) for weight in model.get_weights()]
    golden = {
        "inputs": array(x),
        "targets": array(y),
        "predictions": array(before),
        "losses": losses,
        "afterOneStep": first,
        "afterAll": [array(weight) for weight in model.get_weights()],
        "evaluate": float(model.evaluate(x, y, batch_size=4, verbose=0)),
    }
    (FOLDER / "batch_norm.json").write_text(json.dumps(golden) + "\n")


main()
