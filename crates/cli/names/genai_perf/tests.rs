//! GenAI-Perf's command lines as public scripts write them, and each rule by itself.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.replace('~', " ")).collect()
}

fn profile(line: &str) -> Translated {
    match translate(&split(line)) {
        Ok(Asked::Profile(translated)) => translated,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    match translate(&split(line)) {
        Err(why) => why,
        other => panic!("{line}: {other:?}"),
    }
}

/// The words that follow a flag, each time it stands.
fn after(words: &[String], flag: &str) -> Vec<String> {
    words.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].clone()).collect()
}

fn value(line: &str, flag: &str) -> Vec<String> {
    after(&profile(line).words, flag)
}

/// Lines of public repositories (Dynamo, cloudai, TensorRT-LLM, nim-deploy, aws-samples, perf_analyzer's own
/// documentation), with `~` for a blank within a word, and what must have come of each.
const LINES: &[(&str, &[(&str, &str)])] = &[
    (
        "profile -m m --endpoint-type chat --streaming -u localhost:8000 --synthetic-input-tokens-mean 2000 \
         --synthetic-input-tokens-stddev 10 --concurrency 10 --output-tokens-mean 256 --extra-inputs max_tokens:256 \
         --extra-inputs min_tokens:256 --extra-inputs ignore_eos:true --tokenizer m --artifact-dir out/a/c10 -- -vv \
         --max-threads=300",
        &[
            ("--artifact-dir", "out/a/c10/m-openai-chat-concurrency10"),
            ("--request-count", "20"),
            ("--random-seed", "0"),
            ("--url", "localhost:8000"),
        ],
    ),
    (
        "profile --model m --tokenizer m --endpoint-type chat --endpoint /v1/chat/completions --streaming --url \
         http://localhost:8000 --synthetic-input-tokens-mean 3000 --output-tokens-mean 150 --extra-inputs \
         {\"nvext\":{\"ignore_eos\":true}} --concurrency 120 --request-count 1800 --warmup-request-count 5 \
         --num-dataset-entries 1800 --random-seed 100 --artifact-dir out/a -- -v --max-threads 120 -H \
         Authorization:~Bearer~NOT~USED -H Accept:~text/event-stream",
        &[
            ("--request-count", "1800"),
            ("--warmup-request-count", "5"),
            ("--random-seed", "100"),
            ("--endpoint", "/v1/chat/completions"),
            ("--extra-inputs", "{\"nvext\":{\"ignore_eos\":true}}"),
        ],
    ),
    (
        "profile -m m --endpoint-type chat --extra-inputs min_tokens:10 --output-tokens-mean 500 \
         --output-tokens-stddev 0 --random-seed 123 --request-count 50 --synthetic-input-tokens-mean 300 \
         --synthetic-input-tokens-stddev 0 --warmup-request-count 5 --concurrency 2 --url h:8000 --artifact-dir out/a \
         --profile-export-file profile.json --streaming --verbose -- -v --async",
        &[("--profile-export-prefix", "profile"), ("--extra-inputs", "{\"min_tokens\":10}")],
    ),
    (
        "profile -m m --endpoint-type chat --service-kind openai --streaming -u h:8000 --num-prompts 100 \
         --synthetic-input-tokens-mean 128 --concurrency 1 --output-tokens-mean 128 --extra-inputs max_tokens:128 \
         --artifact-dir out/a --tokenizer m -- -v --max-threads 1 --request-count 50",
        &[("--request-count", "50"), ("--num-dataset-entries", "100")],
    ),
    (
        "profile -m TinyLlama-1.1B-Chat-v1.0 --tokenizer TinyLlama/TinyLlama-1.1B-Chat-v1.0 --endpoint-type chat \
         --random-seed 123 --request-count 100 --request-rate 10 --profile-export-file my_profile_export.json --url \
         localhost:8000 --streaming",
        &[
            ("--arrival-pattern", "constant"),
            ("--request-rate", "10"),
            ("--artifact-dir", "artifacts/TinyLlama-1.1B-Chat-v1.0-openai-chat-request_rate10.0"),
            ("--profile-export-prefix", "my_profile_export"),
        ],
    ),
    (
        "-m m --endpoint v1/chat/completions --endpoint-type chat --service-kind openai --streaming -u http://h:8000 \
         --num-prompts 100 --prompt-source synthetic --synthetic-input-tokens-mean 200 \
         --synthetic-input-tokens-stddev 50 --concurrency 10 --extra-inputs max_tokens:100 --extra-input \
         ignore_eos:true --profile-export-file test_chat_10",
        &[("--endpoint", "/v1/chat/completions"), ("--profile-export-prefix", "test_chat_10")],
    ),
    (
        "-m m --service-kind openai --url openai-service:8000 --endpoint v1/chat/completions --endpoint-type chat \
         --concurrency 8 --num-prompts 100 --tokenizer t --streaming --measurement-interval 50000 --generate-plots -- \
         --max-threads 8 -v",
        &[("--benchmark-duration", "50")],
    ),
    (
        "-m meta/llama3-8b-instruct --service-kind openai --endpoint v1/completions --endpoint-type completions \
         --num-prompts 100 --random-seed 123 --tokenizer hf-internal-testing/llama-tokenizer --concurrency 10 \
         --measurement-interval 4000 --profile-export-file my_profile_export.json --url h:8000",
        &[
            ("--benchmark-duration", "4"),
            ("--artifact-dir", "artifacts/meta_llama3-8b-instruct-openai-completions-concurrency10"),
        ],
    ),
    (
        "profile -m m --endpoint-type chat --streaming --request-count 10 --goodput time_to_first_token:75 \
         inter_token_latency:19.75",
        &[("--goodput", "time_to_first_token:75 inter_token_latency:19.75")],
    ),
    (
        "profile -m e5 --endpoint-type embeddings --batch-size-text 2 --input-file embeddings.jsonl",
        &[
            ("--batch-size-text", "2"),
            ("--custom-dataset-type", "random_pool"),
            ("--input-file", "embeddings.jsonl"),
        ],
    ),
    (
        "profile -m llava --endpoint-type huggingface_generate --url localhost:8080 --batch-size-image 1 \
         --image-width-mean 100 --image-height-mean 100 --synthetic-input-tokens-mean 10",
        &[
            ("--endpoint-type", "huggingface_generate"),
            ("--image-width-mean", "100"),
            ("--image-format", "png"),
        ],
    ),
    (
        "profile -m m --endpoint-type chat --num-prompts 200 --concurrency 1 --random-seed 42 --streaming \
         --request-count 200 --warmup-request-count 10 --url http://vllm:80 --server-metrics-url \
         http://dcgm:9400/metrics --artifact-dir out/a --verbose",
        &[("--gpu-telemetry", "http://dcgm:9400/metrics")],
    ),
];

