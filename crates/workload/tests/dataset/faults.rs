//! What is refused, and in which words.

use loadgen_tokens::{Tokenizer, TokenizerSource};
use loadgen_workload::{
    Dataset, LengthDistribution, SyntheticConfig, TraceConfig, WorkloadConfig, WorkloadError,
};

use crate::support::{File, GIVEN, load_trace, models};

#[test]
fn faults_of_whole_files_name_file_line_and_field() {
    let files = [
        "",
        "\n\n",
        "{\"input_length\":1024,\"hash_ids\":[1,2]}\n\n{\"input_length\":1000,\"hash_ids\":[1,2]}\n",
        "{\"input_length\":700,\"hash_ids\":[1,2]}\n{\"input_length\":800,\"hash_ids\":[3,2]}\n",
        "{\"input_length\":700,\"hash_ids\":[1,2]}\n{\"input_length\":700,\"hash_ids\":[2,1]}\n",
        "{\"input_length\":5}\n{\"input_length\":5,\"hash_ids\":[1,2]}\n",
        "{\"input_length\":5,\"session_id\":\"a\"}\n{\"session_id\":\"a\",\"payload\":{\"a\":1}}\n",
        "{\"input_length\":5}\nnot json\n",
        "{\"timestamp\":NaN,\"input_length\":5}\n",
    ];
    let report: Vec<String> =
        files.iter().map(|text| format!("{}\n  {}", text.escape_debug(), File::new(text).error())).collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn faults_of_options_name_their_flag() {
    let file = File::new(
        "{\"timestamp\":5,\"input_length\":5,\"output_length\":1}\n{\"input_length\":6,\"output_length\":1}\n",
    );
    let config = file.config();
    let mut report: Vec<String> = [
        TraceConfig { block_size: 0, ..config.clone() },
        TraceConfig { speedup: 0.0, ..config.clone() },
        TraceConfig { start_offset_ms: Some(2.0), end_offset_ms: Some(1.0), ..config.clone() },
        TraceConfig { max_isl: Some(4), ..config.clone() },
        TraceConfig { max_osl: Some(0), ..config.clone() },
        TraceConfig::mooncake(file.0.path().join("absent.jsonl")),
    ]
    .into_iter()
    .map(|config| load_trace(config, GIVEN).unwrap_err().to_string())
    .collect();
    report.push(file.load().timetable(0).err().unwrap().to_string());
    let synthetic = |config| {
        Dataset::load(&WorkloadConfig::Synthetic(config), &Tokenizer::builtin(), GIVEN, &models())
            .unwrap_err()
    };
    let default = SyntheticConfig::default;
    for config in [
        SyntheticConfig { prefix_length: 10, ..default() },
        SyntheticConfig { entries: 0, ..default() },
        SyntheticConfig { isl: LengthDistribution::constant(f64::NAN), ..default() },
        SyntheticConfig { isl: LengthDistribution::constant(16_777_217.0), ..default() },
        SyntheticConfig { isl: LengthDistribution { mean: 550.0, stddev: 1e7 }, ..default() },
        SyntheticConfig { prefix_length: 1_000_000_000, prefix_prompts: 1, ..default() },
        SyntheticConfig { shared_system_prompt_length: Some(1_000_000_000), ..default() },
        SyntheticConfig { osl: Some(LengthDistribution { mean: 5.0, stddev: -1.0 }), ..default() },
        SyntheticConfig {
            shared_system_prompt_length: Some(9),
            prefix_prompts: 1,
            prefix_length: 3,
            ..default()
        },
    ] {
        report.push(synthetic(config).to_string());
    }
    let report = report.join("\n").replace(&file.0.path().display().to_string(), "DIR");
    insta::assert_snapshot!(report);
}

#[test]
fn text_that_is_given_needs_no_vocabulary_to_make_text_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let json = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"<unk>":0},"unk_token":"<unk>"}}"#;
    std::fs::write(&path, json).unwrap();
    let tokenizer = Tokenizer::load(&TokenizerSource::File(path)).unwrap();
    let given = File::new("{\"text_input\":\"x\"}\n{\"payload\":{\"a\":1}}");
    let load =
        |file: &File| Dataset::load(&WorkloadConfig::Trace(file.config()), &tokenizer, GIVEN, &models());
    assert_eq!(load(&given).unwrap().len(), 2);
    let made_up = File::new("{\"text_input\":\"x\"}\n{\"input_length\":5}");
    assert!(matches!(load(&made_up), Err(WorkloadError::Vocabulary { .. })));
}
