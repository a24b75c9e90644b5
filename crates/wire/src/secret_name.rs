//! Which names are those of secrets: one rule for headers, parameters of URLs, fields of bodies and keys of files.
//!
//! Names are compared in a normal form, letters and digits in lower case, so that `private_key`, `Private-Key` and
//! `privateKey` are one. The rule takes in AIPerf's for headers. It goes by the name alone: what a value looks
//! like is not its concern.

/// A name that contains one of these, in normal form, is a secret's.
const PARTS: [&str; 30] = [
    "auth",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "credential",
    "cookie",
    "session",
    "signature",
    "bearer",
    "jwt",
    "hmac",
    "csrf",
    "xsrf",
    "apikey",
    "saskey",
    "accesskey",
    "privatekey",
    "signingkey",
    "sshkey",
    "openaikey",
    "subscriptionkey",
    "encryptionkey",
    "sharedkey",
    "accountkey",
    "masterkey",
    "servicekey",
    "functionskey",
];

/// Secrets by their whole name, or by its last word.
const LAST_WORDS: [&str; 5] = ["sig", "pwd", "pw", "creds", "jwt"];

/// Whose `…_pass` is a password; alone, `pass` is one, too.
const WHOSE_PASS: [&str; 11] =
    ["", "user", "username", "db", "admin", "root", "proxy", "http", "smtp", "ssh", "login"];

/// The words before `key` that say that it unlocks nothing; any other `…_key` is a secret.
const HARMLESS_KEYS: [&str; 42] = [
    "cache",
    "routing",
    "route",
    "idempotency",
    "dedup",
    "partition",
    "shard",
    "hash",
    "sort",
    "sorting",
    "order",
    "group",
    "grouping",
    "join",
    "primary",
    "foreign",
    "public",
    "row",
    "lookup",
    "index",
    "search",
    "object",
    "map",
    "dict",
    "field",
    "label",
    "metadata",
    "document",
    "doc",
    "item",
    "content",
    "text",
    "input",
    "output",
    "image",
    "prompt",
    "message",
    "response",
    "result",
    "feature",
    "query",
    "top",
];

/// Tokens of a vocabulary, and those who make them: no credentials.
const VOCABULARY: [&str; 14] = [
    "tokenizer",
    "tokenization",
    "tokenize",
    "bostoken",
    "eostoken",
    "padtoken",
    "unktoken",
    "septoken",
    "clstoken",
    "masktoken",
    "stoptoken",
    "specialtoken",
    "badtoken",
    "suppresstoken",
];

/// A number in a field whose name contains one of these is a count, or an id in a vocabulary.
const COUNTS: [&str; 9] = [
    "tokens",
    "tokenid",
    "tokencount",
    "tokenbudget",
    "tokenlimit",
    "maxtoken",
    "mintoken",
    "newtoken",
    "sessions",
];

/// A word of a text that ends like this, in normal form, is followed by a secret, if by an assignment. Fewer than
/// [`PARTS`]: texts speak of sessions, authors and numbers of tokens all the time.
const IN_TEXTS: [&str; 15] = [
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "signature",
    "authorization",
    "cookie",
    "privatekey",
    "accesskey",
    "saskey",
    "signingkey",
    "credential",
    "jwt",
];

/// Whether the value of a header, a parameter or a field of this name must not be shown.
pub fn is_secret_name(name: &str) -> bool {
    let plain = plain(name);
    PARTS.iter().any(|part| plain.contains(part)) || ends_like_a_secret(name, &plain) || plain == "key"
}

/// Whether a number under the name of a secret is one: neither a count nor an id.
pub(crate) fn counts(name: &str) -> bool {
    let normal = normal(name);
    COUNTS.iter().any(|part| normal.contains(part))
}

/// Whether the value of a URL's parameter must not be shown: `x-amz-…` besides, and what an escape disguises.
pub(crate) fn is_secret_parameter(name: &str) -> bool {
    name.contains('%') || normal(name).starts_with("xamz") || is_secret_name(name)
}

/// Whether what is assigned to `word` in free text is a secret.
pub(crate) fn is_secret_in_text(word: &str) -> bool {
    let plain = plain(word);
    IN_TEXTS.iter().any(|ending| plain.ends_with(ending)) || ends_like_a_secret(word, &plain)
}

/// Whether what is assigned to `word` in free text goes on to the end of the line: several words, or pairs.
pub(crate) fn takes_line_in_text(word: &str) -> bool {
    let plain = plain(word);
    plain.ends_with("authorization") || plain.ends_with("cookie")
}

/// Whether a text, in [`normal`] form, has a word that may be the name of a secret.
pub(crate) fn may_name_a_secret(normal_text: &str) -> bool {
    let endings = IN_TEXTS.iter().chain(&LAST_WORDS).chain(&["key", "pass"]);
    endings.into_iter().any(|ending| normal_text.contains(ending))
}

