use std::time::Duration;

use serde_json::Value;

use crate::speech::MindError;

/// The provider's word for a limit that a person has set: nothing is answered
/// until the month is over, and asking again helps nobody.
const SPEND_LIMIT: &str = "enforced_spend_limit_reached";

/// What an answer with an error's status says. `body` is what it said, as far
/// as it was read; `header` finds a header by its name.
pub fn of_refusal<'a>(status: u16, header: impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> MindError {
    let error = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let code = error["error"]["details"]["error_code"].as_str();
    let seconds = |text: &str| text.trim().parse::<f64>().ok().filter(|s| (0.0..1e6).contains(s));
    let in_ms = header("retry-after-ms").and_then(seconds).map(|ms| ms / 1000.0);
    let after = in_ms.or_else(|| header("retry-after").and_then(seconds)).map(Duration::from_secs_f64);
    match status {
        402 => MindError::Spent,
        429 if code == Some(SPEND_LIMIT) => MindError::Spent,
        408 | 409 | 425 | 429 | 499 | 500.. => MindError::Busy { after },
        _ => MindError::Rejected { status },
    }
}

/// What an `error` event says, which may come after status 200. The bare type
/// counts; a code that is not known adds nothing.
pub(super) fn of_event(event: &Value) -> MindError {
    let error = &event["error"];
    let code = error["details"]["error_code"].as_str();
    match error["type"].as_str().unwrap_or_default() {
        "billing_error" => MindError::Spent,
        "rate_limit_error" if code == Some(SPEND_LIMIT) => MindError::Spent,
        "invalid_request_error" => MindError::Rejected { status: 400 },
        "authentication_error" => MindError::Rejected { status: 401 },
        "permission_error" => MindError::Rejected { status: 403 },
        "not_found_error" => MindError::Rejected { status: 404 },
        "request_too_large" => MindError::Rejected { status: 413 },
        _ => MindError::Busy { after: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(status: u16, headers: &[(&str, &'static str)], body: &Value) -> MindError {
        let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        of_refusal(status, header, body.to_string().as_bytes())
    }

    fn body(kind: &str, details: &Value) -> Value {
        json!({ "type": "error", "error": { "type": kind, "message": "no", "details": details }, "request_id": "req_1" })
    }

    #[test]
    fn a_spend_limit_is_never_tried_again_and_a_rate_limit_is() {
        let limit = body("rate_limit_error", &json!({ "error_code": SPEND_LIMIT }));
        assert_eq!(refusal(429, &[], &limit), MindError::Spent);
        let rate = body("rate_limit_error", &json!({ "error_code": "a_code_of_tomorrow" }));
        assert_eq!(refusal(429, &[], &rate), MindError::Busy { after: None });
        let after = |ms| MindError::Busy { after: Some(Duration::from_millis(ms)) };
        assert_eq!(refusal(429, &[("retry-after", "7")], &rate), after(7000));
        assert_eq!(refusal(429, &[("retry-after", "7"), ("retry-after-ms", "250")], &rate), after(250));
        assert_eq!(refusal(529, &[], &body("overloaded_error", &json!(null))), MindError::Busy { after: None });
    }

    #[test]
    fn a_wrong_key_or_request_stays_wrong() {
        for status in [400, 401, 403, 404, 413, 422] {
            assert_eq!(refusal(status, &[], &json!("not even an object")), MindError::Rejected { status });
        }
        assert_eq!(refusal(402, &[], &json!(null)), MindError::Spent);
    }

    #[test]
    fn a_time_to_wait_that_is_none_is_passed_over() {
        for wrong in ["", "soon", "-3", "NaN", "inf", "1e300", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            let header = |name: &str| (name == "retry-after").then_some(wrong);
            assert_eq!(of_refusal(503, header, b""), MindError::Busy { after: None }, "{wrong}");
        }
    }

    #[test]
    fn an_error_after_the_answer_began_says_the_same() {
        assert_eq!(of_event(&body("overloaded_error", &json!(null))), MindError::Busy { after: None });
        assert_eq!(of_event(&body("rate_limit_error", &json!({ "error_code": SPEND_LIMIT }))), MindError::Spent);
        assert_eq!(of_event(&body("authentication_error", &json!(null))), MindError::Rejected { status: 401 });
        assert_eq!(of_event(&json!({})), MindError::Busy { after: None });
    }
}
