"""Drives the stand-in's ears with Deepgram's own client.

Arguments: ports.json, a spoken WAV file at 16 kHz, the same at 8 kHz, what is
said in them.
"""

import sys
import threading
import time

from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types.listen_v1configure import ListenV1Configure
from deepgram.listen.v1.types.listen_v1configure_failure import ListenV1ConfigureFailure
from deepgram.listen.v1.types.listen_v1configure_success import ListenV1ConfigureSuccess
from deepgram.listen.v1.types.listen_v1metadata import ListenV1Metadata
from deepgram.listen.v1.types.listen_v1results import ListenV1Results
from deepgram.listen.v1.types.listen_v1speech_started import ListenV1SpeechStarted
from deepgram.listen.v1.types.listen_v1utterance_end import ListenV1UtteranceEnd
from deepgram.listen.v2.types.listen_v2configure import ListenV2Configure
from deepgram.listen.v2.types.listen_v2configure_failure import ListenV2ConfigureFailure
from deepgram.listen.v2.types.listen_v2configure_success import ListenV2ConfigureSuccess
from deepgram.listen.v2.types.listen_v2configure_thresholds import ListenV2ConfigureThresholds
from deepgram.listen.v2.types.listen_v2connected import ListenV2Connected
from deepgram.listen.v2.types.listen_v2turn_info import ListenV2TurnInfo
from websockets.exceptions import InvalidStatus

from sdk_common import PATIENCE_S, Ports, assert_near, mu_law, raises, read_wav, run

PORTS = Ports(sys.argv[1])
WIDE, WIDE_HZ = read_wav(sys.argv[2])
NARROW, NARROW_HZ = read_wav(sys.argv[3])
SAID = sys.argv[4]

# Twenty milliseconds, sent twice as fast as they are spoken.
FRAME_S = 0.02
PACE = 2


def client(key=None):
    base = f"localhost:{PORTS.ears}"
    environment = DeepgramClientEnvironment(
        base=f"https://{base}", production=f"wss://{base}", agent=f"wss://{base}", agent_rest=f"https://{base}"
    )
    return DeepgramClient(api_key=key or PORTS.ears_key, environment=environment)


# A stream without a sign of life for ten seconds is closed.
PULSE_S = 3


