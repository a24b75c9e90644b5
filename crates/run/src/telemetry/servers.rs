//! What servers said during a run, played from the tape and summed up phase by phase.
//!
//! Memory holds what the figures need: the runs of equal values of gauges, a few numbers for everything else.
//! Where there are so many gauges and scrapes that even that is much, the tape is played several times, each
//! time for a part of the series.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use loadgen_core::{Nanos, Phase};
use loadgen_metrics::{SeriesAccumulator, SeriesKind};
use loadgen_report::server_metrics::{
    ScrapeLine, ScrapePhase, ScrapedEndpoint, ScrapedSeries, ServerMetrics,
};
use loadgen_telemetry::{Played, Scrape};

/// Samples of gauges that are held at a time: 64 MiB of runs, if no value ever repeats.
const MOST_SAMPLES: usize = 4 << 20;

/// What servers said during a run.
#[derive(Debug)]
pub(crate) struct ScrapedServers {
    tape: PathBuf,
    played: Played,
    /// Every endpoint over the whole tape.
    whole: Vec<Survey>,
    /// Every endpoint over each phase, by the phase's name.
    phases: BTreeMap<String, Vec<Survey>>,
}

/// How an endpoint was read.
#[derive(Debug, Clone, Default)]
struct Survey {
    fetches: u64,
    latency_ns: i64,
    fetched: Option<(Nanos, Nanos)>,
    updates: Vec<Nanos>,
}

impl Survey {
    fn take(&mut self, scrape: &Scrape) {
        self.fetches += 1;
        self.latency_ns += scrape.latency_ns;
        self.fetched = Some((self.fetched.map_or(scrape.at, |(first, _)| first), scrape.at));
        if !scrape.is_duplicate {
            self.updates.push(scrape.at);
        }
    }

    fn endpoint(&self, url: &str) -> Option<ScrapedEndpoint> {
        let fetched = self.fetched?;
        let mut intervals: Vec<i64> = self.updates.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        intervals.sort_unstable();
        let middle = intervals.len() / 2;
        let median = (!intervals.is_empty()).then(|| {
            if intervals.len() % 2 == 1 {
                intervals[middle] as f64
            } else {
                f64::midpoint(intervals[middle - 1] as f64, intervals[middle] as f64)
            }
        });
        Some(ScrapedEndpoint {
            url: url.to_owned(),
            fetches: self.fetches,
            fetched,
            avg_latency_ms: self.latency_ns as f64 / 1e6 / self.fetches as f64,
            updates: self.updates.len() as u64,
            updated: self.updates.first().zip(self.updates.last()).map_or(fetched, |(a, b)| (*a, *b)),
            median_interval_ms: median.map(|median| median / 1e6),
        })
    }
}

impl ScrapedServers {
    /// Plays a tape once; `None` where there is none, or nothing on it.
    pub(crate) fn survey(tape: PathBuf) -> Option<Self> {
        let mut whole: Vec<Survey> = Vec::new();
        let mut phases: BTreeMap<String, Vec<Survey>> = BTreeMap::new();
        let played = Played::play(&tape, |played, scrape| {
            let place = |surveys: &mut Vec<Survey>| {
                surveys.resize(played.endpoints.len(), Survey::default());
                if let Some(survey) = surveys.get_mut(scrape.endpoint) {
                    survey.take(scrape);
                }
            };
            place(&mut whole);
            if let Some(phase) = phase_name(played, scrape) {
                place(phases.entry(phase.to_owned()).or_default());
            }
        });
        let played = played.ok().filter(|played| !played.series.is_empty())?;
        Some(Self { tape, played, whole, phases })
    }

