"""Writes HDF5 files that mean harm, or look like it, by h5py: make_corpus.py, into test/corpus/files/

All are one small Keras model, each with one thing wrong; `sound.h5` has nothing wrong. `npm test` reads them.
"""

import json
import pathlib
import shutil

import h5py
import numpy as np

FOLDER = pathlib.Path(__file__).parent.parent / "test" / "corpus" / "files"
LAYER = "model_weights/dense"
KERNEL = f"{LAYER}/kernel"


def dense(**changes):
    config = {"name": "dense", "units": 2, "activation": "softmax", "use_bias": True}
    return {"class_name": "Dense", "config": {**config, **changes}}


def config_of(*layers, shape=(3,)):
    first = {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, *shape]}}
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": [first, *layers]}}


def sound(file):
    file.attrs["keras_version"] = "3.15.1"
    file.attrs["model_config"] = json.dumps(config_of(dense()))
    weights = file.create_group("model_weights")
    weights.attrs["layer_names"] = [b"dense"]
    layer = weights.create_group("dense")
    layer.attrs["weight_names"] = [b"kernel", b"bias"]
    layer["kernel"] = np.arange(6, dtype="<f4").reshape(3, 2)
    layer["bias"] = np.zeros(2, "<f4")


CASES = {"sound": lambda file: None}


def case(make):
    """A case by its function's name."""
    CASES[make.__name__.replace("_", "-")] = make
    return make


def kernel_as(file, **options):
    """Another data set in the kernel's place."""
    del file[KERNEL]
    return file.create_dataset(KERNEL, **options)


# Links.


@case
def external_link(file):
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("sound.h5", f"/{KERNEL}")


@case
def external_link_to_passwords(file):
    del file["model_weights"]
    file["model_weights"] = h5py.ExternalLink("/etc/passwd", "/")


@case
def soft_link(file):
    file.move(KERNEL, f"{LAYER}/other")
    file[KERNEL] = h5py.SoftLink(f"/{LAYER}/other")


@case
def soft_links_in_a_circle(file):
    del file[LAYER]
    file[LAYER] = h5py.SoftLink("/model_weights/back")
    file["model_weights/back"] = h5py.SoftLink(f"/{LAYER}")


@case
def soft_link_to_nothing(file):
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/nowhere")


@case
def group_in_itself(file):
    file[f"{LAYER}/dense"] = file[LAYER]
    file[LAYER].attrs["weight_names"] = [("dense/" * 400 + "kernel").encode(), b"bias"]


@case
def group_in_itself_without_end(file):
    file[f"{LAYER}/dense"] = file[LAYER]
    file[LAYER].attrs["weight_names"] = [("dense/" * 10_000 + "none").encode()]


@case
def root_in_a_layer(file):
    del file[LAYER]
    file[LAYER] = file["/"]


# Elements that lie elsewhere, or are not as many as they seem.


def stored_in(name, path):
    CASES[name] = lambda file: kernel_as(file, shape=(3, 2), dtype="<f4", external=[(path, 0, 24)])


stored_in("external-storage", "/etc/passwd")
# What the reader's own file system has: the file itself, and devices.
stored_in("external-storage-in-itself", "/file.h5")
stored_in("external-storage-in-a-device", "/dev/stdin")


@case
def virtual_data_set(file):
    del file[KERNEL]
    layout = h5py.VirtualLayout((3, 2), "<f4")
    layout[:] = h5py.VirtualSource("sound.h5", f"/{KERNEL}", (3, 2), "<f4")
    file[LAYER].create_virtual_dataset("kernel", layout)


@case
def virtual_data_set_of_itself(file):
    del file[KERNEL]
    layout = h5py.VirtualLayout((3, 2), "<f4")
    layout[:] = h5py.VirtualSource(".", f"/{KERNEL}", (3, 2), "<f4")
    file[LAYER].create_virtual_dataset("kernel", layout)


@case
def gzip_bomb(file):
    kernel_as(file, shape=(2**24, 4), dtype="<f4", chunks=(2**22, 4), compression="gzip", compression_opts=9)[:1] = 0


@case
def shuffled(file):
    kernel_as(file, data=np.zeros((3, 2), "<f4"), chunks=(3, 2), shuffle=True)


@case
def scaled(file):
    kernel_as(file, data=np.zeros((3, 2), "<f4"), chunks=(3, 2), scaleoffset=2)


@case
def in_chunks(file):
    kernel_as(file, data=np.arange(6, dtype="<f4").reshape(3, 2), chunks=(1, 1))


@case
def never_written(file):
    kernel_as(file, shape=(3, 2), dtype="<f4", fillvalue=7)


@case
def a_terabyte_never_written(file):
    kernel_as(file, shape=(2**20, 2**18), dtype="<f4")