#[test]
fn lines_of_public_scripts_are_understood() {
    for (line, wanted) in LINES {
        let translated = profile(line);
        for (flag, value) in *wanted {
            let found = after(&translated.words, flag);
            assert!(found.contains(&(*value).to_owned()), "{line}\n{flag}: {found:?}, wanted {value}");
        }
        // Whatever was translated is this program's grammar, and every value is where it belongs.
        let argv =
            std::iter::once("genai-perf".to_owned()).chain(translated.words).map(std::ffi::OsString::from);
        let parsed = crate::args::command().try_get_matches_from(crate::argv::normalise(argv));
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn other_kinds_of_servers_are_refused_by_name() {
    for (line, said) in [
        (
            "profile -m ensemble --service-kind triton --backend tensorrtllm --concurrency 1",
            "--service-kind triton",
        ),
        ("profile -m x --endpoint-type chat --backend vllm", "--backend vllm: loadgen speaks HTTP"),
        ("profile -m x --service-kind triton --endpoint-type chat", "--service-kind triton"),
        (
            "profile -m l1 l2 l3 --tokenizer t --model-selection-strategy round_robin",
            "--endpoint-type: is missing",
        ),
        ("profile -m x --endpoint-type kserve", "--endpoint-type kserve"),
        ("profile -m x --endpoint-type nope", "expected one of chat, completions"),
        ("profile -m x --endpoint-type chat --output-tokens-mean-deterministic", "min_tokens:N"),
        ("profile -m x --endpoint-type chat --prompt-source dataset", "--prompt-source dataset"),
    ] {
        let why = refused(line);
        assert!(why.contains(said), "{line}: {why}");
    }
}

#[test]
fn what_stands_behind_the_dashes_takes_effect_or_is_said() {
    let translated = profile(
        "profile -m m --endpoint-type chat --measurement-interval 1000 --warmup-request-count 2 -- --request-count=7 \
         --warmup-request-count 3 -H X-A:1,2 --async --max-threads 4",
    );
    assert_eq!(after(&translated.words, "--request-count"), ["7"]);
    assert!(after(&translated.words, "--benchmark-duration").is_empty(), "a count wins over a window");
    assert_eq!(after(&translated.words, "--warmup-request-count"), ["3"]);
    assert_eq!(after(&translated.words, "--header"), ["{\"X-A\":\"1,2\"}"]);
    assert_eq!(translated.notes.len(), 1);
    assert!(translated.notes[0].contains("--async, --max-threads"));
}

#[test]
fn argparse_rules_hold() {
    assert_eq!(value("-m a b --endpoint-type chat", "--model"), ["a", "b"]);
    assert_eq!(value("-m a --endpoint-type chat --concurrency 1 --concurrency 2", "--concurrency"), ["2"]);
    assert_eq!(value("-m a --endpoint-type chat --concurr 3", "--concurrency"), ["3"]);
    assert_eq!(value("-m=a --endpoint-type=chat -b4", "--batch-size-text"), ["4"]);
    assert!(profile("-m a --endpoint-type chat -vv").words.contains(&"--verbose".to_owned()));
    for (line, said) in [
        ("-m a --endpoint-type chat --request_count 3", "unrecognized argument: --request_count"),
        ("-m a --endpoint-type chat --concurency 3", "--concurency; did you mean --concurrency?"),
        ("-m a --endpoint-type chat --image 3", "ambiguous option: --image could match --image-width-mean"),
        ("-m a --endpoint-type chat --streaming=yes", "--streaming: takes no value"),
        ("-m a --endpoint-type chat --concurrency", "--concurrency: expected one value"),
        ("-m a --endpoint-type chat --goodput", "--goodput: expected at least one value"),
        ("-m a --endpoint-type chat stray", "unrecognized argument: stray"),
        ("-m a --endpoint-type chat --concurrency 1 --request-rate 2", "cannot stand beside --request-rate"),
        ("-m a --endpoint-type chat --request-count 1 -p 2", "cannot stand beside --measurement-interval"),
        ("-m a --endpoint-type chat --fixed-schedule false", "leave the option out for no"),
        ("-m a --endpoint-type chat --profile-export-file a/b.json", "folders belong to --artifact-dir"),
        ("-m a --endpoint-type chat --extra-inputs a:", "not of the form name:value"),
        ("--endpoint-type chat", "-m: is missing"),
    ] {
        let why = refused(line);
        assert!(why.contains(said), "{line}: {why}");
    }
}

#[test]
fn subcommands_are_refused_with_what_to_do_instead() {
    for (name, instead) in SUBCOMMANDS {
        let why = refused(&format!("{name} -f x"));
        assert!(why.contains(name) && why.contains(instead), "{why}");
    }
    assert!(refused("nope").contains("no subcommand"));
    assert_eq!(translate(&[]), Ok(Asked::Help));
    assert_eq!(translate(&split("--version")), Ok(Asked::Version));
    assert_eq!(translate(&split("profile -h")), Ok(Asked::Help));
}

#[test]
fn defaults_are_genai_perfs() {
    let translated = profile("-m a/b --endpoint-type chat");
    assert_eq!(after(&translated.words, "--concurrency"), ["1"]);
    assert_eq!(after(&translated.words, "--request-count"), ["10"]);
    assert_eq!(after(&translated.words, "--artifact-dir"), ["artifacts/a_b-openai-chat-concurrency1"]);
    assert_eq!(after(&translated.words, "--profile-export-prefix"), ["profile_export"]);
    let images = "-m a --endpoint-type chat --image-width-mean 64 --image-height-mean 64";
    assert_eq!(value(images, "--image-format"), ["png"]);
    assert_eq!(value(&format!("{images} --image-format jpeg"), "--image-format"), ["jpeg"]);
    assert!(value("-m a --endpoint-type chat", "--image-format").is_empty());
    let named = value("-m a --endpoint-type chat --profile-export-file ./b.json", "--profile-export-prefix");
    assert_eq!(named, ["b"]);
    for switch in ["--no-gpu-telemetry", "--no-server-metrics", "--use-legacy-max-tokens"] {
        assert!(translated.words.contains(&switch.to_owned()), "{switch}");
    }
    assert_eq!(value("-m a --endpoint-type chat --num-prefix-prompts 2", "--prefix-prompt-length"), ["100"]);
    assert!(value("-m a --endpoint-type chat --prefix-prompt-length 5", "--prefix-prompt-length").is_empty());
}

#[test]
fn folders_name_the_load_as_genai_perf_does() {
    let folder = |line: &str| value(line, "--artifact-dir").remove(0);
    assert_eq!(
        folder("-m a b --endpoint-type vision --request-rate 2.5"),
        "artifacts/a_multi-openai-vision-request_rate2.5"
    );
    assert_eq!(
        folder("-m a --endpoint-type chat --session-concurrency 4 --num-sessions 8"),
        "artifacts/a-openai-chat-session_concurrency4"
    );
    let fixed = "-m a --endpoint-type chat --fixed-schedule true --input-file payload:t.jsonl";
    assert_eq!(folder(fixed), "artifacts/a-openai-chat-fixed_schedule");
    assert_eq!(value(fixed, "--custom-dataset-type"), ["mooncake_trace"]);
    assert!(profile(fixed).words.contains(&"--fixed-schedule".to_owned()));
    assert!(value(fixed, "--request-count").is_empty());
    assert_eq!(folder("-m a --endpoint-type chat --input-file payload:t.jsonl"), "artifacts/a-openai-chat");
}

#[test]
fn extra_inputs_have_their_types() {
    let line = "-m a --endpoint-type chat --extra-inputs a:1 --extra-inputs b:0.5 --extra-inputs c:True \
                --extra-inputs d:x,y --extra-inputs e --extra-inputs f:.5";
    assert_eq!(
        value(line, "--extra-inputs"),
        ["{\"a\":1}", "{\"b\":0.5}", "{\"c\":true}", "{\"d\":\"x,y\"}", "{\"e\":null}", "{\"f\":0.5}"]
    );
    let tei = "-m a --endpoint-type rankings --extra-inputs rankings:tei";
    assert_eq!(value(tei, "--endpoint-type"), ["hf_tei_rankings"]);
    assert_eq!(value("-m a --endpoint-type rankings", "--endpoint-type"), ["nim_rankings"]);
}

#[test]
fn the_echo_has_genai_perfs_sections_and_no_secret() {
    let config = profile(
        "-m a --endpoint-type chat --concurrency 4 --header Authorization:~Bearer~sk-1 --extra-inputs api_key:sk-2 \
         --goodput request_latency:9 -u http://u:sk-3@h:1",
    )
    .config;
    assert_eq!(config["model_names"], json!(["a"]));
    assert_eq!(config["perf_analyzer"]["stimulus"], json!({"concurrency": 4}));
    assert_eq!(config["endpoint"]["type"], "chat");
    assert_eq!(config["input"]["goodput"], json!({"request_latency": 9.0}));
    let text = config.to_string();
    for secret in ["sk-1", "sk-2", "sk-3"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn the_table_names_every_option_once() {
    let mut names: Vec<&str> = FLAGS.iter().flat_map(|flag| flag.names).copied().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(
        compat_section().contains("| `--session-concurrency` | works: --concurrency: sessions at once |")
    );
}
