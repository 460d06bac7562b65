"""Which type of the activations trains the faster on this machine."""

import time

TYPES = ("float32", "bfloat16")


def choose_compute(config, step_in, steps=5):
    """Resolve "auto": time some steps in each type and keep the faster; `step_in(name)` gives a function that takes one."""
    if config.compute != "auto":
        return config.compute
    seconds = {}
    for name in TYPES:
        try:
            seconds[name] = _time(step_in(name), steps, at_most=3 * min(seconds.values(), default=float("inf")))
        except Exception:  # a framework's own, where the machine has no kernel of that type
            if name == "float32":
                raise
            seconds[name] = float("inf")
    fastest = min(seconds, key=seconds.get)
    rates = ", ".join(f"{name} {config.batch_size / each:.0f} images/s" for name, each in seconds.items())
    print(f"compute: {fastest} ({rates})")
    return fastest


def _time(step, steps, at_most):
    """The least seconds of a step; where one takes longer than `at_most`, it has lost."""
    step()  # builds the graph
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
        if min(seconds) > at_most:
            break
    return min(seconds)
