//! Token counting: turns what a worker saw into the record that is kept.
//!
//! Invariant: the chunks' token counts sum to output plus reasoning tokens. A token belongs to the
//! chunk that brought its last byte.

mod bodies;
mod escapes;

use loadgen_core::{
    ChunkKind, Chunks, CountTokens, InputTokens, RawChunks, RawRecord, RequestRecord, Role, Rope,
    TokenCounts, Usage,
};

use bodies::{body_texts, given_tokens, messages_of, tool_texts};
use escapes::unescape;

/// Where token counts come from.
pub(crate) enum TokenPolicy<'a> {
    /// Text is counted by the client's tokenizer.
    Client(&'a dyn CountTokens),
    /// The server's usage is believed. Chunks share the output by their bytes.
    Server,
}

/// Counts the tokens of raw records, one after the other.
pub(crate) struct Counter<'a> {
    policy: TokenPolicy<'a>,
    /// Where tokens end; its memory is used again.
    token_ends: Vec<usize>,
}

impl<'a> Counter<'a> {
    /// Counts by `policy`.
    pub(crate) fn new(policy: TokenPolicy<'a>) -> Self {
        Self { policy, token_ends: Vec::new() }
    }

    /// Counts the tokens of a raw record.
    pub(crate) fn count(&mut self, raw: RawRecord) -> RequestRecord {
        let (tokens, chunk_tokens) = match self.policy {
            TokenPolicy::Client(counter) => client_counts(&raw, counter, &mut self.token_ends),
            TokenPolicy::Server => server_counts(&raw),
        };
        let RawChunks { offset_ns, uncertainty_ns, read_lag_ns, kind, bytes, .. } = raw.chunks;
        RequestRecord {
            identity: raw.identity,
            instants: raw.instants,
            connection: raw.connection,
            status: raw.status,
            outcome: raw.outcome,
            error: raw.error,
            finish_reason: raw.finish_reason,
            tokens,
            stamps: raw.stamps,
            chunks: Chunks { offset_ns, uncertainty_ns, read_lag_ns, tokens: chunk_tokens, bytes, kind },
            good: None,
            degraded: raw.degraded,
            cancelled_at: raw.cancelled_at,
            images: raw.images,
            audio_ns: raw.audio_ns,
        }
    }
}

fn client_counts(
    raw: &RawRecord,
    counter: &dyn CountTokens,
    token_ends: &mut Vec<usize>,
) -> (TokenCounts, Vec<i32>) {
    let chunks = &raw.chunks;
    let mut chunk_tokens = vec![0; chunks.len()];
    let mut attribute = |text: &[u8], ends: &[u32]| {
        token_ends.clear();
        attribute(text, ends, counter, token_ends, &mut chunk_tokens)
    };
    let output = attribute(&chunks.output, &chunks.output_end);
    let reasoning = attribute(&chunks.reasoning, &chunks.reasoning_end);
    let counts = TokenCounts {
        requested_output: raw.requested_output_tokens.map(i64::from),
        input: input_tokens(&raw.input_tokens, counter),
        // A vector or a score is an answer of no tokens, which is not the same as no answer.
        output: (!chunks.output.is_empty() || chunks.kind.iter().any(|kind| *kind != ChunkKind::Reasoning))
            .then_some(output),
        reasoning: (!chunks.reasoning.is_empty()).then_some(reasoning),
        usage: raw.usage.clone(),
    };
    (counts, chunk_tokens)
}

/// Tokens of one text, added to the chunk that brought each token's last byte. `token_ends` is empty
/// room for where they end.
fn attribute(
    escaped: &[u8],
    ends: &[u32],
    counter: &dyn CountTokens,
    token_ends: &mut Vec<usize>,
    chunk_tokens: &mut [i32],
) -> i64 {
    if escaped.is_empty() {
        return 0;
    }
    let (text, ends) = unescape(escaped, ends);
    counter.token_ends_into(&text, token_ends);
    let mut chunk = 0;
    for token_end in &*token_ends {
        while chunk + 1 < ends.len() && (ends[chunk] as usize) < *token_end {
            chunk += 1;
        }
        if let Some(tokens) = chunk_tokens.get_mut(chunk) {
            *tokens += 1;
        }
    }
    token_ends.len() as i64
}

fn input_tokens(input: &InputTokens, counter: &dyn CountTokens) -> Option<i64> {
    match input {
        InputTokens::Exact(tokens) => Some(i64::from(*tokens)),
        InputTokens::Count(ropes) => {
            let texts: Vec<String> = ropes.iter().map(rope_text).collect();
            Some(counter.count(&texts.join(" ")) as i64)
        }
        InputTokens::Chat(messages) => Some(chat_tokens(messages, counter)),
        InputTokens::CountJson(json) => {
            let body = serde_json::from_slice(json).ok()?;
            if let Some(tokens) = messages_of(&body).and_then(|messages| counter.count_chat(&messages)) {
                // A template is given the messages alone: what tools are called is counted beside them.
                let beside = tool_texts(&body);
                let tools = if beside.is_empty() { 0 } else { counter.count(&beside.join(" ")) };
                return Some((tokens + tools) as i64);
            }
            let texts = body_texts(&body);
            let given = given_tokens(&body);
            let counted = if texts.is_empty() { 0 } else { counter.count(&texts.join(" ")) };
            (!texts.is_empty() || given > 0).then_some((counted + given) as i64)
        }
        InputTokens::Unknown => None,
    }
}

