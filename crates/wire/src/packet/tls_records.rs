//! Where TLS records end in a raw byte stream.
//!
//! TLS decrypts whole records, so a plaintext byte is in hand exactly when the last byte of its record
//! is. A reader that hands its TLS library one record at a time therefore knows the position of what
//! comes out: the end of the record just handed over. Nothing is assumed about ciphers, padding,
//! session tickets or key updates, since no lengths of plaintext are computed.
//!
//! What it does not do: decrypt, or hold bytes.

use thiserror::Error;

/// Type, version and length, in front of every record.
const HEADER_BYTES: usize = 5;
/// The most a record may carry: 2^14 bytes of plaintext and 2048 of what a cipher adds
/// (RFC 5246, 6.2.3; TLS 1.3 allows less).
const MOST_PAYLOAD_BYTES: usize = (1 << 14) + 2048;
/// The first byte of the version field, in every version of TLS.
const MAJOR_VERSION: u8 = 3;

/// Bytes that begin no TLS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("what came is not TLS: a record of type {kind}, version {major}.{minor} and {payload} bytes")]
pub(crate) struct NotTls {
    kind: u8,
    major: u8,
    minor: u8,
    payload: usize,
}

/// The whole length, header included, of the record that begins at the first of the `buffered` bytes;
/// `None` while its header is incomplete. The record itself may still be on its way.
pub(crate) fn next_record_len(buffered: &[u8]) -> Result<Option<usize>, NotTls> {
    let Some(&[kind, major, minor, high, low]) = buffered.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let payload = usize::from(u16::from_be_bytes([high, low]));
    if major != MAJOR_VERSION || payload > MOST_PAYLOAD_BYTES {
        return Err(NotTls { kind, major, minor, payload });
    }
    Ok(Some(HEADER_BYTES + payload))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3], &length[..], payload].concat()
    }

    proptest! {
        #[test]
        fn records_are_found_however_the_stream_was_cut(
            payloads in prop::collection::vec((20_u8..25, prop::collection::vec(any::<u8>(), 0..300)), 1..20),
            reads in prop::collection::vec(1_usize..100, 1..400),
        ) {
            let stream: Vec<u8> = payloads.iter().flat_map(|(kind, payload)| record(*kind, payload)).collect();
            let mut wanted = Vec::new();
            let mut end = 0;
            for (_, payload) in &payloads {
                end += HEADER_BYTES + payload.len();
                wanted.push(end);
            }
            let (mut came, mut taken, mut ends) = (0, 0, Vec::new());
            for read in reads.into_iter().cycle() {
                came = (came + read).min(stream.len());
                while let Some(len) = next_record_len(&stream[taken..came]).unwrap() {
                    if taken + len > came {
                        break;
                    }
                    taken += len;
                    ends.push(taken);
                }
                if came == stream.len() {
                    break;
                }
            }
            prop_assert_eq!(ends, wanted);
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..10)) {
            match next_record_len(&bytes) {
                Ok(None) => prop_assert!(bytes.len() < HEADER_BYTES),
                Ok(Some(len)) => prop_assert!(len <= HEADER_BYTES + MOST_PAYLOAD_BYTES),
                Err(error) => prop_assert!(error.to_string().contains("not TLS")),
            }
        }
    }

    #[test]
    fn the_longest_record_is_taken_and_a_longer_one_is_not() {
        assert_eq!(next_record_len(&[23, 3, 3, 0x48, 0x00]), Ok(Some(16384 + 2048 + 5)));
        assert!(next_record_len(&[23, 3, 3, 0x48, 0x01]).is_err());
        assert!(next_record_len(b"HTTP/1.1 400").is_err());
        assert_eq!(next_record_len(&[23, 3, 3, 1]), Ok(None));
    }
}
