"""What a row is made of, beside scikit-learn over the whole dictionary: no test, run by hand.

python benchmarks/explain.py 9
"""

import statistics
import sys
import time

import numpy as np
from sklearn.linear_model import orthogonal_mp
from unembed import open_head
from unembed.geometry.explaining.dictionary import Dictionary
from unembed.geometry.explaining.pursuit import sparse_sums
from unembed.geometry.region import find_region
from unembed.geometry.space import open_space

PARTS = 6
WORDS = ["king", "sea", "doctor", "Paris", "walked", "music"]


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    for name in ("demo", "demo-bytes"):
        head = open_head(name)
        space, ids_N = open_space(head), find_region(head, "words").ids_N
        asked = [head.vocabulary.id_of(f" {word}") for word in WORDS]
        ids_N = ids_N[~np.isin(ids_N, asked)]
        dictionary = Dictionary(ids_N, (), (), np.empty((0, head.rows.width)))
        placed_ND = space.place(head.rows.decode(ids_N))
        placed_ND /= np.linalg.norm(placed_ND, axis=1, keepdims=True)
        atoms_DN = np.asfortranarray(placed_ND.T.astype(np.float32))
        del placed_ND
        calls: list[float] = []
        ours: list[float] = []
        theirs: list[float] = []
        shares: list[tuple[float, float]] = []
        for turn in range(repeats):
            word = WORDS[turn % len(WORDS)]
            vector_D = head.concept(word).unit().vector_D
            start = time.perf_counter()
            (parts,) = sparse_sums(
                head, space, vector_D[None], PARTS, dictionary=dictionary, signed=True
            )
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            weights_N = orthogonal_mp(
                atoms_DN, vector_D.astype(np.float32), n_nonzero_coefs=PARTS, precompute=False
            )
            theirs.append(time.perf_counter() - start)
            left_D = vector_D - atoms_DN @ weights_N
            shares.append((parts[-1].explained, 1 - float(left_D @ left_D)))
            head.explain(word)
            start = time.perf_counter()
            head.explain(word)
            calls.append(time.perf_counter() - start)
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        mine, other, call = (statistics.median(times) for times in (ours, theirs, calls))
        explained, theirs_explained = np.mean(shares, axis=0)
        print(
            f"{name}: {len(ids_N):,} words; sums of {PARTS}: unembed {mine:.3f} s, explains "
            f"{explained:.1%}; scikit-learn {other:.3f} s, {theirs_explained:.1%} (with forms of "
            f"the same word); {ratio:.1f} x; whole call, warm: {call:.3f} s"
        )


if __name__ == "__main__":
    main()