/// Tokens of messages in the chat template; of their texts alone, where the template takes none such.
fn chat_tokens(messages: &[(Role, Rope)], counter: &dyn CountTokens) -> i64 {
    let mut json = b"[".to_vec();
    for (index, (role, text)) in messages.iter().enumerate() {
        let separator = if index > 0 { "," } else { "" };
        let role = role.name();
        json.extend_from_slice(format!("{separator}{{\"role\":\"{role}\",\"content\":\"").as_bytes());
        text.pieces().iter().for_each(|piece| json.extend_from_slice(piece));
        json.extend_from_slice(b"\"}");
    }
    json.push(b']');
    let tokens = counter.count_chat(&json).unwrap_or_else(|| {
        let texts: Vec<String> = messages.iter().map(|(_, text)| rope_text(text)).collect();
        counter.count(&texts.join(" "))
    });
    tokens as i64
}

fn rope_text(rope: &Rope) -> String {
    let escaped: Vec<u8> = rope.pieces().concat();
    unescape(&escaped, &[]).0.into_owned()
}

fn server_counts(raw: &RawRecord) -> (TokenCounts, Vec<i32>) {
    let usage = raw.usage.clone().unwrap_or_default();
    let Usage { prompt_tokens, completion_tokens, reasoning_tokens, .. } = usage;
    let output = completion_tokens.map(|all| (all - reasoning_tokens.unwrap_or(0)).max(0));
    let counts = TokenCounts {
        requested_output: raw.requested_output_tokens.map(i64::from),
        input: prompt_tokens,
        output,
        reasoning: reasoning_tokens,
        usage: raw.usage.clone(),
    };
    let total = counts.output_sequence().unwrap_or(0);
    let ends = raw
        .chunks
        .output_end
        .iter()
        .zip(&raw.chunks.reasoning_end)
        .map(|(a, b)| i64::from(*a) + i64::from(*b));
    (counts, apportion(total, &ends.collect::<Vec<_>>()))
}

/// Shares `total` out over slices of a text with these cumulative ends, in proportion to their
/// lengths, so that the shares sum to `total`.
fn apportion(total: i64, ends: &[i64]) -> Vec<i32> {
    let length = ends.last().copied().unwrap_or(0).max(1);
    let mut given = 0;
    let last = ends.len().saturating_sub(1);
    ends.iter()
        .enumerate()
        .map(|(index, end)| {
            let due = if index == last { total } else { total * end / length };
            let share = due - given;
            given = due;
            i32::try_from(share).unwrap_or(i32::MAX)
        })
        .collect()
}

/// What was answered, as plain text: of each chunk its reasoning and then the rest; `None` for nothing.
pub(crate) fn answer(chunks: &RawChunks) -> Option<String> {
    let mut escaped = Vec::with_capacity(chunks.reasoning.len() + chunks.output.len());
    let (mut reasoning, mut output) = (0, 0);
    for (reasoning_end, output_end) in chunks.reasoning_end.iter().zip(&chunks.output_end) {
        let (reasoning_end, output_end) = (*reasoning_end as usize, *output_end as usize);
        escaped.extend_from_slice(chunks.reasoning.get(reasoning..reasoning_end).unwrap_or_default());
        escaped.extend_from_slice(chunks.output.get(output..output_end).unwrap_or_default());
        (reasoning, output) = (reasoning_end, output_end);
    }
    (!escaped.is_empty()).then(|| unescape(&escaped, &[]).0.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    /// Counts words: a token ends where a word does.
    struct Words;

    impl CountTokens for Words {
        fn count(&self, text: &str) -> usize {
            self.token_ends(text).len()
        }

        fn token_ends(&self, text: &str) -> Vec<usize> {
            let mut ends: Vec<usize> =
                text.char_indices().skip(1).filter(|(_, c)| *c == ' ').map(|(at, _)| at).collect();
            ends.push(text.len());
            ends
        }
    }

    #[test]
    fn a_token_belongs_to_the_chunk_that_brought_its_last_byte() {
        // "one| two th|ree": "three" ends in the last chunk, "two" in the middle one.
        let mut tokens = vec![0; 3];
        assert_eq!(attribute(b"one two three", &[3, 10, 13], &Words, &mut Vec::new(), &mut tokens), 3);
        assert_eq!(tokens, [1, 1, 1]);
    }

    #[test]
    fn shares_sum_to_the_whole() {
        assert_eq!(apportion(7, &[1, 2, 3]), [2, 2, 3]);
        assert_eq!(apportion(5, &[0, 0]).iter().sum::<i32>(), 5);
        assert!(apportion(5, &[]).is_empty());
    }

    /// Gives every message of a template four tokens of its own.
    struct Templated;

    impl CountTokens for Templated {
        fn count(&self, text: &str) -> usize {
            Words.count(text)
        }

        fn token_ends(&self, text: &str) -> Vec<usize> {
            Words.token_ends(text)
        }

        fn count_chat(&self, messages: &[u8]) -> Option<usize> {
            let messages: Vec<serde_json::Value> = serde_json::from_slice(messages).ok()?;
            Some(4 * messages.len())
        }
    }

    #[test]
    fn tools_count_beside_a_chat_template_as_without_one() {
        let tools = json!([{"type": "function", "function": {"name": "look up", "description": "a word"}}]);
        let messages = json!([{"role": "user", "content": "one two three"}]);
        let body = json!({ "messages": messages, "tools": tools });
        let input = InputTokens::CountJson(serde_json::to_vec(&body).unwrap().into());
        assert_eq!(input_tokens(&input, &Words), Some(7));
        assert_eq!(input_tokens(&input, &Templated), Some(8));
        let input = InputTokens::CountJson(serde_json::to_vec(&messages).unwrap().into());
        assert_eq!(input_tokens(&input, &Templated), Some(4));
    }
}
