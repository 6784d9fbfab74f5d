#!/usr/bin/env python3
"""Runs Azure's own clients against a fresh cloud: one kind of them, named first.

    python3 clients/run.py python --zaffre target/release/zaffre --work target/clients

Installs the kind's packages under the work folder (kept, and made anew when what names them changes), starts
`zaffre up` in memory on free ports, and runs the kind's program there with the variables that `zaffre env` prints and
with nothing else that could name a proxy, a certificate or an account. Ends the cloud, and fails where that fails, or where
the clients no longer reach an operation that the kind's list has (seen.py).
Words after the options are the program's: the chapters or stories to run.

This file needs Python's own library alone. Each kind's program ends with the line `KIND: N passed, N failed`.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import venv

import cloud
import ordinary
import seen

HERE = pathlib.Path(__file__).resolve().parent


def main():
    args = arguments()
    folder, work = HERE / args.kind, (args.work / args.kind).absolute()
    if args.ordinary_user and os.geteuid() == 0:
        # Packages are root's to install; who is nobody reads them.
        KINDS[args.kind](folder, work)
        return ordinary.again([HERE, args.zaffre.resolve().parent], work / "venv")
    command, variables = KINDS[args.kind](folder, work)
    with tempfile.TemporaryDirectory(prefix=f"zaffre-{args.kind}-") as data:
        with cloud.Running(args.zaffre.resolve(), pathlib.Path(data), work / "zaffre.log") as running:
            variables = {
                **outer_variables(),
                **running.client_variables(),
                **running.own_variables(),
                "ZAFFRE_LOG": str(running.log),
                "PYTHONPATH": str(HERE),
                **variables,
            }
            claims = subprocess.run([*command, *args.words], env=variables, check=False)
        if claims.returncode != 0:
            running.print_log_end()
            return claims.returncode
        return 0 if args.words or seen.holds(args.kind, folder, running.log) else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--zaffre", type=pathlib.Path, required=True, help="the built program")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a folder for packages and logs")
    parser.add_argument("--ordinary-user", action="store_true", help="as nobody in particular, where root runs this")
    parser.add_argument("words", nargs="*", help="which chapters or stories; all of them where none is named")
    return parser.parse_intermixed_args()


def python(folder, work):
    return [python_with_packages(folder, work), folder / "main.py"], {}


def az(folder, work):
    """The runner needs no package; `az` itself is what the packages bring, and is found by PATH."""
    scripts = python_with_packages(folder, work).parent
    path = f"{folder / 'bin'}:{scripts}:{os.environ['PATH']}"
    return [sys.executable, folder / "main.py"], {"PATH": path, "AZ_VENV": str(scripts.parent)}


def js(folder, work):
    """Packages are looked for beside the program that asks, or where NODE_PATH says."""
    modules = node_modules(folder, work)
    return ["node", folder / "main.js"], {"NODE_PATH": str(modules)}


KINDS = {"python": python, "az": az, "js": js}


def python_with_packages(folder, work):
    """The interpreter of a virtual environment that has what requirements.txt names."""
    environment = work / "venv"
    installed = environment / "requirements.txt"
    wanted = folder / "requirements.txt"
    if not is_same(installed, wanted):
        print(f"making a virtual environment with {wanted.relative_to(HERE)}", flush=True)
        venv.create(environment, with_pip=True, clear=True)
        pip = [environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--requirement", wanted], check=True)
        shutil.copyfile(wanted, installed)
    return environment / "bin" / "python"


def node_modules(folder, work):
    """The folder of packages that package-lock.json names."""
    lock = "package-lock.json"
    installed = work / "node_modules" / lock
    if not is_same(installed, folder / lock):
        print(f"installing the packages of {folder.name}/{lock}", flush=True)
        work.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", lock, ".npmrc"):
            shutil.copyfile(folder / name, work / name)
        subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=work, check=True)
        shutil.copyfile(folder / lock, installed)
    return work / "node_modules"


def is_same(installed, wanted):
    return installed.exists() and installed.read_bytes() == wanted.read_bytes()


def outer_variables():
    """What stays of the caller's environment: nothing about networks, certificates or Azure."""
    return {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}


if __name__ == "__main__":
    sys.exit(main())
