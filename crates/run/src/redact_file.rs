//! Secrets out of text files that users attach.

use loadgen_wire::{REDACTED, is_secret_name, redact};

/// The text with the values of secret-looking keys (`key: value`, `key=value`, and a YAML list's
/// `- name: KEY` followed by `value:`) replaced. Bytes that are not text give nothing: what cannot
/// be read cannot be cleaned.
pub(crate) fn without_secrets(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return "(not text: only its hash is kept)\n".to_owned();
    };
    let mut names_a_secret = false;
    text.lines()
        .map(|line| {
            let (key, value) = match line.split_once([':', '=']) {
                Some((key, value)) => (key.trim_matches(|c: char| !c.is_alphanumeric()), value.trim()),
                None => ("", ""),
            };
            let is_secret = is_secret_name(key) || (names_a_secret && key == "value");
            names_a_secret = key == "name" && is_secret_name(value.trim_matches(['"', '\'']));
            let clean = if is_secret && !value.is_empty() {
                let until = line.find(value).unwrap_or(line.len());
                format!("{}{REDACTED}", &line[..until])
            } else {
                redact(line).into_owned()
            };
            clean + "\n"
        })
        .collect()
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
}
