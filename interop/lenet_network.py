"""The recipe's network in Keras, untrained."""

import keras
from keras import layers


def lenet(padding="same"):
    model = keras.Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(20, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(50, 5, padding=padding, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(500, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model
