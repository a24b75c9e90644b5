//! The phases of a file as settings: one that is measured, and at most one that warms up before it.

use super::faults::Faults;
use super::schema::{GAMMA_KEYS, PHASE, RATE_KEYS, SCHEDULE_KEYS, USER_KEYS};
use super::settings::Settings;
use super::shape::{Does, Key, as_bool, as_int, as_number, below, check, time_text, unknown};
use super::yaml::{Entry, Node, Yaml};

/// Types of phases, with the keys that each has beside the common ones.
const TYPES: [(&str, &[&[Key]]); 6] = [
    ("concurrency", &[]),
    ("poisson", &[RATE_KEYS]),
    ("constant", &[RATE_KEYS]),
    ("gamma", &[RATE_KEYS, GAMMA_KEYS]),
    ("user_centric", &[USER_KEYS]),
    ("fixed_schedule", &[SCHEDULE_KEYS]),
];

/// Turns the phases into settings.
pub(super) fn phase_settings(
    benchmark: &Node,
    dataset: Option<&Node>,
    settings: &mut Settings,
    faults: &mut Faults,
) {
    let Some(phases) = benchmark.get("phases") else { return };
    let Yaml::List(items) = &phases.value else {
        return faults.add(phases.at, "benchmark.phases", "expected a list of phases, or one with a `type`");
    };
    let read: Vec<Phase<'_>> =
        items.iter().enumerate().filter_map(|(i, item)| Phase::read(item, i, faults)).collect();
    names_differ(&read, faults);
    let (measured, warming): (Vec<_>, Vec<_>) = read.iter().partition(|phase| phase.is_measured);
    if measured.is_empty() && faults.is_right() {
        faults.add(phases.at, "benchmark.phases", "needs a phase of kind profiling, whose load is measured");
    }
    for (many, kind) in [(&measured, "profiling"), (&warming, "warmup")] {
        if let Some(second) = many.get(1) {
            let what =
                format!("a second phase of kind {kind} is not built yet: run them one after the other");
            faults.unbuilt(second.node.at, &second.path, what);
        }
    }
    if let (Some(warmup), Some(profiling)) = (warming.first(), measured.first())
        && warmup.place > profiling.place
    {
        faults.add(warmup.node.at, &warmup.path, "stands after the phase that it warms up for: put it first");
    }
    let is_streaming = benchmark.at_path("endpoint.streaming").and_then(as_bool) == Some(true);
    for phase in &read {
        phase.check_limits(is_streaming, faults);
        if !matches!(phase.name, "profiling" | "warmup") {
            let kind = if phase.is_measured { "profiling" } else { "warmup" };
            settings.notes.push(format!("the phase {} is called {kind} in the files", phase.name));
        }
    }
    if let Some(profiling) = measured.first() {
        profiling.measured(settings, faults);
        let has_file = dataset.and_then(|dataset| dataset.get("type")).and_then(Node::text) == Some("file");
        if has_file && profiling.kind != "fixed_schedule" {
            // The type of the phase decides, not whether the file has times.
            settings.switch("--no-fixed-schedule", &profiling.path, profiling.node.at);
        }
    }
    if let Some(warmup) = warming.first() {
        warmup.warming(settings, faults);
        settings.own_warmup = true;
    }
}

fn names_differ(phases: &[Phase<'_>], faults: &mut Faults) {
    for (index, phase) in phases.iter().enumerate() {
        if phases[..index].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(phase.name)) {
            faults.add(
                phase.node.at,
                &phase.path,
                format!("the name {:?} is taken: names must differ", phase.name),
            );
        }
    }
}

/// A phase of a known type.
struct Phase<'a> {
    node: &'a Node,
    name: &'a str,
    kind: &'static str,
    path: String,
    place: usize,
    is_measured: bool,
}

