"""Writes test/golden/versions/: one network, trained a little and saved by several versions of Keras, in each of their
formats, and how its training went on.

Run it only when the files shall change, once with each version installed beside TensorFlow: `make_version_golden.py NAME`,
or `make_version_golden.py NAME tf_keras` for Keras 2. They were written by tf_keras 2.21.0 (`2.21`), Keras 3.0.5 (`3.0`)
and Keras 3.15.1 (`3.15`).
"""

import importlib
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np  # noqa: E402

FOLDER = Path(__file__).parent.parent / "test" / "golden" / "versions"
BATCH = 4


def network(keras):
    layers, regularizers = keras.layers, keras.regularizers
    return keras.Sequential(
        [
            keras.Input((7, 6, 1)),
            layers.Rescaling(0.5, offset=0.25),
            layers.ZeroPadding2D(1),
            layers.Conv2D(3, 3, activation="relu", kernel_regularizer=regularizers.l2(0.01), name="stem"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(2, depth_multiplier=2),
            layers.LeakyReLU(),
            layers.AveragePooling2D(2, strides=1),
            layers.Conv2D(2, 2, padding="same", use_bias=False),
            layers.Activation("tanh"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.0),
            layers.Flatten(),
            layers.Dense(5, activation="elu"),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )


def main():
    name, package = sys.argv[1], (sys.argv[2:] or ["keras"])[0]
    keras = importlib.import_module(package)
    keras.utils.set_random_seed(1)
    x = np.random.rand(12, 7, 6, 1).astype(np.float32).round(3)
    y = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
    model = network(keras)
    optimizer = keras.optimizers.Adam(0.01, clipnorm=1.0)
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=["accuracy"])
    model.fit(x, y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
    FOLDER.mkdir(exist_ok=True)
    # Keras 3 forgets the optimizer's config once it has saved a legacy file.
    for ending in ["keras", "weights.h5", "h5"]:
        # Keras 2 writes other files of weights alone, and only the whole model is wanted of it.
        if ending != "weights.h5":
            model.save(FOLDER / f"{name}.{ending}")
        elif package == "keras":
            model.save_weights(FOLDER / f"{name}.{ending}")
    predictions = model.predict(x, verbose=0).ravel().tolist()
    score = [float(value) for value in model.evaluate(x, y, batch_size=BATCH, verbose=0)]
    losses = []
    for step in range(6):
        batch = slice(step * BATCH % 12, step * BATCH % 12 + BATCH)
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x[batch], y[batch])[0]))
    pixels = [round(float(value), 3) for value in x.ravel()]
    golden = {"x": pixels, "predictions": predictions, "score": score, "losses": losses}
    (FOLDER / f"{name}.json").write_text(json.dumps(golden))


main()