@case
def a_shape_beyond_numbers(file):
    kernel_as(file, shape=(2**31, 2**31, 1), dtype="<f4", chunks=(1, 1, 1))


@case
def thirty_two_dimensions(file):
    kernel_as(file, data=np.zeros((1,) * 32, "<f4"))


@case
def no_elements(file):
    kernel_as(file, shape=(3, 0), dtype="<f4")


@case
def no_space_at_all(file):
    kernel_as(file, data=h5py.Empty("<f4"))


# Elements of other types.


def of_type(name, dtype, data=None):
    CASES[name] = lambda file: kernel_as(file, **({"shape": (3, 2), "dtype": dtype} if data is None else {"data": data}))


of_type("integers", "<i8")
of_type("complex-numbers", "<c8")
of_type("records", [("a", "<f4"), ("b", "<f4")])
of_type("lists-of-any-length", h5py.vlen_dtype(np.dtype("<f4")))
of_type("references", h5py.ref_dtype)
of_type("texts", h5py.string_dtype())
of_type("opaque", "V8")
of_type("enumeration", h5py.enum_dtype({"NO": 0, "YES": 1}))
of_type("long-doubles", np.longdouble)
of_type("half-precision", None, np.arange(6, dtype="<f2").reshape(3, 2))
of_type("big-endian", None, np.arange(6, dtype=">f4").reshape(3, 2))
of_type("arrays-in-elements", np.dtype(("<f4", (2,))))


# Names.


@case
def a_weight_twice(file):
    file[LAYER].attrs["weight_names"] = [b"kernel", b"kernel", b"bias"]


@case
def a_weight_ten_thousand_times(file):
    del file[LAYER].attrs["weight_names"]
    file[LAYER].attrs.create("weight_names", np.array([b"k"] * 10_000, "S1"))
    file.move(KERNEL, f"{LAYER}/k")


@case
def a_layer_twice(file):
    file["model_weights"].attrs["layer_names"] = [b"dense", b"dense"]


@case
def layers_of_one_name(file):
    file.attrs["model_config"] = json.dumps(config_of(dense(), dense()))


@case
def names_that_climb(file):
    file[LAYER].attrs["weight_names"] = [b"../../model_weights/dense/kernel", b"bias"]


@case
def names_of_nothing(file):
    file[LAYER].attrs["weight_names"] = [b"", b"bias"]


@case
def names_that_objects_have(file):
    file["model_weights"].attrs["layer_names"] = [b"__proto__", b"constructor"]


@case
def names_in_no_alphabet(file):
    file[LAYER].attrs["weight_names"] = [b"\xff\xfe\x1b[2J", b"bias"]


@case
def names_that_are_numbers(file):
    file[LAYER].attrs["weight_names"] = [1.0, 2.0]


@case
def a_missing_weight(file):
    del file[f"{LAYER}/bias"]


# Configs.


def config(name, layer=None, text=None, **options):
    value = text if text is not None else json.dumps(config_of(layer or dense(), **options))
    CASES[name] = lambda file: file.attrs.__setitem__("model_config", value)


config("config-that-is-no-json", text="{'class_name': Sequential")
config("config-that-is-a-list", text="[]")
config("config-that-nests", text="[" * 20_000 + "]" * 20_000)
config("config-that-names-prototypes", text='{"__proto__": {"class_name": "Sequential", "config": {}}}')
config("config-with-infinity", text=json.dumps(config_of(dense(units=float("inf")))))
config("code-in-a-layer", {"class_name": "Lambda", "config": {"name": "x", "function": ["4wEAAAA=", None, None]}})
config("a-class-of-another-module", {"module": "os", "class_name": "system", "config": {"command": "true"}})
config("a-class-that-objects-have", {"class_name": "constructor", "config": {"name": "x"}})
config("units-beyond-memory", dense(units=2**40))
config("units-of-no-number", dense(units="2"))
config("units-below-zero", dense(units=-1))
config("inputs-beyond-numbers", shape=(2**31, 2**31, 2**31))
config("inputs-of-nothing", shape=(0,))
config(
    "filter-beyond-memory",
    {"class_name": "Conv2D", "config": {"name": "dense", "filters": 2**31, "kernel_size": [2**15, 2**15]}},
    shape=(2**16, 2**16, 3),
)
config("a-name-that-is-long", dense(name="x" * 40_000))


@case
def two_thousand_layers(file):
    flat = [{"class_name": "Flatten", "config": {"name": f"f{i}"}} for i in range(2_000)]
    text = json.dumps(config_of(*flat), separators=(",", ":"))
    del file.attrs["model_config"]
    # Too long for an object's header: only the newest kind of file holds it.
    file.attrs.create("model_config", np.array(text, h5py.string_dtype()))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name, make in CASES.items():
        with h5py.File(FOLDER / f"{name}.h5", "w") as file:
            sound(file)
            make(file)


if __name__ == "__main__":
    main()
