//! What AIPerf can do and loadgen cannot: refused by name, with nothing sent and nothing written.

use super::refusals::refused;

#[test]
fn searches_for_a_point_are_refused_by_name() {
    refused(&[
        ("--search-recipe pareto-sweep --concurrency 1", "--search-recipe: not built yet"),
        (
            "--search-space concurrency,1:64 --search-metric request_throughput",
            "--search-space: not built yet",
        ),
        ("--ttft-sla-ms 100", "--ttft-sla-ms: not built yet"),
        ("--search-sla ttft:p99:lt:100", "--search-sla: not built yet"),
    ]);
}

#[test]
fn grading_answers_is_refused_by_name() {
    refused(&[
        ("--accuracy-benchmark mmlu", "--accuracy-benchmark: not built yet"),
        ("--accuracy-benchmark mmlu --accuracy-tasks anatomy", "--accuracy-tasks: not built yet"),
        ("--accuracy-grader exact", "--accuracy-grader: not built yet"),
    ]);
}

#[test]
fn sinks_outside_the_runs_folder_are_refused_by_name() {
    refused(&[
        ("--otel-url http://127.0.0.1:4317", "--otel-url: not built yet"),
        ("--stream metrics", "--stream: not built yet"),
        ("--mlflow-tracking-uri http://127.0.0.1:5000", "--mlflow-tracking-uri: not built yet"),
        ("--mlflow-experiment e", "--mlflow-experiment: not built yet"),
        ("--wandb-project p", "--wandb-project: not built yet"),
    ]);
}

#[test]
fn videos_and_endpoints_of_forms_are_refused_by_name() {
    refused(&[
        ("--video-duration 5", "--video-duration: not built yet"),
        ("--video-batch-size 1", "--video-batch-size: not built yet"),
        ("--video-width 64 --video-height 64", "--video-width: not built yet"),
        ("--download-video-content", "--download-video-content: not built yet"),
        ("--uuid-and-strip", "--uuid-and-strip: not built yet"),
        ("--endpoint-type image_generation", "--endpoint-type: image_generation: "),
        ("--endpoint-type image-edit", "--endpoint-type: image_edit: "),
        ("--endpoint-type VIDEO_GENERATION", "--endpoint-type: video_generation: "),
        ("--endpoint-type audio_transcription", "--endpoint-type: audio_transcription: "),
        ("--endpoint-type image_retrieval", "--endpoint-type: image_retrieval: "),
        ("--request-content-type multipart/form-data", "--request-content-type: \"multipart/form-data\""),
    ]);
}

#[test]
fn ramps_are_refused_by_name() {
    refused(&[
        ("--concurrency 2 --concurrency-ramp-duration 3", "--concurrency-ramp-duration: not built yet"),
        ("--request-rate 2 --request-rate-ramp-duration 3", "--request-rate-ramp-duration: not built yet"),
    ]);
}
