"""What the scripts that drive the vendors' own clients share.

Each is started with the `ports.json` of the stand-ins, and with their
certificate authority in SSL_CERT_FILE. A script ends with 0 when its client was
content with everything; what it was not content with stands in the traceback.
"""

import array
import difflib
import faulthandler
import json
import os
import re
import sys
import traceback
import urllib.request
import wave

# Longer than anything takes here, even on a machine that does much else.
PATIENCE_S = 120

# A client that waits for ever says where: half of what a test may take.
SCRIPT_S = 300


class Ports:
    def __init__(self, path):
        with open(path) as file:
            self.__dict__.update(json.load(file))

    def post(self, path, body=None):
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.control}{path}", data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S):
            pass

    def fault(self, provider, fault, once=True):
        self.post("/fault", {"provider": provider, "fault": fault, "once": once})

    def clear(self):
        self.post("/clear")

    def seen(self, provider):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}/seen", timeout=PATIENCE_S) as answer:
            return json.load(answer)[provider]


def words(text):
    return re.findall(r"[a-z]+", text.lower())


def assert_near(heard, said):
    """Most words of what was said were heard, in order; digits may be written either way."""
    ratio = difflib.SequenceMatcher(None, words(said), words(heard)).ratio()
    assert ratio >= 0.7, f"{said!r} was heard as {heard!r} ({ratio:.2f})"


def read_wav(path):
    """Bytes of the samples (16 bits, mono) and their rate."""
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path
        return file.readframes(file.getnframes()), file.getframerate()


def write_wav(path, samples, rate):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)


def samples(linear):
    return array.array("h", linear)


def mu_law(linear):
    """G.711 mu-law of 16 bit samples (table 2 of the recommendation)."""

    def code(sample):
        magnitude = min(abs(sample) >> 2, 8158) + 33
        segment = magnitude.bit_length() - 5
        octet = (segment - 1) << 4 | magnitude >> segment & 0x0F
        return ~(octet | (0x80 if sample < 0 else 0)) & 0xFF

    return bytes(code(sample) for sample in samples(linear))


def of_mu_law(octets):
    def sample(octet):
        octet = ~octet & 0xFF
        value = (((octet & 0x0F) << 3) + 0x84 << (octet >> 4 & 7)) - 0x84
        return -value if octet & 0x80 else value

    return array.array("h", map(sample, octets)).tobytes()


def of_a_law(octets):
    def sample(octet):
        octet ^= 0x55
        segment, step = octet >> 4 & 7, ((octet & 0x0F) << 4) + 8
        value = step if segment == 0 else step + 0x100 << segment - 1
        return value if octet & 0x80 else -value

    return array.array("h", map(sample, octets)).tobytes()


def raises(kind, act):
    """The exception of this class, or of one of these, that `act` raises."""
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


def run(checks):
    """Runs every check, and says which failed."""
    assert os.environ.get("SSL_CERT_FILE"), "the stand-ins' authority is not trusted"
    faulthandler.dump_traceback_later(SCRIPT_S, exit=True)
    failed = 0
    for check in checks:
        try:
            check()
            print(f"content: {check.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"failed: {check.__name__}", file=sys.stderr)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
