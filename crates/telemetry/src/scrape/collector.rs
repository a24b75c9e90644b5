//! Asks one endpoint, from its first answer to its last.

use std::rc::Rc;
use std::time::Duration;

use loadgen_wire::Fetched;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::ScrapeTiming;
use super::conductor::{Stage, Told};
use super::keep::{Keeper, Useless};
use crate::client::Client;
use crate::metrics_url::MetricsUrl;
use crate::tape::ScrapeTimes;

/// Longest answer read, in bytes. The largest servers' are some hundred kilobytes.
const LONGEST_ANSWER: usize = 32 << 20;

/// Asks one endpoint.
pub(super) struct Collector {
    url: MetricsUrl,
    client: Client,
    stage: Rc<Stage>,
    /// Set once it has begun; none where it was of no use.
    keeper: Option<Keeper>,
    timing: Option<ScrapeTiming>,
    phase: Option<usize>,
    last_body: Option<bytes::Bytes>,
}

impl Collector {
    pub(super) fn new(url: MetricsUrl, stage: Rc<Stage>) -> Self {
        let client = Client::new(stage.connector.clone(), url.target().clone(), stage.clock);
        Self { url, client, stage, keeper: None, timing: None, phase: None, last_body: None }
    }

    /// Its URL, as it is shown.
    pub(super) fn url(&self) -> String {
        self.url.to_string()
    }

    /// Whether somebody answers: to a HEAD, or to a GET where that is not liked.
    pub(super) async fn is_there(&mut self, patience: Duration) -> bool {
        let head = self.client.ask(&self.url.request("HEAD"), LONGEST_ANSWER, patience).await;
        match head {
            Ok(answer) if answer.status == 200 => true,
            Ok(_) => {
                let got = self.client.ask(&self.url.request("GET"), LONGEST_ANSWER, patience).await;
                got.is_ok_and(|answer| answer.status == 200)
            }
            Err(_silence) => false,
        }
    }

    /// Reads it for the first time.
    pub(super) async fn begin(&mut self, keeper: Keeper, timing: ScrapeTiming) {
        self.keeper = Some(keeper);
        self.timing = Some(timing);
        self.scrape(timing.patience).await;
    }

    /// Reads it until the load is over, or until nobody listens.
    pub(super) async fn collect(mut self, mut inbox: UnboundedReceiver<Told>) {
        let Some(ScrapeTiming { interval, flush, mut patience, .. }) = self.timing else { return };
        let mut next: Option<Instant> = None;
        let mut end: Option<Instant> = None;
        while self.keeper.is_some() {
            let wake = [next, end].into_iter().flatten().min();
            tokio::select! {
                // What the load has come to is older than what is due now.
                biased;
                told = inbox.recv() => match told {
                    None => return,
                    Some(Told::Start) => {
                        next = Some(Instant::now() + interval);
                        self.scrape(patience).await;
                    }
                    Some(Told::PhaseBegins(phase)) => {
                        self.phase = Some(phase);
                        self.scrape(patience).await;
                    }
                    Some(Told::PhaseEnds) => self.scrape(patience).await,
                    Some(Told::LoadEnds) => end = Some(Instant::now() + flush),
                    Some(Told::Hurry) => {
                        end = Some(Instant::now());
                        patience = patience.min(Duration::from_secs(2));
                    }
                },
                () = sleep_until(wake) => {
                    let is_last = end.is_some_and(|end| end <= Instant::now());
                    self.scrape(patience).await;
                    if is_last {
                        break;
                    }
                    next = next.map(|due| next_of_grid(due, interval, Instant::now()));
                }
            }
        }
        self.say_what_was_dropped();
    }

