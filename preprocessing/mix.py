"""Sources in shares: which photographs an epoch shows, how often, and in what order (ours)."""

import numpy as np

from preprocessing.files import UserError


class Mix:
    """Gives each source its share of every batch, and each photograph of a source the same number of showings.

    An epoch shows as many images as there are photographs. Those of a source stand in one shuffled circle, of which each
    epoch takes the next stretch: none is shown a second time before all others were once. It is a function of the seed
    and the epoch, and asks only a few shards in memory.
    """

    def __init__(self, origins, shares, seed):
        """`origins` holds the sources of each shard's photographs, a list a shard; `shares` a number by source."""
        names = sorted(shares)
        origin = np.array([name for shard in origins for name in shard], object)
        if set(origin) != set(names):
            raise UserError(
                f"--shares are of {', '.join(names)}, but only {', '.join(sorted(set(origin)))} "
                "have colour photographs of this size to train on: leave the others out of --data and --shares"
            )
        self._starts = np.cumsum([0, *map(len, origins)])
        self._source, self._place = np.empty((2, len(origin)), int)
        self._counts = []  # by source: images of an epoch, photographs
        shown = np.array([shares[name] for name in names]) / sum(shares.values()) * len(origin)
        shown = np.diff(np.round(np.cumsum([0, *shown])).astype(int))
        for number, name in enumerate(names):
            rows = np.flatnonzero(origin == name)
            self._source[rows] = number
            self._place[rows] = np.random.default_rng([seed, 3, number]).permutation(len(rows))
            self._counts.append((int(shown[number]), len(rows)))

    def order(self, shards, epoch, random):
        """What an epoch shows of some shards, as indices into their photographs: in random order, each source spread evenly."""
        rows = np.concatenate([np.arange(*self._starts[shard : shard + 2]) for shard in shards])
        indices, moments = [], []
        for number, (shown, count) in enumerate(self._counts):
            of_it = np.flatnonzero(self._source[rows] == number)
            place = self._place[rows[of_it]]
            times = ((epoch + 1) * shown + place) // count - (epoch * shown + place) // count  # adds up to `shown`
            drawn = random.permutation(np.repeat(of_it, times))
            indices.append(drawn)
            moments.append((np.arange(len(drawn)) + random.random(len(drawn))) / max(1, len(drawn)))
        return np.concatenate(indices)[np.argsort(np.concatenate(moments))]
