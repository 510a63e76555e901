"""Reads the file of write_arrays.mjs with NumPy. Usage: check_arrays.py FILE"""

import sys
import zipfile

import numpy as np

assert zipfile.ZipFile(sys.argv[1]).testzip() is None
expected = {
    "images": (np.arange(120) * 2).astype(np.uint8).reshape(5, 4, 3, 2),
    "labels": np.array([[-1], [2**31 - 1]], np.int32),
    "floats": np.array([0.1, -3e38, 0], np.float32),
    "un prénom": np.zeros((0, 7), np.float32),
}
with np.load(sys.argv[1], allow_pickle=False) as found:
    assert set(found) == set(expected), set(found)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        assert (found[name] == array).all(), name
print("arrays: NumPy reads them")
