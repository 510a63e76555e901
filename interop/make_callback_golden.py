"""Writes what Keras's callbacks do on some courses of a value: make_callback_golden.py OUT.json"""

import json
import pathlib
import sys

import quiet_keras  # noqa: F401
import keras
import numpy as np


class Model:
    """As much of a model as the callbacks touch: its weights are the number of the epoch."""

    def __init__(self):
        self.optimizer = keras.optimizers.SGD(0.5)
        self.stop_training = False
        self.weights = None
        self.metrics = []

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


courses = {
    "falls and rises": [1, 0.8, 0.7, 0.75, 0.72, 0.71, 0.9, 0.6, 0.95, 0.96, 0.97],
    "hardly falls": [1, 0.9995, 0.999, 0.9985, 0.998, 0.9975, 0.997, 0.9965],
    "stays": [0.5] * 9,
    "rises": [0.1, 0.2, 0.3, 0.4, 0.5],
}
stopping = [
    {},
    {"patience": 2},
    {"patience": 3, "restore_best_weights": True},
    {"patience": 2, "min_delta": 0.001, "restore_best_weights": True},
    {"patience": 1, "baseline": 0.75, "restore_best_weights": True},
    {"patience": 1, "start_from_epoch": 3, "restore_best_weights": True},
    {"patience": 2, "mode": "max", "restore_best_weights": True},
]
plateau = [
    {"patience": 2},
    {"patience": 1, "factor": 0.5, "cooldown": 2},
    {"patience": 1, "factor": 0.5, "min_lr": 0.2},
    {"patience": 2, "min_delta": 0.2, "factor": 0.3, "mode": "max"},
]


def run(callback, values):
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        model.weights = [np.float32(epoch)]
        logs = {"val_loss": value}
        callback.on_epoch_end(epoch, logs)
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end()
    return {"epochs": len(rates), "rates": rates, "weights": float(model.weights[0])}


cases = []
for course, values in courses.items():
    for options in stopping:
        found = run(keras.callbacks.EarlyStopping("val_loss", **options), values)
        cases.append({"name": "earlyStopping", "course": course, "values": values, "options": options, **found})
    for options in plateau:
        found = run(keras.callbacks.ReduceLROnPlateau("val_loss", **options), values)
        cases.append({"name": "reduceLROnPlateau", "course": course, "values": values, "options": options, **found})
pathlib.Path(sys.argv[1]).write_text(json.dumps(cases) + "\n")
