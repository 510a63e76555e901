"""Scores the model that `lenet train` saved with the real Keras, on the test set: check_recipe.py DATA MODEL LOG

LOG holds what `lenet train --json` printed; its last line says what we make of the same model.
"""

import json
import pathlib
import sys

from check_cases import load
from training import evaluate, mnist

data, path, log = sys.argv[1:]
ours = json.loads(pathlib.Path(log).read_text().splitlines()[-1])
theirs = evaluate(load(path), *mnist(data, "t10k"))
differences = {name: abs(ours[f"test_{name}"] - theirs[name]) for name in ("loss", "accuracy")}
holds = all(difference <= 1e-4 for difference in differences.values())
scores = ", ".join(f"test {name} within {value:.1e}" for name, value in differences.items())
print(f"{'ok    ' if holds else 'FAILED'}  the recipe's file: {scores}")
sys.exit(0 if holds else 1)