impl<'a> Phase<'a> {
    fn read(node: &'a Node, place: usize, faults: &mut Faults) -> Option<Self> {
        let name = node.get("name").and_then(Node::text).unwrap_or_default();
        let path =
            format!("benchmark.phases.{}", if name.is_empty() { place.to_string() } else { name.to_owned() });
        if !is_name(name) {
            let what = "needs a name of letters, digits, _ and -, that begins with a letter";
            faults.add(node.at, &path, what);
        }
        let given = node.get("type").and_then(Node::text).unwrap_or_default();
        let given = super::shape::fold(given);
        let Some((kind, extra)) = TYPES.iter().find(|(name, _)| *name == given) else {
            let known: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
            let what = format!("{given:?} is not known: expected one of {}", known.join(", "));
            faults.add(node.get("type").map_or(node.at, |found| found.at), &below(&path, "type"), what);
            return None;
        };
        let wrong = faults.wrong();
        for entry in node.entries() {
            check_key(entry, kind, extra, &path, faults);
        }
        let is_measured = match node.get("kind").and_then(Node::text).map(super::shape::fold).as_deref() {
            Some("profiling") => true,
            Some("warmup") => false,
            _ => {
                // Without a name the one fault is that it has none: a name may say the kind.
                if is_name(name) {
                    faults.add(
                        node.at,
                        &path,
                        "needs a `kind`, warmup or profiling: its name does not say which",
                    );
                }
                return None;
            }
        };
        (faults.wrong() == wrong).then_some(Self { node, name, kind, path, place, is_measured })
    }

