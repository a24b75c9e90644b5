//! AIPerf's own command lines, given to loadgen under the name `aiperf`, against what AIPerf 0.13 left behind.
//!
//! `cases/` holds, for each command, its exit code and the shape of the folder that a real run of AIPerf left;
//! it was taken by [`take_shapes`] from those folders. Each test runs the command against a server that answers as
//! AIPerf's did, and wants the same exit code, no difference in shape ([`compare`]), and a summary that follows
//! from its own lines ([`recompute`]).

mod compare;
mod recompute;
mod servers;
mod shape;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::support::scripted::Scripted;
use crate::support::{Finished, Mock, Workspace, interrupt};
use compare::Counts;
use shape::{File, Folder};

/// A command of AIPerf's, and what it left.
#[derive(Debug, Serialize, Deserialize)]
struct Case {
    command: String,
    exit_code: i32,
    /// Files beside the command that it reads.
    inputs: BTreeMap<String, String>,
    /// The folder of the results, as the command names it; empty where there were none.
    results: String,
    /// Each file's place in `shapes`: files of one shape share it.
    files: BTreeMap<String, usize>,
    shapes: Vec<File>,
}

impl Case {
    fn load(name: &str) -> Self {
        let path = cases().join(format!("{name}.json"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    fn folder(&self) -> Folder {
        self.files.iter().map(|(name, shape)| (name.clone(), self.shapes[*shape].clone())).collect()
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/cases")
}

/// The addresses that AIPerf's commands name, and what stands there here.
struct Servers {
    places: Vec<(&'static str, String)>,
    _mock: Mock,
    scripted: Vec<Scripted>,
}

impl Servers {
    /// The mock server that most cases ran against, and these scripted ones beside it.
    fn start(workspace: &Workspace, scripted: Vec<(&'static str, Scripted)>) -> Self {
        let mock = Mock::start(workspace, "golden");
        let address = mock.url.trim_start_matches("http://").to_owned();
        let mut places: Vec<_> = ["127.0.0.1:18233", "127.0.0.1:18160", "localhost:18160"]
            .map(|place| (place, address.clone()))
            .into();
        places.extend(scripted.iter().map(|(place, server)| (*place, server.address())));
        let scripted = scripted.into_iter().map(|(_, server)| server).collect();
        Self { places, _mock: mock, scripted }
    }

    /// Names servers in the files of a folder as AIPerf's commands name them: some keys and rows are addresses.
    fn place_back(&self, folder: &Path) {
        for name in shape::of(folder, str::to_owned).into_keys().filter(|name| !name.ends_with(".parquet")) {
            let path = folder.join(name);
            if let Ok(text) = std::fs::read_to_string(&path) {
                let named =
                    self.scripted_places().fold(text, |text, (place, address)| text.replace(address, place));
                std::fs::write(path, named).unwrap();
            }
        }
    }

    fn scripted_places(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.places.iter().skip(self.places.len() - self.scripted.len());
        own.map(|(place, address)| (*place, address.as_str()))
    }

    /// A text with the addresses that AIPerf's commands name in place of ours.
    fn displace(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (place, address)| text.replace(address, place))
    }

    fn place(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (place, address)| text.replace(place, address))
    }
}

/// Runs the command of a case and gives the run with the folder of its results.
fn run(
    workspace: &Workspace,
    servers: &Servers,
    case: &Case,
    interrupted_after: Option<Duration>,
) -> (Finished, PathBuf) {
    for (name, text) in &case.inputs {
        workspace.file(name, &servers.place(text));
    }
    let tokenizer = workspace.path("golden/tokenizer");
    std::fs::create_dir_all(&tokenizer).unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(cases().join("../tokenizer").join(file), tokenizer.join(file)).unwrap();
    }
    let aiperf = workspace.path("aiperf");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_loadgen"), &aiperf).unwrap();
    let words = shell_words(&servers.place(&case.command));
    assert_eq!(words[0], "aiperf");

    let environment = workspace.loadgen();
    let mut command = Command::new(&aiperf);
    command.args(&words[1..]).current_dir(environment.get_current_dir().unwrap()).stdin(Stdio::null());
    command.env_remove("OPENAI_API_KEY").env("XDG_CACHE_HOME", workspace.path("cache"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let Some(after) = interrupted_after else {
        return (Finished(child.wait_with_output().unwrap()), workspace.path(&case.results));
    };
    // Counted from when the measured phase has begun, however long the host took for that.
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = Vec::new();
    while !String::from_utf8_lossy(&stdout).contains("Phase profiling (profiling) started") {
        assert!(said.read_until(b'\n', &mut stdout).unwrap() > 0, "it ended before it began");
    }
    std::thread::sleep(after);
    interrupt(&child);
    said.read_to_end(&mut stdout).unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stdout = stdout;
    (Finished(output), workspace.path(&case.results))
}

/// Runs a case, and holds all of it against AIPerf's.
#[track_caller]
fn holds(
    name: &str,
    counts: Counts,
    scripted: Vec<(&'static str, Scripted)>,
) -> (Workspace, Servers, Finished) {
    let workspace = Workspace::new();
    let servers = Servers::start(&workspace, scripted);
    let case = Case::load(name);
    let interrupted_after = case.command.contains("SIGINT").then_some(Duration::from_secs(2));
    let (finished, results) = run(&workspace, &servers, &case, interrupted_after);
    let finished = finished.expect_code(case.exit_code);
    servers.place_back(&results);
    let differences =
        compare::differences(&case.folder(), &shape::of(&results, |text| servers.displace(text)), counts);
    assert!(differences.is_empty(), "{name}: {} differences\n{}", differences.len(), differences.join("\n"));
    for (lines, summary) in summaries(&results) {
        let recomputed = recompute::recompute(&lines, &summary);
        assert!(recomputed.looked_at > 0, "{name}: nothing to look at in {}", summary.display());
        assert!(recomputed.differ.is_empty(), "{name}: {}", recomputed.differ.join("\n"));
    }
    (workspace, servers, finished)
}

/// Every pair of per-request lines and their summary below a folder.
fn summaries(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let names: Vec<String> = shape::of(folder, str::to_owned).into_keys().collect();
    names
        .iter()
        .filter(|name| !["_raw", "metrics", "telemetry", "latency"].iter().any(|part| name.contains(part)))
        .filter_map(|lines| {
            let base = lines.strip_suffix(".jsonl")?;
            let summary = [format!("{base}_aiperf.json"), format!("{base}.json")];
            let summary = summary.into_iter().find(|name| names.contains(name))?;
            Some((folder.join(lines), folder.join(summary)))
        })
        .collect()
}

/// Words of a shell command: quotes and backslashes are taken off, and a comment ends it.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    let mut quote = None;
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, '#') if word.is_none() => break,
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Tests of cases that the mock server alone serves.
macro_rules! cases {
    ($counts:expr; $($name:ident),* $(,)?) => { $(
        #[test]
        fn $name() {
            holds(stringify!($name), $counts, Vec::new());
        }
    )* };
}

cases!(Counts::Steady;
    all_fail500, badjson, bad_option, chat_nonstream, chat_stream_conc, chat_stream_goodput, completions_stream,
    empty_stream, level_summary, mid_error, mid_json_error, multiturn, netlat, netlat_mean, no_gpu_telemetry,
    no_server, nousage_servertok, prefix, rate_poisson, raw_export, reasoning, server_tokens, some_fail500,
    unknown_option, cfg_chat, cfg_chat_override, cfg_bad_shorthand, cfg_unrouted, cfg_mooncake,
    cfg_multirun, cfg_sweep, cfg_list_override, multi_convergence_dist, sweep_convergence_rep, sweep_x_runs,
    server_metrics_missing,
);
cases!(Counts::Varying; ctrl_c, duration_cutoff, slice, multi_convergence, multi_convergence_indep, sweep_convergence);

#[test]
fn a_metric_that_goodput_cannot_hold_ends_at_once_where_aiperf_hangs() {
    for name in ["bad_goodput", "goodput_inapplicable"] {
        let workspace = Workspace::new();
        let servers = Servers::start(&workspace, Vec::new());
        let (finished, results) = run(&workspace, &servers, &Case::load(name), None);
        let finished = finished.expect_code(1);
        assert!(finished.stderr().contains("--goodput"), "{}", finished.stderr());
        assert!(!results.exists(), "{name} left results");
    }
}

#[test]
fn server_metrics() {
    let exporter = servers::exporter(servers::metrics_page);
    holds("server_metrics", Counts::Varying, vec![("127.0.0.1:18161", exporter)]);
}

#[test]
fn server_metrics_that_never_change() {
    let exporter = servers::exporter(|_| servers::metrics_page(4));
    holds("server_metrics_constant", Counts::Varying, vec![("127.0.0.1:18168", exporter)]);
}

#[test]
fn server_metrics_that_fail_now_and_then() {
    let exporter = servers::exporter(servers::flaky_page);
    holds("server_metrics_flaky", Counts::Varying, vec![("127.0.0.1:18165", exporter)]);
}

#[test]
fn server_metrics_that_are_none() {
    let exporter = servers::exporter(servers::json_page);
    holds("server_metrics_notprom", Counts::Steady, vec![("127.0.0.1:18167", exporter)]);
}

#[test]
fn gpu_telemetry() {
    let exporter = servers::exporter(servers::gpu_page);
    let (_workspace, servers, finished) =
        holds("gpu_telemetry", Counts::Varying, vec![("127.0.0.1:18162", exporter)]);
    let address = servers.scripted[0].address();
    let stdout = finished.stdout().replace(&address, "exporter");
    let words = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "Platform: nvidia",
        "Metric semantics are platform-specific; cross-platform comparisons require workload and collector validation.",
        "1/1 telemetry sources reachable",
        "exporter | GPU 0 | Fake GPU X100",
        "exporter | GPU 1 | Fake GPU X100",
    ] {
        assert!(words.contains(told), "{told}: {stdout}");
    }
    let (_, power) = stdout.split_once("GPU Power Efficiency (NVIDIA)").unwrap();
    let heads = power.lines().find(|line| line.starts_with('┃')).unwrap();
    let heads: Vec<&str> = heads.split('┃').map(str::trim).filter(|head| !head.is_empty()).collect();
    assert_eq!(heads, ["Metric", "avg"], "one figure a metric");
}

/// The control calls that a server got, in their order.
fn control_calls(servers: &Servers) -> Vec<String> {
    let asked = servers.scripted[0].asked();
    let control = asked.iter().filter(|asked| asked.method == "POST" && !asked.path.starts_with("/v1/"));
    control.map(|asked| asked.path.clone()).collect()
}

#[test]
fn control_calls_come_before_and_after_the_measured_phase() {
    let server = servers::openai("mock-model", 200, 200, 200);
    let (_workspace, servers, _) = holds("hooks_ok", Counts::Steady, vec![("127.0.0.1:18163", server)]);
    assert_eq!(control_calls(&servers), ["/reset_prefix_cache", "/start_profile", "/stop_profile"]);
}

#[test]
fn control_calls_that_fail_end_the_run_unless_it_is_over() {
    for (name, reset, start, stop) in [
        ("hooks_reset404", 404, 200, 200),
        ("hooks_start500", 200, 500, 200),
        ("hooks_stop500", 200, 200, 500),
    ] {
        let server = servers::openai("mock-model", reset, start, stop);
        holds(name, Counts::Steady, vec![("127.0.0.1:18163", server)]);
    }
}

#[test]
fn a_server_without_the_model_is_not_waited_for_longer_than_asked() {
    let server = servers::openai("other", 200, 200, 200);
    let (_workspace, servers, finished) =
        holds("wait_timeout", Counts::Steady, vec![("127.0.0.1:18163", server)]);
    assert!(finished.stderr().contains("mock-model"), "{}", finished.stderr());
    assert!(
        servers.scripted[0].asked().iter().all(|asked| asked.path == "/v1/models"),
        "nothing else was sent"
    );
}

/// Takes the shapes of AIPerf's folders anew: `LOADGEN_GOLDEN` names a folder with one for each case, each with
/// `command.txt`, `exit_code.txt` and what the run left.
#[test]
#[ignore = "writes cases/ from folders that are not part of this repository"]
fn take_shapes() {
    let from = PathBuf::from(std::env::var_os("LOADGEN_GOLDEN").expect("LOADGEN_GOLDEN names the folder"));
    for entry in std::fs::read_dir(from).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(command) = std::fs::read_to_string(folder.join("command.txt")) else { continue };
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let results = ["artifacts", "out/sub"].into_iter().find(|results| folder.join(results).is_dir());
        let mut shapes: Vec<File> = Vec::new();
        let mut files = BTreeMap::new();
        for (name, shape) in
            results.map(|results| shape::of(&folder.join(results), str::to_owned)).unwrap_or_default()
        {
            let at = shapes.iter().position(|known| *known == shape).unwrap_or(shapes.len());
            if at == shapes.len() {
                shapes.push(shape);
            }
            files.insert(name, at);
        }
        let case = Case {
            command: command.lines().last().unwrap().to_owned(),
            exit_code: std::fs::read_to_string(folder.join("exit_code.txt")).unwrap().trim().parse().unwrap(),
            inputs: inputs(&folder),
            results: results.unwrap_or("artifacts").to_owned(),
            files,
            shapes,
        };
        let text = serde_json::to_string(&case).unwrap() + "\n";
        std::fs::write(cases().join(format!("{name}.json")), text).unwrap();
    }
}

/// Files beside a command that it may read.
fn inputs(folder: &Path) -> BTreeMap<String, String> {
    let mut inputs = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml");
        if is_yaml || matches!(name.as_str(), "custom.csv" | "trace.jsonl") {
            inputs.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    inputs
}
