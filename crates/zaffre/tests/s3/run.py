#!/usr/bin/env python3
"""Runs the tests of bodies in a bucket against a real server of S3's protocol, on loopback.

    python3 crates/zaffre/tests/s3/run.py --work target/s3 -- cargo test -p zaffre --lib -- store::content

Makes a virtual environment under the work folder (kept, and made anew when requirements.txt changes), starts moto's
server there on a free port, makes a bucket, and runs the command with the variables by which the tests find it. The
server ends with the command.

This file needs Python's own library alone; the server is in requirements.txt.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a folder for the virtual environment")
    parser.add_argument("command", nargs="+", help="what is run with the bucket")
    args = parser.parse_args()
    python = python_with_packages(args.work.resolve() / "venv")
    # Keys of the caller's must not reach a test's server, nor a proxy be between.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run([python, HERE / "serve.py", *args.command], env=outer, check=False).returncode


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


if __name__ == "__main__":
    sys.exit(main())
