//! Secrets out of text files that users attach.

use loadgen_wire::{REDACTED, is_secret_name, redact};

/// The text with the values of secret-looking keys (`key: value`, `key=value`, what a YAML key has below it,
/// and a YAML list's `- name: KEY` followed by `value:`) replaced. Bytes that are not text give nothing: what
/// cannot be read cannot be cleaned.
pub(crate) fn without_secrets(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return "(not text: only its hash is kept)\n".to_owned();
    };
    let mut names_a_secret = false;
    // How far in a secret's key stands whose value goes on below it.
    let mut below: Option<usize> = None;
    let mut clean = String::with_capacity(text.len());
    for line in text.lines() {
        let value = line.trim_start();
        let depth = line.len() - value.len();
        below = below
            .filter(|key| value.is_empty() || depth > *key || (depth == *key && value.starts_with("- ")));
        if below.is_some() && !value.is_empty() {
            clean.push_str(&line[..depth]);
            clean.push_str(REDACTED);
        } else {
            clean.push_str(&without_secret(line, &mut names_a_secret, &mut below));
        }
        clean.push('\n');
    }
    clean
}

/// One line without its secret. Notes whether the next one's `value:` is one, and whether one goes on `below`.
fn without_secret(line: &str, names_a_secret: &mut bool, below: &mut Option<usize>) -> String {
    let (key, value) = match line.split_once([':', '=']) {
        Some((key, value)) => (key.trim_matches(|c: char| !c.is_alphanumeric()), value.trim()),
        None => ("", ""),
    };
    let is_secret = is_secret_name(key) || (*names_a_secret && key == "value");
    *names_a_secret = key == "name" && is_secret_name(value.trim_matches(['"', '\'']));
    if !is_secret {
        return redact(line).into_owned();
    }
    if value.is_empty() || value.starts_with(['|', '>']) {
        // A list's mark is part of the indentation of what it marks.
        *below = line.find(|c: char| c != ' ' && c != '-');
        return line.to_owned();
    }
    let until = line.find(value).unwrap_or(line.len());
    format!("{}{REDACTED}", &line[..until])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_replaced() {
        let text = "image: vllm\nhf_token: hf_abc\nenv:\n  - name: HF_TOKEN\n    value: \"hf_def\"\n  - name: PORT\n    value: \"1\"\nAPI_KEY=sk-x\n";
        let clean = without_secrets(text.as_bytes());
        for secret in ["hf_abc", "hf_def", "sk-x"] {
            assert!(!clean.contains(secret), "{clean}");
        }
        assert!(clean.contains("image: vllm") && clean.contains("value: \"1\""), "{clean}");
        assert!(without_secrets(&[0xff]).contains("not text"));
    }

    #[test]
    fn what_stands_below_a_secret_key_is_replaced() {
        let text = "env:\n  - ssh_key: |\n      -----BEGIN\n\n      abc\n    port: 1\ntokens:\n- def\n- ghi\nargs:\n  - --port=1\n";
        assert_eq!(
            without_secrets(text.as_bytes()),
            "env:\n  - ssh_key: |\n      <redacted>\n\n      <redacted>\n    port: 1\ntokens:\n<redacted>\n<redacted>\nargs:\n  - --port=1\n"
        );
    }
}
