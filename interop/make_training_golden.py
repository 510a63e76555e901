"""Writes test/golden/losses.json, optimizers.json and sample-weights.json: losses with their gradients, steps of
optimizers, and training with weights of samples, by real Keras.

Run it only when the files shall change: `interop/.venv/bin/python interop/make_training_golden.py`.
"""

import json
import os
import sys
import warnings

from quiet_keras import keras, tf

import numpy as np

losses, optimizers = keras.losses, keras.optimizers
schedules = optimizers.schedules

SAMPLES = 4
STEPS = 10
KEPT = (0, 1, STEPS - 1)  # steps after which the weights are kept


def numbers(array):
    """The elements in the shortest form that gives back the same float32."""
    return [float(str(value)) for value in np.asarray(array, "float32").ravel()]


def loss_cases():
    """loss, activation at the model's end, shape of one sample's output."""
    for smoothing in (0.0, 0.15):
        for make, activation in (
            (losses.CategoricalCrossentropy, "softmax"),
            (losses.BinaryCrossentropy, "sigmoid"),
        ):
            for shape in ((5,), (2, 3)):
                yield make(label_smoothing=smoothing), None, shape
            yield make(label_smoothing=smoothing), activation, (3, 2)
            yield make(label_smoothing=smoothing, from_logits=True), None, (4,)
    for shape in ((5,), (2, 3)):
        yield losses.SparseCategoricalCrossentropy(), None, shape
        yield losses.SparseCategoricalCrossentropy(), "softmax", shape
        yield losses.SparseCategoricalCrossentropy(from_logits=True), None, shape
    yield losses.BinaryCrossentropy(), "sigmoid", (1,)
    # Keras looks behind the activation, whatever it is told.
    yield losses.BinaryCrossentropy(from_logits=True), "sigmoid", (3,)
    yield losses.CategoricalCrossentropy(from_logits=True), "softmax", (3,)
    for shape in ((1,), (3,), (2, 2, 3)):
        yield losses.MeanSquaredError(), None, shape


def make_loss(number, loss, activation, shape):
    random = np.random.default_rng(number)
    is_logits = loss.get_config().get("from_logits", True) or activation
    if is_logits:
        outputs = random.normal(0, 3, (SAMPLES, *shape)).astype("float32")
        outputs.flat[0], outputs.flat[-1] = 40, -90
    else:
        # Probabilities, some of which are clipped.
        outputs = random.random((SAMPLES, *shape)).astype("float32")
        outputs.flat[0], outputs.flat[-1] = 0, 1
    classes = shape[-1]
    if "Sparse" in type(loss).__name__:
        targets = random.integers(0, classes, (SAMPLES, *shape[:-1])).astype("int32")
    elif "Categorical" in type(loss).__name__:
        targets = np.eye(classes, dtype="float32")[random.integers(0, classes, (SAMPLES, *shape[:-1]))]
    else:
        targets = random.random((SAMPLES, *shape)).astype("float32")
        targets.flat[0], targets.flat[1 % targets.size] = 1, 0
    variable = tf.Variable(outputs)
    with tf.GradientTape() as tape, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = loss(targets, keras.activations.get(activation)(variable))
    return {
        "loss": {"class_name": type(loss).__name__, "config": loss.get_config()},
        "activation": activation,
        "shape": shape,
        "outputs": numbers(outputs),
        "targets": numbers(targets),
        "value": float(value),
        "gradient": numbers(tape.gradient(value, variable)),
    }


def optimizer_cases():
    o = optimizers
    yield o.Adam()
    yield o.Adam(0.1, beta_1=0.8, beta_2=0.95, epsilon=1e-3)
    yield o.Adam(0.02, amsgrad=True)
    yield o.Adam(0.02, weight_decay=0.1, clipvalue=0.3)
    yield o.AdamW(0.02)
    yield o.AdamW(0.02, weight_decay=0.2, amsgrad=True, clipnorm=0.5)
    yield o.SGD()
    yield o.SGD(0.1, momentum=0.9)
    yield o.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.05)
    yield o.SGD(0.1, clipnorm=0.5)
    yield o.SGD(0.1, global_clipnorm=0.5)
    yield o.SGD(0.1, momentum=0.5, clipvalue=0.2)
    yield o.RMSprop()
    yield o.RMSprop(0.01, rho=0.8, epsilon=1e-4)
    yield o.RMSprop(0.01, momentum=0.7)
    yield o.RMSprop(0.01, centered=True)
    yield o.RMSprop(0.01, momentum=0.7, centered=True, weight_decay=0.1, global_clipnorm=1.5)
    yield o.Adadelta()
    yield o.Adadelta(1.0, rho=0.9, epsilon=1e-5)
    yield o.Adadelta(1.0, weight_decay=0.02, clipnorm=1.0)
    yield o.SGD(schedules.ExponentialDecay(0.1, 4, 0.5))
    yield o.Adam(schedules.ExponentialDecay(0.1, 4, 0.5, staircase=True), weight_decay=0.1)
    yield o.SGD(schedules.CosineDecay(0.1, 8, alpha=0.1))
    yield o.SGD(schedules.CosineDecay(0.01, 5, warmup_target=0.2, warmup_steps=3))


