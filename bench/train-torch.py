#!/usr/bin/python3
"""Seconds of training iterations in PyTorch: the same networks, batches and turns as bench/train.c.

train-torch.py <network> <plain | channels_last> <batch> <threads>, network: vgg-16-cifar, lenet-5 or mobilenet-cifar.
After three iterations to warm up it says "train: ready". Each line "go <n>" on stdin is answered with "train: seconds" and the times of n iterations; when stdin ends it says
"train: peak_mb <most memory that was used>". No data is loaded: a batch of random images is trained again and again.
"""
import resource
import sys
import time

import torch
from torch import nn

WARM_UP = 3


def normalised(inputs, outputs, size, stride=1, groups=1):
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def vgg_16_cifar():
    layers, inputs = [], 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width:
            layers += normalised(inputs, width, 3)
            inputs = width
        else:
            layers.append(nn.MaxPool2d(2))
    return (3, 32, 32), .05, nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 512), nn.ReLU(inplace=True), nn.Linear(512, 10))


def lenet_5():
    return (1, 28, 28), .05, nn.Sequential(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(),
                                           nn.Linear(800, 500), nn.ReLU(inplace=True), nn.Linear(500, 10))


def mobilenet_cifar():
    layers, inputs = normalised(3, 32, 3), 32
    for width, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]:
        layers += normalised(inputs, inputs, 3, stride, inputs) + normalised(inputs, width, 1)
        inputs = width
    return (3, 32, 32), .1, nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 10))


def main():
    network, layout, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    shape, rate, model = {"vgg-16-cifar": vgg_16_cifar, "lenet-5": lenet_5, "mobilenet-cifar": mobilenet_cifar}[network]()
    images, labels = torch.rand(batch, *shape) - .5, torch.randint(10, (batch,))
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), rate, momentum=.9, weight_decay=.0005)
    criterion = nn.CrossEntropyLoss()

    def iterate():
        optimiser.zero_grad(set_to_none=True)
        loss = criterion(model(images), labels)
        loss.backward()
        optimiser.step()
        return loss

    first = [iterate() for _ in range(WARM_UP)][0].item()
    loss = None
    print("train: ready", flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            loss = iterate()
            seconds.append(time.perf_counter() - start)
        print("train: seconds", *("%.6f" % s for s in seconds), flush=True)
    if loss is None or not loss.item() < first:
        sys.exit("train-torch: %s: the loss has not fallen (at first %g)" % (network, first))
    print("train: peak_mb %.1f" % (1024e-6 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    print("train-torch: %s %s: loss %g, at first %g" % (network, layout, loss.item(), first), file=sys.stderr)


main()
