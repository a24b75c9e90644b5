//! What a client says happened, held against what the server's log says happened.
//!
//! A server notes the clock before and after each write call, so the truth about a token is an interval:
//! its bytes reached the client's host within the call (over loopback the kernel delivers them before the
//! call returns). Everything here is subtraction; what counts as an error is defined here and nowhere else:
//!
//! * *TTFT error*: the client's TTFT (from the start of its work on the request) minus the server's (from the
//!   read that completed the body to the begin of the first token's write). Connecting, writing the request,
//!   and the server's own lateness in reading it all count against the client.
//! * *gap error*: the client's gap between two tokens minus the gap between the begins of their writes.
//! * *outside*: how far a stamp lies outside its token's write call; 0 within.
//! * *merged*: a chunk that has its arrival in common with a neighbour (one read brought both), or whose stamp
//!   lies more than [`FAR_OUTSIDE_NS`] outside its write call: its stamp cannot be its own.

/// A stamp that is farther from its write call than this belongs to another segment, ns.
pub(crate) const FAR_OUTSIDE_NS: i64 = 1_000_000;

/// A response as the client saw it. Instants are ns since the Unix epoch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// When work on the request began.
    pub(crate) request_start: i64,
    /// Arrival of each content chunk.
    pub(crate) arrivals: Vec<i64>,
    /// 0 where the arrival is exact, else the width of the interval that ends at it.
    pub(crate) uncertainty: Vec<i64>,
}

/// The same response as the server wrote it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    /// When the read returned that completed the request.
    pub(crate) body_read: i64,
    /// When the write call of each token began.
    pub(crate) begin: Vec<i64>,
    /// When it returned.
    pub(crate) end: Vec<i64>,
}

/// The errors of many responses, ns where not counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errors {
    /// A response each.
    pub(crate) ttft: Vec<i64>,
    /// A gap each.
    pub(crate) gap: Vec<i64>,
    /// Of those gaps the ones between two exact chunks.
    pub(crate) exact_gap: Vec<i64>,
    /// A token each.
    pub(crate) outside: Vec<i64>,
    /// Chunks whose stamp cannot be their own.
    pub(crate) merged: u64,
    /// Of those, marked as uncertain.
    pub(crate) merged_and_flagged: u64,
    /// Chunks marked as uncertain.
    pub(crate) flagged: u64,
    /// Of those, with an interval that meets their write call.
    pub(crate) flagged_and_inside: u64,
}

/// A response of which the client saw another number of chunks than the server wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CountsDiffer {
    /// Chunks seen.
    pub(crate) seen: usize,
    /// Tokens written.
    pub(crate) written: usize,
}

impl Errors {
    /// Adds a complete response.
    pub(crate) fn add(&mut self, seen: &Seen, written: &Written) -> Result<(), CountsDiffer> {
        if seen.arrivals.len() != written.begin.len() {
            return Err(CountsDiffer { seen: seen.arrivals.len(), written: written.begin.len() });
        }
        if let (Some(arrival), Some(begin)) = (seen.arrivals.first(), written.begin.first()) {
            self.ttft.push((arrival - seen.request_start) - (begin - written.body_read));
        }
        for (index, (arrivals, begins)) in seen.arrivals.windows(2).zip(written.begin.windows(2)).enumerate()
        {
            let error = (arrivals[1] - arrivals[0]) - (begins[1] - begins[0]);
            self.gap.push(error);
            if seen.is_exact(index) && seen.is_exact(index + 1) {
                self.exact_gap.push(error);
            }
        }
        for (index, arrival) in seen.arrivals.iter().enumerate() {
            let call = (written.begin[index], written.end[index]);
            let outside = distance(*arrival, call);
            self.outside.push(outside);
            let is_flagged = !seen.is_exact(index);
            if seen.shares_its_arrival(index) || outside > FAR_OUTSIDE_NS {
                self.merged += 1;
                self.merged_and_flagged += u64::from(is_flagged);
            }
            if is_flagged {
                self.flagged += 1;
                let from = arrival - seen.uncertainty[index];
                self.flagged_and_inside += u64::from(from <= call.1 && call.0 <= *arrival);
            }
        }
        Ok(())
    }
}

impl Seen {
    fn is_exact(&self, index: usize) -> bool {
        self.uncertainty.get(index).is_none_or(|width| *width == 0)
    }

    fn shares_its_arrival(&self, index: usize) -> bool {
        let arrival = self.arrivals.get(index);
        let before = index.checked_sub(1).and_then(|before| self.arrivals.get(before));
        before == arrival || self.arrivals.get(index + 1) == arrival
    }
}

/// How far `instant` lies outside the closed interval; 0 within.
fn distance(instant: i64, (begin, end): (i64, i64)) -> i64 {
    (begin - instant).max(instant - end).max(0)
}

#[cfg(test)]
#[allow(dead_code, unused_imports, reason = "a bench is built with cfg(test) and without its tests")]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn written() -> Written {
        Written { body_read: 0, begin: vec![50 * MS, 70 * MS, 90 * MS], end: vec![51 * MS, 71 * MS, 91 * MS] }
    }

    #[test]
    fn errors_are_differences_of_durations_and_distances_from_the_call() {
        let seen = Seen {
            request_start: -MS,
            arrivals: vec![50 * MS, 72 * MS, 89 * MS],
            uncertainty: vec![0, 0, 0],
        };
        let mut errors = Errors::default();
        errors.add(&seen, &written()).expect("counts agree");
        assert_eq!(errors.ttft, [MS], "the client began 1 ms before the server had read");
        assert_eq!(errors.gap, [2 * MS, -3 * MS]);
        assert_eq!(errors.exact_gap, errors.gap);
        assert_eq!(errors.outside, [0, MS, MS]);
        assert_eq!((errors.merged, errors.flagged), (0, 0));
    }

    #[test]
    fn chunks_of_one_read_are_merged_and_their_intervals_are_held_against_the_calls() {
        let seen = Seen {
            request_start: 0,
            arrivals: vec![50 * MS, 90 * MS, 90 * MS],
            uncertainty: vec![0, 25 * MS, 0],
        };
        let mut errors = Errors::default();
        errors.add(&seen, &written()).expect("counts agree");
        assert_eq!((errors.merged, errors.merged_and_flagged), (2, 1));
        assert_eq!((errors.flagged, errors.flagged_and_inside), (1, 1));
        assert!(errors.exact_gap.is_empty(), "no gap here has two exact ends");

        let narrow = Seen { uncertainty: vec![0, 5 * MS, 5 * MS], ..seen };
        let mut errors = Errors::default();
        errors.add(&narrow, &written()).expect("counts agree");
        assert_eq!((errors.flagged, errors.flagged_and_inside), (2, 1), "85 to 90 ms does not hold 70 ms");
    }

    #[test]
    fn a_stamp_far_from_its_call_is_merged_whatever_its_neighbours_say() {
        let seen =
            Seen { arrivals: vec![50 * MS, 80 * MS, 90 * MS], uncertainty: vec![0; 3], request_start: 0 };
        let mut errors = Errors::default();
        errors.add(&seen, &written()).expect("counts agree");
        assert_eq!((errors.merged, errors.merged_and_flagged), (1, 0));
    }

    #[test]
    fn other_counts_are_no_basis_for_anything() {
        let seen = Seen { arrivals: vec![1], uncertainty: vec![0], request_start: 0 };
        let mut errors = Errors::default();
        assert_eq!(errors.add(&seen, &written()), Err(CountsDiffer { seen: 1, written: 3 }));
        assert!(errors.outside.is_empty());
    }
}
