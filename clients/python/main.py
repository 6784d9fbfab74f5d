"""The claims, in the order in which a user would find out: sign in, make things, use them as a machine.

What is claimed is a sentence; what shows it is the function below it. Later claims stand on what earlier ones
made, so a chapter ends at its first failure and the next begins. The last line counts.
"""

import importlib
import sys
import traceback

import loopback
from world import World

CHAPTERS = [
    "signing_in",
    "applications",
    "people",
    "resource_manager",
    "management",
    "machine",
    "hosts",
    "tokens",
    "blobs",
    "signatures",
    "cosmos",
    "parting",
]


def main(names):
    loopback.require_for_everything()
    world, passed, failed, skipped = World(), 0, 0, 0
    for name in [it for it in CHAPTERS if not names or it in names]:
        claims = importlib.import_module(name).CLAIMS
        print(f"\n{name.replace('_', ' ')}", flush=True)
        for done, (sentence, shows) in enumerate(claims):
            try:
                shows(world)
            except Exception:
                print(f"  FAILED  {sentence}", flush=True)
                traceback.print_exc(file=sys.stdout)
                failed += 1
                skipped += len(claims) - done - 1
                break
            print(f"  ok      {sentence}", flush=True)
            passed += 1
    tail = f", {skipped} skipped" if skipped else ""
    print(f"\npython: {passed} passed, {failed} failed{tail}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
