"""What `lenet predict MODEL IMAGE` does, in Keras: the digit in a picture of 28x28."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: E402
import numpy as np  # noqa: E402

model = keras.models.load_model(sys.argv[1], compile=False)
image = np.fromfile(sys.argv[2], np.uint8).reshape(1, 28, 28, 1).astype("float32") / 255
print(int(np.argmax(model.predict(image, verbose=0))))
