"""A running `zaffre up`, from outside: started, asked for its variables, ended."""

import json
import os
import subprocess
import time

START_SECONDS = 20
END_SECONDS = 20


def client_variables(*options):
    """What `zaffre env` sets for clients, by name. The cloud is found by ZAFFRE_HOME."""
    command = [os.environ["ZAFFRE"], "env", "--format", "json", *options]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


class Running:
    """Starts a cloud in memory, on ports that are free, and ends it with the `with` block."""

    def __init__(self, zaffre, data, log):
        self.zaffre, self.data, self.log = zaffre, data, log

    def __enter__(self):
        command = [self.zaffre, "up", "--memory", "--offline", "--port", "all=0", "--data", self.data]
        command += ["--log", "json"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait_until_it_listens()
        except BaseException:
            self.process.kill()
            self.process.wait()
            self.print_log_end()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError(f"`zaffre up` did not end within {END_SECONDS} s of SIGTERM") from None
        if code != 0:
            self.print_log_end()
            raise RuntimeError(f"`zaffre up` ended with {code}")

    def own_variables(self):
        """What our own command line needs to find this cloud."""
        return {"ZAFFRE": str(self.zaffre), "ZAFFRE_HOME": str(self.data)}

    def client_variables(self):
        command = [self.zaffre, "env", "--format", "json"]
        environment = {**os.environ, **self.own_variables()}
        return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)

    def print_log_end(self, lines=40):
        print(f"\nthe end of {self.log}:")
        print("\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]), flush=True)

    def _wait_until_it_listens(self):
        """run.json appears, whole, when every door is open."""
        run = self.data / "run.json"
        deadline = time.monotonic() + START_SECONDS
        while not run.exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"`zaffre up` ended with {self.process.returncode} before it listened")
            if time.monotonic() > deadline:
                raise RuntimeError(f"`zaffre up` wrote no run.json within {START_SECONDS} s")
            time.sleep(0.01)
