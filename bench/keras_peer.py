"""Keras as a contender; KERAS_BACKEND names the backend, `xla` in the configuration turns XLA on for TensorFlow.

For each line `NUMBER` on standard input it prints the milliseconds of that many runs.
"""

import json
import os
import pathlib
import sys
import time

config = json.loads(sys.argv[1])
threads = str(config["threads"])
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["OMP_NUM_THREADS"] = threads
os.environ["TF_NUM_INTRAOP_THREADS"] = threads
os.environ["TF_NUM_INTEROP_THREADS"] = threads

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402


def build(definition):
    model = keras.Sequential([keras.Input(definition["input"])])
    for layer in definition["layers"]:
        if "conv" in layer:
            norm = layer.get("norm", False)
            activation = None if norm else layer.get("activation", "relu")
            strides, padding = layer.get("strides", 1), layer["padding"]
            model.add(layers.Conv2D(layer["conv"], layer["kernel"], strides, padding=padding, activation=activation))
            if norm:
                model.add(layers.BatchNormalization())
                model.add(layers.ReLU())
        elif "pool" in layer:
            model.add(layers.MaxPooling2D(layer["pool"]))
        elif "dropout" in layer:
            model.add(layers.Dropout(layer["dropout"]))
        elif "flatten" in layer:
            model.add(layers.Flatten())
        else:
            model.add(layers.Dense(layer["dense"], activation=layer.get("activation", "softmax")))
    model.compile(
        loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"], jit_compile=config.get("xla", "auto")
    )
    return model


def mnist(part):
    data = pathlib.Path(config["data"])
    images = np.fromfile(data / f"{part}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 28, 28, 1)
    labels = np.fromfile(data / f"{part}-labels-idx1-ubyte", np.uint8)[8:]
    return images.astype("float32") / 255, np.eye(10, dtype="float32")[labels]


class Clock(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.times = []

    def on_train_batch_begin(self, batch, logs=None):
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.times.append((time.perf_counter() - self.began) * 1000)


definition = config["definition"]
task = config["task"]
if task == "recipe":
    (x, y), (xt, yt) = mnist("train"), mnist("t10k")
    model = build(definition)
    model.fit(x, y, batch_size=128, epochs=config["epochs"], validation_data=(xt, yt), verbose=0)
    model.save(config["out"])
    print(json.dumps(model.evaluate(xt, yt, verbose=0)))
    sys.exit()
if definition["data"] == "mnist":
    x, y = mnist("train" if task == "step" else "t10k")
else:
    x = np.random.rand(1280, *definition["input"]).astype("float32")
    y = np.eye(10, dtype="float32")[np.random.randint(0, 10, 1280)]
model = build(definition)


def steps(count):
    clock = Clock()
    n = min(len(x), count * 128)
    model.fit(x[:n], y[:n], batch_size=128, epochs=-(-count * 128 // n), shuffle=False, verbose=0, callbacks=[clock])
    return clock.times[:count]


def timed(run, count):
    times = []
    for i in range(count):
        began = time.perf_counter()
        run(i)
        times.append((time.perf_counter() - began) * 1000)
    return times


def direct():
    """The model behind a function that the backend compiles: its fastest way to ask for one image."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda image: model(image, training=False))
    return lambda image: keras.ops.convert_to_numpy(model(image, training=False))


if task == "direct":
    call = direct()
run = {
    "step": steps,
    "one": lambda count: timed(lambda i: model.predict(x[i % 100][None], verbose=0), count),
    "direct": lambda count: timed(lambda i: np.asarray(call(x[i % 100][None])), count),
    "many": lambda count: timed(lambda i: model.predict(x, batch_size=512, verbose=0), count),
}[task]
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(run(int(line.split()[0]))), flush=True)
