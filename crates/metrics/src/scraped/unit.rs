//! The unit of a scraped metric, which no server says outright: from what it says of the metric, else from
//! the metric's name. AIPerf's rules and names.

/// Units by the ending of a name. The longest ending that fits counts.
const ENDINGS: [(&str, &str); 35] = [
    ("_seconds", "seconds"),
    ("_seconds_total", "seconds"),
    ("_milliseconds", "milliseconds"),
    ("_ms", "milliseconds"),
    ("_ms_total", "milliseconds"),
    ("_nanoseconds", "nanoseconds"),
    ("_ns", "nanoseconds"),
    ("_ns_total", "nanoseconds"),
    ("_bytes", "bytes"),
    ("_bytes_total", "bytes"),
    ("_kilobytes", "kilobytes"),
    ("_megabytes", "megabytes"),
    ("_gigabytes", "gigabytes"),
    ("_total", "count"),
    ("_count", "count"),
    ("_tokens", "tokens"),
    ("_tokens_total", "tokens"),
    ("_requests", "requests"),
    ("_requests_total", "requests"),
    ("request_success", "requests"),
    ("_reqs", "requests"),
    ("_errors", "errors"),
    ("_errors_total", "errors"),
    ("_error_count", "errors"),
    ("_error_count_total", "errors"),
    ("_blocks", "blocks"),
    ("_blocks_total", "blocks"),
    ("_block_count", "blocks"),
    ("_gb_s", "gb/s"),
    ("_ratio", "ratio"),
    ("_percent", "percent"),
    ("_perc", "percent"),
    ("_celsius", "celsius"),
    ("_joules", "joule"),
    ("_watts", "watt"),
];

/// Units that stand in a description as `(in X)`, in these very letters.
const TAGS: [(&str, &str); 31] = [
    ("MiB", "megabytes"),
    ("GiB", "gigabytes"),
    ("KiB", "kilobytes"),
    ("B", "bytes"),
    ("MB", "megabytes"),
    ("GB", "gigabytes"),
    ("KB", "kilobytes"),
    ("TB", "terabytes"),
    ("C", "celsius"),
    ("°C", "celsius"),
    ("F", "fahrenheit"),
    ("°F", "fahrenheit"),
    ("K", "kelvin"),
    ("Hz", "hertz"),
    ("MHz", "megahertz"),
    ("GHz", "gigahertz"),
    ("W", "watt"),
    ("mW", "milliwatt"),
    ("J", "joule"),
    ("mJ", "millijoule"),
    ("MJ", "megajoule"),
    ("s", "seconds"),
    ("sec", "seconds"),
    ("ms", "milliseconds"),
    ("ns", "nanoseconds"),
    ("us", "microseconds"),
    ("µs", "microseconds"),
    ("GB/s", "gb/s"),
    ("MB/s", "mb/s"),
    ("%", "percent"),
    ("percent", "percent"),
];

/// Units that stand in a description after `in` or an opening parenthesis, most telling first.
const WORDS: [(&[&str], &str); 8] = [
    (&["second", "seconds"], "seconds"),
    (&["millisecond", "milliseconds", "ms"], "milliseconds"),
    (&["nanosecond", "nanoseconds", "ns"], "nanoseconds"),
    (&["byte", "bytes"], "bytes"),
    (&["gb/s"], "gb/s"),
    (&["mb/s"], "mb/s"),
    (&["token/s", "tokens/s", "token/sec", "tokens/sec", "token/second", "tokens/second"], "tokens/s"),
    (
        &["request/s", "requests/s", "request/sec", "requests/sec", "request/second", "requests/second"],
        "requests/s",
    ),
];

/// The unit of the metric called `name` of which the server says `description`; `None` where neither tells.
pub fn infer_unit(name: &str, description: &str) -> Option<&'static str> {
    let words = words(description);
    scale(&words)
        .or_else(|| in_parentheses(description))
        .or_else(|| in_words(&words))
        .or_else(|| ending(&name.to_lowercase()))
}

/// Numbers, words (with the slash of a rate), dashes and single signs, in lower case.
fn words(text: &str) -> Vec<String> {
    #[derive(PartialEq, Clone, Copy)]
    enum Class {
        Number,
        Word,
        Dash,
        Equals,
        Sign,
    }
    let class = |c: char| match c {
        '0'..='9' | '.' => Class::Number,
        '-' | '–' | '—' => Class::Dash,
        '=' => Class::Equals,
        c if c.is_alphabetic() || c == '/' || c == '_' => Class::Word,
        _ => Class::Sign,
    };
    let mut words: Vec<(Class, String)> = Vec::new();
    let mut joins = false;
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_whitespace() {
            joins = false;
            continue;
        }
        let class = class(c);
        match words.last_mut() {
            Some((last, word)) if joins && *last == class && class != Class::Sign => word.push(c),
            _ => words.push((class, c.to_string())),
        }
        joins = true;
    }
    let clean = |(class, word): (Class, String)| match class {
        Class::Dash => "-".to_owned(),
        // A full stop behind a number ends a sentence.
        Class::Number => word.trim_end_matches('.').to_owned(),
        _ => word,
    };
    words.into_iter().map(clean).collect()
}