    fn get(&self, key: &str) -> Option<&'a Node> {
        self.node.get(key).filter(|value| !value.is_null())
    }

    fn path(&self, key: &str) -> String {
        below(&self.path, key)
    }

    /// What a phase may not ask for by itself.
    fn check_limits(&self, is_streaming: bool, faults: &mut Faults) {
        let at = |key: &str| self.get(key).map_or(self.node.at, |value| value.at);
        let stops = ["requests", "duration", "sessions"];
        if self.kind != "fixed_schedule" && stops.iter().all(|key| self.get(key).is_none()) {
            faults.add(
                self.node.at,
                &self.path,
                "never ends: give at least one of requests, duration, sessions",
            );
        }
        if self.get("grace_period").is_some() && self.get("duration").is_none() {
            faults.add(
                at("grace_period"),
                &self.path("grace_period"),
                "follows a duration: give duration too",
            );
        }
        if let Some(excluded) = self.get("exclude_from_results").and_then(as_bool)
            && excluded == self.is_measured
        {
            let kind = if self.is_measured { "profiling is always" } else { "warmup is never" };
            let what = format!("{kind} in the results: leave it out");
            faults.add(at("exclude_from_results"), &self.path("exclude_from_results"), what);
        }
        if let Some(prefill) = self.get("prefill_concurrency") {
            let path = self.path("prefill_concurrency");
            if !is_streaming {
                faults.add(prefill.at, &path, "needs responses as streams: give endpoint.streaming: true");
            }
            let slots = self.get("concurrency").and_then(as_int);
            if let (Some(prefill), Some(slots)) = (as_int(prefill), slots)
                && prefill > slots
            {
                faults.add(at("prefill_concurrency"), &path, format!("must be at most concurrency, {slots}"));
            }
        }
        if matches!(self.kind, "poisson" | "constant" | "gamma") {
            match (self.get("rate"), self.get("rate_series")) {
                (None, None) => faults.add(self.node.at, &self.path, "needs a rate, in requests per second"),
                (Some(_), Some(_)) => {
                    faults.add(at("rate"), &self.path("rate"), "stands beside a rate_series: give one");
                }
                _ => {}
            }
        }
        if self.kind == "user_centric" {
            self.check_users(faults);
        }
        if self.kind == "fixed_schedule" {
            let (start, end) =
                (self.get("start_offset").and_then(as_int), self.get("end_offset").and_then(as_int));
            if start.is_some() && self.get("auto_offset").and_then(as_bool) == Some(true) {
                faults.add(
                    at("start_offset"),
                    &self.path("start_offset"),
                    "cannot stand beside auto_offset: true",
                );
            }
            if let (Some(start), Some(end)) = (start, end)
                && start > end
            {
                faults.add(
                    at("start_offset"),
                    &self.path("start_offset"),
                    format!("is after end_offset, {end}"),
                );
            }
        }
    }

    fn check_users(&self, faults: &mut Faults) {
        let Some(users) = self.get("users").and_then(as_int) else {
            return faults.add(self.node.at, &self.path, "needs the number of `users`");
        };
        if self.get("rate").is_none() {
            faults.add(self.node.at, &self.path, "needs a rate, in requests per second");
        }
        for key in ["requests", "sessions"] {
            if let Some(value) = self.get(key)
                && as_int(value).is_some_and(|value| value < users)
            {
                faults.add(value.at, &self.path(key), format!("must be at least users, {users}"));
            }
        }
    }

    /// The settings of the measured phase.
    fn measured(&self, settings: &mut Settings, faults: &mut Faults) {
        self.whole(settings, "requests", "--request-count");
        self.whole(settings, "sessions", "--num-conversations");
        self.time(settings, "duration", "--benchmark-duration");
        if let Some(duration) = self.get("duration") {
            // Unlike the flag's 30 seconds: a file that gives none waits without end.
            match self.get("grace_period") {
                Some(_) => self.time(settings, "grace_period", "--benchmark-grace-period"),
                None => {
                    settings.value("--benchmark-grace-period", "inf", &self.path("duration"), duration.at);
                }
            }
        }
        self.whole(settings, "concurrency", "--concurrency");
        self.whole(settings, "prefill_concurrency", "--prefill-concurrency");
        self.ramp(settings, "concurrency_ramp", "--concurrency-ramp-duration", faults);
        self.ramp(settings, "prefill_ramp", "--prefill-concurrency-ramp-duration", faults);
        self.ramp(settings, "rate_ramp", "--request-rate-ramp-duration", faults);
        self.number(settings, "failed_request_threshold", "--failed-request-threshold");
        self.number(settings, "trajectory_start_min_ratio", "--trajectory-start-min-ratio");
        self.number(settings, "trajectory_start_max_ratio", "--trajectory-start-max-ratio");
        self.number(settings, "system_idle_gap_cap_seconds", "--system-idle-gap-cap-seconds");
        if self.get("burst_phase_starts").and_then(as_bool) == Some(true) {
            settings.switch("--burst-phase-starts", &self.path("burst_phase_starts"), self.node.at);
        }
        if let Some(cancellation) = self.get("cancellation") {
            let path = self.path("cancellation");
            for (key, flag) in
                [("rate", "--request-cancellation-rate"), ("delay", "--request-cancellation-delay")]
            {
                if let Some(value) = cancellation.get(key).filter(|value| as_number(value) != Some(0.0)) {
                    settings.value(flag, value.to_string(), &below(&path, key), value.at);
                }
            }
            if cancellation.get("rate").is_none() {
                faults.add(cancellation.at, &path, "needs a rate, in percent of the requests");
            }
        }
        match self.kind {
            "poisson" | "constant" | "gamma" => {
                self.number(settings, "rate", "--request-rate");
                if let Some(path) = self.get("rate_series").and_then(|series| series.get("path")) {
                    settings.value(
                        "--request-rate-series",
                        path.to_string(),
                        &self.path("rate_series"),
                        path.at,
                    );
                }
                settings.value("--arrival-pattern", self.kind, &self.path("type"), self.node.at);
                self.number(settings, "smoothness", "--arrival-smoothness");
            }
            "user_centric" => {
                self.number(settings, "rate", "--user-centric-rate");
                self.whole(settings, "users", "--num-users");
            }
            "fixed_schedule" => {
                settings.switch("--fixed-schedule", &self.path("type"), self.node.at);
                if self.get("start_offset").is_none()
                    && self.get("auto_offset").and_then(as_bool) == Some(true)
                {
                    settings.switch("--fixed-schedule-auto-offset", &self.path("auto_offset"), self.node.at);
                }
                self.whole(settings, "start_offset", "--fixed-schedule-start-offset");
                self.whole(settings, "end_offset", "--fixed-schedule-end-offset");
                if self.get("auto_offset").and_then(as_bool) == Some(false)
                    && self.get("start_offset").is_none()
                {
                    // The dataset's own zero.
                    settings.value(
                        "--fixed-schedule-start-offset",
                        "0",
                        &self.path("auto_offset"),
                        self.node.at,
                    );
                }
            }
            _ => {}
        }
    }

    /// The settings of the phase before it.
    fn warming(&self, settings: &mut Settings, faults: &mut Faults) {
        self.whole(settings, "requests", "--warmup-request-count");
        self.whole(settings, "sessions", "--num-warmup-sessions");
        self.time(settings, "duration", "--warmup-duration");
        self.time(settings, "grace_period", "--warmup-grace-period");
        self.whole(settings, "prefill_concurrency", "--warmup-prefill-concurrency");
        self.ramp(settings, "concurrency_ramp", "--warmup-concurrency-ramp-duration", faults);
        self.ramp(settings, "prefill_ramp", "--warmup-prefill-concurrency-ramp-duration", faults);
        self.ramp(settings, "rate_ramp", "--warmup-request-rate-ramp-duration", faults);
        match self.kind {
            "concurrency" => {
                let slots = self.get("concurrency").map_or_else(|| "1".to_owned(), whole_text);
                settings.value("--warmup-concurrency", slots, &self.path("concurrency"), self.node.at);
            }
            "poisson" | "constant" | "gamma" => {
                self.whole(settings, "concurrency", "--warmup-concurrency");
                self.number(settings, "rate", "--warmup-request-rate");
                settings.value("--warmup-arrival-pattern", self.kind, &self.path("type"), self.node.at);
            }
            kind => faults.unbuilt(
                self.node.at,
                &self.path("type"),
                format!(
                    "a warm-up of type {kind} is not built yet: use concurrency, poisson, constant or gamma"
                ),
            ),
        }
        for key in ["cancellation", "failed_request_threshold", "rate_series", "smoothness"] {
            if let Some(value) = self.get(key) {
                faults.unbuilt(value.at, &self.path(key), "is not built yet for a warm-up: leave it out");
            }
        }
    }

    fn whole(&self, settings: &mut Settings, key: &str, flag: &'static str) {
        if let Some(value) = self.get(key) {
            settings.value(flag, whole_text(value), &self.path(key), value.at);
        }
    }

    fn number(&self, settings: &mut Settings, key: &str, flag: &'static str) {
        if let Some(value) = self.get(key) {
            settings.value(flag, value.to_string(), &self.path(key), value.at);
        }
    }

    fn time(&self, settings: &mut Settings, key: &str, flag: &'static str) {
        if let Some(value) = self.get(key) {
            settings.value(flag, time_text(value), &self.path(key), value.at);
        }
    }

    fn ramp(&self, settings: &mut Settings, key: &str, flag: &'static str, faults: &mut Faults) {
        let Some(ramp) = self.get(key) else { return };
        let what =
            "ramps are not built yet: leave it out, or let the rate swing with --request-rate-sinusoid";
        faults.unbuilt(ramp.at, &self.path(key), what);
        let Yaml::Map(_) = ramp.value else { return self.time(settings, key, flag) };
        match ramp.get("duration") {
            Some(duration) => settings.value(flag, time_text(duration), &self.path(key), ramp.at),
            None => faults.add(ramp.at, &self.path(key), "needs a duration"),
        }
    }
}

