"""What the search of 05_tune_128.py found: its table, tuning.json, and two figures drawn from it."""

import json
import warnings

from matplotlib.figure import Figure

from preprocessing.files import write_atomically
from results.drawing.curve import TRAIN_COLOUR, VAL_COLOUR
from results.drawing.figure import write_figure
from results.prediction.weights import this_machine

PARAMETERS = {
    "kernel": "kernel size",
    "filters": "filters of conv1",
    "dropout": "dropout",
    "batch_size": "batch size",
    "stride": "stride",
    "best_epoch": "best epoch (early stopping)",
}
INK = "#444444"


def table_of(study, source, subset, base, root):
    """Every trial of a study as plain values, and how much each hyperparameter matters.

    Importance is PED-ANOVA's (Watanabe et al. 2023), over the finished trials; None where they are too few.
    """
    from keras_port.tuning import SUGGESTED, parameters_of
    from preprocessing.shards import read_manifest

    trials = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "parameters": parameters_of(trial) if len(trial.params) == SUGGESTED else trial.params,
            "val_mse": trial.value if trial.state.name == "COMPLETE" else None,
            "epochs": trial.last_step + 1 if trial.last_step is not None else 0,
            "best_epoch": trial.user_attrs.get("best_epoch"),
            "last_val_mse": trial.intermediate_values.get(trial.last_step),
            "seconds": round(trial.duration.total_seconds()) if trial.duration else None,
            "error": trial.user_attrs.get("error"),
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    return {
        "data": source,
        "fingerprint": read_manifest(source)["fingerprint"],
        "photographs": read_manifest(subset, root)["resolutions"][str(base.resolution)]["train"]["images"],
        "resolution": base.resolution,
        "split": "val",
        "base": base.to_dict(),
        "host": this_machine(),
        "seconds": round(_seconds(study.get_trials(deepcopy=False))),
        "trials": trials,
        "importance": _importance(study),
    }


def _seconds(trials):
    """How long at least one trial was running: several processes may share a study."""
    spans = sorted((trial.datetime_start, trial.datetime_complete) for trial in trials if trial.duration)
    total, until = 0.0, None
    for start, end in spans:
        start = start if until is None else max(start, until)
        if end > start:
            total, until = total + (end - start).total_seconds(), end
    return total


def _importance(study):
    import optuna

    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return {
                name: float(value)
                for name, value in optuna.importance.get_param_importances(study, evaluator=evaluator).items()
            }
        except (ValueError, RuntimeError, ZeroDivisionError):
            return None


def write_table(table, path):
    """Add the rank correlation of short and long scores, and write the table."""
    from scipy.stats import spearmanr

    short, long = ([run[key] for run in table["long"]] for key in ("short_val_mse", "long_val_mse"))
    table["rank_correlation"] = (
        float(spearmanr(short, long).statistic) if len(set(short)) > 1 and len(set(long)) > 1 else None
    )
    write_atomically(path, (json.dumps(table, indent=1) + "\n").encode())


def _complete(table):
    return [trial for trial in table["trials"] if trial["state"] == "complete"]


def draw_tuning(table, path):
    """The history of the search, the importance of each hyperparameter, and the score against each."""
    figure = Figure(figsize=(9, 7.5), dpi=200, layout="constrained")
    axes = figure.subplots(3, 3)
    complete = _complete(table)
    low = min(trial["val_mse"] for trial in complete)
    _draw_history(axes[0, 0], table, complete)
    _draw_importance(axes[0, 1], table["importance"])
    _draw_rank(axes[0, 2], table)
    for place, (name, label) in zip(axes.flat[3:], PARAMETERS.items(), strict=True):
        values = [trial["best_epoch"] if name == "best_epoch" else trial["parameters"][name] for trial in complete]
        scores = [trial["val_mse"] for trial in complete]
        if name in ("kernel", "batch_size", "stride"):
            kinds = sorted(set(values))
            values = [kinds.index(value) for value in values]
            place.set_xticks(range(len(kinds)), kinds)
        place.plot(values, scores, ".", color=INK)
        place.axhline(low, color=VAL_COLOUR, lw=0.5)
        place.set(xlabel=label, ylabel="validation MSE")
    _write(figure, path)


def _draw_history(place, table, complete):
    pruned = [trial for trial in table["trials"] if trial["state"] == "pruned"]
    place.plot([t["number"] for t in pruned], [t["last_val_mse"] for t in pruned], "x", color="#bbbbbb", label="pruned")
    numbers, scores = [t["number"] for t in complete], [t["val_mse"] for t in complete]
    place.plot(numbers, scores, ".", color=INK, label="complete")
    best = [min(scores[: index + 1]) for index in range(len(scores))]
    place.step(numbers, best, where="post", color=VAL_COLOUR, label="best so far")
    place.set(xlabel="trial", ylabel="validation MSE")
    place.set_ylim(min(scores) * 0.98, sorted(scores)[-1] * 1.05)
    place.legend(frameon=False, fontsize=7)


def _draw_importance(place, importance):
    names = sorted(importance or {}, key=(importance or {}).get)
    place.barh([PARAMETERS[name] for name in names], [importance[name] for name in names], color=INK)
    place.set_xlabel("importance (PED-ANOVA)")
    if not names:
        place.set_title("too few trials", fontsize=8)


def _draw_rank(place, table):
    for run in table["long"]:
        place.plot(run["short_val_mse"], run["long_val_mse"], "o", color=VAL_COLOUR)
        place.annotate(
            f"trial {run['trial']}",
            (run["short_val_mse"], run["long_val_mse"]),
            (4, 4),
            textcoords="offset points",
            fontsize=7,
        )
    place.set(
        xlabel=f"validation MSE, trial at {table['resolution']} px", ylabel=f"trained at {table['long_resolution']} px"
    )


def draw_overfitting(table, path):
    """Training and validation error by epoch, with and without dropout and early stopping."""
    figure = Figure(figsize=(7.5, 3.2), dpi=200, layout="constrained")
    for place, (name, run) in zip(figure.subplots(1, 2, sharey=True), table["overfitting"].items(), strict=True):
        epochs = [row["epoch"] for row in run["epochs"]]
        place.plot(epochs, [row["train_mse"] for row in run["epochs"]], color=TRAIN_COLOUR, label="training")
        place.plot(epochs, [row["val_mse"] for row in run["epochs"]], color=VAL_COLOUR, label="validation")
        place.axvline(run["best_epoch"], color=INK, lw=0.5, ls=":")
        title = f"dropout {run['dropout']:.2f}, early stopping" if name == "with" else "no dropout, no early stopping"
        place.set(xlabel="epoch", ylabel="MSE, CIE ab units squared", title=title)
        place.label_outer()
    place.legend(frameon=False)
    _write(figure, path)


def _write(figure, path):
    for place in figure.axes:
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=8)
    write_figure(figure, path)
