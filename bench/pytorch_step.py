"""The recipe's training step in PyTorch: for each line `N` on standard input runs N steps and prints their times.

Settings are PyTorch's best for this network on a CPU: channels_last, fused Adam, two threads.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

data, padding, threads = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(1)
side = 7 if padding == "same" else 5
model = nn.Sequential(
    nn.Conv2d(1, 20, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(20, 50, 5, padding=2 if padding == "same" else 0), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(50 * side * side, 500), nn.ReLU(), nn.Linear(500, 10),
).to(memory_format=torch.channels_last)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
loss_function = nn.CrossEntropyLoss()
images = np.fromfile(data / "train-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
labels = np.fromfile(data / "train-labels-idx1-ubyte", np.uint8)[8:]
x = torch.from_numpy(images.astype(np.float32) / 255).to(memory_format=torch.channels_last)
y = torch.from_numpy(labels.astype(np.int64))
print("ready", flush=True)
step = 0
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        start = step % 468 * 128
        batch = slice(start, start + 128)
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_function(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        loss.item()
        times.append((time.perf_counter() - began) * 1000)
        step += 1
    print(json.dumps(times), flush=True)