class Listener:
    """Takes the messages of a connection on a thread of its own. `pulse` is a sign of life."""

    def __init__(self, connection, pulse):
        self.pulse = pulse
        self.messages, self.errors = [], []
        self.changed = threading.Condition()
        self.closed = False
        connection.on(EventType.MESSAGE, self.message)
        connection.on(EventType.ERROR, self.errors.append)
        connection.on(EventType.CLOSE, self.close)
        self.thread = threading.Thread(target=connection.start_listening, daemon=True)
        self.thread.start()

    def message(self, message):
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def close(self, _):
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def until(self, what, found):
        """Waits for a message that `found` likes."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with self.changed:
                self.changed.wait_for(lambda: self.closed or any(map(found, self.messages)), PULSE_S)
                for message in filter(found, self.messages):
                    return message
                if self.closed:
                    break
            self.pulse()
        raise AssertionError(f"in vain: {what}, {self.errors}, {self.messages}")

    def until_closed(self):
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive(), "the stream did not end"
        assert not self.errors, self.errors


def speak(connection, sound, bytes_per_second, silence_s=0.0, silence=b"\0"):
    step = int(bytes_per_second * FRAME_S)
    sound += silence * int(bytes_per_second * silence_s)
    for at in range(0, len(sound), step):
        connection.send_media(sound[at : at + step])
        time.sleep(FRAME_S / PACE)


def finals(messages):
    return [m for m in messages if isinstance(m, ListenV1Results) and m.is_final]


def transcript(results):
    return " ".join(r.channel.alternatives[0].transcript for r in results if r.channel.alternatives[0].transcript)


def a_live_stream_is_transcribed_with_all_its_events():
    options = dict(
        model="nova-3", encoding="linear16", sample_rate=WIDE_HZ, channels=1, interim_results=True, endpointing=300,
        utterance_end_ms=1000, vad_events=True, punctuate=True, smart_format=True, mip_opt_out=True,
        keyterm=["Sunrise Family Clinic", "Yaba"],
    )
    with client().listen.v1.connect(**options) as connection:
        listener = Listener(connection, connection.send_keep_alive)
        speak(connection, WIDE, WIDE_HZ * 2, silence_s=2.0)
        listener.until("the end of speech", lambda m: isinstance(m, ListenV1Results) and m.speech_final)
        listener.until("the end of the utterance", lambda m: isinstance(m, ListenV1UtteranceEnd))
        connection.send_keep_alive()
        connection.send_close_stream()
        listener.until_closed()
    kinds = (ListenV1Results, ListenV1SpeechStarted, ListenV1UtteranceEnd, ListenV1Metadata)
    assert all(isinstance(message, kinds) for message in listener.messages), listener.messages
    assert isinstance(listener.messages[-1], ListenV1Metadata)
    assert abs(listener.messages[-1].duration - (len(WIDE) / WIDE_HZ / 2 + 2.0)) < 0.1
    started = listener.until("speech started", lambda m: isinstance(m, ListenV1SpeechStarted))
    results = finals(listener.messages)
    assert_near(transcript(results), SAID)
    assert any(not m.is_final for m in listener.messages if isinstance(m, ListenV1Results)), "no interim result"
    said = [word for result in results for word in result.channel.alternatives[0].words]
    assert started.timestamp <= said[0].start + 0.5
    assert all(a.end <= b.start + 1e-6 for a, b in zip(said, said[1:])), "words overlap"
    assert all(0 <= word.confidence <= 1 and word.punctuated_word for word in said)
    at = 0.0
    for result in results:
        assert abs(result.start - at) < 1e-6, "the finals leave sound out"
        at = result.start + result.duration
    end = listener.until("the end", lambda m: isinstance(m, ListenV1UtteranceEnd))
    assert abs(end.last_word_end - said[-1].end) < 1e-6
    ids = {result.metadata.request_id for result in results}
    assert ids == {listener.messages[-1].request_id}


def a_telephone_line_is_transcribed_and_finalized():
    sound = mu_law(NARROW)
    options = dict(model="nova-3", encoding="mulaw", sample_rate=NARROW_HZ, endpointing=False, mip_opt_out=True)
    with client().listen.v1.connect(**options) as connection:
        listener = Listener(connection, connection.send_keep_alive)
        speak(connection, sound, NARROW_HZ)
        connection.send_finalize()
        final = listener.until("what was finalized", lambda m: isinstance(m, ListenV1Results) and m.from_finalize)
        assert final.is_final
        connection.send_close_stream()
        listener.until_closed()
    results = finals(listener.messages)
    assert all(r.is_final for r in listener.messages if isinstance(r, ListenV1Results)), "interim results unasked"
    heard = transcript(results)
    assert_near(heard, SAID)
    assert heard == heard.lower(), "capitals although punctuation was not asked for"


def key_terms_are_changed_on_the_way_within_their_limit():
    options = dict(encoding="linear16", sample_rate=WIDE_HZ)
    with client().listen.v1.connect(model="nova-3", keyterm="Yaba", **options) as connection:
        connection.send_configure(ListenV1Configure(keyterms=["Akinwunmi Street"]))
        success = connection.recv()
        assert isinstance(success, ListenV1ConfigureSuccess) and success.keyterms == ["Akinwunmi Street"], success
        connection.send_configure(ListenV1Configure(keyterms=["a very long term indeed"] * 200))
        failure = connection.recv()
        assert isinstance(failure, ListenV1ConfigureFailure), failure
        assert failure.code == "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"
        connection.send_close_stream()
    with client().listen.v1.connect(model="nova-2", **options) as connection:
        connection.send_configure(ListenV1Configure(keyterms=["Yaba"]))
        assert connection.recv().code == "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
        connection.send_close_stream()


def status(act):
    """The status with which an opening is refused. The client maps the errors of older releases of `websockets` to
    its own; those of the present one come through as they are."""
    error = raises((ApiError, InvalidStatus), act)
    return error.status_code if isinstance(error, ApiError) else error.response.status_code


def opened(deepgram, **options):
    with deepgram.listen.v1.connect(**options):
        pass


def an_opening_that_is_wrong_is_refused():
    good = dict(model="nova-3", encoding="linear16", sample_rate=16000)
    assert status(lambda: opened(client("another key"), **good)) == 401
    unknown = dict(good, request_options={"additional_query_parameters": {"colour": "blue"}})
    for wrong in (unknown, dict(good, model="whisper-9"), dict(good, utterance_end_ms=1000),
                  dict(good, model="nova-2", keyterm="Yaba"), dict(good, keyterm=["far too long a term"] * 200)):
        assert status(lambda: opened(client(), **wrong)) == 400, wrong
    for fault, code in (("status-401", 401), ("status-402", 402), ("status-403", 403), ("status-429", 429),
                          ("status-503", 503)):
        PORTS.fault("ears", fault)
        assert status(lambda: opened(client(), **good)) == code


def flux_takes_turns():
    options = dict(
        model="flux-general-en", encoding="linear16", sample_rate=WIDE_HZ, eager_eot_threshold=0.4, eot_threshold=0.7,
        eot_timeout_ms=5000, keyterm=["Yaba", "Sunrise Family Clinic"], mip_opt_out=True,
    )
    with client().listen.v2.connect(**options) as connection:
        listener = Listener(connection, lambda: connection.send_media(bytes(640)))
        speak(connection, WIDE, WIDE_HZ * 2, silence_s=3.0)
        ended = listener.until("the end of the turn", lambda m: getattr(m, "event", "") == "EndOfTurn")
        connection.send_configure(
            ListenV2Configure(thresholds=ListenV2ConfigureThresholds(eot_threshold=0.9), keyterms=["Akinwunmi"])
        )
        success = listener.until("a new setting", lambda m: isinstance(m, ListenV2ConfigureSuccess))
        assert success.thresholds.eot_threshold == 0.9 and success.thresholds.eager_eot_threshold == 0.4
        assert success.keyterms == ["Akinwunmi"]
        connection.send_configure(ListenV2Configure(thresholds=ListenV2ConfigureThresholds(eot_threshold=0.1)))
        listener.until("a refusal", lambda m: isinstance(m, ListenV2ConfigureFailure))
        connection.send_close_stream()
        listener.until_closed()
    assert isinstance(listener.messages[0], ListenV2Connected)
    assert [m.sequence_id for m in listener.messages] == list(range(len(listener.messages)))
    turns = [m for m in listener.messages if isinstance(m, ListenV2TurnInfo)]
    events = [m.event for m in turns if m.event != "Update"]
    assert events[0] == "StartOfTurn" and events.count("EndOfTurn") == 1, events
    assert events[-2:] == ["EagerEndOfTurn", "EndOfTurn"], events
    eager = [m for m in turns if m.event == "EagerEndOfTurn"][-1]
    assert eager.transcript == ended.transcript and eager.end_of_turn_confidence >= 0.4
    assert ended.trigger == "model" and ended.end_of_turn_confidence >= 0.7
    assert_near(ended.transcript, SAID)
    assert " ".join(word.word for word in ended.words) == ended.transcript
    assert all(m.turn_index == (0 if m.sequence_id <= ended.sequence_id else 1) for m in turns)
    updates = [m for m in turns if m.event == "Update"]
    assert len(updates) >= len(WIDE) / WIDE_HZ / 2, "an update every quarter of a second"


def flux_ends_a_turn_when_it_is_told_to():
    options = dict(model="flux-general-en", encoding="mulaw", sample_rate=NARROW_HZ, eot_threshold=1.0)
    with client().listen.v2.connect(**options) as connection:
        listener = Listener(connection, lambda: connection.send_media(b"\xff" * 160))
        speak(connection, mu_law(NARROW), NARROW_HZ, silence_s=1.0, silence=b"\xff")
        listener.until("a turn", lambda m: getattr(m, "event", "") == "StartOfTurn")
        assert not any(getattr(m, "event", "") == "EndOfTurn" for m in listener.messages), "it was not told to"
        connection.send_force_end_turn()
        ended = listener.until("its end", lambda m: getattr(m, "event", "") == "EndOfTurn")
        assert ended.trigger == "manual"
        assert_near(ended.transcript, SAID)
        connection.send_close_stream()
        listener.until_closed()


def flux_refuses_a_wrong_opening():
    def opened(**options):
        with client().listen.v2.connect(**options):
            pass

    good = dict(model="flux-general-en", encoding="linear16", sample_rate=16000)
    for wrong in (dict(good, eot_threshold=0.2), dict(good, eager_eot_threshold=0.95), dict(good, model="nova-3"),
                  dict(good, language_hint=["en"]), dict(good, eot_timeout_ms=100)):
        assert status(lambda: opened(**wrong)) == 400, wrong


run([
    an_opening_that_is_wrong_is_refused,
    flux_refuses_a_wrong_opening,
    key_terms_are_changed_on_the_way_within_their_limit,
    a_live_stream_is_transcribed_with_all_its_events,
    a_telephone_line_is_transcribed_and_finalized,
    flux_takes_turns,
    flux_ends_a_turn_when_it_is_told_to,
])
