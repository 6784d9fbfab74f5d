"""A server of S3's protocol with one bucket, for as long as a command runs: `serve.py COMMAND...`."""

import logging
import os
import subprocess
import sys
import urllib.request

from moto.server import ThreadedMotoServer

BUCKET = "bodies"


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        direct.open(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")).close()
        variables = {
            "AWS_ACCESS_KEY_ID": "a test's",
            "AWS_SECRET_ACCESS_KEY": "a test's too",
            "AWS_ENDPOINT_URL": endpoint,
            "ZAFFRE_TEST_S3": f"s3://{BUCKET}",
        }
        return subprocess.run(sys.argv[1:], env={**os.environ, **variables}, check=False).returncode
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
