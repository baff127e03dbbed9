"""Opens one stream with Google's Tink and writes its content to standard output.

Arguments: key in hex, associated data in hex, ciphertext segment size, file.
Exit 0 with the content, 1 if Tink refuses the stream.
"""

import io
import sys

import tink
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

TYPE_URL = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"


def keyset(key: bytes, segment_size: int) -> bytes:
    stream_key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        params=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=segment_size,
            derived_key_size=32,
            hkdf_hash_type=common_pb2.SHA256,
        ),
        key_value=key,
    )
    data = tink_pb2.KeyData(
        type_url=TYPE_URL,
        value=stream_key.SerializeToString(),
        key_material_type=tink_pb2.KeyData.SYMMETRIC,
    )
    one = tink_pb2.Keyset.Key(
        key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW
    )
    return tink_pb2.Keyset(primary_key_id=1, key=[one]).SerializeToString()


def main() -> int:
    key, associated_data = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])
    segment_size, path = int(sys.argv[3]), sys.argv[4]
    streaming_aead.register()
    handle = tink.proto_keyset_format.parse(keyset(key, segment_size), secret_key_access.TOKEN)
    primitive = handle.primitive(streaming_aead.StreamingAead)
    with open(path, "rb") as sealed:
        try:
            with primitive.new_decrypting_stream(sealed, associated_data) as opened:
                content = opened.read()
        except (tink.TinkError, OSError, ValueError) as refusal:
            print(f"refused: {refusal}", file=sys.stderr)
            return 1
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
