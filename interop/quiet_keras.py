"""Keras on TensorFlow, on the CPU, without the noise that TensorFlow prints. Import this before anything else of theirs."""

import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

# TensorFlow's native code prints before Python can stop it: it gets nowhere to print while it loads.
_stderr = os.dup(2)
_nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(_nowhere, 2)
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import absl.logging
        import keras
        import tensorflow as tf

        tf.constant(0.0)  # Starts the runtime, which prints as well.
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)
    os.close(_nowhere)

absl.logging.set_verbosity("error")
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
