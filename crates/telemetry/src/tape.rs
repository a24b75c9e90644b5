//! What was scraped of servers, on disk while the run goes on.
//!
//! One JSON line an entry: endpoints, phases, series once each, and scrapes, which hold only what changed since
//! the scrape before. So memory holds one reading a series however long the run, and a run that is killed keeps
//! what it had: a line that was cut off is the end.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use loadgen_core::Nanos;
use loadgen_metrics::{Labels, Reading, SeriesName};
use loadgen_wire::redact;
use serde::{Deserialize, Serialize};

/// A server that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapeEndpoint {
    /// Its URL, credentials removed; the fallback's, where that was taken.
    pub url: String,
    /// Whether it answered when it was asked first.
    pub is_reachable: bool,
}

/// A phase of the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapePhase {
    /// `warmup` or `profiling`.
    pub name: String,
    /// Its place in the run.
    pub index: i32,
    /// Its place among the measured phases.
    pub profiling_index: Option<i32>,
}

/// One scrape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scrape {
    /// Position of the endpoint.
    #[serde(rename = "e")]
    pub endpoint: usize,
    /// When the first byte of the answer came.
    #[serde(rename = "t")]
    pub at: Nanos,
    /// When the first byte of the question left.
    #[serde(rename = "q")]
    pub sent_at: Nanos,
    /// From then to the last byte of the answer, ns.
    #[serde(rename = "l")]
    pub latency_ns: i64,
    /// Position of the phase that it belongs to; `None` before the first one.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<usize>,
    /// Whether the answer was the one before, byte for byte.
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_duplicate: bool,
    /// Series that stand elsewhere than at the scrape before: position and reading.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    changed: Vec<(usize, Reading)>,
    /// Series that are there no more.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<usize>,
}

/// When a scrape was made, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeTimes {
    /// When the first byte of the answer came.
    pub at: Nanos,
    /// When the first byte of the question left.
    pub sent_at: Nanos,
    /// From then to the last byte of the answer, ns.
    pub latency_ns: i64,
    /// Position of the phase that it belongs to.
    pub phase: Option<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Endpoint(TapeEndpoint),
    Moved { endpoint: usize, url: String },
    Phase(TapePhase),
    Series(SeriesName),
    Scrape(Scrape),
}

/// Writes a tape.
#[derive(Debug)]
pub struct Tape {
    out: BufWriter<File>,
    ids: HashMap<Key, usize>,
    /// Endpoint of each series, and what it stands at.
    standing: Vec<(usize, Option<Reading>)>,
}

/// What tells series apart: endpoint, name, labels whatever their order, bounds.
type Key = (usize, String, Labels, Vec<String>);

impl Tape {
    /// Begins a tape.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(path)?), ids: HashMap::new(), standing: Vec::new() })
    }

    /// Notes a server that was asked. They are numbered in this order.
    pub fn endpoint(&mut self, endpoint: TapeEndpoint) -> io::Result<()> {
        self.entry(&Entry::Endpoint(endpoint))
    }

    /// Notes that a server's metrics turned out to be elsewhere.
    pub fn moved(&mut self, endpoint: usize, url: &str) -> io::Result<()> {
        self.entry(&Entry::Moved { endpoint, url: url.to_owned() })
    }

    /// Notes a phase. They are numbered in this order.
    pub fn phase(&mut self, phase: TapePhase) -> io::Result<()> {
        self.entry(&Entry::Phase(phase))
    }

    /// Notes that a server answered as before, byte for byte.
    pub fn repeat(&mut self, endpoint: usize, times: ScrapeTimes) -> io::Result<()> {
        self.scrape(endpoint, times, true, Vec::new(), Vec::new())
    }

    /// Notes what a server's series stand at.
    pub fn readings(
        &mut self,
        endpoint: usize,
        times: ScrapeTimes,
        series: Vec<(SeriesName, Reading)>,
    ) -> io::Result<()> {
        let mut changed = Vec::new();
        let mut is_present = vec![false; self.standing.len()];
        for (name, reading) in series {
            let id = self.id(SeriesName { endpoint, ..name })?;
            if id >= is_present.len() {
                is_present.resize(id + 1, false);
            }
            is_present[id] = true;
            let standing = &mut self.standing[id].1;
            if standing.as_ref() != Some(&reading) {
                *standing = Some(reading.clone());
                changed.push((id, reading));
            }
        }
        let mut gone = Vec::new();
        for (id, (of, standing)) in self.standing.iter_mut().enumerate() {
            if *of == endpoint && !is_present[id] && standing.take().is_some() {
                gone.push(id);
            }
        }
        self.scrape(endpoint, times, false, changed, gone)
    }

    fn scrape(
        &mut self,
        endpoint: usize,
        times: ScrapeTimes,
        is_duplicate: bool,
        changed: Vec<(usize, Reading)>,
        gone: Vec<usize>,
    ) -> io::Result<()> {
        let ScrapeTimes { at, sent_at, latency_ns, phase } = times;
        let scrape = Scrape { endpoint, at, sent_at, latency_ns, phase, is_duplicate, changed, gone };
        self.entry(&Entry::Scrape(scrape))?;
        self.out.flush()
    }

    fn id(&mut self, name: SeriesName) -> io::Result<usize> {
        let mut labels = name.labels.clone();
        labels.sort_unstable();
        let key = (name.endpoint, name.name.clone(), labels, name.bounds.clone());
        if let Some(id) = self.ids.get(&key) {
            return Ok(*id);
        }
        let id = self.standing.len();
        self.standing.push((name.endpoint, None));
        self.ids.insert(key, id);
        // A server may show in labels how it was started.
        let labels =
            name.labels.into_iter().map(|(label, value)| (label, redact(&value).into_owned())).collect();
        let help = redact(&name.help).into_owned();
        self.entry(&Entry::Series(SeriesName { labels, help, ..name }))?;
        Ok(id)
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, entry)?;
        self.out.write_all(b"\n")
    }
}

