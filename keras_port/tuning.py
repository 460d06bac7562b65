"""The search over the six hyperparameters that the original's README names, as an Optuna study, scored on `val`."""

import hashlib
import shutil
import warnings
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import keras
import optuna

from keras_port.config import TrainingConfig
from keras_port.training import choose_compute, train
from preprocessing.files import UserError
from preprocessing.shards import read_manifest

HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 120  # without a heartbeat, after which a trial's process counts as killed
SUGGESTED = 5  # parameters of a trial that got as far as its training
WARMUP_EPOCHS = 7  # until batch normalisation's averages hold for every batch size; no trial is pruned before
FAILURES = 5  # one after another, that end a search
# States of a trial that counts: it was run, or is being run by some process.
TAKEN = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.RUNNING)


def search_space(trial):
    """The six: kernel size, number of filters, dropout, batch size and stride; epochs are early stopping's.

    Filters are cut where a larger kernel or a smaller stride would make the network cost more than the report's: so all
    can be trained at 128 in the time at hand, and their weights shipped.
    """
    kernel = trial.suggest_categorical("kernel", [3, 5])
    stride = trial.suggest_categorical("stride", [2, 4])
    most = 64 * 3 / kernel * stride / 4  # multiply-adds grow with the squares of all three
    return {
        "kernel": kernel,
        "deconv_kernel": kernel + 1,  # even, as in the default: no checkerboard
        "stride": stride,
        "filters": min(trial.suggest_int("filters", 16, 64, step=8), int(most) // 8 * 8),
        "dropout": trial.suggest_float("dropout", 0.0, 0.6),
        "batch_size": trial.suggest_categorical("batch_size", [10, 16, 32, 64]),
    }


def parameters_of(trial):
    """The hyperparameters with which a trial was run."""
    return search_space(optuna.trial.FixedTrial(trial.params))


def seed_of_trial(seed, number):
    """The sampler's seed for one trial: trial numbers are given out once, whoever asks and after however many restarts."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def open_study(name, storage, base, source, root="shards"):
    """Create or take up a study; (study, `base` with the type of its activations chosen once for all trials).

    Parameters
    ----------
    storage : str, an Optuna storage URL such as "sqlite:///results/local/tuning.db"
    base : TrainingConfig, which each trial changes by its parameters
    source, root : the shards of the trials

    Raises
    ------
    UserError
        The storage cannot be opened, or its study was begun with another base or other photographs.
    """
    study = _open(name, storage)
    settings = {"base": base.to_dict(), "fingerprint": read_manifest(source, root)["fingerprint"]}
    before = study.user_attrs.get("settings")
    if before is None:
        study.set_user_attr("compute", choose_compute(base, source, root))
        study.set_user_attr("settings", settings)  # last: a study that has them is whole
    elif before != settings:
        raise UserError(
            f"the study {name} in {storage} was begun with other settings or photographs: begin another by --storage"
        )
    return study, replace(base, compute=study.user_attrs["compute"])


def _open(name, storage):
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # its warnings are of trials that fail, which we print
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    try:
        if storage.startswith("sqlite:///"):
            Path(storage.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        opened = optuna.storages.RDBStorage(
            storage,
            engine_kwargs={"connect_args": {"timeout": 60}} if storage.startswith("sqlite:") else {},
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
        )
        return optuna.create_study(
            study_name=name,
            storage=opened,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=WARMUP_EPOCHS),
        )
    except Exception as error:  # noqa: BLE001 - of SQLAlchemy, or of the driver that it loads for the URL
        reason = str(error).splitlines()[0][:120]
        raise UserError(f"--storage {storage} cannot be opened ({reason}): name an Optuna storage URL") from None


def search(study, base, source, folder, trials, minutes, seed, root="shards"):
    """Run trials until `trials` of the study are finished or being run by other processes, or `minutes` are over.

    A trial whose process was killed is freed first. Several processes may each begin a last trial at once: those with
    the lower numbers are run, and the others, which are recorded as failed, are not.

    Parameters
    ----------
    base : TrainingConfig, which each trial changes by its parameters
    folder : path, where the trials of this process keep their runs until they end
    """

    def objective(trial):
        if sum(other.number < trial.number for other in study.get_trials(deepcopy=False, states=TAKEN)) >= trials:
            trial.set_user_attr("error", "not run: another process began the last one")
            raise RuntimeError
        trial.study.sampler = optuna.samplers.TPESampler(seed=seed_of_trial(seed, trial.number), constant_liar=True)
        parameters = search_space(trial)
        config = replace(base, **parameters)
        run = Path(folder) / f"trial-{trial.number:03}"
        print(f"trial {trial.number}: {parameters}")
        try:
            trained = train(config, source, run, root=root, callbacks=[_Pruning(trial)])
        except Exception as error:
            if not isinstance(error, optuna.TrialPruned):
                print(f"trial {trial.number} failed: {error}")
                trial.set_user_attr("error", str(error)[:500])
            raise
        finally:
            keras.utils.clear_session()
            shutil.rmtree(run, ignore_errors=True)
        trial.set_user_attr("best_epoch", trained.summary["best_epoch"])
        trial.set_user_attr("history", [[row["train_mse"], row["val_mse"]] for row in trained.history])
        return trained.summary["val_mse"]

    _free_killed_trials(study)
    if len(study.get_trials(deepcopy=False, states=TAKEN)) >= trials:
        return
    try:
        study.optimize(
            objective,
            timeout=minutes * 60,
            catch=(Exception,),  # recorded as failed, and the study goes on
            callbacks=[optuna.study.MaxTrialsCallback(trials, states=TAKEN), _print_trial, _give_up],
        )
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):  # no heartbeat while the machine slept
        raise UserError("the last trial was given up by another process while this one slept: search again") from None


def _free_killed_trials(study):
    optuna.storages.fail_stale_trials(study)
    long_ago = datetime.now() - timedelta(seconds=GRACE_SECONDS)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        if not trial.params and trial.datetime_start < long_ago:  # killed before its first heartbeat
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def finished(study):
    """The trials that were run to their end, best first."""
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return sorted(complete, key=lambda trial: trial.value)


def configuration_of(trial, base):
    """The training configuration of a trial."""
    return replace(base, **parameters_of(trial))


def default_base(resolution, seed):
    """What all trials share: enough epochs that early stopping can act on some 3,000 photographs."""
    return TrainingConfig(resolution, epochs=20, images_per_epoch=3000, patience=6, mirror_average=False, seed=seed)


def _give_up(study, trial):
    """End a search in which nothing works: a full disk fails every trial, and would go on for hours."""
    last = [each for each in study.get_trials(deepcopy=False) if each.state.is_finished()][-FAILURES:]
    if len(last) == FAILURES and all(each.state == optuna.trial.TrialState.FAIL for each in last):
        raise UserError(f"the last {FAILURES} trials failed, this one with the error above: mend it and search again")


def _print_trial(study, trial):
    value = "" if trial.value is None else f", val MSE {trial.value:.2f}"
    print(f"trial {trial.number}: {trial.state.name.lower()}{value}")


class _Pruning(keras.callbacks.Callback):
    """Reports the validation error of each epoch, and ends a trial that the pruner gives up."""

    def __init__(self, trial):
        super().__init__()
        self._trial = trial

    def on_epoch_end(self, epoch, logs=None):
        self._trial.report(logs["val_loss"], epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned
