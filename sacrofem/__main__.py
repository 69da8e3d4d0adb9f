"""The process of the command line: ``sacrofem`` and ``python -m sacrofem``."""

import sys

from sacrofem.system.signals import INTERRUPTED, interruptible


def main() -> int:
    """Run the command of this process; its exit status, 130 after every interrupt."""
    with interruptible() as interrupts:
        try:
            # Inside: the import of a command can be interrupted too.
            from sacrofem.cli import main as command
            from sacrofem.cli import open_streams

            open_streams()
            status = command()
            if interrupts.came and status != INTERRUPTED:
                raise KeyboardInterrupt("it had ended already")
        except KeyboardInterrupt as error:
            if sys.stderr is not None:
                sys.stderr.write(f"interrupted: {str(error) or 'nothing was written'}\n")
            status = INTERRUPTED
        interrupts.over()
    return status


if __name__ == "__main__":
    sys.exit(main())
