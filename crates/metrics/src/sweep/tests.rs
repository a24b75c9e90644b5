#![allow(clippy::unwrap_used)]

use loadgen_core::Nanos;

use super::*;

const MS: i64 = 1_000_000;

fn window(upto_ms: i64) -> Window {
    Window { start: Nanos(0), end: Nanos(upto_ms * MS) }
}

fn life(start: i64, first: Option<i64>, end: i64) -> Life {
    Life {
        start: start * MS,
        first_token: first.map(|first| first * MS),
        end: end * MS,
        input_tokens: 20,
        output_tokens: 5,
        ..Life::default()
    }
}

/// The figures of some lives, each with its gaps.
fn figures(lives: &[(Life, &[i64])], window: Window) -> Figures {
    let (mut column, mut all) = (Column::default(), Lives::default());
    for (life, gaps) in lives {
        all.push(life.with_gaps(column.len(), gaps));
        gaps.iter().for_each(|gap| column.push(*gap as f64));
    }
    sweep(all, &column, window).unwrap()
}

fn avg(figures: &Figures, tag: &str) -> f64 {
    stats(figures, tag).avg.unwrap()
}

fn stats<'a>(figures: &'a Figures, tag: &str) -> &'a Stats {
    &figures.iter().find(|(id, _)| id.metric().tag == tag).unwrap().1
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() <= 1e-9 * right.abs().max(1.0), "{left} {right}");
}

#[test]
fn one_stream_by_hand() {
    // Start 10, first token 30, chunks at 40, 40 and 60, end 70, in a window of 100 ms.
    let gaps = [10 * MS, 0, 20 * MS];
    let figures = figures(&[(life(10, Some(30), 70), &gaps)], window(100));
    close(avg(&figures, "effective_concurrency"), 0.6);
    close(avg(&figures, "effective_prefill_concurrency"), 0.2);
    close(avg(&figures, "effective_decode_concurrency"), 0.4);
    // 20 tokens within the window of 0.1 s; 4 tokens after the first one.
    close(avg(&figures, "effective_prefill_throughput"), 200.0);
    close(avg(&figures, "effective_decode_throughput"), 40.0);
    close(avg(&figures, "effective_total_throughput"), 240.0);
    // Two gaps took time, two tokens each: 200/s for 10 ms, 100/s for 20 ms.
    close(stats(&figures, "effective_decode_throughput").max.unwrap(), 200.0);
    close(avg(&figures, "active_decode_throughput"), (200.0 * 10.0 + 100.0 * 20.0) / 40.0);
    close(avg(&figures, "active_prefill_throughput"), 1000.0);
    // 20 until 30; 21 until 40; then two chunks at once, 4/3 each; at 60 all 25.
    close(
        avg(&figures, "tokens_in_flight"),
        (20.0 * 20.0 + 21.0 * 10.0 + (21.0 + 8.0 / 3.0) * 20.0 + 25.0 * 10.0) / 100.0,
    );
    close(stats(&figures, "tokens_in_flight").max.unwrap(), 25.0);
}

#[test]
fn users_share_the_rate() {
    let stream: (Life, &[i64]) = (life(0, Some(10), 30), &[20 * MS]);
    let figures = figures(&[stream, stream], window(30));
    close(stats(&figures, "active_decode_throughput").max.unwrap(), 400.0);
    close(stats(&figures, "active_decode_throughput_per_user").max.unwrap(), 200.0);
    close(stats(&figures, "effective_concurrency").min.unwrap(), 2.0);
    close(avg(&figures, "active_prefill_throughput_per_user"), 2000.0);
}

#[test]
fn requests_without_a_first_token_count_as_requests_alone() {
    let figures = figures(&[(life(0, None, 50), &[])], window(100));
    close(avg(&figures, "effective_concurrency"), 0.5);
    for tag in ["effective_decode_throughput", "tokens_in_flight", "active_total_throughput"] {
        let stats = stats(&figures, tag);
        assert_eq!((stats.avg, stats.max, stats.std), (Some(0.0), Some(0.0), Some(0.0)), "{tag}");
    }
}

#[test]
fn what_lies_outside_the_window_is_cut_off() {
    let figures = figures(&[(life(-50, None, 25), &[]), (life(75, None, 500), &[])], window(100));
    close(avg(&figures, "effective_concurrency"), 0.5);
    assert!(sweep(Lives::default(), &Column::default(), window(0)).unwrap().is_empty());
}

#[test]
fn simultaneous_steps_leave_no_segment_between_them() {
    let figures = figures(&[(life(0, None, 50), &[]), (life(50, None, 100), &[])], window(100));
    let stats = stats(&figures, "effective_concurrency");
    assert_eq!((stats.min, stats.max), (Some(1.0), Some(1.0)));
}
