//! Who calls: the number in the headers of an INVITE.

use rsipstack::sip::{HasHeaders, Request};

use crate::terms::PhoneNumber;

/// The caller's number: P-Asserted-Identity before Remote-Party-ID before From
/// (the trunk's word counts more than the caller's). None for a caller who
/// withholds it (`Privacy: id`, RFC 3323) and for what is no number.
pub(super) fn caller_number(invite: &Request, country_code: &str) -> Option<PhoneNumber> {
    let values = |name: &str| header_values(invite, name);
    if values("privacy").iter().any(|v| withholds(v)) {
        return None;
    }
    let shown = |value: &String| !value.to_ascii_lowercase().contains("privacy=full");
    let asserted = values("p-asserted-identity");
    let remote_party = values("remote-party-id").into_iter().filter(shown);
    let from = values("from");
    asserted.into_iter().chain(remote_party).chain(from).find_map(|value| number_in(&value, country_code))
}

/// All values of a header, in order. The name is in small letters.
pub(super) fn header_values(request: &impl HasHeaders, name: &str) -> Vec<String> {
    let split = |row: String| {
        let (key, value) = row.split_once(':')?;
        (key.trim().eq_ignore_ascii_case(name)).then(|| value.trim().to_owned())
    };
    request.headers().iter().filter_map(|header| split(header.to_string())).collect()
}

fn withholds(privacy: &str) -> bool {
    privacy.split([';', ',']).any(|value| matches!(value.trim(), "id" | "user" | "header"))
}

/// The number in a `sip:` or `tel:` address.
fn number_in(address: &str, country_code: &str) -> Option<PhoneNumber> {
    let uri = match address.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => address,
    };
    let (scheme, rest) = uri.trim().split_once(':')?;
    let user = match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => rest.split_once('@')?.0,
        "tel" => rest,
        _ => return None,
    };
    // Parameters and a password may stand behind the number.
    let number = user.split([';', ':']).next()?;
    PhoneNumber::parse(&number.replace("%2B", "+").replace("%2b", "+"), country_code).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(rows: &str) -> Option<String> {
        let text = format!(
            "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTo: <sip:x@y>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n{rows}\r\n\r\n"
        );
        let invite = Request::try_from(text.as_bytes()).expect("an INVITE");
        caller_number(&invite, "234").map(|n| n.expose().to_owned())
    }

    #[test]
    fn the_trunks_word_counts_more_than_the_callers() {
        let from = "From: \"Ada\" <sip:08030000001@gw>;tag=1";
        let remote_party = "Remote-Party-ID: <sip:08030000002@gw>;party=calling";
        let asserted = "P-Asserted-Identity: <tel:+234-803-000-0003>";
        assert_eq!(number(from).as_deref(), Some("+2348030000001"));
        assert_eq!(number(&format!("{from}\r\n{remote_party}")).as_deref(), Some("+2348030000002"));
        assert_eq!(number(&format!("{from}\r\n{remote_party}\r\n{asserted}")).as_deref(), Some("+2348030000003"));
    }

    #[test]
    fn a_caller_who_withholds_the_number_has_none() {
        assert_eq!(number("From: <sip:anonymous@anonymous.invalid>;tag=1"), None);
        let withheld = "From: <sip:08030000001@gw>;tag=1\r\nP-Asserted-Identity: <tel:+2348030000003>\r\nPrivacy: id";
        assert_eq!(number(withheld), None);
    }

    #[test]
    fn a_name_or_an_address_without_user_is_no_number() {
        for from in ["sip:reception@pbx", "sip:pbx", "\"<\" <sip:a@b>", "<", "mailto:a@b"] {
            assert_eq!(number(&format!("From: <{from}>;tag=1")), None, "{from}");
        }
    }

    #[test]
    fn a_number_with_parameters_or_an_escaped_plus_is_read() {
        assert_eq!(number("From: <sip:%2B2348030000001;cpc=ordinary@gw>;tag=1").as_deref(), Some("+2348030000001"));
    }
}
