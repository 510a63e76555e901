"""Trains the recipe's network with Keras, batch by batch in the order of the file: lenet_losses.py DATA PADDING OUT STEPS...

Writes from as many starts as numbers of steps are given OUT-0.h5, the network before the first step, and OUT-0.json, the
loss of each step; and so on.
"""

import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402
from lenet_network import lenet  # noqa: E402

data, padding, out = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
x = np.fromfile(data / "train-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 28, 28, 1) / np.float32(255)
y = keras.utils.to_categorical(np.fromfile(data / "train-labels-idx1-ubyte", np.uint8)[8:])
for start, steps in enumerate(map(int, sys.argv[4:])):
    keras.utils.set_random_seed(7 + start)
    model = lenet(padding)
    model.save(f"{out}-{start}.h5")
    losses = []
    for step in range(steps):
        batch = slice(step * 128, (step + 1) * 128)
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x[batch], y[batch], return_dict=True)["loss"]))
    pathlib.Path(f"{out}-{start}.json").write_text(json.dumps(losses))
