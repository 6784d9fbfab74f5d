#!/usr/bin/env python3
"""Runs the Python SDKs' claims against a fresh cloud.

    python3 clients/python/run.py --zaffre target/release/zaffre --work target/clients/python

Makes a virtual environment under the work folder (kept, and made anew when requirements.txt changes), starts
`zaffre up` in memory on free ports, and runs main.py there with the variables that `zaffre env` prints and with
nothing else that could name a proxy, a certificate or an account. Ends the cloud, and fails where that fails.

This file needs Python's own library alone; what main.py needs is in requirements.txt.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

import cloud

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"


def main():
    args = arguments()
    python = python_with_packages(args.work / "venv")
    with tempfile.TemporaryDirectory(prefix="zaffre-python-") as data:
        with cloud.Running(args.zaffre.resolve(), pathlib.Path(data), args.work / "zaffre.log") as running:
            variables = {**outer_variables(), **running.client_variables(), **running.own_variables()}
            claims = subprocess.run([python, HERE / "main.py"], env=variables, check=False)
        if claims.returncode != 0:
            running.print_log_end()
        return claims.returncode


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zaffre", type=pathlib.Path, required=True, help="the built program")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a folder for the virtual environment")
    return parser.parse_args()


def python_with_packages(folder):
    """The interpreter of a virtual environment that has what requirements.txt names."""
    python = folder / "bin" / "python"
    installed = folder / "requirements.txt"
    if not installed.exists() or installed.read_bytes() != REQUIREMENTS.read_bytes():
        print(f"making a virtual environment with {REQUIREMENTS.name}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--requirement", REQUIREMENTS], check=True)
        installed.write_bytes(REQUIREMENTS.read_bytes())
    return python


def outer_variables():
    """What stays of the caller's environment: nothing about networks, certificates or Azure."""
    return {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}


if __name__ == "__main__":
    sys.exit(main())
