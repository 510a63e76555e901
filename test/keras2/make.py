"""Writes the files of this folder with Keras 2: pip install tensorflow-cpu==2.21.0 tf_keras==2.21.0; make.py"""

import json
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np  # noqa: E402
import tf_keras as keras  # noqa: E402

FOLDER = pathlib.Path(__file__).parent
BATCH = 4

layers, optimizers = keras.layers, keras.optimizers
scaling = keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform")

# Keras 2.11 renamed the optimizer's state; `legacy` writes as the versions before it did.
CASES = {
    "adam": (optimizers.Adam(0.01), True, "categorical_crossentropy"),
    "legacy_adam": (optimizers.legacy.Adam(0.01), False, keras.losses.CategoricalCrossentropy()),
    "nesterov": (optimizers.SGD(0.1, momentum=0.9, nesterov=True), False, "categorical_crossentropy"),
    "legacy_momentum": (optimizers.legacy.SGD(0.1, momentum=0.9), True, "categorical_crossentropy"),
    "amsgrad": (optimizers.Adam(0.01, amsgrad=True, clipnorm=0.5), True, "categorical_crossentropy"),
    "legacy_rmsprop": (
        optimizers.legacy.RMSprop(0.01, rho=0.8, momentum=0.5, centered=True), True, "categorical_crossentropy",
    ),
    "legacy_adadelta": (optimizers.legacy.Adadelta(1.0), True, "categorical_crossentropy"),
}


def build(with_input):
    shape = {} if with_input else {"input_shape": (6, 6, 1)}
    first = [layers.Input((6, 6, 1))] if with_input else []
    return keras.Sequential(
        first
        + [
            layers.Conv2D(2, 3, padding="same", activation="relu", **shape),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", kernel_initializer=scaling),
        ]
    )


def main():
    keras.utils.set_random_seed(1)
    x = np.random.rand(12, 6, 6, 1).astype(np.float32).round(3)
    labels = np.arange(12) % 3
    y = np.eye(3, dtype=np.float32)[labels]
    expected = {"x": x.ravel().tolist(), "labels": labels.tolist()}
    for name, (optimizer, with_input, loss) in CASES.items():
        keras.backend.clear_session()
        model = build(with_input)
        model.compile(optimizer, loss, ["accuracy"])
        model.fit(x, y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
        model.save(FOLDER / f"{name}.h5")
        score = model.evaluate(x, y, batch_size=BATCH, verbose=0)
        batches = [slice(start, start + BATCH) for start in range(0, 12, BATCH)] * 2
        # A metric would report its mean since the last epoch began; the loss is the batch's.
        losses = [float(model.train_on_batch(x[batch], y[batch], reset_metrics=True)[0]) for batch in batches]
        expected[name] = {"score": [float(value) for value in score], "losses": losses}
    x_text = [round(value, 3) for value in expected["x"]]
    (FOLDER / "expected.json").write_text(json.dumps({**expected, "x": x_text}))


main()
