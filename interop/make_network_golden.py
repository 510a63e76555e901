"""Writes test/golden/networks/: networks with batch normalization and with penalties on weights, and how real Keras
trained them.

Run it only when the files shall change: `interop/.venv/bin/python interop/make_network_golden.py`.
"""

import json
from pathlib import Path

from quiet_keras import keras

import numpy as np

FOLDER = Path(__file__).parent.parent / "test" / "golden" / "networks"


def array(values):
    """Shape and elements, in the shortest form that gives back the same float32."""
    values = np.asarray(values, dtype="float32")
    return {"shape": list(values.shape), "data": [float(str(value)) for value in values.reshape(-1)]}


def batch_norm():
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


def penalties():
    layers, regularizers = keras.layers, keras.regularizers
    return keras.Sequential(
        [
            keras.Input((5, 4, 2)),
            layers.Conv2D(3, 2, kernel_regularizer=regularizers.L1L2(0.02, 0.03), bias_regularizer="l2"),
            layers.Flatten(),
            layers.Dense(4, kernel_regularizer=regularizers.L2(0.05), activation="relu"),
            layers.Dense(4, kernel_regularizer="l1", trainable=False),
            layers.Dense(3, kernel_regularizer="l1", bias_regularizer=regularizers.L1(0.1), activation="softmax"),
        ],
        name="penalized",
    )


def write(name, model):
    random = np.random.default_rng(5)
    # Not the first values, which would hide what they do.
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
    x = (random.normal(size=(11, 5, 4, 2)) * 2 + 1).astype("float32").round(2)
    y = np.eye(3, dtype="float32")[random.integers(0, 3, 11)]
    FOLDER.mkdir(exist_ok=True)
    model.save(FOLDER / f"{name}.h5")
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
    (FOLDER / f"{name}.json").write_text(json.dumps(golden) + "\n")


for make in (batch_norm, penalties):
    keras.utils.set_random_seed(5)
    write(make.__name__, make())
