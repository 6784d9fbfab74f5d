"""Runs this very program once more, as an ordinary user: what root's machine has in places that are root's alone is shown to them.

Root alone makes such a user of itself, in a mount namespace of its own, which nobody else sees: a folder on the way to what is needed that
others may not enter is covered with an empty one, in which lies what is needed and nothing else. Nothing of the machine is changed.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

# `nobody` on most systems; on the others it is nobody all the same.
NOBODY = 65534
COVERED = "ZAFFRE_COVERED"


def again(needed, venv):
    """What the program ends with. `needed` are the folders that it reads; `venv` is one that it makes, and has made before."""
    if os.geteuid() != 0:
        return None
    if COVERED not in os.environ:
        # The namespace is `unshare`'s, this process's own would be too.
        own = ["unshare", "--mount", "--propagation", "private", "--", sys.executable, *sys.argv]
        return subprocess.run(own, env={**os.environ, COVERED: "1"}, check=False).returncode
    paths = [path.resolve() for path in (*needed, venv, pathlib.Path(sys.base_prefix), pathlib.Path(sys.executable).parent)]
    for folder in sorted({folder for path in paths for folder in path.parents}, key=lambda it: len(it.parts)):
        if not folder.stat().st_mode & 0o001:
            cover(folder, {path.relative_to(folder).parts[0] for path in paths if folder in path.parents})
    with tempfile.TemporaryDirectory(prefix="zaffre-nobody-") as scratch:
        os.chown(scratch, NOBODY, NOBODY)
        work = pathlib.Path(scratch) / "work"
        (work / venv.parent.name).mkdir(parents=True)
        (work / venv.parent.name / venv.name).symlink_to(venv.resolve())
        for path in (work, work / venv.parent.name):
            os.chown(path, NOBODY, NOBODY)
        words = [word for word in sys.argv if word != "--ordinary-user"] + ["--work", str(work)]
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", sys.executable, *words]
        home = {"HOME": scratch, "TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(user, env={**os.environ, **home}, cwd=pathlib.Path.cwd(), check=False).returncode


def cover(folder, names):
    """Others may enter it from now on, and find these alone."""
    held = {name: os.open(folder / name, os.O_PATH) for name in names}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", folder], check=True)
    for name, handle in held.items():
        (folder / name).mkdir()
        subprocess.run(["mount", "--no-canonicalize", "--rbind", f"/proc/{os.getpid()}/fd/{handle}", folder / name], check=True)
        os.close(handle)
