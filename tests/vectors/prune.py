"""Writes prune.json: what torch.nn.utils.prune makes of fixed weights, calls repeated and global ones included.

Usage: python3 -P tests/vectors/prune.py > tests/vectors/prune.json   (needs torch; -P keeps random.py here from hiding the standard one)
"""

import json

import torch
from torch import nn
from torch.nn.utils import prune

generator = torch.Generator().manual_seed(7)


def layer(rows, columns):
    one = nn.Linear(columns, rows, bias=False)
    one.weight.data = torch.randn(rows, columns, generator=generator)
    return one


def mask(module):
    return module.weight_mask.int().flatten().tolist()


def numbers(module):
    return module.weight_orig.detach().flatten().tolist()


cases = []
for rows, columns, amounts in [(3, 5, [0.5]), (4, 4, [0.5, 0.5, 0.5]), (5, 7, [0.3, 4, 0.25]), (1, 10, [0.25, 0.35]), (2, 5, [0.0, 1])]:
    one = layer(rows, columns)
    masks = []
    for amount in amounts:
        prune.l1_unstructured(one, "weight", amount)
        masks.append(mask(one))
    cases.append({"kind": "layer", "shapes": [[rows, columns]], "amounts": amounts, "weights": [numbers(one)], "masks": [[m] for m in masks]})

for shapes, amounts in [([(3, 4), (2, 6)], [0.5, 0.5]), ([(6, 5), (4, 6), (2, 4)], [0.2, 0.2, 0.2, 7])]:
    layers = [layer(*shape) for shape in shapes]
    for i, one in enumerate(layers):
        one.weight.data *= i + 0.5
    masks = []
    for amount in amounts:
        prune.global_unstructured([(one, "weight") for one in layers], pruning_method=prune.L1Unstructured, amount=amount)
        masks.append([mask(one) for one in layers])
    cases.append({"kind": "global", "shapes": shapes, "amounts": amounts, "weights": [numbers(one) for one in layers], "masks": masks})

for rows, columns, amounts, n in [(6, 4, [0.5], 2), (8, 3, [0.25, 0.5], 1), (7, 5, [2, 0.4], 2)]:
    one = layer(rows, columns)
    masks = []
    for amount in amounts:
        prune.ln_structured(one, "weight", amount, n=n, dim=0)
        masks.append(mask(one))
    cases.append({"kind": "units", "norm": n, "shapes": [[rows, columns]], "amounts": amounts, "weights": [numbers(one)], "masks": [[m] for m in masks]})

# An amount of the type int is a count in torch; JSON cannot tell 1 from 1.0, so it is written as a pair.
for case in cases:
    case["amounts"] = [{"count": a} if isinstance(a, int) else a for a in case["amounts"]]
print(json.dumps({"source": f"torch.nn.utils.prune of torch {torch.__version__}", "cases": cases}))
