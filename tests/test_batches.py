import itertools

import numpy as np
import pytest

from preprocessing.batches import TrainingBatches, in_order, mirror
from preprocessing.files import UserError
from preprocessing.shards import Shard, list_shards, shard_path, write_shard


def write_split(root, images_of_shards, sources_of_shards=None):
    """Shards whose image number n has L = n everywhere and ab = (n, 255 - n), or gray where n is negative."""
    for index, numbers in enumerate(images_of_shards):
        values = np.abs(np.array(numbers, np.int16)).astype(np.uint8)[:, None, None, None]
        L = np.broadcast_to(values, (len(numbers), 32, 32, 1))
        ab = np.concatenate([L, 255 - L], axis=-1)
        ab = np.where((np.array(numbers) < 0)[:, None, None, None], np.uint8(129), ab).astype(np.uint8)
        path = shard_path(root / "s", 32, "train", index, len(images_of_shards))
        origin = sources_of_shards[index] if sources_of_shards else []
        shard = Shard(np.ascontiguousarray(L), ab, [str(number) for number in numbers], origin)
        write_shard(path, shard, resolution=32, split="train", source="s", build_log={})


def numbers_of(batch):
    return batch[0][:, 0, 0, 0].tolist()


@pytest.fixture
def root(tmp_path):
    write_split(tmp_path, [range(25), [*range(30, 50), -1, -2, -3], range(60, 71), range(80, 99), range(100, 125)])
    return tmp_path


def test_an_epoch_holds_each_colour_photograph_once_and_no_gray_one(root):
    batches = TrainingBatches("s", 32, 4, seed=1, root=root)
    assert (batches.images, batches.gray, batches.steps_per_epoch) == (100, 3, 25)
    for epoch in range(2):
        seen = [n for b in itertools.islice(batches.from_step(epoch * 25), 25) for n in numbers_of(b)]
        assert sorted(seen) == [*range(25), *range(30, 50), *range(60, 71), *range(80, 99), *range(100, 125)]


def test_any_step_can_be_the_first_and_epochs_differ(root):
    def batches():
        return TrainingBatches("s", 32, 7, seed=5, root=root)

    whole = list(itertools.islice(batches().from_step(0), 40))
    for start in (1, 13, 14, 27):
        for expected, (L, ab) in zip(whole[start:], batches().from_step(start), strict=False):
            assert (expected[0] == L).all()
            assert (ab == expected[1]).all()
    assert [numbers_of(b) for b in whole[:14]] != [numbers_of(b) for b in whole[14:28]]


def test_seeds_give_other_orders(root):
    first, second = (next(TrainingBatches("s", 32, 50, seed, root=root).from_step(0)) for seed in (1, 2))
    assert numbers_of(first) != numbers_of(second)


def test_l_and_ab_stay_together(root):
    L, ab = next(TrainingBatches("s", 32, 50, 1, root=root).from_step(0))
    assert (ab[..., 0] == L[..., 0]).all()
    assert (ab[..., 1] == 255 - L[..., 0]).all()


def test_mirroring_turns_half_of_the_images_and_l_with_ab():
    L = np.tile(np.arange(32, dtype=np.uint8)[None, None, :, None], (200, 32, 1, 1))
    ab = np.concatenate([L, L], axis=-1)
    mirrored_L, mirrored_ab = mirror(L.copy(), ab, np.random.default_rng(0))
    flipped = mirrored_L[:, 0, 0, 0] == 31
    assert 70 < flipped.sum() < 130
    assert (mirrored_ab == np.concatenate([mirrored_L, mirrored_L], axis=-1)).all()
    assert (mirrored_L[~flipped] == L[~flipped]).all()


def test_evaluation_keeps_the_remainder_and_the_order():
    L = np.arange(10)
    assert [batch.tolist() for batch, _ in in_order(L, L, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_damaged_shard_is_named_before_training_begins(root):
    path = list_shards("s", 32, "train", root)[3]
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match=path.name):
        TrainingBatches("s", 32, 4, 1, root=root)


def test_a_shard_that_vanishes_while_training_is_an_error_not_a_hang(root):
    batches = TrainingBatches("s", 32, 4, 1, root=root)
    for path in list_shards("s", 32, "train", root):
        path.unlink()
    with pytest.raises(UserError):
        list(itertools.islice(batches.from_step(0), 30))


SHARES = {"few": 1, "many": 3}


@pytest.fixture
def mixed_root(tmp_path):
    """100 photographs, of which each tenth is of "few"."""
    sources = [["few" if number % 10 == 0 else "many" for number in range(20)]] * 5
    write_split(tmp_path / "mix", [range(20 * shard, 20 * shard + 20) for shard in range(5)], sources)
    return tmp_path / "mix"


def test_every_batch_mixes_sources_by_their_shares(mixed_root):
    batches = TrainingBatches("s", 32, 20, seed=1, root=mixed_root, shares=SHARES)
    assert batches.steps_per_epoch == 5
    for batch in itertools.islice(batches.from_step(0), 20):
        assert sum(number % 10 == 0 for number in numbers_of(batch)) == pytest.approx(5, abs=1)


def test_with_shares_no_photograph_is_shown_again_before_all_of_its_source_were(mixed_root):
    stream = TrainingBatches("s", 32, 10, seed=1, root=mixed_root, shares=SHARES).from_step(0)
    shown = np.zeros(100, int)
    for epoch in range(1, 7):
        for batch in itertools.islice(stream, 10):
            np.add.at(shown, numbers_of(batch), 1)
        few, many = shown[::10], np.delete(shown, np.s_[::10])
        assert (few.sum(), many.sum()) == (25 * epoch, 75 * epoch)
        assert np.ptp(few) <= 1
        assert np.ptp(many) <= 1


def test_with_shares_any_step_can_be_the_first_and_l_and_ab_stay_together(mixed_root):
    def stream(step):
        return TrainingBatches("s", 32, 7, seed=5, root=mixed_root, shares=SHARES).from_step(step)

    whole = list(itertools.islice(stream(0), 40))
    assert [numbers_of(batch) for batch in whole[:14]] != [numbers_of(batch) for batch in whole[14:28]]
    for start in (1, 13, 14, 33):
        for expected, (L, ab) in zip(whole[start:], stream(start), strict=False):
            assert (expected[0] == L).all()
            assert (expected[1] == ab).all()
            assert (ab == np.concatenate([L, 255 - L], axis=-1)).all()


def test_shares_are_refused_where_shards_do_not_tell_sources_or_hold_others(root, mixed_root):
    with pytest.raises(UserError, match="leave the others out"):
        TrainingBatches("s", 32, 4, 1, root=mixed_root, shares={"few": 1, "many": 1, "absent": 1})
    with pytest.raises(UserError, match="do not tell sources apart"):
        TrainingBatches("s", 32, 4, 1, root=root, shares=SHARES)
