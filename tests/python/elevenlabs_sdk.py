"""Drives the stand-in's voice with ElevenLabs' own client.

Arguments: ports.json, a directory for what was spoken, a text to be spoken. The
sound of each way of speaking is left there as a WAV file, to be listened to.
"""

import base64
import json
import sys
import time

import websockets
from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.types.audio_output import AudioOutput
from elevenlabs.types.audio_output_multi import AudioOutputMulti
from elevenlabs.types.close_context import CloseContext
from elevenlabs.types.close_socket import CloseSocket
from elevenlabs.types.final_output_multi import FinalOutputMulti
from elevenlabs.types.flush_context import FlushContext
from elevenlabs.types.generation_config import GenerationConfig
from elevenlabs.types.initialize_connection_multi import InitializeConnectionMulti
from elevenlabs.types.keep_context_alive import KeepContextAlive
from elevenlabs.types.realtime_voice_settings import RealtimeVoiceSettings
from elevenlabs.types.send_text_multi import SendTextMulti
from elevenlabs.url_utils import build_ws_url
from websockets.sync.client import connect

from sdk_common import PATIENCE_S, Ports, of_a_law, of_mu_law, raises, run, write_wav

PORTS = Ports(sys.argv[1])
PLACE = sys.argv[2]
TEXT = sys.argv[3]

BASE = f"https://localhost:{PORTS.voice}"
VOICE = "21m00Tcm4TlvDq8ikWAM"
MODEL = "eleven_flash_v2_5"


def client(key=None):
    return ElevenLabs(api_key=key or PORTS.voice_key, base_url=BASE)


def socket(kind, key=None, **query):
    url = build_ws_url(BASE, ["v1", "text-to-speech", VOICE, kind], {"model_id": MODEL, **query})
    return connect(url, additional_headers={"xi-api-key": key or PORTS.voice_key})


def send(connection, message):
    body = message if isinstance(message, dict) else message.dict(by_alias=True, exclude_none=True)
    connection.send(json.dumps(body))


def receive(connection, timeout=PATIENCE_S):
    return json.loads(connection.recv(timeout))


def keep(name, sound, rate):
    assert len(sound) > rate, f"{name}: less than half a second"
    write_wav(f"{PLACE}/{name}.wav", sound, rate)


def a_text_is_streamed_in_every_format():
    before = PORTS.seen("voice")
    lengths = {}
    for name, rate in (("pcm_8000", 8000), ("pcm_16000", 16000), ("pcm_22050", 22050), ("pcm_24000", 24000),
                       ("ulaw_8000", 8000), ("alaw_8000", 8000)):
        chunks = list(client().text_to_speech.stream(
            VOICE, text=TEXT, model_id=MODEL, output_format=name, enable_logging=False, optimize_streaming_latency=3,
            voice_settings=VoiceSettings(stability=0.5, similarity_boost=0.75, speed=1.0),
        ))
        sound = b"".join(chunks)
        if name == "ulaw_8000":
            sound = of_mu_law(sound)
        elif name == "alaw_8000":
            sound = of_a_law(sound)
        keep(name, sound, rate)
        lengths[name] = len(sound) / 2 / rate
    assert max(lengths.values()) - min(lengths.values()) < 0.2, lengths
    new = PORTS.seen("voice")["queries"][len(before["queries"]):]
    assert all("enable_logging=false" in query for query in new), new


def a_text_that_comes_in_pieces_is_spoken_by_the_sdk():
    pieces = (word + " " for word in TEXT.split())
    settings = VoiceSettings(stability=0.5, similarity_boost=0.75)
    chunks = list(client().text_to_speech.convert_realtime(
        VOICE, text=pieces, model_id=MODEL, output_format="pcm_16000", voice_settings=settings))
    assert len(chunks) >= 2
    keep("realtime", b"".join(chunks), 16000)


def timings_say_which_character_is_heard_when():
    with socket("stream-input", output_format="pcm_16000", sync_alignment="true") as connection:
        send(connection, {"text": " ", "voice_settings": {"stability": 0.5, "similarity_boost": 0.8},
                          "generation_config": {"chunk_length_schedule": [50]}})
        send(connection, {"text": TEXT + " ", "flush": True})
        send(connection, {"text": ""})
        sound, chars = b"", ""
        while not (message := receive(connection)).get("isFinal"):
            output = AudioOutput(**message)
            piece = base64.b64decode(output.audio)
            alignment = output.alignment
            starts, lengths = alignment.char_start_times_ms, alignment.char_durations_ms
            assert len(alignment.chars) == len(starts) == len(lengths) and output.normalized_alignment.chars
            assert starts == sorted(starts) and all(0 <= s <= len(piece) / 32 + 1 for s in starts), starts
            sound += piece
            chars += "".join(alignment.chars)
        raises(websockets.exceptions.ConnectionClosedOK, lambda: receive(connection))
    assert chars.split() == TEXT.split(), chars
    keep("aligned", sound, 16000)


def nothing_is_spoken_before_there_is_enough_text():
    with socket("stream-input", output_format="ulaw_8000") as connection:
        send(connection, {"text": " "})
        send(connection, {"text": "This has not enough characters. "})
        raises(TimeoutError, lambda: receive(connection, 2))
        send(connection, {"text": "Now the text has more than the hundred and twenty characters that the first sound "
                                  "of all waits for by default. "})
        assert receive(connection)["audio"]
    with socket("stream-input", output_format="ulaw_8000", auto_mode="true") as connection:
        send(connection, {"text": " "})
        send(connection, {"text": "Good morning to you. "})
        assert receive(connection)["audio"]


