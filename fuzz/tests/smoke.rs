//! Every fuzz target, briefly: well-formed input, and some thousands of mutations of it. The mutations are
//! the same each time, so a failure here can be repeated; finding new ones is the fuzzer's work.

use loadgen_core::Nanos;
use loadgen_record::{Journal, JournalHeader};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const MUTATIONS: u32 = 5_000;
/// Bytes that mean something to one parser or another.
const TELLING: &[u8] = b"\0\n\r\"\\{}[]:,=-0e@\xff";

/// Runs `target` on each seed and on mutations of it.
fn smoke(target: fn(&[u8]), seeds: &[&[u8]]) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for seed in seeds {
        target(seed);
        for length in 0..seed.len() {
            target(&seed[..length]);
        }
        for _ in 0..MUTATIONS / seeds.len() as u32 {
            target(&mutated(seed, &mut random));
        }
    }
}

/// One to four changes: a byte flipped, removed, doubled, replaced, or a stretch moved elsewhere.
fn mutated(seed: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.next_u32() % 4 {
        if bytes.is_empty() {
            break;
        }
        let at = random.next_u32() as usize % bytes.len();
        match random.next_u32() % 5 {
            0 => bytes[at] ^= 1 << (random.next_u32() % 8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, bytes[at]),
            3 => bytes[at] = TELLING[random.next_u32() as usize % TELLING.len()],
            _ => bytes.rotate_left(at),
        }
    }
    bytes
}

#[test]
fn sse() {
    smoke(
        loadgen_fuzz::sse,
        &[
            b"\x01data: {\"choices\":[]}\r\n\r\n: ping\n\ndata: [DONE]\n\n",
            b"\x03\xef\xbb\xbfevent: error\rdata: one\rdata: two\r\rdata: no blank line",
        ],
    );
}

#[test]
fn exposition() {
    smoke(
        loadgen_fuzz::exposition,
        &[
            b"\x00# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1\",y=\"a\\\"b\"} 3 1700000000000\n\
              # TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3.5\nh_count 2\nloose NaN\n",
            b"\x01# TYPE b counter\n# UNIT b seconds\nb_total 5 # {trace_id=\"x\"} 1.0 1700000000\n\
              {\"my.name\",l=\"v\"} 1e3\n# EOF\n",
        ],
    );
}

#[test]
fn http_response() {
    smoke(
        loadgen_fuzz::http_response,
        &[
            b"\x05HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabcHTTP/1.1 ",
            b"\x01HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 No\r\nA: b\r\n\r\nuntil the end",
            b"\x83HTTP/1.1 204 No Content\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ],
    );
}

#[test]
fn http_chunked() {
    smoke(
        loadgen_fuzz::http_chunked,
        &[
            b"\x023;n=\"v\"\r\nabc\r\n00A \t\r\n0123456789\r\n0\r\nX: y\r\n\r\nrest",
            b"\x0a1\r\nx\r\n0\r\n\r\n",
        ],
    );
}

/// Head bytes of `response`: 0 is a stream, 4 one JSON value, 3 an error.
#[test]
fn chat() {
    smoke(
        loadgen_fuzz::chat,
        &[
            b"\x00\x05data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\u00e9\\ud83d\"}}]}\n\n\
              data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"delta\":{\"content\":\"\\ude00\"},\"finish_reason\":\"stop\"}]}\n\n\
              data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
            b"\x00\x01data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":503}}\n\n",
            b"\x04\x07{\"object\":\"chat.completion\",\"choices\":[{\"message\":{\"reasoning_content\":\"hm\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}",
            b"\x03\x02{\"detail\":\"no such model\"}",
        ],
    );
}

#[test]
fn completions() {
    smoke(
        loadgen_fuzz::completions,
        &[
            b"\x00\x04data: {\"object\":\"text_completion\",\"choices\":[{\"text\":\"one \"}]}\n\ndata: [DONE]\n\n",
            b"\x04\x03{\"object\":\"text_completion\",\"choices\":[{\"text\":\"one two\",\"finish_reason\":\"length\"}]}",
        ],
    );
}

#[test]
fn responses() {
    smoke(
        loadgen_fuzz::responses,
        &[
            b"\x00\x07event: response.created\ndata: {\"type\":\"response.created\"}\n\n\
              data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"a\"}\n\n\
              data: {\"type\":\"response.output_text.done\",\"output_index\":0,\"content_index\":0,\"text\":\"a\"}\n\n\
              data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":1}}}\n\n",
            b"\x04\x05{\"object\":\"response\",\"output\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}]},{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\"}]}]}",
        ],
    );
}

