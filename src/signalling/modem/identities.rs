/// Commands that ask who a modem or its SIM is, by the name that their answers have too:
/// by hand they are harmless, for they change nothing, and what is said to them is a
/// person's, so that no row for support shows it. It
/// comes with that name before it or without.
///
/// Sources: 3GPP TS 27.007 (`+CGSN`, `+CIMI`, `+CNUM`, `+CCID`), V.250 (`+GSN`), and the
/// makers' commands that the profiles have.
pub(super) const IDENTITIES: &[&str] =
    &["+CGSN", "+GSN", "+CIMI", "+CNUM", "+CCID", "+QCCID", "+CICCID", "+ICCID", "^ICCID"];
