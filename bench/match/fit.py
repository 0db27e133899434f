#!/usr/bin/env python3
"""Fits the matcher's weights to labelled sets and prints internal/analysis/match/weights.go.

  for each set: go run ./bench/match -evidence -dataset FILE -out EVIDENCE.csv
  python3 bench/match/fit.py PAIRS.csv... --entities ENTITIES.csv > internal/analysis/match/weights.go

Needs numpy, scipy and scikit-learn. Three fits, each on all sets at once, every set
counting the same however large it is:

  rank       the weights that give the right target field of each source field the
             highest probability among all (conditional logit, L2). Their signs are
             fixed by what a feature means, so that a small set can not turn one round.
  decision   whether the best is right: logistic regression on the score, how far it is
             ahead of what competes for either field, and the number of fields. The
             bias is shifted so that 0.5 is where the mean F1 over the sets is highest.
  entity     as rank, over entities; 0.5 is where the share of schemas that find one and
             the share of schemas without an entity that find none are highest together,
             and a little beyond.

--leave-one-out prints instead how each set fares with weights fitted to the others.
"""
import argparse, csv, math, sys
import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

NEGATIVE = {"other_kind", "other_semantic"}
FREE = {"no_values", "no_description"}
# A schema in the wrong entity is worse than an entity too many, which somebody can merge: in odds, 7 times as bad.
# The labelled sets are no help here, since half of their schemas that should find none have a twin of their entity
# left; the files of examples/ come apart with it, true ones above .7 and the nearest false one below .46, also when
# the names that earlier mappings taught make everything a little more alike.
CAUTION = 2.0
DECIDING = ["equal", "strict", "cover", "values", "value_words", "kind", "other_kind", "no_values", "no_description", "described"]

def read(path):
    with open(path, newline="") as f:
        rows = csv.reader(f)
        names = next(rows)[4:]
        data = np.array([[float(x) for x in row] for row in rows])
    return names, data

def bounds(names):
    return [(None, 0) if n in NEGATIVE else (None, None) if n in FREE else (0, None) for n in names]

def groups(data):
    """Rows of one source field, where something is right and something is not."""
    key = data[:, 0] * 1e6 + data[:, 1]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    for a, b in zip(starts, np.r_[starts[1:], len(key)]):
        right = data[a:b, 3] == 1
        if right.any() and not right.all():
            yield data[a:b, 4:], right

def fit_rank(names, sets, l2):
    prepared = [list(groups(d)) for d in sets]
    def loss(w):
        total, gradient = l2 * w @ w, 2 * l2 * w
        for g in prepared:
            for x, right in g:
                z = x @ w
                e = np.exp(z - z.max())
                p, q = e / e.sum(), np.where(right, e, 0) / e[right].sum()
                total -= math.log(p[right].sum()) / len(g)
                gradient = gradient + x.T @ (p - q) / len(g)
        return total, gradient
    return minimize(loss, np.full(len(names), 0.1), jac=True, method="L-BFGS-B", bounds=bounds(names)).x

def lead(key, z):
    """How far each score is ahead of the best other of its key, and how many there are."""
    _, inverse = np.unique(key, return_inverse=True)
    first = np.full(inverse.max() + 1, -1e9)
    np.maximum.at(first, inverse, z)
    is_first = z == first[inverse]
    ties = np.bincount(inverse, is_first)
    second = np.full(len(first), -1e9)
    np.maximum.at(second, inverse, np.where(is_first, -1e9, z))
    other = np.where(is_first & (ties[inverse] < 2), second[inverse], first[inverse])
    return np.clip(z - np.maximum(other, -3), -4, 3), np.bincount(inverse)[inverse]

def context(names, data, w):
    z = data[:, 4:] @ w
    in_row, targets = lead(data[:, 0] * 1e6 + data[:, 1], z)
    in_target, sources = lead(data[:, 0] * 1e6 + data[:, 2], z)
    columns = [z, in_row, in_target, np.minimum(in_row, 0), np.minimum(in_target, 0), np.log(targets), np.log(sources)]
    return np.column_stack(columns + [data[:, 4 + names.index(n)] for n in DECIDING])

def fit_decision(names, sets, w):
    x, y, weights = [], [], []
    for d in sets:
        c = context(names, d, w)
        # Of a large set one in ten hopeless pairs is enough, counting tenfold.
        sampled = np.random.RandomState(1).rand(len(d)) < (0.1 if len(d) > 50000 else 1)
        near = c[:, 1] > -2.5
        keep = np.flatnonzero(near | sampled)
        x.append(c[keep]); y.append(d[keep, 3])
        weights.append(np.where(near[keep] | (len(d) <= 50000), 1, 10) * 150 / d[:, 3].sum())
    return LogisticRegression(C=0.3, max_iter=2000).fit(np.vstack(x), np.concatenate(y), sample_weight=np.concatenate(weights))

