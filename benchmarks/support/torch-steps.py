# Answers "NAME COUNT" lines with the milliseconds per step of COUNT steps. Started by torch.ts.
import sys, time
import torch
from torch import nn

torch.manual_seed(0)
B = 64
labels = torch.arange(B) % 10
loss_of = nn.CrossEntropyLoss()

def mlp():
    return nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))

def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))

def stepper(model, x, optimizer):
    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss
    return step

def make(name):
    kind, rule = name.split('-')
    model = mlp() if kind == 'mlp' else lenet()
    x = torch.rand(B, 784) if kind == 'mlp' else torch.rand(B, 1, 28, 28)
    rules = {'sgd': lambda p: torch.optim.SGD(p, lr=0.01), 'adam': lambda p: torch.optim.Adam(p, lr=0.01, fused=True)}
    return stepper(model, x, rules[rule](model.parameters()))

print(f'PyTorch {torch.__version__}, {torch.get_num_threads()} threads', flush=True)
steps = {}
for line in sys.stdin:
    name, count = line.split()
    if name == 'normals':
        run = lambda: torch.randn(1_000_000)
    else:
        run = steps[name] = steps.get(name) or make(name)
    start = time.perf_counter()
    for _ in range(int(count)):
        run()
    print((time.perf_counter() - start) * 1000 / int(count), flush=True)
