"""Nothing here may leave the machine, and nothing may need to: the proxy variables alone must do.

Python tells an audit hook of every connection and every look-up of a name before it happens. The SDKs stay as they
are; one that went around the proxy would fail here, with the address it wanted.
"""

import ipaddress
import os
import sys

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


def require_for_everything():
    missing = [name for name in PROXIES if name not in os.environ]
    if missing:
        raise RuntimeError(f"`zaffre env` sets no {', '.join(missing)}")
    sys.addaudithook(_refuse_others)


def _refuse_others(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host is not None and not _is_loopback(host):
        raise RuntimeError(f"a client went around the proxy: {event} {host}")


def _is_loopback(host):
    host = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
