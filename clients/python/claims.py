"""How a chapter writes its claims down, and the refusals it expects."""

from contextlib import contextmanager


def chapter():
    """An empty list of claims, and the decorator that adds one to it."""
    claims = []

    def claim(sentence):
        def add(shows):
            claims.append((sentence, shows))
            return shows

        return add

    return claims, claim


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def within(part, whole):
    assert part in whole, f"{part!r} is not in {whole!r}"


def refused(response, status, code):
    """An answer of Resource Manager, refusing in its own envelope: `{"error": {"code", "message"}}`."""
    equal((response.status_code, response.json().get("error", {}).get("code")), (status, code))
    assert response.json()["error"]["message"], "a refusal says why"


@contextmanager
def raises(kind, **expected):
    """The block raises an SDK's error of this kind. Its attributes are these; a message holds the text given."""
    try:
        yield
    except kind as error:
        for name, value in expected.items():
            found = getattr(error, name)
            if name == "message":
                within(value, found)
            else:
                equal(found, value)
        return
    raise AssertionError(f"nothing was refused, expected {kind.__name__} {expected}")