fn check_key(entry: &Entry, kind: &str, extra: &[&[Key]], path: &str, faults: &mut Faults) {
    let known = || PHASE.iter().chain(extra.iter().copied().flatten());
    let path = || below(path, &entry.key);
    let Some(key) = known().find(|key| key.name == entry.key) else {
        let owners: Vec<&str> = TYPES
            .iter()
            .filter(|(_, extra)| extra.iter().copied().flatten().any(|key| key.name == entry.key))
            .map(|(name, _)| *name)
            .collect();
        if !owners.is_empty() {
            let what = format!(
                "belongs to a phase of type {}: this one is of type {kind}, so change its type or leave it out",
                owners.join(", ")
            );
            return faults.add(entry.at, &path(), what);
        }
        let keys: Vec<Key> = known().copied().collect();
        let parent = path();
        let parent = parent.rsplit_once('.').map_or("", |(parent, _)| parent);
        return unknown(entry.at, &entry.key, &keys, parent, faults);
    };
    check(&entry.node, key.shape, &path(), faults);
    if let Does::Unbuilt(instead) = key.does
        && !matches!(entry.node.value, Yaml::Null | Yaml::Bool(false))
        && !matches!(&entry.node.value, Yaml::List(items) if items.is_empty())
    {
        faults.unbuilt(entry.at, &path(), format!("is not built yet: {instead}"));
    }
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'))
}

fn whole_text(node: &Node) -> String {
    as_int(node).map_or_else(|| node.to_string(), |value| value.to_string())
}
