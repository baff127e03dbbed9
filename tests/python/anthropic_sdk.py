"""Drives the stand-in's mind with Anthropic's own client.

Arguments: ports.json, a knowledge file of the box.
"""

import sys

import anthropic
from anthropic import Anthropic

from sdk_common import Ports, raises, run, words

PORTS = Ports(sys.argv[1])
with open(sys.argv[2]) as file:
    KNOWLEDGE = file.read()

MODEL = "claude-haiku-5-5"
SYSTEM = [{
    "type": "text",
    "text": "You answer a clinic's telephone from this knowledge alone.\n<knowledge>\n" + KNOWLEDGE + "</knowledge>\n",
    "cache_control": {"type": "ephemeral", "ttl": "1h"},
}]
TOOLS = [
    {
        "name": "opening_hours",
        "description": "When the business is open.",
        "input_schema": {"type": "object", "properties": {"when": {"type": "string"}}, "required": ["when"]},
    },
    {
        "name": "take_message",
        "description": "Takes a message for somebody.",
        "input_schema": {
            "type": "object",
            "properties": {"for_name": {"type": "string"}, "message": {"type": "string"}},
            "required": ["for_name", "message"],
        },
    },
]
PRICE = [{"role": "user", "content": "How much is a malaria test?"}]
MESSAGE = [{"role": "user", "content": "I want to leave a message: my result has not come yet."}]


def client(key=None):
    return Anthropic(api_key=key or PORTS.mind_key, base_url=f"https://localhost:{PORTS.mind}", max_retries=0)


def ask(**changes):
    options = dict(model=MODEL, max_tokens=300, system=SYSTEM, messages=PRICE)
    options.update(changes)
    return {key: value for key, value in options.items() if value is not None}


def stream(**changes):
    with client().messages.stream(**ask(**changes)) as events:
        kinds = [event.type for event in events]
        return kinds, events.get_final_message()


def said(message):
    return "".join(block.text for block in message.content if block.type == "text")


def assert_price(text):
    assert {"three", "thousand", "five", "hundred", "naira"} <= set(words(text)), text


def an_answer_streams_and_the_second_one_reads_the_cache():
    # Another prompt than that of the other checks, so that the first one writes the cache.
    system = [dict(SYSTEM[0], text="Answer shortly.\n" + SYSTEM[0]["text"])]
    kinds, first = stream(system=system)
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds
    assert kinds.count("text") >= 3, "the answer came in one piece"
    assert_price(said(first))
    assert first.stop_reason == "end_turn" and first.role == "assistant" and first.model == MODEL
    assert first.usage.cache_creation_input_tokens > 1024 and first.usage.cache_read_input_tokens == 0
    assert first.usage.output_tokens > 0
    _, second = stream(system=system)
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_creation_input_tokens == 0


def a_cache_is_warmed_without_an_answer():
    system = [dict(SYSTEM[0], text="Be brief.\n" + SYSTEM[0]["text"])]
    warmed = client().messages.create(**ask(system=system, max_tokens=0))
    assert warmed.content == [] and warmed.usage.cache_creation_input_tokens > 1024
    assert client().messages.create(**ask(system=system)).usage.cache_read_input_tokens > 1024


def a_tool_is_used_and_its_result_answered():
    kinds, used = stream(messages=MESSAGE, tools=TOOLS)
    assert used.stop_reason == "tool_use"
    call = next(block for block in used.content if block.type == "tool_use")
    assert call.name == "take_message" and "result has not come" in call.input["message"], call
    assert "input_json" in kinds
    turns = MESSAGE + [used.to_param() if hasattr(used, "to_param") else used]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "The message is taken and will be passed on."}
    _, done = stream(messages=turns + [{"role": "user", "content": [result]}], tools=TOOLS)
    assert done.stop_reason == "end_turn" and "passed on" in said(done), done
    error = raises(anthropic.BadRequestError, lambda: stream(messages=turns + PRICE, tools=TOOLS))
    assert "tool_result" in error.api_message


def hours_come_from_their_tool_and_a_forced_tool_is_used():
    asked = [{"role": "user", "content": "What time do you close on Friday?"}]
    _, used = stream(messages=asked, tools=TOOLS)
    assert [block.name for block in used.content if block.type == "tool_use"] == ["opening_hours"]
    _, forced = stream(tools=TOOLS, tool_choice={"type": "tool", "name": "take_message"})
    assert [block.name for block in forced.content if block.type == "tool_use"] == ["take_message"]
    _, free = stream(messages=asked, tools=TOOLS, tool_choice={"type": "none"})
    assert free.stop_reason == "end_turn" and "six" in words(said(free)), said(free)


