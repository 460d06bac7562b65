"""The search: what stopped, killed and parallel processes leave, and what the best of it becomes."""

import importlib
import json
import time
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from conftest import run_script, traced_into_no_graph
from forked import Forked

from keras_port.config import TrainingConfig, best_parameters
from preprocessing.build import build_shards
from preprocessing.files import UserError
from preprocessing.options import TrainedNetwork
from preprocessing.sources import EMBEDDED_TRAINING, open_embedded
from results.studies.tuning import _seconds

optuna = pytest.importorskip("optuna", reason="Optuna is not installed (extra `tune`)")
tuning = pytest.importorskip("keras_port.tuning")

SCRIPT = "keras_port/05_tune_128.py"
STORAGE = "sqlite:///study.db"
NAME = f"{EMBEDDED_TRAINING}-32-seed1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards of the embedded photographs at 32, 64 and 128, and a search that a kill broke off in its second trial."""
    folder = tmp_path_factory.mktemp("tuning")
    build_shards(open_embedded(EMBEDDED_TRAINING), [32, 64, 128], crops=4, root=folder / "shards")
    process = searching(folder, 2)
    begins(process, "trial 1: {")
    process.kill()
    process.communicate(timeout=60)
    return folder


def study_in(folder, name=NAME):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/study.db")


def searching(folder, trials):
    """A search of so many trials in a process of its own."""
    return Forked(SCRIPT, "--trials", trials, "--storage", STORAGE, cwd=folder, traced=False)


def begins(process, line):
    """Wait until it says so: of a trial's parameters, so its first heartbeat is recorded."""
    deadline = time.monotonic() + 120
    while f"\n{line}" not in process.said() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)


def states(folder, name=NAME):
    return [trial.state.name.lower() for trial in study_in(folder, name).trials]


def test_a_killed_trial_is_noticed_and_freed_and_the_search_goes_on_in_two_processes(folder, monkeypatch):
    assert states(folder) == ["complete", "running"]
    before = study_in(folder).trials[0]
    monkeypatch.chdir(folder)
    time.sleep(2)
    with pytest.MonkeyPatch.context() as patch:  # here alone: the two processes below may be slower to send a heartbeat
        patch.setattr(tuning, "GRACE_SECONDS", 1)
        study = tuning._open(NAME, STORAGE)
    optuna.storages.fail_stale_trials(study)  # what each trial begins with
    assert states(folder) == ["complete", "fail"]

    other = searching(folder, 3)
    begins(other, "trial 2: {")
    with traced_into_no_graph():
        here = run_script(SCRIPT, "--trials", "3", "--storage", STORAGE, cwd=folder)
    outputs = [other.communicate(timeout=300)[0], here.stdout]
    assert [other.returncode, here.returncode] == [0, 0], outputs
    trials = study_in(folder).trials
    finished = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(finished) == 3
    assert finished[0] == before
    assert [trial.number for trial in trials] == list(range(len(trials)))
    drawn = [trial.params["dropout"] for trial in trials if "dropout" in trial.params]
    assert len(set(drawn)) == len(drawn) >= 4
    assert all(any(f"trial {trial.number}:" in output for output in outputs) for trial in finished[1:])
    assert all(output.count(": complete") + output.count(": pruned") >= 1 for output in outputs)

    (table_path,) = folder.glob("results/local/tuning.json")
    table = json.loads(table_path.read_text())
    assert [trial["error"] for trial in table["trials"]].count(None) == 4  # those and the killed one
    assert {(folder / f"results/local/figures/{name}.png").exists() for name in ("tuning", "overfitting")} == {True}
    short = sorted(trial["val_mse"] for trial in table["trials"] if trial["val_mse"] is not None)
    assert [run["short_val_mse"] for run in table["long"][:3]] == short[:3]
    assert table["overfitting"]["without"]["dropout"] == 0


def test_a_complete_search_runs_no_other_trial_and_one_of_other_settings_is_refused(folder, monkeypatch):
    before = states(folder)
    process = run_script(SCRIPT, "--trials", "3", "--storage", STORAGE, cwd=folder)
    assert process.returncode == 0, process.stderr
    assert states(folder) == before
    monkeypatch.chdir(folder)
    subset, root = f"{EMBEDDED_TRAINING}-16", f"runs/demonstration-tune/{NAME}/shards"
    with pytest.raises(UserError, match="other settings"):
        tuning.open_study(NAME, STORAGE, tuning.default_base(32, 1), subset, root)


