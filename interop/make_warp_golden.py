"""Writes test/golden/warps.json: what real Keras makes of images with known translations, rotations and zooms.

Run it only when the file shall change: `interop/.venv/bin/python interop/make_warp_golden.py`.

For each layer, fill mode and interpolation: what is drawn for each image (two images by the layer, others chosen), as shares of
the size, turns and zooms, and the images that Keras's `transform_images` makes of it.
"""

import json
from pathlib import Path

from quiet_keras import keras

import numpy as np

layers = keras.layers

IMAGE = (4, 5, 1)
FILL_MODES = ("reflect", "constant", "wrap", "nearest")
INTERPOLATIONS = ("bilinear", "nearest")
FILL_VALUE = 0.75

rng = np.random.default_rng(3)
# Multiples of 1/64, which are short to write.
images = (rng.integers(-64, 65, (5, *IMAGE)) / 64).astype("float32")


def column(values):
    return np.asarray(values, "float32").reshape(-1, 1)


# By factory: the layer's class and factors, what is chosen beside what it draws, and how both become a transformation of
# Keras's and come out of one.
CASES = {
    "randomTranslation": (
        lambda **options: layers.RandomTranslation(1.0, 1.0, **options),
        [[0.25, -0.4], [1, 1], [-0.875, -0.7]],
        lambda found: np.asarray(found["translations"])[:, ::-1] / IMAGE[:2],
        lambda draws: {"translations": (draws * IMAGE[:2])[:, ::-1]},
    ),
    "randomRotation": (
        lambda **options: layers.RandomRotation(1.0, **options),
        [[0.2], [-0.4], [0]],  # A quarter turn of 4x5 ends between pixels: noise would choose the nearest.
        lambda found: column(found["angle"]) / 360,
        lambda draws: {"rotation_matrix": rotation(draws[:, 0] * 360)},
    ),
    "randomZoom": (
        lambda **options: layers.RandomZoom(0.9, 0.9, **options),
        [[2, 0.5], [1, 1], [0.25, 1.5]],
        lambda found: np.concatenate([found["height_zoom"], found["width_zoom"]], axis=1),
        lambda draws: {"height_zoom": draws[:, :1], "width_zoom": draws[:, 1:]},
    ),
}


def rotation(angle):
    zeros, ones = np.zeros_like(angle), np.ones_like(angle)
    return layers.RandomRotation(1.0)._compute_affine_matrix(
        center_x=0.5, center_y=0.5, angle=angle, translate_x=zeros, translate_y=zeros, scale=ones, shear_x=zeros, shear_y=zeros,
        height=IMAGE[0], width=IMAGE[1],
    )  # fmt: skip


def short(array):
    return [float(f"{value:.7g}") for value in np.asarray(array).ravel()]


def golden(factory, fill_mode, interpolation, seed):
    make, chosen, drawn_of, transformation_of = CASES[factory]
    layer = make(fill_mode=fill_mode, interpolation=interpolation, fill_value=FILL_VALUE, seed=seed)
    own = layer.get_random_transformation(images[:2], training=True)
    drawn = np.asarray(drawn_of(own), "float32")
    chosen = np.asarray(chosen, "float32")
    outputs = [
        layer.transform_images(images[:2], own),
        layer.transform_images(images[2:], transformation_of(chosen)),
    ]
    return {
        "factory": factory,
        "fillMode": fill_mode,
        "interpolation": interpolation,
        "draws": short(np.concatenate([drawn, chosen])),
        "outputs": short(np.concatenate(outputs)),
    }


cases = [
    golden(factory, fill_mode, interpolation, seed)
    for factory in CASES
    for seed, fill_mode in enumerate(FILL_MODES)
    for interpolation in INTERPOLATIONS
]
head = json.dumps({"shape": IMAGE, "fillValue": FILL_VALUE, "images": short(images)})[:-1]
rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
path = Path(__file__).parent.parent / "test" / "golden" / "warps.json"
path.write_text(f'{head}, "cases": [\n{rows}\n]}}\n')