/// Letters and digits, in lower case.
pub(crate) fn normal(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The normal form without what speaks of a vocabulary.
fn plain(name: &str) -> String {
    let mut name = normal(name);
    for harmless in VOCABULARY {
        if name.contains(harmless) {
            name = name.replace(harmless, "");
        }
    }
    name
}

/// Whether the last word of a name says it: some kind of key, or a short word for a password or a signature.
fn ends_like_a_secret(name: &str, plain: &str) -> bool {
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    let (before, last) = split_last_word(name);
    let last = last.to_ascii_lowercase();
    if LAST_WORDS.contains(&last.as_str()) {
        return true;
    }
    let before = split_last_word(before).1.to_ascii_lowercase();
    match last.as_str() {
        "key" => !before.is_empty() && !HARMLESS_KEYS.contains(&before.as_str()),
        "pass" => WHOSE_PASS.contains(&before.as_str()),
        _ => WHOSE_PASS.iter().any(|whose| !whose.is_empty() && plain.strip_suffix("pass") == Some(whose)),
    }
}

/// A name in front of its last word, and that word: `openaiKey`, `openai_key` and `OPENAI-KEY` all end in `key`.
fn split_last_word(name: &str) -> (&str, &str) {
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let bytes = name.as_bytes();
    let begins_a_word = |at: usize| {
        let (before, here) = (bytes[at - 1], bytes[at]);
        let is_hump = here.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase)));
        here.is_ascii_alphanumeric() && (!before.is_ascii_alphanumeric() || is_hump)
    };
    let at = (1..bytes.len()).rev().find(|at| begins_a_word(*at)).unwrap_or(0);
    name.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_carry_credentials_are_secret_in_every_spelling() {
        for name in [
            "Authorization",
            "X-Api-Key",
            "Set-Cookie",
            "X-Session-Affinity",
            "x-goog-api-key",
            "Ocp-Apim-Subscription-Key",
            "X-Functions-Key",
            "Aeg-Sas-Key",
            "X-Csrf-Token",
            "key",
            "private_key",
            "privateKey",
            "PRIVATE-KEY",
            "access_key",
            "accessKey",
            "AWSAccessKeyId",
            "sas_key",
            "signing_key",
            "ssh_key",
            "sshkey",
            "openai_key",
            "azure_openai_key",
            "azureOpenAIKey",
            "OPENAI_KEY_2",
            "tenantKey",
            "jwt",
            "bearer",
            "pass",
            "db_pass",
            "dbPass",
            "dbpass",
            "sig",
            "pwd",
            "passphrase",
            "X-My-Secret-1",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn what_servers_are_asked_for_is_no_secret() {
        for name in [
            "Content-Type",
            "X-Request-ID",
            "X-SMG-Routing-Key",
            "Idempotency-Key",
            "Host",
            "Accept",
            "tokenizer",
            "tokenizer_mode",
            "eos_token",
            "stop_token",
            "top_k",
            "top_p",
            "seed",
            "logit_bias",
            "logprobs",
            "n",
            "stop",
            "ignore_eos",
            "priority",
            "cache_salt",
            "prompt_cache_key",
            "promptCacheKey",
            "sort_key",
            "monkey",
            "keywords",
            "passages",
            "compass",
            "bypass",
            "design",
            "reasoning_effort",
            "kv_transfer_params",
            "lora_name",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
        for name in ["max_tokens", "maxTokens", "min_tokens", "stop_token_ids", "token_ids", "max_token"] {
            assert!(counts(name), "{name}");
        }
        assert!(!counts("auth_token") && !counts("key"));
    }

    #[test]
    fn texts_speak_of_more_than_secrets() {
        for word in ["api_key", "x-auth-token", "apiKey", "openai_key", "sig", "private-key", "db_pass"] {
            assert!(is_secret_in_text(word), "{word}");
            assert!(may_name_a_secret(&normal(&format!("the {word}=x"))), "{word}");
        }
        for word in ["key", "max_tokens", "session", "author", "cache_key", "eos_token", "tokens"] {
            assert!(!is_secret_in_text(word), "{word}");
        }
    }

    #[test]
    fn words_end_where_a_hump_or_a_mark_begins() {
        for (name, parts) in [
            ("openai_key", ("openai_", "key")),
            ("openAIKey", ("openAI", "Key")),
            ("OPENAI-KEY", ("OPENAI-", "KEY")),
            ("openaiKEY", ("openai", "KEY")),
            ("key", ("", "key")),
            ("", ("", "")),
            ("--", ("", "")),
        ] {
            assert_eq!(split_last_word(name), parts);
        }
    }
}