    /// What was said during the phases of these windows.
    pub(crate) fn metrics(
        &self,
        profiling: (Nanos, Nanos),
        warmup: Option<(Nanos, Nanos)>,
        slice_ns: Option<i64>,
    ) -> io::Result<ServerMetrics> {
        let endpoints = &self.played.endpoints;
        let reachable = endpoints.iter().filter(|endpoint| endpoint.is_reachable);
        let last_of = |phase: Phase| {
            let surveys = self.phases.get(phase.name()).into_iter().flatten();
            surveys.filter_map(|survey| survey.fetched).map(|(_, last)| last).max()
        };
        Ok(ServerMetrics {
            configured: endpoints.iter().map(|endpoint| endpoint.url.clone()).collect(),
            successful: reachable.map(|endpoint| endpoint.url.clone()).collect(),
            endpoints: self.endpoints(&self.whole),
            profiling: Some(profiling),
            warmup: warmup.map(|(start, end)| (start, last_of(Phase::Warmup).unwrap_or(end))),
            metrics: self.series(Phase::Profiling, slice_ns)?,
            warmup_metrics: self.series(Phase::Warmup, None)?,
        })
    }

    /// How the endpoints were read during a phase.
    pub(crate) fn endpoints_during(&self, phase: Phase) -> Vec<ScrapedEndpoint> {
        self.phases.get(phase.name()).map(|surveys| self.endpoints(surveys)).unwrap_or_default()
    }

    fn endpoints(&self, surveys: &[Survey]) -> Vec<ScrapedEndpoint> {
        let with_urls = self.played.endpoints.iter().zip(surveys);
        with_urls.filter_map(|(endpoint, survey)| survey.endpoint(&endpoint.url)).collect()
    }

    /// The figures of every series over a phase.
    fn series(&self, phase: Phase, slice_ns: Option<i64>) -> io::Result<Vec<ScrapedSeries>> {
        let Some(surveys) = self.phases.get(phase.name()) else { return Ok(Vec::new()) };
        let is_gauge = |kind| matches!(kind, SeriesKind::Gauge | SeriesKind::Unknown);
        let gauges = self.played.series.iter().filter(|name| is_gauge(name.kind)).count();
        let scrapes = surveys.iter().map(|survey| survey.fetches).max().unwrap_or(0);
        let parts = (gauges * usize::try_from(scrapes).unwrap_or(usize::MAX)).div_ceil(MOST_SAMPLES).max(1);
        let mut series = Vec::with_capacity(self.played.series.len());
        for part in 0..parts {
            series.extend(self.part(phase, surveys, slice_ns, |id| id % parts == part)?);
        }
        Ok(series)
    }

    fn part(
        &self,
        phase: Phase,
        surveys: &[Survey],
        slice_ns: Option<i64>,
        is_wanted: impl Fn(usize) -> bool,
    ) -> io::Result<Vec<ScrapedSeries>> {
        let mut accumulators: Vec<Option<SeriesAccumulator>> = self
            .played
            .series
            .iter()
            .enumerate()
            .map(|(id, name)| {
                let accumulator = is_wanted(id).then(|| SeriesAccumulator::new(name.kind, &name.bounds))?;
                let window = surveys.get(name.endpoint).and_then(|survey| survey.fetched);
                Some(match (slice_ns, window) {
                    (Some(length), Some((start, end))) => accumulator.sliced(start, end, length),
                    _ => accumulator,
                })
            })
            .collect();
        let mut has_begun = vec![false; self.played.endpoints.len()];
        Played::play(&self.tape, |played, scrape| {
            let is_within = phase_name(played, scrape) == Some(phase.name());
            let Some(begun) = has_begun.get_mut(scrape.endpoint) else { return };
            *begun |= is_within;
            if !is_within && *begun {
                return;
            }
            for id in &played.of_endpoint[scrape.endpoint] {
                let (Some(Some(accumulator)), Some(reading)) =
                    (accumulators.get_mut(*id), &played.standing[*id])
                else {
                    continue;
                };
                if is_within {
                    accumulator.take(scrape.at, reading);
                } else {
                    accumulator.before(scrape.at, reading);
                }
            }
        })?;
        let named = self.played.series.iter().zip(accumulators);
        Ok(named
            .filter_map(|(name, accumulator)| {
                let (stats, slices) = accumulator?.finish()?;
                let url = self.played.endpoints[name.endpoint].url.clone();
                Some(ScrapedSeries { url, name: name.clone(), stats, slices })
            })
            .collect())
    }

