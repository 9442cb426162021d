"""The program: `d365setup`, and `python -m d365setup`, which does the same."""

import gc

from d365setup.cli import main

_SELDOM = 200_000  # objects made before garbage is looked for; what imports make stays anyway, and is most of it


def run() -> None:
    """Run one command as a process of its own, and end it.

    Looking for cyclic garbage while modules load, and once more in all of them at the end, would be a tenth of the
    time that a plan without changes takes.
    """
    gc.set_threshold(_SELDOM)
    try:
        main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    run()
