"""Runs the stories: transcripts of the unmodified Azure CLI, one file each, which say what has to come.

    # Prose, to the end of the paragraph.
    @admin                     the story begins signed in as the cloud's administrator
    $ az group create ...      a command of the shell; `> ` on the next line continues it
    western                    what it prints, line by line
    {id}                       some word: its name stands for it from here on, in commands as $id
    ...                        any lines; within a line, any characters
    ! (AuthorizationFailed)    what its errors hold
    ? 3                        how it ends, where that is not 0
    ~ arm-token                what the page of a tutorial has wrong here: `zaffre tour --corrections` says it in words

Each story has a configuration folder and a home of its own, and its own names of things, so that they run in any
order and beside one another; in each, the first step that differs ends it. The last line counts steps.

Tutorials (`tutorial_*.txt`, published pages from signing in to cleaning up) come first and by themselves, so that the
cloud's log of that while tells how much of it was the cloud's time. Together they may take it CLOUD_MS_MAX.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import seen

STORIES = pathlib.Path(__file__).resolve().parent / "stories"
AT_ONCE = 2
STEP_SECONDS = 120
CLOUD_MS_MAX = 5000


def main(names):
    stories = [read(path) for path in sorted(STORIES.glob("*.txt")) if not names or path.stem in names]
    tutorials = [story for story in stories if story.name.startswith("tutorial_")]
    others = [story for story in stories if story not in tutorials]
    with tempfile.TemporaryDirectory(prefix="zaffre-az-") as work:
        teller = Teller(pathlib.Path(work))
        told, is_quick = tell_tutorials(teller, tutorials)
        told += teller.tell_all(others)
    passed, failed, skipped = (sum(counts) for counts in zip((0, 0, 0), *told))
    failed += not is_quick
    tail = f", {skipped} skipped" if skipped else ""
    print(f"\naz: {passed} passed, {failed} failed{tail}", flush=True)
    return 1 if failed or not passed else 0


class Teller:
    def __init__(self, work):
        self.work, self.admin = work, sign_in(work / "admin")

    def tell_all(self, stories):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda story: tell(story, self.work / story.name, self.admin), stories))


def tell_tutorials(teller, tutorials):
    """Their counts, and whether the cloud's own share of the time was no more than it may be."""
    if not tutorials:
        return [], True
    log, begun = pathlib.Path(os.environ["ZAFFRE_LOG"]), time.monotonic()
    before = log.stat().st_size
    told = teller.tell_all(tutorials)
    took = time.monotonic() - begun
    times = [record["ms"] for record in seen.records(log, before) if "ms" in record]
    print(
        f"\naz: the tutorials' requests took {sum(times):.0f} ms of the cloud's time"
        f" ({len(tutorials)} tutorials, {len(times)} requests, {took:.0f} s by the clock)",
        flush=True,
    )
    return told, bool(times) and sum(times) < CLOUD_MS_MAX


class Step:
    """A command, and what has to come of it."""

    def __init__(self, command):
        self.command, self.printed, self.complaints, self.code = command, [], [], 0


class Story:
    def __init__(self, name):
        self.name, self.steps, self.is_admins = name, [], False


def read(path):
    story = Story(path.stem)
    for line in path.read_text().splitlines():
        mark, _, rest = line.partition(" ")
        if line == "@admin":
            story.is_admins = True
        elif mark == "$":
            story.steps.append(Step(rest))
        elif mark == ">":
            story.steps[-1].command += f"\n{rest}"
        elif mark == "!":
            story.steps[-1].complaints.append(rest)
        elif mark == "?":
            story.steps[-1].code = int(rest)
        elif line and mark not in ("#", "~"):
            story.steps[-1].printed.append(line)
    return story


def sign_in(folder):
    """A configuration folder in which the cloud's administrator, a person, is signed in."""
    zaffre = [os.environ["ZAFFRE"], "credentials", "--json"]
    person = json.loads(subprocess.run(zaffre, check=True, stdout=subprocess.PIPE).stdout)
    os.environ["ADMIN"], os.environ["ADMIN_PASSWORD"] = person["user_principal_name"], person["password"]
    login = ["az", "login", "--username", person["user_principal_name"], "--password", person["password"]]
    subprocess.run(login, env=variables(folder), check=True, capture_output=True, timeout=STEP_SECONDS)
    return folder


def variables(folder):
    """A story's environment: the cloud's, and a home of its own."""
    return {**os.environ, "HOME": str(folder), "AZURE_CONFIG_DIR": str(folder / ".azure")}


def tell(story, folder, admin):
    """How many steps came as they had to, how many did not, how many were not taken."""
    folder.mkdir()
    if story.is_admins:
        shutil.copytree(admin / ".azure", folder / ".azure")
    lines, known, begun = [f"\n{story.name.replace('_', ' ')}"], {}, time.monotonic()
    for done, step in enumerate(story.steps):
        start = time.monotonic()
        came = subprocess.run(
            ["bash", "-c", step.command],
            env={**variables(folder), **known},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        wrong = differs(step, came, known)
        took = time.monotonic() - start
        lines.append(f"  {'FAILED' if wrong else 'ok    '}  {took:5.1f} s  {step.command.splitlines()[0]}")
        if wrong:
            print("\n".join([*lines, *wrong]), flush=True)
            return done, 1, len(story.steps) - done - 1
    lines.append(f"  {len(story.steps)} steps, {time.monotonic() - begun:.0f} s")
    print("\n".join(lines), flush=True)
    return len(story.steps), 0, 0


def differs(step, came, known):
    """What is not as it had to be, in lines; learns the words that have names."""
    wrong = []
    if came.returncode != step.code:
        wrong.append(f"    ended with {came.returncode}, expected {step.code}")
    wrong += [f"    its errors do not hold: {text}" for text in step.complaints if text not in came.stderr]
    if not matches(step.printed, came.stdout.rstrip("\n").split("\n") if came.stdout.strip() else [], known):
        wrong.append("    expected:")
        wrong += [f"      {line}" for line in step.printed]
    if wrong:
        wrong += ["    printed:"] + [f"      {line}" for line in came.stdout.splitlines()]
        wrong += ["    its errors:"] + [f"      {line}" for line in came.stderr.splitlines()[-20:]]
    return wrong


def matches(expected, lines, known):
    if not expected:
        return not lines
    if expected[0] == "...":
        return any(matches(expected[1:], lines[at:], known) for at in range(len(lines) + 1))
    return bool(lines) and is_line(expected[0], lines[0], known) and matches(expected[1:], lines[1:], known)


def is_line(expected, line, known):
    """`{name}` is any word the first time, and that word from then on."""
    names = []

    def word(part):
        name = part[2:-2]
        if name in known:
            return re.escape(known[name])
        if name in names:
            return f"(?P={name})"
        names.append(name)
        return rf"(?P<{name}>[^\s\"]+)"

    pattern = re.escape(expected).replace(re.escape("..."), ".*")
    pattern = re.sub(r"\\\{[a-z_]+\\\}", lambda part: word(part[0]), pattern)
    found = re.fullmatch(pattern, line)
    if found:
        known.update(found.groupdict())
    return found is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
