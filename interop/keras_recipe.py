"""Runs the recipe with Keras, the samples in their order, for verify.mjs: keras_recipe.py DATA FOLDER SEED EPOCHS STEPS

Writes into FOLDER start.h5, the network before training; gradients.bin, the loss's gradients of the first batch, float32 in
the order of the weights; final.h5, the network after it; and keras.json: the history, and the score on the test set.
STEPS is the number of steps an epoch, all where it is 0.
"""

import json
import pathlib
import sys

from quiet_keras import keras, tf  # isort: skip
import numpy as np
from lenet_network import lenet
from training import evaluate, mnist

BATCH = 128


def gradients(model, x, y):
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.losses.categorical_crossentropy(y, model(x, training=True)))
    return tape.gradient(loss, [variable.value for variable in model.trainable_variables])


def main():
    data, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    seed, epochs, steps = map(int, sys.argv[3:])
    x, y = mnist(data, "train")
    if steps > 0:
        x, y = x[: steps * BATCH], y[: steps * BATCH]
    test = mnist(data, "t10k")
    keras.utils.set_random_seed(seed)
    model = lenet()
    model.save(folder / "start.h5")
    found = gradients(model, x[:BATCH], y[:BATCH])
    (folder / "gradients.bin").write_bytes(b"".join(np.asarray(one, "<f4").tobytes() for one in found))
    fit = model.fit(x, y, batch_size=BATCH, epochs=epochs, shuffle=False, validation_data=test, verbose=0)
    model.save(folder / "final.h5")
    history = {name: [float(value) for value in values] for name, values in fit.history.items()}
    (folder / "keras.json").write_text(json.dumps({"history": history, "test": evaluate(model, *test)}))


if __name__ == "__main__":
    main()
