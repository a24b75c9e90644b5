//! What `mock-server --help` says of profiles and faults.

/// Profiles and faults with their keys and usual values, for a terminal of 100 columns.
pub const PROFILE_HELP: &str = "\
Profiles: NAME[?key=value&key=value...], for --profile and after --url mock://

  default     Continuous batching with chunked prefill and a prefix cache:
                step=8ms a step, prefill=220000 tokens/s, decode=60us a sequence, jitter=0.03,
                budget=8192 tokens a step, sequences=256 at once, cache=3000000 tokens
  fixed       The same times under any load:
                ttft=50ms, itl=20ms, role=0ms until the chunk that names the role, jitter=0
  splitwise   Continuous batching with step times measured on real accelerators:
                model=llama2-70b or bloom-176b, hardware=h100-80gb, a100-80gb or h100-80gb-pcap,
                tp=8, and budget, sequences, cache as above
  golden      First token after 30 ms, then one every 5 ms; parts of the model name choose what
                happens: allfail somefail fail429 badjson ctxover miderr midjson cut slow one hole
                norole emptystream reason cache nousage nodone
  each takes  tokenizer=estimate or builtin (counts prompts exactly, at a cost in CPU),
              output=128 tokens where none are asked for (golden: 8), natural=MEAN length of answers
              that end by themselves, reasoning=N first tokens, context=LIMIT of prompt and
              answer, burst=N events a write (1), and faults

Faults: fault=NAME, then its keys; the first one that applies to a request wins
  when        every=N (the 2nd, then each N-th; offset=K moves that) or chance=5%; otherwise always
  500, 429, any status   that status at once: body=TEXT, content_type=TYPE, retry_after=SECONDS
  refuse      resets the connection as it is accepted     close   reads the request, then closes
  cut, reset  ends the stream in the middle, by a close or by RST, after=0 tokens
  garbage     goes on with bytes that mean nothing, after=0 tokens
  error, event-error     an error within the stream, after=0 tokens
  stall       never goes on, after=0 tokens               slow    starts delay=500ms later

  e.g. 'fixed?ttft=80ms&fault=cut&every=3&after=3&fault=429&chance=1%&retry_after=2'";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Profile;
    use crate::profile::COMMON_KEYS;

    #[test]
    fn every_key_and_fault_is_named() {
        let words: Vec<&str> = PROFILE_HELP
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .filter(|word| !word.is_empty())
            .collect();
        for profile in ["default", "fixed", "splitwise", "golden"] {
            assert!(words.contains(&profile), "{profile}");
            for key in profile.parse::<Profile>().unwrap().perf_keys() {
                assert!(words.contains(key), "{profile}: {key}");
            }
        }
        for key in COMMON_KEYS.iter().chain(crate::faults::KEYS) {
            assert!(words.contains(key), "{key}");
        }
        for fault in ["refuse", "close", "cut", "reset", "garbage", "error", "event-error", "stall", "slow"] {
            assert!(words.contains(&fault), "{fault}");
            assert!(format!("?fault={fault}").parse::<Profile>().is_ok(), "{fault}");
        }
    }

    #[test]
    fn the_usual_values_and_the_example_are_right() {
        let usual = [
            (
                "default",
                "step=8ms prefill=220000 decode=60us jitter=0.03 budget=8192 sequences=256 cache=3000000",
            ),
            ("fixed", "ttft=50ms itl=20ms role=0ms jitter=0"),
            ("splitwise", "model=llama2-70b hardware=h100-80gb tp=8"),
        ];
        for (name, options) in usual {
            let usual: Profile = name.parse().unwrap();
            for option in options.split(' ') {
                assert!(PROFILE_HELP.contains(option), "{option}");
                assert_eq!(format!("{name}?{option}").parse::<Profile>().unwrap(), usual, "{option}");
            }
        }
        let usual: Profile = "?fault=slow".parse().unwrap();
        assert_eq!("?fault=slow&delay=500ms".parse::<Profile>().unwrap(), usual);
        let example = PROFILE_HELP.split('\'').nth(1).unwrap();
        assert_eq!(example.parse::<Profile>().unwrap().faults.len(), 2);
    }

    #[test]
    fn it_fits_a_terminal() {
        assert!(PROFILE_HELP.is_ascii());
        assert!(PROFILE_HELP.lines().all(|line| line.len() <= 100 && line.trim_end() == line));
        assert!((20..=34).contains(&PROFILE_HELP.lines().count()), "{}", PROFILE_HELP.lines().count());
    }
}