    /// Writes every scrape that was not the one before, a line each.
    pub(crate) fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        let mut failure = None;
        Played::play(&self.tape, |played, scrape| {
            if scrape.is_duplicate || failure.is_some() {
                return;
            }
            let phase = scrape.phase.and_then(|position| played.phases.get(position));
            let line = ScrapeLine {
                url: &self.played.endpoints[scrape.endpoint].url,
                at: scrape.at,
                sent_at: scrape.sent_at,
                latency_ns: scrape.latency_ns,
                phase: phase.map(|phase| ScrapePhase {
                    name: &phase.name,
                    index: phase.index,
                    profiling_index: phase.profiling_index,
                }),
            };
            let ids = played.of_endpoint[scrape.endpoint].iter();
            let standing = ids.filter_map(|id| Some((&played.series[*id], played.standing[*id].as_ref()?)));
            failure = line.write(standing, out).err();
        })?;
        failure.map_or(Ok(()), Err)
    }

    /// The tape, for whoever wants every sample.
    pub(super) fn tape(&self) -> &Path {
        &self.tape
    }

    /// All that was on it.
    pub(super) fn played(&self) -> &Played {
        &self.played
    }
}

/// The name of the phase that a scrape belongs to.
pub(super) fn phase_name<'a>(played: &'a Played, scrape: &Scrape) -> Option<&'a str> {
    Some(played.phases.get(scrape.phase?)?.name.as_str())
}

/// Whether a counter of a server went back during the measured phase, and how often, by its name.
pub(crate) fn resets(metrics: &ServerMetrics) -> Vec<(&str, u64)> {
    let mut resets: BTreeMap<&str, u64> = BTreeMap::new();
    for series in &metrics.metrics {
        if let loadgen_metrics::SeriesStats::Counter(counter) = &series.stats
            && counter.resets > 0
        {
            *resets.entry(&series.name.name).or_default() += counter.resets;
        }
    }
    resets.into_iter().collect()
}

#[cfg(test)]
pub(in crate::telemetry) mod tests {
    #![allow(clippy::unwrap_used)]
    use loadgen_metrics::{Reading, SeriesName, SeriesStats};
    use loadgen_telemetry::{ScrapeTimes, Tape, TapeEndpoint, TapePhase};

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn name(name: &str, kind: SeriesKind) -> SeriesName {
        let labels = vec![("model".to_owned(), "m".to_owned())];
        SeriesName {
            endpoint: 0,
            name: name.to_owned(),
            kind,
            help: String::new(),
            labels,
            bounds: Vec::new(),
        }
    }

    /// A counter that has counted since the boot, and a gauge, once a second: two readings before the run, one
    /// in its warm-up and the rest in its measured phase.
    pub(in crate::telemetry) fn tape(folder: &tempfile::TempDir, readings: usize) -> PathBuf {
        let path = folder.path().join("tape.jsonl");
        let mut tape = Tape::create(&path).unwrap();
        tape.endpoint(TapeEndpoint { url: "http://g/metrics".to_owned(), is_reachable: false }).unwrap();
        tape.endpoint(TapeEndpoint { url: "http://h/metrics".to_owned(), is_reachable: true }).unwrap();
        for k in 0..readings {
            if k == 2 {
                let phase = TapePhase { name: "warmup".to_owned(), index: 0, profiling_index: None };
                tape.phase(phase).unwrap();
            }
            if k == 3 {
                let phase = TapePhase { name: "profiling".to_owned(), index: 1, profiling_index: Some(0) };
                tape.phase(phase).unwrap();
            }
            let at = Nanos(k as i64 * SECOND);
            let phase = [None, None, Some(0)].get(k).copied().unwrap_or(Some(1));
            let times = ScrapeTimes { at, sent_at: at, latency_ns: 1_000_000, phase };
            if k == 5 {
                tape.repeat(1, times).unwrap();
                continue;
            }
            let series = vec![
                (name("n", SeriesKind::Counter), Reading::Scalar(1e6 + 10.0 * k as f64)),
                (name("g", SeriesKind::Gauge), Reading::Scalar(k as f64)),
            ];
            tape.readings(1, times, series).unwrap();
        }
        path
    }

