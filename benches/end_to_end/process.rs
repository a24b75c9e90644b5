//! A program run under measurement: CPU time and peak memory of exactly that program.
//!
//! `getrusage` tells these of children that were waited for, all of them together. So each program runs
//! under a small process of its own, this same executable called with [`WORD`], whose only child it is; the
//! two talk in two JSON lines over a pipe. The keeper also sets what the program inherits (open files, cores)
//! and ends it when it takes too long, so that nothing outlives a bench for long.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// The first argument that makes this executable a keeper.
pub(crate) const WORD: &str = "keep-and-measure";

/// What to run, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    /// Where its output and messages go.
    pub(crate) output: PathBuf,
    /// How many files it may have open; `None` leaves that as it is.
    pub(crate) open_files: Option<u64>,
    /// The cores it may run on; empty leaves that as it is.
    pub(crate) cores: Vec<usize>,
    /// It is killed after this many seconds.
    pub(crate) limit_seconds: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Just before it was started, ns since the Unix epoch.
    pub(crate) started_ns: i64,
    /// When it was found to have ended, ns since the Unix epoch.
    pub(crate) ended_ns: i64,
    /// User time of it and of the children it waited for, ns.
    pub(crate) user_ns: i64,
    /// System time likewise, ns.
    pub(crate) system_ns: i64,
    /// The most memory it had resident (the largest of its processes), bytes.
    pub(crate) peak_bytes: u64,
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Usage {
    /// User and system time, ns.
    pub(crate) fn cpu_ns(&self) -> f64 {
        (self.user_ns + self.system_ns) as f64
    }

    /// Its share of each of `count` things, µs.
    pub(crate) fn cpu_us_each(&self, count: f64) -> f64 {
        self.cpu_ns() / count / 1e3
    }

    /// From start to end, s.
    pub(crate) fn wall_seconds(&self) -> f64 {
        (self.ended_ns - self.started_ns) as f64 / 1e9
    }
}

/// What the keeper says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Started { pid: i32 },
    Ended(Usage),
}

/// A program under measurement. Dropping it before its end kills it.
pub(crate) struct Running {
    keeper: Child,
    says: BufReader<ChildStdout>,
    pid: Pid,
    output: PathBuf,
    has_ended: bool,
}

impl Running {
    /// Starts it.
    pub(crate) fn start(job: &Job) -> Result<Self> {
        let keeper = std::env::current_exe().context("cannot find this bench's own executable")?;
        let mut keeper = Command::new(keeper)
            .arg(WORD)
            .arg(serde_json::to_string(job)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the keeper")?;
        let stdout = keeper.stdout.take().context("the keeper has no standard output")?;
        let mut says = BufReader::new(stdout);
        let Word::Started { pid } =
            hear(&mut says).with_context(|| format!("{} did not start", job.program.display()))?
        else {
            bail!("{} ended before it began", job.program.display());
        };
        let pid = Pid::from_raw(pid);
        Ok(Self { keeper, says, pid, output: job.output.clone(), has_ended: false })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> Result<Usage> {
        let Word::Ended(usage) = hear(&mut self.says)? else { bail!("the keeper repeats itself") };
        self.has_ended = true;
        Ok(usage)
    }

    /// Waits until it has ended, and holds it to an end without failure.
    pub(crate) fn succeed(self) -> Result<Usage> {
        let output = self.output.clone();
        let usage = self.wait()?;
        ensure!(usage.code == Some(0), "it ended with {:?}: {}", usage.code, tail_of(&output));
        Ok(usage)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            // The keeper has not waited for it yet, or is about to exit: the id is its own still.
            let _ = kill(self.pid, Signal::SIGCONT);
            let _ = kill(self.pid, Signal::SIGKILL);
        }
        let _ = self.keeper.wait();
    }
}

fn hear(says: &mut BufReader<ChildStdout>) -> Result<Word> {
    let mut line = String::new();
    says.read_line(&mut line)?;
    serde_json::from_str(&line).context("the keeper has nothing to say: its messages are above")
}

/// The end of what a program said.
pub(crate) fn tail_of(output: &Path) -> String {
    const LINES: usize = 12;
    let text = std::fs::read(output).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// The keeper: starts the program of the job in `arguments`, waits, tells.
pub(crate) fn keep(job: &str) -> Result<()> {
    let job: Job = serde_json::from_str(job).context("the job is not one")?;
    prepare(&job)?;
    let output =
        File::create(&job.output).with_context(|| format!("cannot write {}", job.output.display()))?;
    let messages = output.try_clone()?;
    let mut command = Command::new(&job.program);
    command.args(&job.arguments).current_dir(&job.folder);
    command.stdin(Stdio::null()).stdout(output).stderr(messages);
    // Facts of the caller's environment that change what the program does.
    command.env_remove("OPENAI_API_KEY");
    let started_ns = now_ns()?;
    let mut program = command.spawn().with_context(|| format!("cannot start {}", job.program.display()))?;
    let pid = Pid::from_raw(program.id().cast_signed());
    println!("{}", serde_json::to_string(&Word::Started { pid: pid.as_raw() })?);

    let limit = Duration::from_secs(job.limit_seconds);
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        // This process ends right after the program has: whoever is still here has it running.
        let _ = kill(pid, Signal::SIGCONT);
        let _ = kill(pid, Signal::SIGKILL);
    });
    let status = program.wait()?;
    let ended_ns = now_ns()?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let usage = Usage {
        started_ns,
        ended_ns,
        user_ns: nanoseconds(usage.user_time()),
        system_ns: nanoseconds(usage.system_time()),
        peak_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
        code: status.code(),
    };
    println!("{}", serde_json::to_string(&Word::Ended(usage))?);
    Ok(())
}

/// Sets what the program inherits.
fn prepare(job: &Job) -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    match job.open_files {
        // A limit that a program may not raise again.
        Some(files) => setrlimit(Resource::RLIMIT_NOFILE, files.min(hard), files.min(hard))?,
        None => setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(1 << 20)), hard)?,
    }
    if !job.cores.is_empty() {
        let mut set = CpuSet::new();
        for core in &job.cores {
            set.set(*core)?;
        }
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    Ok(())
}

fn now_ns() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(i64::try_from(since.as_nanos())?)
}

fn nanoseconds(time: TimeVal) -> i64 {
    time.tv_sec() * 1_000_000_000 + time.tv_usec() * 1_000
}