    /// Asks once. An answer that does not come, or a status that is no success, is no reading: nothing is
    /// said of it, the next one may be better.
    async fn scrape(&mut self, patience: Duration) {
        let Ok(answer) = self.client.ask(&self.url.request("GET"), LONGEST_ANSWER, patience).await else {
            return;
        };
        if !(200..300).contains(&answer.status) {
            return;
        }
        match self.take(&answer) {
            Ok(()) => self.last_body = Some(answer.body),
            Err(Useless::Unkept(error)) => {
                self.stage.warn(format!("what {} says is no longer kept: {error}", self.url));
                self.keeper = None;
            }
            Err(Useless::Unreadable(reason)) => self.fall_back(&reason, patience).await,
        }
    }

    fn take(&mut self, answer: &Fetched) -> Result<(), Useless> {
        let is_duplicate = self.last_body.as_ref() == Some(&answer.body);
        let times = ScrapeTimes {
            at: answer.first_byte_at,
            sent_at: answer.sent_at,
            latency_ns: answer.end_at.since(answer.sent_at),
            phase: self.phase,
        };
        let url = self.url.to_string();
        self.keeper.as_mut().map_or(Ok(()), |keeper| keeper.take(answer, &url, times, is_duplicate))
    }

    /// Looks at the place where some servers keep their metrics instead, once; else gives up.
    async fn fall_back(&mut self, reason: &str, patience: Duration) {
        let given_up = |collector: &mut Self, other: &str| {
            collector.stage.warn(format!(
                "the metrics of {} are left out: {reason}{other}. If it is TensorRT-LLM, set return_perf_metrics: \
                 true in its extra options; --no-server-metrics leaves metrics out without a word",
                collector.url
            ));
            collector.keeper = None;
        };
        let has_fallback = self.keeper.as_ref().is_some_and(Keeper::has_fallback) && self.last_body.is_none();
        let Some(url) = self.url.fallback().filter(|_| has_fallback) else {
            return given_up(self, "");
        };
        let answer = self.client.ask(&url.request("GET"), LONGEST_ANSWER, patience).await;
        let Ok(answer) = answer.map_err(|silence| silence.to_string()) else {
            return given_up(self, &format!(", and {url} does not answer"));
        };
        if !(200..300).contains(&answer.status) {
            return given_up(self, &format!(", and {url} answers with status {}", answer.status));
        }
        let original = std::mem::replace(&mut self.url, url);
        let moved = self.keeper.as_mut().map_or(Ok(()), |keeper| keeper.moved(&self.url.to_string()));
        if moved.map_err(Useless::from).and_then(|()| self.take(&answer)).is_ok() {
            self.last_body = Some(answer.body);
            return;
        }
        let tried = std::mem::replace(&mut self.url, original);
        given_up(self, &format!(", and so is {tried}"));
    }

    fn say_what_was_dropped(&self) {
        let Some(dropped) = self.keeper.as_ref().map(Keeper::dropped) else { return };
        for (names, why) in [
            (&dropped.summaries, "summaries, whose quantiles are over the server's life"),
            (&dropped.not_finite, "with samples that are infinite or no number"),
        ] {
            if !names.is_empty() {
                let text = format!("left out of the metrics of {}: {} ({why})", self.url, names.join(", "));
                let _ = self.stage.remark.send(super::Remark::Info(text));
            }
        }
    }
}

/// The next instant of a grid that is not over yet.
fn next_of_grid(due: Instant, interval: Duration, now: Instant) -> Instant {
    let behind = now.saturating_duration_since(due).as_nanos() / interval.as_nanos().max(1);
    due + interval * (u32::try_from(behind).unwrap_or(u32::MAX - 1) + 1)
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_were_missed_are_left_out() {
        let start = Instant::now();
        let interval = Duration::from_millis(300);
        let after = |now_ms| next_of_grid(start, interval, start + Duration::from_millis(now_ms)) - start;
        assert_eq!(after(0), Duration::from_millis(300));
        assert_eq!(after(299), Duration::from_millis(300));
        assert_eq!(after(650), Duration::from_millis(900));
    }
}
