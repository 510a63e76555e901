"""Loads the files that write_cases.mjs wrote with the real Keras and compares what they compute: check_cases.py DIR"""

import json
import logging
import pathlib
import sys
import tempfile
import warnings

from quiet_keras import keras  # isort: skip

import absl.logging
import h5py
import numpy as np
from keras.src.legacy.saving import legacy_h5_format


class Messages(logging.Handler):
    """What Keras logs, as a list."""

    def __init__(self):
        super().__init__()
        self.list = []

    def emit(self, record):
        self.list.append(record.getMessage())


def load_and_listen(path):
    """The model, and what Keras logged while it loaded it. A Python warning is an error."""
    logger, messages = absl.logging.get_absl_logger(), Messages()
    verbosity = absl.logging.get_verbosity()
    logger.addHandler(messages)
    absl.logging.set_verbosity(absl.logging.WARNING)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return keras.models.load_model(path), messages.list
    finally:
        logger.removeHandler(messages)
        absl.logging.set_verbosity(verbosity)


def load(path):
    """Loads a model. Whatever Keras says of it and not of its own file of the same model, we could have avoided."""
    model, ours = load_and_listen(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / f"copy{pathlib.Path(path).suffix}"
        model.save(copy)
        _, theirs = load_and_listen(copy)
    avoidable = [message for message in ours if message not in theirs]
    assert not avoidable, f"Keras warns: {avoidable}"
    return model


def restore_optimizer(model, path):
    """Gives the model the optimizer's state of the file.

    Keras 3.15 builds the optimizer of a legacy file on an empty list of variables, its own files' too: the state is not
    restored, and the first step fails. This is what its loader means to do.
    """
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(model.trainable_variables)
    with h5py.File(path) as file:
        values = [np.array(value) for value in legacy_h5_format.load_optimizer_weights_from_hdf5_group(file)]
        names = [str(name) for name in file["optimizer_weights"].attrs["weight_names"]]
    assert names == [variable.path for variable in optimizer.variables], f"optimizer's names: {names}"
    optimizer.load_own_variables({str(i): value for i, value in enumerate(values)})
    model.compile(optimizer=optimizer, loss=model.loss, metrics=["accuracy"])


def close(name, ours, theirs, tolerance):
    worst = float(np.max(np.abs(np.asarray(ours) - np.asarray(theirs))))
    assert worst <= tolerance, f"{name} differ by {worst:.2e}, at most {tolerance:.0e} is allowed"
    return worst


def check(folder, file):
    """Compares what the file computes and how its training goes on, and saves it again for read_cases.mjs."""
    expected = json.loads((folder / "expected.json").read_text())
    x = np.array(expected["inputs"], np.float32).reshape(expected["shape"])
    y = np.array(expected["targets"], np.float32).reshape(expected["targetShape"])
    model = load(folder / file)
    found = {"predictions": close("predictions", expected["predictions"], model.predict(x, verbose=0).ravel(), 1e-5)}
    if "score" in expected:
        score = model.evaluate(x, y, verbose=0, return_dict=True)
        theirs = [score[name] for name in expected["score"]]
        found["score"] = close("scores", list(expected["score"].values()), theirs, 1e-4)
    if file.endswith(".keras"):
        copy = keras.models.clone_model(model)
        copy.load_weights(folder / "model.weights.h5")
        found["weights"] = close("weights", model.predict(x, verbose=0), copy.predict(x, verbose=0), 0)
    elif expected["continued"]:
        restore_optimizer(model, folder / file)
    model.save(folder / file.replace("model", "back"))
    losses = []
    for _ in expected["continued"]:
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x[8:24], y[8:24], return_dict=True)["loss"]))
    if losses:
        found["continued"] = close("losses of continued training", expected["continued"], losses, 1e-3)
    return ", ".join(f"{name} within {worst:.1e}" for name, worst in found.items())


def main():
    failed = 0
    folders = sorted(path.parent for path in pathlib.Path(sys.argv[1]).glob("*/expected.json"))
    checks = [(folder, file) for folder in folders for file in ("model.h5", "model.keras")]
    for folder, file in checks:
        name = f"{folder.name}/{file}"
        try:
            print(f"ok      {name}: {check(folder, file)}")
        except Exception as error:  # noqa: BLE001
            failed += 1
            print(f"FAILED  {name}: {error}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not folders else 0)


if __name__ == "__main__":
    main()
