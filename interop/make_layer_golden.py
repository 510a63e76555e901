"""Writes test/golden/layers/: a file a layer, with what real Keras says of each of its cases, for test/helpers/layers.ts.

Run it when a layer or a case is added: `interop/.venv/bin/python interop/make_layer_golden.py [FACTORY...]`.

Each layer stands in a small network, so that gradients go in and come out: a layer of weights before it, flatten and
dense behind it. Inputs and weights are numbers that the test makes again (`numbers`). Kept are the layer's config, its
output in inference, and what one step of gradient descent with rate 1 takes from each weight: its gradient, or what
training changes in a weight that is not trained.
"""

import json
import os
import sys

from quiet_keras import keras, tf

import numpy as np

layers = keras.layers

BATCH = 3
CLASSES = 3
IMAGE = (5, 6, 2)
ACTIVATIONS = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid "
    "log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid "
    "squareplus swish tanh tanh_shrink"
).split()
RANDOM = True  # The layer draws random numbers in training: its gradients are not kept.


def cases():
    """By factory: name → (layer, shape of a sample[, RANDOM])."""
    yield "conv2d", {
        "plain": (layers.Conv2D(3, 3), IMAGE),
        "same": (layers.Conv2D(3, 3, padding="same"), IMAGE),
        "even kernel, same": (layers.Conv2D(2, (2, 4), padding="same", bias_initializer="ones"), IMAGE),
        "strides": (layers.Conv2D(3, 2, strides=(2, 3)), IMAGE),
        "strides, same": (layers.Conv2D(2, (3, 2), strides=2, padding="same"), IMAGE),
        "no bias": (layers.Conv2D(3, 1, use_bias=False), IMAGE),
        "relu": (layers.Conv2D(3, 3, padding="same", activation="relu"), IMAGE),
        "softmax": (layers.Conv2D(3, 2, activation="softmax"), IMAGE),
        "swish": (layers.Conv2D(3, 2, activation="swish"), IMAGE),
        "dilation": (layers.Conv2D(3, 2, dilation_rate=(2, 3)), IMAGE),
        "dilation, same, relu": (layers.Conv2D(2, 3, dilation_rate=2, padding="same", activation="relu"), IMAGE),
    }
    yield "dense", {
        "plain": (layers.Dense(5), (6,)),
        "no bias": (layers.Dense(3, use_bias=False, kernel_initializer="he_normal"), (6,)),
        "relu": (layers.Dense(9, activation="relu"), (6,)),
        "sigmoid": (layers.Dense(3, activation="sigmoid"), (5,)),
        "gelu": (layers.Dense(3, activation="gelu"), (5,)),
    }
    yield "maxPooling2d", {
        "plain": (layers.MaxPooling2D(), IMAGE),
        "overlapping": (layers.MaxPooling2D((3, 2), strides=(2, 1)), IMAGE),
        "same": (layers.MaxPooling2D(2, padding="same"), IMAGE),
        "same, strides": (layers.MaxPooling2D(3, strides=2, padding="same"), IMAGE),
    }
    yield "dropout", {
        "image": (layers.Dropout(0.4, seed=3), (3, 4, 2), RANDOM),
        "vector": (layers.Dropout(0.25, seed=0), (9,), RANDOM),
        "nothing": (layers.Dropout(0.0, seed=0), (3, 4, 2)),
    }
    yield "randomTranslation", {
        "plain": (layers.RandomTranslation(0.25, 0.5, seed=3), IMAGE, RANDOM),
        "ranges": (
            layers.RandomTranslation((-0.5, 0.25), (0.125, 0.5), "constant", "nearest", seed=1, fill_value=0.5),
            IMAGE,
            RANDOM,
        ),
    }
    yield "randomRotation", {
        "plain": (layers.RandomRotation(0.25, seed=3), IMAGE, RANDOM),
        "range": (layers.RandomRotation((-0.125, 0.5), "nearest", "bilinear", seed=4), IMAGE, RANDOM),
    }
    yield "randomZoom", {
        "plain": (layers.RandomZoom(0.5, seed=3), IMAGE, RANDOM),
        "ranges": (layers.RandomZoom((-0.5, 0.25), 0.5, "wrap", seed=5), IMAGE, RANDOM),
    }
    yield "flatten", {
        "image": (layers.Flatten(), (3, 2, 2)),
        "vector": (layers.Flatten(), (4,)),
    }
    yield "activation", {
        **{name: (layers.Activation(name), (6,)) for name in ACTIVATIONS},
        "relu of an image": (layers.Activation("relu"), (3, 4, 2)),
        "softmax of an image": (layers.Activation("softmax"), (3, 4, 2)),
    }
    yield "reLU", {
        "plain": (layers.ReLU(), (6,)),
        "bounded": (layers.ReLU(max_value=0.5), (8,)),
        "six": (layers.ReLU(max_value=6), (8,)),
        "all options": (layers.ReLU(max_value=0.75, negative_slope=0.25, threshold=0.125), (3, 4, 2)),
        "threshold": (layers.ReLU(threshold=0.25), (8,)),
    }
    yield "leakyReLU", {
        "plain": (layers.LeakyReLU(), (6,)),
        "slope": (layers.LeakyReLU(negative_slope=0.125), (3, 4, 2)),
    }
    yield "softmax", {
        "vector": (layers.Softmax(), (6,)),
        "image": (layers.Softmax(), (3, 4, 3)),
    }
    yield "rescaling", {
        "image": (layers.Rescaling(1 / 127.5, offset=-1), (3, 4, 2)),
        "no offset": (layers.Rescaling(0.5), (6,)),
    }
    yield "reshape", {
        "image to image": (layers.Reshape((2, 6, 2)), (3, 4, 2)),
        "the rest": (layers.Reshape((-1, 4)), (3, 4, 2)),
        "vector to image": (layers.Reshape((2, 3, 1)), (6,)),
    }
    yield "averagePooling2d", {
        "plain": (layers.AveragePooling2D(2), IMAGE),
        "overlapping": (layers.AveragePooling2D((3, 2), strides=(2, 1)), IMAGE),
        "same": (layers.AveragePooling2D(2, padding="same"), IMAGE),
        "same, strides": (layers.AveragePooling2D(3, strides=2, padding="same"), IMAGE),
    }
    yield "globalAveragePooling2d", {
        "plain": (layers.GlobalAveragePooling2D(), (3, 4, 5)),
        "keepdims": (layers.GlobalAveragePooling2D(keepdims=True), (3, 4, 2)),
    }
    yield "globalMaxPooling2d", {
        "plain": (layers.GlobalMaxPooling2D(), (3, 4, 5)),
        "keepdims": (layers.GlobalMaxPooling2D(keepdims=True), (3, 4, 2)),
    }
    yield "zeroPadding2d", {
        "plain": (layers.ZeroPadding2D(), (3, 2, 2)),
        "a number": (layers.ZeroPadding2D(2), (1, 2, 2)),
        "two numbers": (layers.ZeroPadding2D((0, 2)), (3, 2, 2)),
        "four numbers": (layers.ZeroPadding2D(((1, 0), (0, 3))), (3, 2, 2)),
    }
    yield "batchNormalization", {
        "image": (layers.BatchNormalization(), (4, 3, 5)),
        "vector": (layers.BatchNormalization(axis=1, epsilon=0.1), (6,)),
        "no gamma": (layers.BatchNormalization(axis=3, scale=False), (3, 3, 2)),
        "no beta": (layers.BatchNormalization(center=False, momentum=0.5), (3, 3, 2)),
        "neither": (layers.BatchNormalization(center=False, scale=False), (5,)),
    }
    yield "depthwiseConv2d", {
        "plain": (layers.DepthwiseConv2D(3), IMAGE),
        "same": (layers.DepthwiseConv2D((2, 3), padding="same", activation="relu6"), IMAGE),
        "strides": (layers.DepthwiseConv2D(3, strides=2, padding="same"), IMAGE),
        "multiplier": (layers.DepthwiseConv2D(2, depth_multiplier=3, use_bias=False), IMAGE),
        "dilation": (layers.DepthwiseConv2D(2, dilation_rate=(2, 3)), IMAGE),
        "dilation, same": (layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"), IMAGE),
        "penalties": (layers.DepthwiseConv2D(2, depthwise_regularizer="l2", bias_regularizer=keras.regularizers.L1(1 / 64)), IMAGE),
    }


def numbers(shape, seed):
    """Multiples of 1/128 between -1 and 1 that depend on their place and the seed: 32-bit arithmetic, the same anywhere."""
    place = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint32)
    mixed = place * np.uint32(2654435761) + np.uint32(seed * 374761393 % 2**32)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(2246822519)
    return ((mixed >> np.uint32(24)).astype("float32") / 128 - 1).reshape(shape)


