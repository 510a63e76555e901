"""Writes the golden files of test/golden/: what real Keras saves, predicts and computes, so that tests need no Python.

Run it only when the files shall change: `interop/.venv/bin/python interop/make_golden.py`.
"""

import json
import os
import sys

from quiet_keras import keras

import h5py
import numpy as np

from training import evaluate, to_json, train

layers, losses, optimizers = keras.layers, keras.losses, keras.optimizers

BATCH = 8
BEFORE = 3  # steps before the file is saved, so that the optimizer has a state
AFTER = 10  # steps after, whose losses are kept


def cases():
    """name, input shape, layers, compile arguments, whether labels are class numbers."""
    one_hot = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    sparse = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    yield (
        "lenet_small_adam", (12, 12, 1),
        [
            layers.Conv2D(4, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(6, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(12, activation="relu"),
            layers.Dense(5, activation="softmax"),
        ],
        {**one_hot, "optimizer": "adam"}, False,
    )  # fmt: skip
    yield (
        "strides_nesterov", (11, 9, 2),
        [
            layers.Conv2D(5, (3, 2), strides=(2, 1), padding="same", use_bias=False),
            layers.Activation("tanh"),
            layers.MaxPooling2D((3, 2), strides=(2, 1), padding="same"),
            layers.Conv2D(4, (2, 3), strides=2, padding="valid", activation="sigmoid", kernel_initializer="he_normal"),
            layers.Flatten(),
            layers.Dense(4),
        ],
        {
            "loss": losses.CategoricalCrossentropy(from_logits=True),
            "metrics": ["accuracy"],
            "optimizer": optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        },
        False,
    )  # fmt: skip
    yield (
        "overlapping_pools_momentum", (10, 10, 3),
        [
            layers.Conv2D(4, 1, activation="linear"),
            layers.MaxPooling2D(3, strides=1),
            layers.Conv2D(3, 4, padding="same", activation="relu"),
            layers.MaxPooling2D((2, 3), strides=(3, 2), padding="valid"),
            layers.Flatten(),
            layers.Dense(7, activation="tanh", use_bias=False),
            layers.Dense(3),
            layers.Activation("softmax"),
        ],
        {**sparse, "optimizer": optimizers.SGD(0.1, momentum=0.8)}, True,
    )  # fmt: skip
    yield (
        "dense_sgd", (9,),
        [layers.Dense(8, activation="sigmoid", kernel_initializer="he_normal"), layers.Dense(4)],
        {
            "loss": losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": ["accuracy"],
            "optimizer": optimizers.SGD(0.2),
        },
        True,
    )  # fmt: skip
    yield (
        "adam_options", (6, 6, 1),
        [layers.Conv2D(3, 3, padding="same", activation="relu"), layers.Flatten(), layers.Dense(3, activation="softmax")],
        {**one_hot, "optimizer": optimizers.Adam(0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-5)}, False,
    )  # fmt: skip
    yield (
        "amsgrad_schedule", (7,), [layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")],
        {
            "loss": losses.CategoricalCrossentropy(label_smoothing=0.1),
            "metrics": ["accuracy"],
            "optimizer": optimizers.AdamW(
                optimizers.schedules.CosineDecay(0.01, 8, alpha=0.1, warmup_target=0.05, warmup_steps=5),
                amsgrad=True, clipnorm=0.1,
            ),
        },
        False,
    )  # fmt: skip
    yield (
        "rmsprop_options", (7,), [layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")],
        {
            **sparse,
            "optimizer": optimizers.RMSprop(
                0.01, rho=0.8, momentum=0.5, epsilon=1e-4, centered=True, weight_decay=0.05, global_clipnorm=0.2
            ),
        },
        True,
    )  # fmt: skip
    yield (
        "adadelta_clip", (7,), [layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")],
        {**one_hot, "optimizer": optimizers.Adadelta(2.0, rho=0.9, epsilon=1e-4, clipvalue=0.05)}, False,
    )  # fmt: skip
    yield (
        "many_layers", (7, 6, 1),
        [
            layers.Rescaling(2.0, offset=-1.0),
            layers.ZeroPadding2D(((1, 0), (0, 2))),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Conv2D(4, 2, dilation_rate=2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(5, 2, activation="swish"),
            layers.AveragePooling2D(2, strides=1, padding="same"),
            layers.Reshape((-1, 1, 5)),
            layers.ReLU(max_value=6.0),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
            layers.Softmax(),
        ],
        {**one_hot, "optimizer": optimizers.Adam(0.01)}, False,
    )  # fmt: skip


def make_case(folder, number, name, shape, body, compile_arguments, is_sparse):
    keras.backend.clear_session()
    keras.utils.set_random_seed(number)
    model = keras.Sequential([layers.Input(shape), *body])
    model.compile(**compile_arguments)
    random = np.random.default_rng(number)
    classes = model.output_shape[-1]
    # Multiples of 1/64 are exact and short.
    x = (random.integers(0, 64, (24, *shape)) / 64).astype("float32")
    labels = random.integers(0, classes, 24)
    y = labels.astype("int32") if is_sparse else np.eye(classes, dtype="float32")[labels]
    train(model, x, y, BEFORE, BATCH)
    model.save(os.path.join(folder, f"{name}.h5"))
    golden = {
        "keras": keras.__version__,
        "inputs": to_json(x),
        "targets": to_json(y),
        "batchSize": BATCH,
        "firstStep": BEFORE,
        "iterations": int(model.optimizer.iterations),
        "predictions": to_json(model.predict(x, verbose=0)),
        "evaluate": evaluate(model, x, y),
        "losses": train(model, x, y, AFTER, BATCH, BEFORE),
        "finalWeights": [{"name": weight.path, **to_json(weight.numpy())} for weight in model.weights],
    }
    write(folder, f"{name}.json", golden)


def make_formats(folder):
    """A file in the ways that Keras 2, and h5py before 3, wrote what today's Keras writes otherwise."""
    value = np.array([[1, -2.5], [0.1, 3e-5], [65504, -0.0]])
    with h5py.File(os.path.join(folder, "formats.h5"), "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "größe"}}).encode()
        file.attrs["keras_version"] = np.bytes_(b"2.13.1")
        weights = file.create_group("model_weights")
        # Lists in pieces, of strings of fixed length.
        weights.attrs["layer_names0"] = np.array([b"dense", "größe".encode()])
        weights.attrs["layer_names1"] = np.array([b"empty"])
        dense = weights.create_group("dense")
        dense.attrs["weight_names"] = np.array([b"dense/kernel:0", b"dense/bias:0"])
        dense.create_dataset("dense/kernel:0", data=value.astype("float16"))
        dense.create_dataset("dense/bias:0", data=value.astype(">f4"))
        other = weights.create_group("größe")
        other.attrs["weight_names"] = ["größe/kernel:0".encode()]
        other.create_dataset("größe/kernel:0", data=value.astype("float64"), chunks=(2, 2))
        weights.create_group("empty").attrs["weight_names"] = []
        state = file.create_group("optimizer_weights")
        state.attrs["weight_names"] = np.array([b"iteration:0", b"learning_rate:0"])
        state.create_dataset("iteration:0", data=np.array(1234, ">i8"))
        state.create_dataset("learning_rate:0", data=np.float32(0.25))


def make_newer_formats(folder):
    """A model of many layers in HDF5's newer format, in which large groups and many attributes are kept otherwise."""
    names = [f"layer_{i}" for i in range(60)]
    with h5py.File(os.path.join(folder, "formats_latest.h5"), "w", libver="latest", track_order=True) as file:
        for i in range(10):
            file.attrs[f"note_{i}"] = f"note {i}"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "größe"}})
        weights = file.create_group("model_weights", track_order=True)
        weights.attrs["layer_names"] = names
        for i, name in enumerate(names):
            layer = weights.create_group(name)
            layer.attrs["weight_names"] = ["kernel"]
            layer.create_dataset("kernel", data=np.float32(i))


def write(folder, name, value):
    with open(os.path.join(folder, name), "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "test", "golden")
    os.makedirs(folder, exist_ok=True)
    for number, case in enumerate(cases(), 1):
        make_case(folder, number, *case)
    make_formats(folder)
    make_newer_formats(folder)


if __name__ == "__main__":
    main()