    #[test]
    fn each_phase_has_its_readings_and_what_grows_counts_from_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let servers = ScrapedServers::survey(tape(&folder, 8)).unwrap();
        let (start, end) = (Nanos(3 * SECOND), Nanos(6 * SECOND));
        let metrics = servers.metrics((start, end), Some((Nanos(2 * SECOND), start)), None).unwrap();
        assert_eq!(
            (metrics.configured.len(), metrics.successful.as_slice()),
            (2, &["http://h/metrics".to_owned()][..])
        );
        let endpoint = &metrics.endpoints[0];
        assert_eq!((endpoint.fetches, endpoint.updates, endpoint.avg_latency_ms), (8, 7, 1.0));
        assert_eq!(endpoint.median_interval_ms, Some(1000.0));
        let SeriesStats::Counter(counter) = &metrics.metrics[0].stats else { panic!("a counter") };
        assert_eq!((counter.total, counter.rate), (50.0, Some(10.0)), "from the warm-up's last reading");
        let SeriesStats::Gauge(gauge) = &metrics.metrics[1].stats else { panic!("a gauge") };
        // 3, 4, 4 again, 6 and 7.
        assert_eq!((gauge.count, gauge.sum), (5, 24.0));
        let SeriesStats::Counter(warmup) = &metrics.warmup_metrics[0].stats else { panic!("a counter") };
        assert_eq!(warmup.total, 10.0);
        assert_eq!(servers.endpoints_during(Phase::Warmup)[0].fetches, 1);
        assert_eq!(metrics.warmup, Some((Nanos(2 * SECOND), Nanos(2 * SECOND))), "to its last reading");
    }

    #[test]
    fn slices_last_from_the_first_reading_to_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let servers = ScrapedServers::survey(tape(&folder, 8)).unwrap();
        let window = (Nanos(3 * SECOND), Nanos(6 * SECOND));
        let metrics = servers.metrics(window, None, Some(3 * SECOND)).unwrap();
        let slices = &metrics.metrics[1].slices;
        let ends: Vec<_> = slices.iter().map(|slice| (slice.end.0 / SECOND, slice.is_complete)).collect();
        assert_eq!(ends, [(6, true), (7, false)]);
    }

    #[test]
    fn lines_are_what_changed_and_parts_give_what_the_whole_gives() {
        let folder = tempfile::tempdir().unwrap();
        let servers = ScrapedServers::survey(tape(&folder, 8)).unwrap();
        let mut out = Vec::new();
        servers.write_lines(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 7, "one is the one before");
        assert!(
            text.lines()
                .next()
                .unwrap()
                .contains("\"n\":[{\"labels\":{\"model\":\"m\"},\"value\":1000000.0}]")
        );
        let surveys = &servers.phases["profiling"];
        let mut parts: Vec<_> = (0..2)
            .flat_map(|part| servers.part(Phase::Profiling, surveys, None, |id| id % 2 == part).unwrap())
            .collect();
        parts.sort_by(|a, b| b.name.name.cmp(&a.name.name));
        assert_eq!(parts, servers.series(Phase::Profiling, None).unwrap());
    }

    #[test]
    fn a_tape_without_readings_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ScrapedServers::survey(tape(&folder, 0)).is_none());
        assert!(ScrapedServers::survey(folder.path().join("no such tape")).is_none());
    }
}