def a_thought_comes_first_and_goes_back_unchanged():
    for display in ("summarized", "omitted"):
        _, thought = stream(thinking={"type": "adaptive", "display": display})
        first = thought.content[0]
        assert first.type == "thinking" and first.signature and bool(first.thinking) == (display == "summarized")
        assert_price(said(thought))
        content = [block.model_dump(exclude_none=True) for block in thought.content]
        back = PRICE + [{"role": "assistant", "content": content}, {"role": "user", "content": "And a scan?"}]
        assert stream(messages=back)[1].stop_reason == "end_turn"
        content[1]["text"] = content[1]["text"][:10]
        error = raises(anthropic.BadRequestError, lambda: stream(messages=back))
        assert "cannot be modified" in error.api_message


def an_answer_comes_whole_and_says_where_it_was_made():
    message = client().messages.create(**ask(inference_geo="us", stop_sequences=["naira"], service_tier="auto",
                                             output_config={"effort": "low"}, metadata={"user_id": "call-1"}))
    assert message.usage.inference_geo == "us" and message.stop_reason == "stop_sequence"
    assert message.stop_sequence == "naira" and "naira" not in said(message)
    assert message._request_id
    assert client().messages.count_tokens(model=MODEL, system=SYSTEM, messages=PRICE).input_tokens > 1024


def create(key=None, extra=None, **changes):
    return client(key).messages.create(**ask(**changes), extra_body=extra)


def what_the_version_does_not_know_is_refused():
    for field, value in (("temperature", 1.0), ("top_p", 1.0), ("top_k", 5), ("colour", "blue")):
        error = raises(anthropic.BadRequestError, lambda: create(extra={field: value}))
        assert error.type == "invalid_request_error" and error.api_message == f"{field}: Extra inputs are not permitted"
    five = [dict(SYSTEM[0])] * 5
    prefill = PRICE + [{"role": "assistant", "content": "It is"}]
    for wrong in (dict(system=five), dict(messages=prefill), dict(messages=[]), dict(inference_geo="eu"),
                  dict(model="claude-haiku-4-5", inference_geo="us"), dict(thinking={"type": "enabled", "budget_tokens": 9}),
                  dict(thinking={"type": "disabled"}), dict(tools=[{"name": "a b", "input_schema": {"type": "object"}}]),
                  dict(messages=[{"role": "user", "content": ""}]),
                  dict(system=[dict(SYSTEM[0], cache_control={"type": "forever"})])):
        error = raises(anthropic.BadRequestError, lambda: create(**wrong))
        assert error.type == "invalid_request_error" and error.request_id, wrong


def each_error_is_the_exception_that_it_is_documented_to_be():
    assert raises(anthropic.AuthenticationError, lambda: create("another key")).type == "authentication_error"
    assert raises(anthropic.NotFoundError, lambda: create(model="gpt-9")).type == "not_found_error"
    for fault, kind, name in (
        ("status-402", anthropic.PaymentRequiredError, "billing_error"),
        ("status-403", anthropic.PermissionDeniedError, "permission_error"),
        ("status-500", anthropic.InternalServerError, "api_error"),
        ("status-503", anthropic.ServiceUnavailableError, "api_error"),
        ("overloaded-529", anthropic.OverloadedError, "overloaded_error"),
    ):
        PORTS.fault("mind", fault)
        error = raises(kind, create)
        assert error.type == name and error.request_id, (fault, error)
    PORTS.fault("mind", "status-429")
    limited = raises(anthropic.RateLimitError, create)
    assert limited.type == "rate_limit_error" and limited.error_code is None
    assert int(limited.response.headers["retry-after"]) > 0
    PORTS.fault("mind", "spend-limit")
    spent = raises(anthropic.RateLimitError, create)
    assert spent.error_code == "enforced_spend_limit_reached" and "retry-after" not in spent.response.headers


def an_answer_that_goes_wrong_after_it_began_is_told_so():
    PORTS.fault("mind", "error-after-200")
    error = raises(anthropic.APIStatusError, stream)
    assert error.type == "overloaded_error", error
    PORTS.fault("mind", "refusal")
    _, refused = stream()
    assert refused.stop_reason == "refusal" and refused.stop_details.type == "refusal"
    PORTS.fault("mind", "max-tokens")
    assert stream()[1].stop_reason == "max_tokens"
    assert client().messages.create(**ask(max_tokens=3)).stop_reason == "max_tokens"


def a_mind_that_lies_names_another_price():
    PORTS.fault("mind", "contradict")
    lie = said(stream()[1])
    assert lie != said(stream()[1]) and "naira" in lie


run([
    an_answer_streams_and_the_second_one_reads_the_cache,
    a_cache_is_warmed_without_an_answer,
    a_tool_is_used_and_its_result_answered,
    hours_come_from_their_tool_and_a_forced_tool_is_used,
    a_thought_comes_first_and_goes_back_unchanged,
    an_answer_comes_whole_and_says_where_it_was_made,
    what_the_version_does_not_know_is_refused,
    each_error_is_the_exception_that_it_is_documented_to_be,
    an_answer_that_goes_wrong_after_it_began_is_told_so,
    a_mind_that_lies_names_another_price,
])
