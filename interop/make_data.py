"""Writes test/golden/data/: data files as NumPy and Python 2 write them, pictures, and what Keras makes of them.

Run it only when the files shall change: `interop/.venv/bin/python interop/make_data.py`.
"""

import io
import json
import os
import pickle
import sys
import tarfile

from quiet_keras import keras

import h5py
import numpy as np
import tensorflow as tf
from keras.src.datasets.cifar import load_batch

FOLDER = os.path.join(os.path.dirname(__file__), "..", "test", "golden", "data")


def path(*names):
    return os.path.join(FOLDER, *names)


def write_arrays():
    arrays = {
        "bytes": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        "flags": np.array([True, False, True]),
        "labels": np.array([3, 0, -7, 2**31 - 1]),
        "shorts": np.array([[-300, 7], [32767, 0]], np.int16),
        "floats": np.array([0.5, -1e-3, 3e8], np.float32),
        "doubles": np.array([[1 / 3], [1e30], [-2.5]]),
        "swapped": np.array([1.5, -2.25], ">f4"),
        "columns": np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)),
        "scalar": np.array(7, np.int32),
        "none": np.zeros((0, 5), np.float32),
    }
    np.savez_compressed(path("arrays.npz"), **arrays)
    values = {name: {"shape": array.shape, "data": array.astype(float).ravel().tolist()} for name, array in arrays.items()}
    with open(path("arrays.json"), "w") as file:
        json.dump(values, file)
    np.savez(path("refused.npz"), x_train=np.array([[1], [2, 3]], object), y_train=np.array(["a"]), big=np.array([2**31]))


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2's cPickle wrote: byte strings, and NumPy's modules by their names of then."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        short = len(value) < 256
        length = len(value).to_bytes(1 if short else 4, "little")
        self.write((pickle.SHORT_BINSTRING if short else pickle.BINSTRING) + length + value)
        self.memoize(value)

    def save_global(self, value, name=None):
        module = value.__module__.replace("_core", "core")
        self.write(pickle.GLOBAL + f"{module}\n{name or value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes] = save_string


def write_cifar():
    """CIFAR-10's archive with 3 images a batch: pixel (image, channel, row, column) is a function of these numbers."""
    image, channel, row, column = np.meshgrid(*map(np.arange, (18, 3, 32, 32)), indexing="ij")
    pixels = ((image * 31 + channel * 64 + row * 2 + column // 4) % 256).astype(np.uint8)
    labels = [index % 10 for index in range(18)]
    with tarfile.open(path("cifar-10-python.tar.gz"), "w:gz") as archive:
        for batch, name in enumerate([f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]):
            part = slice(3 * batch, 3 * batch + 3)
            # The order of the array in memory is kept in the file; have both.
            data = np.array(pixels[part].reshape(3, -1), order="F" if batch == 1 else "C")
            content = io.BytesIO()
            Python2Pickler(content, 2).dump(
                {
                    b"batch_label": b"training batch %d of 5" % (batch + 1),
                    b"labels": labels[part],
                    b"data": data,
                    b"filenames": [b"a_%d.png" % i for i in range(3)],
                }
            )
            with open(path("batch"), "wb") as file:
                file.write(content.getvalue())
            read, read_labels = load_batch(path("batch"))
            assert (read == pixels[part]).all() and read_labels == labels[part]
            archive.add(path("batch"), f"cifar-10-batches-py/{name}")
    os.remove(path("batch"))
    with open(path("code.pickle"), "wb") as file:
        pickle.dump({"data": os.system}, file, 2)


def write_images():
    """Pictures in folders of classes, and what `image_dataset_from_directory` makes of them."""
    rng = np.random.default_rng(1)
    for name, shape in {
        "apple/a.png": (7, 5, 3),
        "apple/b.png": (4, 9, 1),
        "apple/more/c.png": (6, 8, 3),
        "pear/d.PNG": (13, 6, 4),
        "pear/e.png": (1, 1, 3),
    }.items():
        os.makedirs(os.path.dirname(path("fruit", name)), exist_ok=True)
        image = rng.integers(0, 256, shape, np.uint8)
        if shape[-1] == 4:
            image[..., 3] = 255  # TensorFlow drops what is transparent, and leaves the colour that is below
            image[2:5, :, 3] = 100
        with open(path("fruit", name), "wb") as file:
            file.write(tf.io.encode_png(image).numpy())
    expected = {}
    for mode in ("rgb", "rgba"):
        dataset = keras.utils.image_dataset_from_directory(
            path("fruit"), color_mode=mode, image_size=(4, 5), shuffle=False, batch_size=None, verbose=False
        )
        images = [[round(float(level), 2) for level in image.numpy().ravel()] for image, _ in dataset]
        expected[mode] = {"images": images, "labels": [int(label) for _, label in dataset]}
    expected["classNames"] = dataset.class_names
    expected["files"] = [os.path.relpath(file, path("fruit")) for file in dataset.file_paths]
    with open(path("fruit.json"), "w") as file:
        json.dump(expected, file)


def write_outside():
    """Models whose one weight says that its data lie elsewhere: what HDF5 can do and h5wasm has no way to write."""
    for name in ["external", "virtual"]:
        with h5py.File(path(f"{name}.h5"), "w") as file:
            file.attrs["model_config"] = "{}"
            weights = file.create_group("model_weights")
            weights.attrs["layer_names"] = [b"dense"]
            dense = weights.create_group("dense")
            dense.attrs["weight_names"] = [b"kernel"]
            if name == "external":
                dense.create_dataset("kernel", (4,), "<f4", external=[("/file.h5", 0, 16)])
            else:
                layout = h5py.VirtualLayout((4,), "<f4")
                layout[:] = h5py.VirtualSource("/file.h5", "kernel", (4,))
                dense.create_virtual_dataset("kernel", layout)


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    write_arrays()
    write_cifar()
    write_images()
    write_outside()
    sys.exit(0)
