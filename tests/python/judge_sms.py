"""Other people's decoders of short messages, as judges of ours.

Argument: "tables" (gsmcodecs: every place of the national tables), "submits"
(python-gsmmodem: PDUs that are to be sent) or "delivers" (smspdudecoder: PDUs
that arrived). JSON comes in and goes out.
"""

import io
import json
import sys


def tables():
    from gsmcodecs.charmaps import GSMCHARMAPS

    def places(language, which):
        decode = GSMCHARMAPS[language].get(which, GSMCHARMAPS[0][which])["decode"]
        return [chr(decode[septet]) if septet in decode else None for septet in range(128)]

    return [(places(n, "locking"), places(n, "singleShift")) for n in range(14)]


def submit(row):
    from gsmmodem.pdu import Concatenation, decodeSmsPdu

    pdu = decodeSmsPdu(row)
    part = next((e for e in pdu.get("udh", []) if isinstance(e, Concatenation)), None)
    return (
        pdu["number"],
        pdu["tpdu_length"],
        int(pdu["validity"].total_seconds()) // 60,
        part and (part.reference, part.parts, part.number),
        pdu["text"],
    )


def deliver(row):
    from smspdudecoder.fields import SMSDeliver

    pdu = SMSDeliver.decode(io.StringIO(row))
    return pdu["sender"]["number"], pdu["user_data"]["data"]


def main():
    given = json.load(sys.stdin)
    order = sys.argv[1]
    if order == "tables":
        answer = tables()
    elif order == "submits":
        answer = [submit(row) for row in given]
    else:
        answer = [deliver(row) for row in given]
    json.dump(answer, sys.stdout)


main()
