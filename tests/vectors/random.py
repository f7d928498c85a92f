"""Writes random.json: the test vectors of docs/random.md, by an implementation independent of ours.

Usage: python3 tests/vectors/random.py > tests/vectors/random.json
"""

import json
import math
import struct

MASK = 0xFFFFFFFF


def block(key, c):
    (hi, lo), c = key, list(c)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ lo, p1 & MASK, (p0 >> 32) ^ c[3] ^ hi, p0 & MASK]
        lo, hi = (lo + 0x9E3779B9) & MASK, (hi + 0xBB67AE85) & MASK
    return c


def stream(key, index, domain=0):
    return block(key, (index & MASK, index >> 32, domain, 0))


def bits(key, e):
    return stream(key, e // 4)[e % 4]


def uniform(key, e):
    return (bits(key, e) >> 8) / 2**24


def sign(key, e):
    return -1 if stream(key, e // 128)[e // 32 % 4] >> e % 32 & 1 else 1


def f32_bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


A = (-4.000000474748008, -1.333044474005948, -0.8259274572882745)
S = (0.7853981608541711, -0.08074543252915636, 0.002490001024036513, -0.00003595045225769754)
C = (0.9999999673862997, -0.3084241655891756, 0.01584968416853886, -0.00031872784048311126)


def normal(key, e):
    w = stream(key, e // 4)
    wa, wb = w[e % 4 // 2 * 2], w[e % 4 // 2 * 2 + 1]
    n = (wa >> 8) + 1
    m, power = math.frexp(n)  # n = m * 2**power, m in [0.5, 1)
    if m * 2**24 < 0xB504F3:
        m, power = m * 2, power - 1
    s = (m - 1) / (m + 1)
    s2 = s * s
    r = math.sqrt((24 - power) * 1.3862943611198906 + s * (A[0] + s2 * (A[1] + s2 * A[2])))
    t = wb >> 8
    q = (t + 2**21) >> 22
    d = t - q * 2**22
    y = (-d if q in (1, 2) else d) / 2**21
    y2 = y * y
    y4 = y2 * y2
    sin = y * (S[0] + S[1] * y2 + y4 * (S[2] + S[3] * y2))
    cos = C[0] + C[1] * y2 + y4 * (C[2] + C[3] * y2)
    a, b = r * (-cos if q in (2, 3) else cos), r * sin
    z = (b, a) if q % 2 else (a, b)
    exact = math.sqrt(-2 * math.log(n / 2**24))
    angle = 2 * math.pi * t / 2**24
    assert abs(z[0] - exact * math.cos(angle)) <= 1.5e-7 * max(exact, 1e-9), (e, z[0])
    assert abs(z[1] - exact * math.sin(angle)) <= 1.5e-7 * max(exact, 1e-9), (e, z[1])
    return f32_bits(z[e % 2])


def integer(key, e, low, high):
    return low + (((bits(key, 2 * e) << 32) + bits(key, 2 * e + 1)) * (high - low) >> 64)


def permutation(key, n):
    p = list(range(n))
    for i in range(n - 1, 0, -1):
        j = integer(key, n - 1 - i, 0, i + 1)
        p[i], p[j] = p[j], p[i]
    return p


def packed_sign(key, rows, k, n):
    quad = n // 8 * -(-rows // 64) + k // 64
    word = stream(key, 4 * quad + n % 4, 3)[2 * (k % 2) + n % 8 // 4]
    return -1 if word >> (31 - k % 64 // 2) & 1 else 1


def derived(c0, c1, c2, key):
    w = block(key, (c0, c1, c2, 0))
    return {"lo": w[0], "hi": w[1]}


KEY = (0, 42)
WRAP = 2**34 - 5  # blocks 2^32 - 2 on: the low counter word wraps
STARTS = (0, 1, 7, 1001, WRAP)
print(
    json.dumps(
        {
            "key": {"hi": KEY[0], "lo": KEY[1]},
            "bits": [{"offset": o, "values": [bits(KEY, o + i) for i in range(24)]} for o in STARTS],
            "uniform": [{"offset": o, "values": [uniform(KEY, o + i) for i in range(24)]} for o in STARTS],
            "normalBits": [{"offset": o, "values": [normal(KEY, o + i) for i in range(64)]} for o in STARTS],
            "signs": [
                {"offset": o, "values": [sign(KEY, o + i) for i in range(140)]} for o in (0, 1, 127, 1001, 2**39 - 70)
            ],
            "split": [derived(j, 0, 1, KEY) for j in range(4)],
            "foldIn": [{"data": d, **derived(d & MASK, d >> 32, 2, KEY)} for d in (0, 1, 1000, 2**33 + 5)],
            "integers": {
                "min": -5,
                "max": 7,
                "values": [integer(KEY, e, -5, 7) for e in range(32)],
                "wide": [integer(KEY, e, -(2**31), 2**31) for e in range(32)],
            },
            "permutation": permutation(KEY, 33),
            "packedSigns": {"rows": 67, "columns": 13, "values": [packed_sign(KEY, 67, k, n) for k in range(67) for n in range(13)]},
        }
    )
)