def gradients():
    """A gradient of each of two weights for each step: of many sizes, some zero."""
    random = np.random.default_rng(5)
    for step in range(STEPS):
        scales = 10.0 ** random.integers(-3, 1, 10)
        values = random.normal(0, 1, 10) * scales * (random.random(10) < 0.85) * (step != 6)
        values = values.astype("float32")
        yield values[:6].reshape(2, 3), values[6:]


def make_optimizer(optimizer, weights, steps):
    optimizer.name = "optimizer"
    variables = [keras.Variable(weight, name=name) for weight, name in zip(weights, ("kernel", "bias"))]
    kept = []
    for step, gradient in enumerate(steps):
        optimizer.apply_gradients(zip([tf.constant(part) for part in gradient], variables))
        if step in KEPT:
            kept.append(numbers(np.concatenate([variable.numpy().ravel() for variable in variables])))
    config = {name: value for name, value in optimizer.get_config().items() if value is not None}
    return {
        "optimizer": {"class_name": type(optimizer).__name__, "config": config},
        # Without the count of steps and the learning rate.
        "state": [variable.name for variable in optimizer.variables if tuple(variable.shape)],
        "weights": kept,
    }


def weighted_cases():
    """loss, activation, targets of 7 samples, arguments of fit."""
    labels = np.array([0, 2, 1, 1, 0, 2, 2])
    weights = np.array([0.5, 2, 0, 1, 3, 0.25, 1], "float32")
    one_hot = np.eye(3, dtype="float32")[labels]
    yield "categorical_crossentropy", "softmax", one_hot, {"sample_weight": weights}
    yield "categorical_crossentropy", "softmax", one_hot, {"class_weight": {0: 0.5, 2: 3}}
    yield "sparse_categorical_crossentropy", "softmax", labels, {"class_weight": {0: 2, 1: 0.1}}
    yield "mean_squared_error", "linear", one_hot / 2, {"sample_weight": weights}
    yield "binary_crossentropy", "sigmoid", labels[:, None] % 2, {"class_weight": {1: 4}}


def make_weighted(loss, activation, targets, arguments):
    random = np.random.default_rng(8)
    x = (random.integers(-8, 8, (len(targets), 4)) / 8).astype("float32")
    units = 1 if loss == "binary_crossentropy" else 3
    kernel = (random.integers(-8, 8, (4, units)) / 8).astype("float32")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(units, activation=activation)])
    metrics = ["accuracy"] if "categorical" in loss else []
    model.compile(loss=loss, optimizer=optimizers.SGD(0.5), metrics=metrics)
    model.set_weights([kernel, np.zeros(units)])
    weights = {name: value for name, value in arguments.items() if name == "sample_weight"}
    before = model.evaluate(x, targets, batch_size=3, verbose=0, return_dict=True, **weights)
    validation = {"validation_data": (x, targets, *weights.values())}
    history = model.fit(x, targets, batch_size=3, epochs=2, shuffle=False, verbose=0, **arguments, **validation).history
    return {
        "loss": loss,
        "activation": activation,
        "x": numbers(x),
        "y": {"shape": targets.shape, "data": numbers(targets)},
        "kernel": numbers(kernel),
        **{name: numbers(value) if name == "sample_weight" else value for name, value in arguments.items()},
        "evaluate": before,
        "history": history,
        "weights": numbers(np.concatenate([weight.ravel() for weight in model.get_weights()])),
    }


def write(folder, name, value):
    with open(os.path.join(folder, name), "w") as file:
        json.dump({"keras": keras.__version__, **value}, file, separators=(",", ":"))
        file.write("\n")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "test", "golden")
    cases = [make_loss(number, *case) for number, case in enumerate(loss_cases())]
    write(folder, "losses.json", {"samples": SAMPLES, "cases": cases})
    weights = np.float32([[1, -2, 0.5], [3e-3, 0, -0.25]]), np.float32([0.1, -0.7, 2, 1e-4])
    steps = list(gradients())
    golden = {
        "shapes": [weight.shape for weight in weights],
        "initial": numbers(np.concatenate([weight.ravel() for weight in weights])),
        "gradients": [numbers(np.concatenate([part.ravel() for part in step])) for step in steps],
        "steps": [step + 1 for step in KEPT],
        "cases": [make_optimizer(optimizer, weights, steps) for optimizer in optimizer_cases()],
    }
    write(folder, "optimizers.json", golden)
    write(folder, "sample-weights.json", {"cases": [make_weighted(*case) for case in weighted_cases()]})


if __name__ == "__main__":
    main()
