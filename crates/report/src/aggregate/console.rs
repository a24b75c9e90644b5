//! What is printed of repeats, in AIPerf's words: the four metrics that matter most.

use std::fmt::Write as _;

use super::Aggregate;

/// The metrics shown, by key, and what they are called.
const SHOWN: [(&str, &str); 4] = [
    ("request_throughput_avg", "Request Throughput (Avg)"),
    ("time_to_first_token_avg", "Time To First Token (Avg)"),
    ("inter_token_latency_avg", "Inter Token Latency (Avg)"),
    ("request_latency_avg", "Request Latency (Avg)"),
];

/// The block, each line ended by a newline.
pub fn aggregate_console(aggregate: &Aggregate) -> String {
    let (rule, thin) = ("=".repeat(80), "-".repeat(80));
    let percent = (aggregate.confidence_level * 100.0).round();
    let repeats = &aggregate.repeats;
    let mut text = format!(
        "\n{rule}\nAGGREGATE STATISTICS SUMMARY\n{rule}\nAggregation Type: confidence\n\
         Total Runs: {}\nSuccessful Runs: {}\n",
        repeats.made,
        repeats.succeeded.len()
    );
    // Writing to a string cannot fail.
    for failed in &repeats.failed {
        let _ = writeln!(text, "Failed Run: {}: {}", failed.label, failed.error);
    }
    let _ = write!(text, "Confidence Level: {percent:.0}%\n\nKey Metrics:\n{thin}\n");
    for (key, name) in SHOWN {
        let Some(figure) = aggregate.figure(key) else { continue };
        let (interval, unit) = (&figure.interval, &figure.unit);
        let _ = write!(
            text,
            "\n{name}:\n  Mean:    {:12.4} {unit}\n  Std Dev: {:12.4} {unit}\n  Min:     {:12.4} {unit}\n  \
             Max:     {:12.4} {unit}\n",
            interval.mean, interval.std, interval.min, interval.max
        );
        if let Some(cv) = interval.cv {
            let _ = writeln!(text, "  CV:      {:12.2}%", cv * 100.0);
        }
        if interval.t_critical.is_some() {
            let _ = writeln!(
                text,
                "  {percent:.0}% CI: [{:.4}, {:.4}] {unit}",
                interval.ci_low, interval.ci_high
            );
        }
    }
    let _ = write!(
        text,
        "\n{thin}\nCoefficient of Variation (CV) Interpretation Guide:\n  \
         CV < 5%:   Excellent repeatability (low variance)\n  \
         CV 5-10%:  Good repeatability (moderate variance)\n  \
         CV 10-20%: Fair repeatability (consider more runs)\n  \
         CV > 20%:  High variance (investigate or increase runs)\n\n\
         Confidence Interval (CI) Interpretation:\n  \
         The {percent:.0}% CI indicates the range where the true mean\n  \
         is likely to fall with {percent:.0}% confidence.\n  \
         Narrower intervals indicate more precise estimates.\n{rule}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::sample;

    #[test]
    fn figures_stand_where_scripts_look_for_them() {
        let text = aggregate_console(&sample::aggregate());
        for line in [
            "AGGREGATE STATISTICS SUMMARY",
            "Total Runs: 4",
            "Successful Runs: 3",
            "Failed Run: run_0003: all 8 requests failed",
            "Confidence Level: 95%",
            "Request Throughput (Avg):",
            "  Mean:         12.0000 requests/sec",
            "  Std Dev:       2.0000 requests/sec",
            "  CV:             16.67%",
            "  95% CI: [7.0317, 16.9683] requests/sec",
            "Time To First Token (Avg):",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("Inter Token Latency"), "what no run has is left out");
    }
}