def first_value(weight, index):
    """Half as large, so that sums stay moderate; a variance is positive."""
    values = numbers(weight.shape, index + 1) / 2
    return np.abs(values) + 0.5 if "variance" in weight.name else values


def network(layer, shape):
    before = layers.Conv2D(shape[2], 2, padding="same") if len(shape) == 3 else layers.Dense(shape[0])
    return keras.Sequential([layers.Input(shape), before, layer, layers.Flatten(), layers.Dense(CLASSES, activation="softmax")])


def plain_config(value):
    """A config less what all layers have, what is None, and where Keras keeps a class."""
    if not isinstance(value, dict):
        return list(value) if isinstance(value, tuple) else value
    skipped = {"name", "trainable", "dtype", "module", "registered_name", "build_config"}
    # At their defaults, and refused by Kerases that do not have them yet.
    skipped |= {"renorm", "renorm_momentum", "synchronized"}
    return {key: plain_config(item) for key, item in value.items() if key not in skipped and item is not None}


def changes(model, x, y):
    """What a step of gradient descent with rate 1 takes from the weights, less those of the last layer, which is ours."""
    before = {weight.path: weight.numpy() for weight in model.weights}
    with tf.GradientTape() as tape:
        loss = keras.losses.CategoricalCrossentropy()(y, model(x, training=True)) + sum(model.losses)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    found = {weight.path: gradient.numpy() for weight, gradient in zip(model.trainable_weights, gradients)}
    return [short(found.get(w.path, before[w.path] - w.numpy())) for w in model.weights[:-2]]


def short(array):
    return [float(f"{value:.7g}") for value in np.asarray(array).ravel()]


def golden(layer, shape, is_random=False):
    model = network(layer, shape)
    model.set_weights([first_value(weight, index) for index, weight in enumerate(model.weights)])
    x = numbers((BATCH, *shape), 0)
    y = np.eye(CLASSES, dtype="float32")[[(n * 7 + 1) % CLASSES for n in range(BATCH)]]
    output = keras.Sequential([layers.Input(shape), *model.layers[:2]])(x, training=False)
    found = {
        "input": list(shape),
        "output": list(output.shape[1:]),
        "config": plain_config(layer.get_config()),
        "values": short(output),
    }
    return found if is_random else {**found, "changes": changes(model, x, y)}


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "golden", "layers")
    os.makedirs(folder, exist_ok=True)
    for factory, by_name in cases():
        if len(sys.argv) > 1 and factory not in sys.argv[1:]:
            continue
        found = {name: golden(*case) for name, case in by_name.items()}
        rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in found.items())
        with open(os.path.join(folder, f"{factory}.json"), "w") as file:
            file.write(f"{{\n{rows}\n}}\n")


if __name__ == "__main__":
    main()