def test_a_trial_that_another_process_gave_up_ends_the_search_with_one_line(tmp_path, monkeypatch):
    """As of a process that slept longer than GRACE_SECONDS."""
    monkeypatch.chdir(tmp_path)
    study = tuning._open("s", STORAGE)

    def train(config, source, run, **_):
        last = study.trials[-1]
        study._storage.set_trial_state_values(last._trial_id, optuna.trial.TrialState.FAIL)
        return TrainedNetwork({}, {}, {"val_mse": 1.0, "best_epoch": 1}, [])

    monkeypatch.setattr(tuning, "train", train)
    with pytest.raises(UserError, match="given up"):
        tuning.search(study, TrainingConfig(32), "none", tmp_path, 40, 10, 1)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_of_two_processes_that_begin_the_last_trial_at_once_one_runs_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study, other = (tuning._open("s", STORAGE) for _ in range(2))
    ask = study.ask
    monkeypatch.setattr(study, "ask", lambda: other.ask() and ask())
    monkeypatch.setattr(tuning, "train", lambda *_, **__: pytest.fail("it ran"))
    tuning.search(study, TrainingConfig(32), "none", tmp_path, 1, 10, 1)
    assert states(tmp_path, "s") == ["running", "fail"]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tuning, "GRACE_SECONDS", 0)  # the first, which has no heartbeat, counts as killed and is freed
    monkeypatch.setattr(tuning, "train", lambda *_, **__: TrainedNetwork({}, {}, {"val_mse": 1.0, "best_epoch": 1}, []))
    tuning.search(study, TrainingConfig(32), "none", tmp_path, 1, 10, 1)
    assert states(tmp_path, "s") == ["fail", "fail", "complete"]


def test_the_best_of_the_search_is_trained_in_full(folder):
    table_path = folder / "results/local/tuning.json"
    table = json.loads(table_path.read_text())
    with traced_into_no_graph():
        process = run_script(
            "keras_port/06_train_128.py", "--from-study", table_path, "--epochs", "1", "--batch-size", "8", cwd=folder
        )
    assert process.returncode == 0, process.stderr
    best = min(table["long"], key=lambda each: each["long_val_mse"])["trial"]
    assert best_parameters(table_path) == table["trials"][best]["parameters"]
    assert (folder / "results/local/weights/demonstration_tuned_128.h5").exists()


def test_each_trial_has_a_seed_of_its_own_and_the_same_each_time():
    seeds = [tuning.seed_of_trial(seed, number) for seed in (1, 2) for number in range(100)]
    assert len(set(seeds)) == 200
    assert tuning.seed_of_trial(1, 5) == seeds[5]


def test_no_network_of_the_search_is_larger_than_the_reports():
    from keras_port.network import build_network

    for kernel in (3, 5):
        for stride in (2, 4):
            params = {"kernel": kernel, "stride": stride, "filters": 64, "dropout": 0.1, "batch_size": 10}
            trial = optuna.trial.create_trial(
                params=params,
                distributions={
                    "kernel": optuna.distributions.CategoricalDistribution([3, 5]),
                    "stride": optuna.distributions.CategoricalDistribution([2, 4]),
                    "filters": optuna.distributions.IntDistribution(16, 64, step=8),
                    "dropout": optuna.distributions.FloatDistribution(0.0, 0.6),
                    "batch_size": optuna.distributions.CategoricalDistribution([10, 16, 32, 64]),
                },
                value=1.0,
            )
            config = tuning.configuration_of(trial, TrainingConfig())
            assert build_network(config.network, config.network_arguments()).count_params() <= 2_235_000


def test_a_trial_that_fails_is_recorded_and_five_in_a_row_end_the_search(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = tuning._open("s", STORAGE)
    calls = []

    def train(*_, **__):
        calls.append(1)
        raise MemoryError("too large")

    monkeypatch.setattr(tuning, "train", train)
    with pytest.raises(UserError, match="last 5 trials failed"):
        tuning.search(study, TrainingConfig(32), "none", tmp_path, 40, 10, 1)
    assert len(calls) == 5
    assert [trial.user_attrs["error"] for trial in study.trials] == ["too large"] * 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["--trials", "0"],
        ["--resolution", "48"],
        ["--storage", "nonsense://x"],
        ["--data", "never-built.zip"],
        ["--minutes", "-1"],
    ],
)
def test_errors_of_a_user_are_one_line_and_exit_code_2(tmp_path, arguments):
    process = run_script(SCRIPT, *arguments, cwd=tmp_path)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "error: " in process.stderr.splitlines()[-1]


def test_a_study_that_is_not_there_is_one_clear_error(tmp_path):
    process = run_script("keras_port/06_train_128.py", "--from-study", cwd=tmp_path)
    assert process.returncode == 2
    assert "05_tune_128.py" in process.stderr.splitlines()[-1]


def test_trials_that_ran_side_by_side_count_once():
    start = datetime(2026, 1, 1)

    def trial(first, last):
        begun, ended = start + timedelta(seconds=first), start + timedelta(seconds=last)
        return SimpleNamespace(datetime_start=begun, datetime_complete=ended, duration=ended - begun)

    running = SimpleNamespace(datetime_start=start, datetime_complete=None, duration=None)
    assert _seconds([trial(0, 10), trial(2, 5), running, trial(8, 20), trial(30, 33)]) == 23


def test_equal_scores_count_once_among_the_best():
    """Two dropouts that bfloat16 rounds to the same train one network twice."""
    step = importlib.import_module("keras_port.05_tune_128")
    trials = [
        SimpleNamespace(number=number, value=value) for number, value in enumerate((1.0, 1.0, 2.0, 3.0, 4.0, 5.0))
    ]
    assert [trial.number for trial in step.best_and_median(trials)] == [0, 2, 3]
    assert [trial.number for trial in step.best_and_median(trials[:1])] == [0]