def initial(context):
    return InitializeConnectionMulti(
        context_id=context, voice_settings=RealtimeVoiceSettings(stability=0.5, similarity_boost=0.8, speed=1.0),
        generation_config=GenerationConfig(chunk_length_schedule=[50]),
    )


def contexts_are_spoken_side_by_side_and_closed_one_by_one():
    with socket("multi-stream-input", output_format="pcm_16000", inactivity_timeout="60") as connection:
        for context in ("one", "two"):
            send(connection, initial(context))
            send(connection, SendTextMulti(text=TEXT + " ", context_id=context))
            send(connection, FlushContext(context_id=context, text="", flush=True))
        send(connection, KeepContextAlive(context_id="one"))
        send(connection, CloseContext(context_id="two", close_context=True))
        # Never flushed and closed: nothing of it is spoken.
        send(connection, initial("three"))
        send(connection, SendTextMulti(text="Unsaid. ", context_id="three"))
        send(connection, CloseContext(context_id="three", close_context=True))
        sound, over, asked = {}, [], False
        while True:
            try:
                message = receive(connection)
            except websockets.exceptions.ConnectionClosedOK:
                break
            if message.get("isFinal"):
                over.append(FinalOutputMulti(**message).context_id)
            else:
                output = AudioOutputMulti(**message)
                sound[output.context_id] = sound.get(output.context_id, b"") + base64.b64decode(output.audio)
            if set(over) >= {"two", "three"} and not asked:
                asked = True
                send(connection, CloseSocket(close_socket=True))
        assert sorted(over) == ["one", "three", "two"], over
        assert set(sound) == {"one", "two"}
        keep("context-one", sound["one"], 16000)
        keep("context-two", sound["two"], 16000)


def closed_with(connection):
    """The last message, and the code with which the socket is closed."""
    message = {}
    try:
        while True:
            message = receive(connection)
    except websockets.exceptions.ConnectionClosed as closed:
        return message, closed.rcvd.code


def what_breaks_the_rules_of_a_socket_closes_it():
    settings = {"stability": 0.5, "similarity_boost": 0.8}
    with socket("stream-input", output_format="pcm_16000") as connection:
        send(connection, {"text": " ", "voice_settings": settings})
        send(connection, {"text": "Hello. ", "voice_settings": settings})
        message, code = closed_with(connection)
        assert code == 1008 and message["code"] == 1008, message
    with socket("multi-stream-input", output_format="pcm_16000") as connection:
        send(connection, initial("one"))
        send(connection, dict(text="Hello. ", context_id="one", voice_settings=settings))
        assert closed_with(connection)[1] == 1008
    with socket("multi-stream-input", output_format="pcm_16000") as connection:
        for n in range(6):
            send(connection, initial(f"context-{n}"))
        assert closed_with(connection)[1] == 1008
    with socket("stream-input", output_format="pcm_16000", inactivity_timeout="1") as connection:
        send(connection, {"text": " "})
        began = time.monotonic()
        message, code = closed_with(connection)
        assert code == 1008 and message["error"] == "input_timeout_exceeded", message
        assert time.monotonic() - began >= 0.9
    with socket("stream-input", "another key", output_format="pcm_16000") as connection:
        send(connection, {"text": " "})
        message, code = closed_with(connection)
        assert code == 1008 and message["error"] == "invalid_api_key"
    with socket("stream-input", output_format="pcm_16000") as connection:
        send(connection, {"text": " ", "generation_config": {"chunk_length_schedule": [10]}})
        assert closed_with(connection)[1] == 1008


def a_request_that_is_wrong_is_refused():
    def stream(key=None, **changes):
        options = dict(text=TEXT, model_id=MODEL, output_format="pcm_16000")
        options.update(changes)
        return list(client(key).text_to_speech.stream(changes.pop("voice", VOICE), **options))

    assert raises(ApiError, lambda: stream("another key")).status_code == 401
    assert raises(ApiError, lambda: stream(output_format="pcm_9999")).status_code == 422
    assert raises(ApiError, lambda: stream(voice_settings=VoiceSettings(speed=3.0))).status_code == 422
    assert raises(ApiError, lambda: list(client().text_to_speech.stream("none", text=TEXT))).status_code == 404
    no_retries = {"max_retries": 0}
    for fault, status in (("status-401", 401), ("status-429", 429), ("status-503", 503)):
        PORTS.fault("voice", fault)
        assert raises(ApiError, lambda: stream(request_options=no_retries)).status_code == status
    PORTS.fault("voice", "no-zero-retention")
    assert raises(ApiError, lambda: stream(enable_logging=False)).status_code == 403
    PORTS.clear()


run([
    a_request_that_is_wrong_is_refused,
    a_text_is_streamed_in_every_format,
    a_text_that_comes_in_pieces_is_spoken_by_the_sdk,
    timings_say_which_character_is_heard_when,
    nothing_is_spoken_before_there_is_enough_text,
    contexts_are_spoken_side_by_side_and_closed_one_by_one,
    what_breaks_the_rules_of_a_socket_closes_it,
])