/// A tape that is played: what has been said so far, and what every series stands at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Played {
    /// The servers.
    pub endpoints: Vec<TapeEndpoint>,
    /// The phases that had begun.
    pub phases: Vec<TapePhase>,
    /// The series, by position.
    pub series: Vec<SeriesName>,
    /// What each stands at; `None` where it is not there.
    pub standing: Vec<Option<Reading>>,
    /// Positions of the series of each server.
    pub of_endpoint: Vec<Vec<usize>>,
}

impl Played {
    /// Plays a tape to its end, or to where it was cut off, and shows every scrape, once it is taken.
    pub fn play(path: &Path, mut show: impl FnMut(&Self, &Scrape)) -> io::Result<Self> {
        let mut played = Self::default();
        for line in BufReader::new(File::open(path)?).split(b'\n') {
            let Ok(entry) = serde_json::from_slice(&line?) else { break };
            match entry {
                Entry::Endpoint(endpoint) => {
                    played.endpoints.push(endpoint);
                    played.of_endpoint.push(Vec::new());
                }
                Entry::Moved { endpoint, url } => {
                    if let Some(moved) = played.endpoints.get_mut(endpoint) {
                        moved.url = url;
                    }
                }
                Entry::Phase(phase) => played.phases.push(phase),
                Entry::Series(name) => {
                    if let Some(of) = played.of_endpoint.get_mut(name.endpoint) {
                        of.push(played.series.len());
                    }
                    played.series.push(name);
                    played.standing.push(None);
                }
                Entry::Scrape(mut scrape) => {
                    for (id, reading) in std::mem::take(&mut scrape.changed) {
                        if let Some(standing) = played.standing.get_mut(id) {
                            *standing = Some(reading);
                        }
                    }
                    for id in std::mem::take(&mut scrape.gone) {
                        if let Some(standing) = played.standing.get_mut(id) {
                            *standing = None;
                        }
                    }
                    show(&played, &scrape);
                }
            }
        }
        Ok(played)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use loadgen_metrics::SeriesKind;

    use super::*;

    fn series(name: &str, label: &str, value: f64) -> (SeriesName, Reading) {
        let name = SeriesName {
            endpoint: 0,
            name: name.to_owned(),
            kind: SeriesKind::Gauge,
            help: "Authorization: Bearer abcdef123456".to_owned(),
            labels: vec![("x".to_owned(), label.to_owned())],
            bounds: Vec::new(),
        };
        (name, Reading::Scalar(value))
    }

    fn times(at: i64) -> ScrapeTimes {
        ScrapeTimes { at: Nanos(at), sent_at: Nanos(at - 1), latency_ns: 2, phase: None }
    }

    #[test]
    fn a_tape_tells_what_stood_at_every_scrape_and_survives_being_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tape.jsonl");
        let mut tape = Tape::create(&path).unwrap();
        for url in ["http://a/metrics", "http://b/metrics"] {
            tape.endpoint(TapeEndpoint { url: url.to_owned(), is_reachable: true }).unwrap();
        }
        tape.readings(0, times(1), vec![series("g", "1", 5.0), series("g", "2", 6.0)]).unwrap();
        tape.repeat(0, times(2)).unwrap();
        tape.readings(1, times(3), vec![series("g", "1", 9.0)]).unwrap();
        tape.readings(0, times(4), vec![series("g", "1", 7.0)]).unwrap();
        tape.moved(1, "http://b/prometheus/metrics").unwrap();
        drop(tape);

        let play = |path: &Path| {
            let mut shown = Vec::new();
            let played = Played::play(path, |played, scrape| {
                let standing =
                    played.of_endpoint[scrape.endpoint].iter().map(|id| played.standing[*id].clone());
                shown.push((scrape.at.0, scrape.is_duplicate, standing.collect::<Vec<_>>()));
            });
            (played.unwrap(), shown)
        };
        let some = |value: f64| Some(Reading::Scalar(value));
        let (played, shown) = play(&path);
        assert_eq!(
            shown,
            [
                (1, false, vec![some(5.0), some(6.0)]),
                (2, true, vec![some(5.0), some(6.0)]),
                (3, false, vec![some(9.0)]),
                (4, false, vec![some(7.0), None]),
            ]
        );
        assert_eq!(played.endpoints[1].url, "http://b/prometheus/metrics");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("abcdef123456"), "{text}");

        let cut = text.find("\"t\":4").unwrap();
        fs::write(&path, &text[..cut]).unwrap();
        assert_eq!(play(&path).1.len(), 3);
    }
}
