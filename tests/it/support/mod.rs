//! What the tests share: a folder of their own, the program, a mock server, and readers of results.

pub(crate) mod scripted;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

/// Words of a command line, parted by blanks.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// A folder of its own for one test, and the program run in it.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, to be run in the folder, with no environment that changes what it does.
    pub(crate) fn loadgen(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command
            .current_dir(self.folder.path())
            .env_remove("OPENAI_API_KEY")
            .env_remove("ANTHROPIC_API_KEY")
            .stdin(Stdio::null());
        // What this host's own calibration says is not the test's.
        command.env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        Finished(self.loadgen().args(arguments).output().unwrap())
    }

    /// `profile` against a server, quiet, with the builtin tokenizer and results in `out`.
    pub(crate) fn profiling(&self, url: &str) -> Command {
        let mut command = self.loadgen();
        command.args(["profile", "-m", "demo", "--url", url, "--artifact-dir", "out"]);
        command.args(["--tokenizer", "builtin"]);
        command
    }

    /// Runs `profile` against `mock` to its end.
    pub(crate) fn profile(&self, mock: &Mock, arguments: &[&str]) -> Finished {
        self.profile_at(&mock.url, arguments)
    }

    /// Runs `profile` against whatever answers at `url` to its end.
    pub(crate) fn profile_at(&self, url: &str, arguments: &[&str]) -> Finished {
        Finished(self.profiling(url).args(["--ui", "none"]).args(arguments).output().unwrap())
    }

    /// The program under another name, by a link in the folder: `aiperf`, `genai-perf`.
    pub(crate) fn called(&self, name: &str) -> Command {
        let link = self.path(name);
        if !link.is_symlink() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_loadgen"), &link).unwrap();
        }
        let mut command = Command::new(link);
        at_home(&self.loadgen(), &mut command);
        command
    }

    /// As [`profiling`](Self::profiling), run through another program that runs what follows its own
    /// arguments: `prlimit`, `setpriv` and the like.
    pub(crate) fn profiling_under(&self, wrapper: &[&str], url: &str) -> Command {
        let plain = self.profiling(url);
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(plain.get_program()).args(plain.get_args());
        at_home(&plain, &mut command);
        command
    }

    pub(crate) fn results(&self, folder: &str) -> Results {
        Results { folder: self.path(folder) }
    }
}

/// Gives a command the folder, the environment and the silent input of another one.
fn at_home(plain: &Command, command: &mut Command) {
    command.current_dir(plain.get_current_dir().expect("a program of a workspace has its folder"));
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null());
}

/// A run of the program that has ended.
pub(crate) struct Finished(pub(crate) Output);

impl Finished {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr());
        self
    }
}

/// Files of a finished run.
pub(crate) struct Results {
    pub(crate) folder: PathBuf,
}

impl Results {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// The verdict on the client.
    pub(crate) fn quality(&self) -> Value {
        self.json("measurement_quality.json")
    }

    /// Why the client is said to have been the limit.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let quality = self.quality();
        let reasons: Vec<String> = quality["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|reason| reason["code"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(quality["client_limited"], !reasons.is_empty());
        reasons
    }

    /// The summary.
    pub(crate) fn summary(&self) -> Value {
        self.json("profile_export_aiperf.json")
    }

    /// The lines of the per-request file.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.text("profile_export.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The rows of the Parquet file.
    pub(crate) fn rows(&self) -> Vec<loadgen_core::RequestRecord> {
        parquet_rows(&self.path("profile_export.parquet"))
    }

    /// Every file below the folder, by its name there, with its bytes; the journal left out.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&self.folder).unwrap().to_string_lossy().into_owned();
                if path.is_dir() {
                    if name != "journal" {
                        folders.push(path);
                    }
                } else {
                    found.push((name, std::fs::read(&path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }
}

/// All rows of a Parquet file of records.
pub(crate) fn parquet_rows(path: &Path) -> Vec<loadgen_core::RequestRecord> {
    let reader = loadgen_record::RecordReader::open(path).unwrap();
    reader.map(|row| row.unwrap().record).collect()
}

/// A run that has begun to send, and can be held and let go.
pub(crate) struct Held {
    child: Child,
    /// Gives what it said on standard error, once it has ended.
    told: std::thread::JoinHandle<Vec<u8>>,
}

impl Held {
    /// Starts `command` (a [`profiling`](Workspace::profiling)) and returns when the measured phase has
    /// begun.
    pub(crate) fn start(command: Command) -> Self {
        Self::start_into(Stdio::null(), command)
    }

    /// As [`start`](Self::start), with standard output of its own.
    pub(crate) fn start_into(stdout: Stdio, command: Command) -> Self {
        Self::start_until(stdout, command, |said| said.contains("profiling: started"))
    }

    /// Starts `command` and returns once what it said, in whole lines, is what is waited for.
    pub(crate) fn start_until(
        stdout: Stdio,
        mut command: Command,
        is_reached: impl Fn(&str) -> bool,
    ) -> Self {
        let mut child =
            command.args(["--ui", "simple"]).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut said = Vec::new();
        while !is_reached(&String::from_utf8_lossy(&said)) {
            let length = told.read_until(b'\n', &mut said).unwrap();
            assert!(length > 0, "it ended before it came so far: {}", String::from_utf8_lossy(&said));
        }
        let told = std::thread::spawn(move || {
            told.read_to_end(&mut said).unwrap();
            said
        });
        Self { child, told }
    }

    /// Stops the process for so long.
    pub(crate) fn hold(&self, length: std::time::Duration) {
        signal(&self.child, Signal::SIGSTOP);
        std::thread::sleep(length);
        signal(&self.child, Signal::SIGCONT);
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        interrupt(&self.child);
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Finished {
        let output = self.child.wait_with_output().unwrap();
        Finished(Output { stderr: self.told.join().unwrap(), ..output })
    }
}

/// Presses Ctrl-C for a program.
pub(crate) fn interrupt(child: &Child) {
    signal(child, Signal::SIGINT);
}

fn signal(child: &Child, signal: Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// A mock server in a process of its own. Dropping it stops it.
pub(crate) struct Mock {
    child: Child,
    pub(crate) url: String,
    truth_log: PathBuf,
}

impl Mock {
    /// Starts one with this profile; its truth log goes to the test's folder.
    pub(crate) fn start(workspace: &Workspace, profile: &str) -> Self {
        Self::start_with(workspace, profile, &[])
    }

    /// As [`start`](Self::start), with more arguments for it.
    pub(crate) fn start_with(workspace: &Workspace, profile: &str, more: &[&str]) -> Self {
        let truth_log = workspace.path("truth.jsonl");
        let mut child = workspace
            .loadgen()
            .args(["mock-server", "--port", "0", "--until-stdin-closes", "--profile", profile, "--truth-log"])
            .arg(&truth_log)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("mock said {line:?}"))
            .to_owned();
        Self { child, url, truth_log }
    }

    /// Stops the server and gives the requests of its truth log.
    pub(crate) fn truth(mut self) -> Vec<Value> {
        self.stop();
        let text = std::fs::read_to_string(&self.truth_log).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == "request").collect()
    }

    fn stop(&mut self) {
        drop(self.child.stdin.take());
        if let Some(mut rest) = self.child.stdout.take() {
            // Whatever it still says goes nowhere.
            let _ = rest.read_to_end(&mut Vec::new());
        }
        let _ = self.child.wait();
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An address that nothing listens on.
pub(crate) fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
