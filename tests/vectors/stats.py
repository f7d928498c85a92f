"""Writes stats.json: what SciPy says about fixed samples.

Usage: python3 tests/vectors/stats.py > tests/vectors/stats.json   (needs scipy)
"""

import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(7)


def pairs():
    for n in (2, 3, 5, 10, 50, 300):
        x = rng.normal(size=n)
        yield x, x + rng.normal(size=n)  # no ties
        yield rng.integers(0, 4, n), rng.integers(0, 4, n)  # many ties
        a = rng.integers(0, max(2, n // 3), n)
        yield a, (a + rng.integers(0, 3, n)) // 2  # ties and correlation
        yield np.sort(x), -np.sort(x)


def number(x):
    return None if np.isnan(x) else float(x)


skewed = rng.exponential(size=25)
paired = rng.normal(size=(30, 2)) @ np.array([[1, 0.6], [0, 0.8]])


def boot(data, statistic, method, **more):
    result = stats.bootstrap(data, statistic, n_resamples=200_000, method=method, rng=1, **more)
    return [float(result.confidence_interval.low), float(result.confidence_interval.high)]


print(
    json.dumps(
        {
            "scipy": __import__("scipy").__version__,
            "ranks": [
                {"x": x.tolist(), "y": y.tolist(), "ranks": stats.rankdata(x).tolist(),
                 "spearman": number(stats.spearmanr(x, y).statistic) if len(set(x)) > 1 and len(set(y)) > 1 else None,
                 "kendall": number(stats.kendalltau(x, y).statistic)}
                for x, y in pairs()
            ],
            "wilson": [
                {"k": k, "n": n, "level": level, "interval": list(stats.binomtest(k, n).proportion_ci(level, method="wilson"))}
                for k, n, level in [(0, 10, 0.95), (10, 10, 0.95), (1, 7, 0.9), (9800, 10000, 0.99), (5, 9, 0.5)]
            ],
            "quantiles": [{"p": p, "z": float(stats.norm.ppf(p))} for p in (1e-300, 1e-20, 1e-6, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999999)],
            "bootstrap": {
                "skewed": skewed.tolist(),
                "meanPercentile": boot((skewed,), np.mean, "percentile"),
                "meanBca": boot((skewed,), np.mean, "BCa"),
                "sdBca": boot((skewed,), lambda x, axis: np.std(x, axis=axis, ddof=1), "BCa"),
                "paired": paired.tolist(),
            },
            "sd": {"mean": float(np.mean(skewed)), "sd": float(np.std(skewed, ddof=1))},
        }
    )
)