#[test]
fn messages() {
    smoke(
        loadgen_fuzz::messages,
        &[
            b"\x00\x05data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}\n\n\
              data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n\
              data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"b\"}}\n\n\
              data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n",
            b"\x04\x07{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool_use\",\"name\":\"f\",\"input\":{\"a\":1}}],\"usage\":{\"input_tokens\":1}}",
        ],
    );
}

#[test]
fn generate() {
    smoke(
        loadgen_fuzz::generate,
        &[
            b"\x00\x00\x05data:{\"token\":{\"text\":\"a\"},\"generated_text\":\"a\",\"details\":{\"finish_reason\":\"length\"}}\n\n",
            b"\x00\x04\x03[{\"generated_text\":\"a b\"}]",
            b"\x01\x04\x03{\"content\":\"a b\"}",
        ],
    );
}

#[test]
fn vectors() {
    smoke(
        loadgen_fuzz::vectors,
        &[
            b"\x00\x04\x09{\"data\":[{\"object\":\"embedding\",\"embedding\":[0.1,-2e3]}]}",
            b"\x01\x04\x09{\"embeddings\":[[1,2]]}",
            b"\x02\x04\x09{\"rankings\":[{\"index\":0,\"logit\":0.5}]}",
            b"\x04\x04\x09[{\"index\":0,\"score\":0.5}]",
        ],
    );
}

#[test]
fn free() {
    smoke(
        loadgen_fuzz::free,
        &[
            b"\x00\x00\x05data: {\"text\":\"a\"}\n\ndata: plain\n\ndata: [DONE]\n\n",
            b"\x00\x04\x05{\"choices\":[{\"message\":{\"content\":\"a\"}}]}",
            b"\x01\x04\x05{\"answer\":{\"parts\":[{\"t\":\"a\"},{\"t\":\"b\"}]}}",
        ],
    );
}

#[test]
fn response_field() {
    smoke(
        loadgen_fuzz::response_field,
        &[
            b"choices[0].message.content\0{\"choices\":[{\"message\":{\"content\":\"a\"}}]}",
            b"a.*.b[?c>`1`] | [-1]\0[1]",
        ],
    );
}

#[test]
fn trace_line() {
    smoke(
        loadgen_fuzz::trace_line,
        &[
            br#"{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 48, 2353]}"#,
            br#"{"timestamp":1.5,"session_id":"a","delay":10,"messages":[{"role":"user","content":"hi"}]}"#,
            br#"{"text_input": "a \"quoted\" prompt\u00e9", "output_length": -1}"#,
        ],
    );
}

#[test]
fn lengths() {
    smoke(
        loadgen_fuzz::lengths,
        &[
            b"256|10,128|5:40;512|20,256|10:60",
            b"[(256,128):40.5,(512,256):59.5]",
            br#"{"pairs":[{"isl":256,"isl_stddev":1.5,"osl":128,"prob":100}]}"#,
            br#"{"input":0.3,"output":0.5}"#,
        ],
    );
}

#[test]
fn sinusoid() {
    smoke(
        loadgen_fuzz::sinusoid,
        &[b"min=5,max=45,period=600", b"period=0.001,min=0,max=1e9,phase=-3.14", b"1e9"],
    );
}

#[test]
fn slo() {
    smoke(loadgen_fuzz::slo, &[b"time_to_first_token:500 inter_token_latency:50", b"request_latency:1e3"]);
}

#[test]
fn target() {
    smoke(
        loadgen_fuzz::target,
        &[b"http://user:secret@[::1]:8000/v1?key=abc", b"localhost:8000", b"https://example.com/base/"],
    );
}

/// A real segment, with notes in it, as the journal writes one.
#[test]
fn journal() {
    let folder = tempfile::tempdir().unwrap();
    let header = JournalHeader {
        schema_version: 1,
        loadgen_version: "0.0.0".to_owned(),
        clock_anchor: Nanos(1_700_000_000_000_000_000),
        plan: "{}".to_owned(),
    };
    let (journal, sinks) = Journal::create(folder.path(), &header, 1).unwrap();
    journal.note("phase", r#"{"index":0}"#);
    drop(sinks);
    journal.close().unwrap();
    let segment = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
    let bytes = std::fs::read(segment.path()).unwrap();
    assert!(bytes.len() > 20);
    smoke(loadgen_fuzz::journal, &[&bytes]);
}
