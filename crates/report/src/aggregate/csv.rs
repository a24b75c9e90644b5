//! `profile_export_aiperf_aggregate.csv`: a row a figure, a blank line, then how the repeats went.

use loadgen_metrics::RepeatedFigure;
use serde_json::Value;

use super::Aggregate;
use crate::python::{python, python_list};
use crate::rows::{cell, csv_rows, csv_table, decimals};

/// The file's text: two decimals, four for cv, se and t; lines ended by CRLF.
pub fn aggregate_csv(aggregate: &Aggregate) -> String {
    let head = ["metric", "mean", "std", "min", "max", "cv", "se", "ci_low", "ci_high", "t_critical", "unit"];
    csv_table(&head, aggregate.figures.iter().map(row))
        + "\r\n"
        + &csv_rows(facts(aggregate).into_iter().map(|(name, value)| vec![name.to_owned(), value]))
}

fn row(figure: &RepeatedFigure) -> Vec<String> {
    let interval = &figure.interval;
    vec![
        figure.key.clone(),
        decimals(interval.mean, 2),
        decimals(interval.std, 2),
        decimals(interval.min, 2),
        decimals(interval.max, 2),
        interval.cv.map_or_else(|| "inf".to_owned(), |cv| decimals(cv, 4)),
        decimals(interval.se, 4),
        decimals(interval.ci_low, 2),
        decimals(interval.ci_high, 2),
        cell(interval.t_critical, 4),
        figure.unit.clone(),
    ]
}

/// Facts in AIPerf's words and Python's notation.
fn facts(aggregate: &Aggregate) -> Vec<(&'static str, String)> {
    let repeats = &aggregate.repeats;
    let mut facts = vec![
        ("Aggregation Type", "confidence".to_owned()),
        ("Total Runs", repeats.made.to_string()),
        ("Successful Runs", repeats.succeeded.len().to_string()),
        ("Confidence Level", python(&Value::from(aggregate.confidence_level))),
        ("Run Labels", python_list(&repeats.succeeded)),
    ];
    if aggregate.is_of_one_run() {
        facts.push(("Single Run", "True".to_owned()));
    }
    facts.push(("Cooldown Seconds", python(&Value::from(repeats.cooldown_seconds))));
    if let Some(variation) = &aggregate.variation {
        facts.push(("Variation Label", variation.label.clone()));
        facts.push(("Variation Values", python(&Value::Object(variation.values.clone()))));
        facts.push(("Sweep Mode", variation.sweep_mode.to_owned()));
        facts.extend(variation.model.clone().map(|model| ("Model", model)));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::sample;

    #[test]
    fn rows_and_facts_are_written_as_aiperf_writes_them() {
        let text = aggregate_csv(&sample::aggregate());
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "metric,mean,std,min,max,cv,se,ci_low,ci_high,t_critical,unit");
        assert_eq!(
            lines[1],
            "request_throughput_avg,12.00,2.00,10.00,14.00,0.1667,1.1547,7.03,16.97,4.3027,requests/sec"
        );
        assert_eq!(lines[4], "time_to_first_token_std,0.00,0.00,0.00,0.00,inf,0.0000,0.00,0.00,4.3027,ms");
        assert_eq!(
            lines[5..],
            [
                "",
                "Aggregation Type,confidence",
                "Total Runs,4",
                "Successful Runs,3",
                "Confidence Level,0.95",
                "Run Labels,\"['run_0001', 'run_0002', 'run_0004']\"",
                "Cooldown Seconds,0.0",
                ""
            ]
        );
    }

    #[test]
    fn a_variation_adds_its_own_facts() {
        let text = aggregate_csv(&sample::of_a_variation());
        for line in [
            "request_throughput_avg,10.00,0.00,10.00,10.00,0.0000,0.0000,10.00,10.00,,requests/sec",
            "Run Labels,['run_0001']",
            "Single Run,True",
            "Cooldown Seconds,1.5",
            "Variation Label,phases.profiling.concurrency=1",
            "Variation Values,{'phases.profiling.concurrency': 1}",
            "Sweep Mode,repeated",
            "Model,mock-model",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}\n{text}");
        }
    }
}
