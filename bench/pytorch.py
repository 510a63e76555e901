"""PyTorch as a contender, with its best settings on a CPU: channels_last, fused Adam, inference_mode.

For each line `NUMBER` on standard input it prints the milliseconds of that many runs.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

config = json.loads(sys.argv[1])
torch.set_num_threads(config["threads"])
torch.manual_seed(1)


def build(definition):
    height, width, channels = definition["input"]
    layers = []
    for layer in definition["layers"]:
        if "conv" in layer:
            kernel, stride = layer["kernel"], layer.get("strides", 1)
            if layer["padding"] == "same":
                out = -(-height // stride)
                pad = max((out - 1) * stride + kernel - height, 0)
                if pad % 2:
                    # As Keras pads: the odd row and column go to the end.
                    layers.append(nn.ZeroPad2d((pad // 2, pad - pad // 2, pad // 2, pad - pad // 2)))
                    pad = 0
                layers.append(nn.Conv2d(channels, layer["conv"], kernel, stride, pad // 2))
                height = width = out
            else:
                layers.append(nn.Conv2d(channels, layer["conv"], kernel, stride))
                height = width = (height - kernel) // stride + 1
            channels = layer["conv"]
            if layer.get("norm"):
                layers.append(nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01))
            layers.append(nn.Tanh() if layer.get("activation") == "tanh" else nn.ReLU())
        elif "pool" in layer:
            layers.append(nn.MaxPool2d(layer["pool"]))
            height, width = height // layer["pool"], width // layer["pool"]
        elif "dropout" in layer:
            layers.append(nn.Dropout(layer["dropout"]))
        elif "flatten" in layer:
            layers.append(nn.Flatten())
            channels *= height * width
        else:
            layers.append(nn.Linear(channels, layer["dense"]))
            channels = layer["dense"]
            if "activation" in layer:
                layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def mnist(part):
    data = pathlib.Path(config["data"])
    images = np.fromfile(data / f"{part}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
    labels = np.fromfile(data / f"{part}-labels-idx1-ubyte", np.uint8)[8:]
    return torch.from_numpy(images.astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


definition = config["definition"]
task = config["task"]
if definition["data"] == "mnist":
    x, y = mnist("train" if task == "step" else "t10k")
else:
    height, width, channels = definition["input"]
    x, y = torch.rand(1280, channels, height, width), torch.randint(0, 10, (1280,))
model = build(definition)
if task == "step":
    model = model.to(memory_format=torch.channels_last)
    x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    loss_function = nn.CrossEntropyLoss()
else:
    # Without channels_last: one image and 10,000 are faster that way.
    model = nn.Sequential(model, nn.Softmax(1)).eval()

steps = 0


def step():
    global steps
    start = steps * 128 % (len(x) - 127)
    steps += 1
    optimizer.zero_grad(set_to_none=True)
    loss = loss_function(model(x[start : start + 128]), y[start : start + 128])
    loss.backward()
    optimizer.step()
    loss.item()


@torch.inference_mode()
def one():
    global steps
    steps += 1
    model(x[steps % len(x)][None])


@torch.inference_mode()
def many():
    for start in range(0, len(x), 512):
        model(x[start : start + 512])


run = {"step": step, "one": one, "many": many}[task]
print("ready", flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line.split()[0])):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    print(json.dumps(times), flush=True)
