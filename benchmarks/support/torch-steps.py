# Answers "NAME COUNT" lines with the milliseconds per step of COUNT steps. Started by torch.ts, with 'cuda' for a card.
import sys, time
import torch
from torch import nn

torch.manual_seed(0)
B = 64
device = torch.device(sys.argv[1] if len(sys.argv) > 1 else 'cpu')
labels = (torch.arange(B) % 10).to(device)
loss_of = nn.CrossEntropyLoss()

def mlp():
    return nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))

def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))

class Vit(nn.Module):
    # 16 patches of 7 x 7 pixels, pre-norm blocks, the mean of the tokens classified: @frugal/nn's vit.
    def __init__(self, dim=128, depth=5, heads=4):
        super().__init__()
        self.proj = nn.Linear(49, dim)
        self.pos = nn.Parameter(torch.randn(1, 16, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, nn.GELU('tanh'), batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        patches = x.reshape(-1, 4, 7, 4, 7).permute(0, 1, 3, 2, 4).reshape(-1, 16, 49)
        return self.head(self.norm(self.blocks(self.proj(patches) + self.pos)).mean(1))

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
    model = {'mlp': mlp, 'lenet': lenet, 'vit': Vit}[kind]().to(device)
    x = (torch.rand(B, 784) if kind == 'mlp' else torch.rand(B, 1, 28, 28)).to(device)
    rules = {'sgd': lambda p: torch.optim.SGD(p, lr=0.01), 'adam': lambda p: torch.optim.Adam(p, lr=0.01, fused=True)}
    return stepper(model, x, rules[rule](model.parameters()))

where = f'{torch.get_num_threads()} threads' if device.type == 'cpu' else torch.cuda.get_device_name()
print(f'PyTorch {torch.__version__}, {where}', flush=True)
steps = {}
for line in sys.stdin:
    name, count = line.split()
    if name == 'normals':
        run = lambda: torch.randn(1_000_000, device=device)
    else:
        run = steps[name] = steps.get(name) or make(name)
    start = time.perf_counter()
    for _ in range(int(count)):
        run()
    if device.type != 'cpu':
        torch.cuda.synchronize()
    print((time.perf_counter() - start) * 1000 / int(count), flush=True)