/// A range that the description states: 0 to 1 is a ratio, 0 to 100 are percent.
fn scale(words: &[String]) -> Option<&'static str> {
    let at = |index: usize| words.get(index).map_or("", String::as_str);
    let is = |index: usize, any: &[&str]| any.contains(&at(index));
    let range = |index: usize, high: &[&str]| {
        is(index, &["0", "0.0"]) && is(index + 1, &["-", "to"]) && is(index + 2, high)
    };
    let is_ratio = |index: usize| {
        range(index, &["1", "1.0"])
            || (is(index, &["1", "1.0"])
                && is(index + 1, &["means", "is", "equal", "equals", "=", "=="])
                && is(index + 2, &["100"])
                && is(index + 3, &["%", "percent"]))
    };
    let is_percent = |index: usize| {
        range(index, &["100", "100.0"])
            && ((index > 0 && is(index - 1, &["("]) && is(index + 3, &[")"]))
                || (index > 0 && is(index - 1, &["range"]))
                || is(index + 3, &["%"]))
    };
    let any = |holds: &dyn Fn(usize) -> bool| (0..words.len()).any(holds);
    if any(&is_ratio) {
        return Some("ratio");
    }
    any(&is_percent).then_some("percent")
}

/// `(in X)`, the first one of the description.
fn in_parentheses(description: &str) -> Option<&'static str> {
    let tag = description.match_indices("(in").find_map(|(index, _)| {
        let rest = &description[index + 3..];
        let tag = rest.trim_start();
        let tag = (tag.len() < rest.len()).then_some(tag)?;
        let end = tag.find(|c: char| c.is_whitespace() || c == ')')?;
        (end > 0 && tag[end..].starts_with(')')).then(|| &tag[..end])
    })?;
    TAGS.iter().find(|(known, _)| *known == tag).map(|(_, unit)| *unit)
}

fn in_words(words: &[String]) -> Option<&'static str> {
    let pairs = || words.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str()));
    let named = WORDS.iter().find(|(names, _)| {
        pairs().any(|(before, word)| matches!(before, "in" | "(") && names.contains(&word))
    });
    let in_tokens = || pairs().any(|(before, word)| before == "in" && matches!(word, "token" | "tokens"));
    named.map(|(_, unit)| *unit).or_else(|| in_tokens().then_some("tokens"))
}

fn ending(name: &str) -> Option<&'static str> {
    let longest =
        ENDINGS.iter().filter(|(ending, _)| name.ends_with(ending)).max_by_key(|(ending, _)| ending.len());
    longest.map(|(_, unit)| *unit).or_else(|| name.contains("num_requests_").then_some("requests"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_told_by_the_description_first_and_then_by_the_name() {
        for (name, description, unit) in [
            ("demo:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", Some("ratio")),
            ("cache_hit_percent", "Hit rate (0.0-1.0)", Some("ratio")),
            ("use", "from 0 to 100 % of it", Some("percent")),
            ("use", "in the range 0-100.", Some("percent")),
            ("use", "pages 0-100", None),
            ("a_total", "Memory (in MiB).", Some("megabytes")),
            ("a_total", "Energy (in mJ)", Some("millijoule")),
            ("a_total", "Energy (in MJ)", Some("megajoule")),
            ("a_total", "Time (in eons), in milliseconds", Some("milliseconds")),
            ("latency", "Histogram of time to first token in seconds.", Some("seconds")),
            ("speed", "Generation (tokens/s)", Some("tokens/s")),
            ("kept", "Cache size in tokens", Some("tokens")),
            ("vllm:prompt_tokens", "Number of prefill tokens processed.", Some("tokens")),
            ("x_errors", "", Some("errors")),
            ("x_errors_total", "", Some("errors")),
            ("x_error_count", "", Some("errors")),
            ("x_error_count_total", "", Some("errors")),
            ("kv_blocks", "", Some("blocks")),
            ("kv_blocks_total", "", Some("blocks")),
            ("kept_tokens", "", Some("tokens")),
            ("generated_tokens_total", "", Some("tokens")),
            ("waiting_requests", "", Some("requests")),
            ("num_queue_reqs", "", Some("requests")),
            ("x_total", "", Some("count")),
            ("demo:num_requests_running", "", Some("requests")),
            ("vllm:request_success", "", Some("requests")),
            ("vllm:time_to_first_token_seconds", "", Some("seconds")),
            ("demo:steady", "Steady.", None),
        ] {
            assert_eq!(infer_unit(name, description), unit, "{name}: {description}");
        }
    }

    #[test]
    fn no_description_is_too_odd() {
        for description in ["(in", "(in )", "(in  ", "(in °C)", "(in seconds", "0-", "1 means", "((in ms))"]
        {
            let _ = infer_unit("x", description);
        }
        assert_eq!(infer_unit("x", "(in °C)"), Some("celsius"));
    }
}