def f1(data, p, threshold):
    """Each target goes to the source field that fits it best, as in the product."""
    key = data[:, 0] * 1e6 + data[:, 2]
    order = np.lexsort((-p, key))
    owner = order[np.r_[True, key[order][1:] != key[order][:-1]]]
    owner = owner[p[owner] >= threshold]
    hits = data[owner, 3].sum()
    return 2 * hits / max(1, len(owner) + data[:, 3].sum())

def hit1(data, p):
    return np.mean([right[np.argmax(z)] for z, right in ((x[:, 0], r) for x, r in groups(np.column_stack([data[:, :4], p])))])

def best_threshold(sets, ps):
    return max(np.linspace(0.2, 0.4, 21), key=lambda t: np.mean([f1(d, p, t) for d, p in zip(sets, ps)]))

def go(prefix, name): return prefix + "".join(part.title() for part in name.split("_"))

def literal(prefix, names, weights, digits=3):
    return "".join("\t%s: %.*f,\n" % (go(prefix, n), digits, x) for n, x in zip(names, weights) if abs(x) >= 0.5 * 10 ** -digits)

def main():
    a = argparse.ArgumentParser()
    a.add_argument("pairs", nargs="+"); a.add_argument("--entities"); a.add_argument("--l2", type=float, default=0.01)
    a.add_argument("--leave-one-out", action="store_true")
    a = a.parse_args()
    read_sets = [read(p) for p in a.pairs]
    names, sets = read_sets[0][0], [d for _, d in read_sets]
    if a.leave_one_out:
        for i, path in enumerate(a.pairs):
            others = sets[:i] + sets[i + 1:]
            w = fit_rank(names, others, a.l2); m = fit_decision(names, others, w)
            ps = [m.predict_proba(context(names, d, w))[:, 1] for d in others]
            p = m.predict_proba(context(names, sets[i], w))[:, 1]
            print("%s: hit@1 %.3f, F1 %.3f" % (path, hit1(sets[i], p), f1(sets[i], p, best_threshold(others, ps))))
        return
    w = fit_rank(names, sets, a.l2); m = fit_decision(names, sets, w)
    threshold = best_threshold(sets, [m.predict_proba(context(names, d, w))[:, 1] for d in sets])
    c = m.coef_[0]
    out = "package match\n\n// Code generated by bench/match/fit.py. DO NOT EDIT.\n\n"
    out += "// rankWeights make the raw score of a pair of fields.\nvar rankWeights = features{\n" + literal("feature", names, w) + "}\n\n"
    out += "// decisionWeights are what features say of a decision beside the raw score.\nvar decisionWeights = features{\n" + literal("feature", DECIDING, c[7:]) + "}\n\n"
    constants = {"Bias": m.intercept_[0] + math.log((1 - threshold) / threshold), "Raw": c[0], "RowLead": c[1], "TargetLead": c[2],
                 "RowBehind": c[3], "TargetBehind": c[4], "Targets": c[5], "Sources": c[6]}
    out += "const (\n" + "".join("\tdecision%s = %.3f\n" % x for x in constants.items()) + ")\n"
    if a.entities:
        names, data = read(a.entities)
        w = fit_rank(names, [data], 0.0003)
        z = data[:, 4:] @ w
        known = np.unique(data[data[:, 3] == 1, 0])
        mapped = np.isin(data[:, 0], known)
        slope = LogisticRegression(C=10).fit(z[mapped, None], data[mapped, 3]).coef_[0, 0]
        tops = {g: z[data[:, 0] == g].max() for g in np.unique(data[:, 0])}
        found, new = np.array([tops[g] for g in known]), np.array([t for g, t in tops.items() if g not in known])
        turn = max(np.linspace(found.min(), found.max(), 100), key=lambda t: (found >= t).mean() + (new < t).mean())
        bias = -slope * turn - CAUTION
        out += "\n// entityWeights make the score of an entity.\nvar entityWeights = [entityFeatureCount]float64{\n"
        out += literal("entity", names, w * slope, 2) + "}\n\nconst entityBias = %.2f\n" % bias
    sys.stdout.write(out)

if __name__ == "__main__":
    main()
