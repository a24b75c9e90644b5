//! Token counting: turns what a worker saw into the record that is kept.
//!
//! Invariant: the chunks' token counts sum to output plus reasoning tokens. A token belongs to the
//! chunk that brought its last byte.

use std::borrow::Cow;

use loadgen_core::{
    ChunkKind, Chunks, CountTokens, InputTokens, RawChunks, RawRecord, RequestRecord, Role, Rope,
    TokenCounts, Usage,
};
use serde_json::Value;

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
                return Some(tokens as i64);
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

/// The messages of a request body, or an array of messages itself, as JSON.
fn messages_of(value: &Value) -> Option<Vec<u8>> {
    let messages = if value.is_array() { value } else { value.get("messages")? };
    serde_json::to_vec(messages).ok()
}

fn rope_text(rope: &Rope) -> String {
    let escaped: Vec<u8> = rope.pieces().concat();
    unescape(&escaped, &[]).0.into_owned()
}

/// The texts of a request body, or of an array of messages, in the order in which AIPerf counts them.
///
/// Messages (`messages`, or `input` where its items are objects): their contents, then the calls that they
/// repeat; tools: names, descriptions and parameters. Without messages, the first of `prompt`, `input`,
/// `query` with its passages, and `inputs` that is there. A system prompt beside the messages
/// (`instructions`, `system`) goes in front.
fn body_texts(body: &Value) -> Vec<Cow<'_, str>> {
    let mut texts = Vec::new();
    if let Value::Array(messages) = body {
        for message in messages {
            message_texts(message, &mut texts);
        }
        return texts;
    }
    let mut has_messages = false;
    for name in ["messages", "input"] {
        let items = body[name].as_array().map_or(&[][..], Vec::as_slice);
        if items.iter().any(|item| item.get("role").or_else(|| item.get("type")).is_some()) {
            has_messages = true;
            for message in items {
                message_texts(message, &mut texts);
            }
        }
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        for source in [&tool["function"], tool] {
            push_strings(source, &["name", "description"], &mut texts);
            texts.extend(source.get("parameters").filter(|value| value.is_object()).map(compact));
        }
        texts.extend(tool.get("input_schema").filter(|value| value.is_object()).map(compact));
    }
    if !has_messages {
        flat_texts(body, &mut texts);
    }
    let mut front = Vec::new();
    for name in ["instructions", "system"] {
        match &body[name] {
            Value::Array(parts) => parts.iter().for_each(|part| part_texts(part, &mut front)),
            other => front.extend(other.as_str().map(Cow::Borrowed)),
        }
    }
    front.append(&mut texts);
    front
}

/// The texts of one message.
fn message_texts<'a>(message: &'a Value, texts: &mut Vec<Cow<'a, str>>) {
    match &message["content"] {
        Value::Array(parts) => parts.iter().for_each(|part| part_texts(part, texts)),
        other => texts.extend(other.as_str().map(Cow::Borrowed)),
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        push_strings(&call["function"], &["name", "arguments"], texts);
    }
    match message["type"].as_str() {
        Some("function_call") => push_strings(message, &["name", "arguments"], texts),
        Some("function_call_output") => push_strings(message, &["output"], texts),
        _ => {}
    }
}

/// The texts of one part of a message.
fn part_texts<'a>(part: &'a Value, texts: &mut Vec<Cow<'a, str>>) {
    match part["type"].as_str() {
        Some("text" | "input_text" | "output_text") => push_strings(part, &["text"], texts),
        Some("tool_use") => {
            push_strings(part, &["name"], texts);
            texts.extend(part.get("input").filter(|value| value.is_object()).map(compact));
        }
        Some("tool_result") => match &part["content"] {
            Value::Array(parts) => parts.iter().for_each(|part| part_texts(part, texts)),
            other => texts.extend(other.as_str().map(Cow::Borrowed)),
        },
        None => texts.extend(part.as_str().map(Cow::Borrowed)),
        _ => {}
    }
}

/// The texts of a body without messages.
fn flat_texts<'a>(body: &'a Value, texts: &mut Vec<Cow<'a, str>>) {
    for name in ["prompt", "input"] {
        match &body[name] {
            Value::String(text) => return texts.push(text.into()),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                return texts.extend(items.iter().filter_map(|item| item.as_str().map(Cow::Borrowed)));
            }
            _ => {}
        }
    }
    let query = body["query"].as_str().or_else(|| body["query"]["text"].as_str());
    if let Some(query) = query {
        texts.push(query.into());
        for passages in ["passages", "documents", "texts"].map(|name| body[name].as_array()) {
            let each = passages.into_iter().flatten();
            let each = each.filter_map(|passage| passage.as_str().or_else(|| passage["text"].as_str()));
            texts.extend(each.map(Cow::Borrowed));
        }
        return;
    }
    push_strings(body, &["inputs"], texts);
}

/// The fields of these names that are strings with anything in them.
fn push_strings<'a>(source: &'a Value, names: &[&str], texts: &mut Vec<Cow<'a, str>>) {
    let fields = names.iter().filter_map(|name| source.get(name)?.as_str());
    texts.extend(fields.filter(|text| !text.is_empty()).map(Cow::Borrowed));
}

fn compact(value: &Value) -> Cow<'static, str> {
    Cow::Owned(value.to_string())
}

/// Tokens of a body that gives them as numbers: of `prompt` or `input`, as one list or as several.
fn given_tokens(body: &Value) -> usize {
    let count = |items: &Vec<Value>| {
        if !items.is_empty() && items.iter().all(Value::is_i64) {
            return Some(items.len());
        }
        let lists = items.iter().map(|item| item.as_array().filter(|list| list.iter().all(Value::is_i64)));
        lists.map(|list| list.map(Vec::len)).sum::<Option<usize>>().filter(|_| !items.is_empty())
    };
    ["prompt", "input"].iter().find_map(|name| count(body.get(name)?.as_array()?)).unwrap_or(0)
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

/// Undoes JSON's escapes, and moves `ends` (offsets into the escaped text) to the plain text.
///
/// An end within an escape, or between the halves of a surrogate pair, moves to before that
/// character: the piece that brings the rest brings the character. A lone surrogate becomes U+FFFD.
fn unescape<'a>(escaped: &'a [u8], ends: &'a [u32]) -> (Cow<'a, str>, Cow<'a, [u32]>) {
    if !escaped.contains(&b'\\') && ends.last().is_none_or(|end| *end as usize <= escaped.len()) {
        return (String::from_utf8_lossy(escaped), Cow::Borrowed(ends));
    }
    let mut plain = Vec::with_capacity(escaped.len());
    let mut moved = Vec::with_capacity(ends.len());
    let mut at = 0;
    while at < escaped.len() {
        let (character, next) = step(escaped, at);
        while moved.len() < ends.len() && (ends[moved.len()] as usize) < next {
            moved.push(plain.len() as u32);
        }
        match character {
            Step::Plain => plain.push(escaped[at]),
            Step::Character(character) => {
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        at = next;
    }
    moved.resize(ends.len(), plain.len() as u32);
    let text = String::from_utf8(plain)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    (text.into(), moved.into())
}

enum Step {
    Plain,
    Character(char),
}

/// The character that begins at `at`, and where the next one begins.
fn step(escaped: &[u8], at: usize) -> (Step, usize) {
    if escaped[at] != b'\\' {
        return (Step::Plain, at + 1);
    }
    let Some(letter) = escaped.get(at + 1) else { return (Step::Plain, at + 1) };
    let character = match letter {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode(escaped, at),
        other => char::from(*other),
    };
    (Step::Character(character), at + 2)
}

fn unicode(escaped: &[u8], at: usize) -> (Step, usize) {
    let Some(unit) = code_unit(escaped, at) else { return (Step::Plain, at + 1) };
    let after = at + 6;
    if (0xD800..0xDC00).contains(&unit)
        && let Some(low @ 0xDC00..0xE000) = code_unit(escaped, after)
    {
        let scalar = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        return (Step::Character(char::from_u32(scalar).unwrap_or('\u{FFFD}')), after + 6);
    }
    (Step::Character(char::from_u32(unit).unwrap_or('\u{FFFD}')), after)
}

/// The UTF-16 code unit of a `\uXXXX` escape at `at`.
fn code_unit(escaped: &[u8], at: usize) -> Option<u32> {
    let digits = escaped.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
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
    fn escapes_are_undone_and_ends_follow() {
        let (text, ends) = unescape(br#"a\n\"b\u00e9"#, &[1, 3, 12]);
        assert_eq!(text, "a\n\"b\u{e9}");
        assert_eq!(*ends, [1, 2, 6]);
    }

    #[test]
    fn a_text_without_escapes_is_taken_as_it_is() {
        let (text, ends) = unescape("naïve".as_bytes(), &[2, 6]);
        assert_eq!((&*text, &*ends), ("naïve", &[2, 6][..]));
        assert!(matches!((text, ends), (Cow::Borrowed(_), Cow::Borrowed(_))));
    }

    #[test]
    fn a_surrogate_pair_split_over_two_chunks_belongs_to_the_second() {
        let (text, ends) = unescape(br"x\ud83d\ude00", &[7, 13]);
        assert_eq!(text, "x\u{1F600}");
        assert_eq!(*ends, [1, 5]);
    }

    #[test]
    fn broken_escapes_never_panic() {
        for broken in [&br"\"[..], br"\u12", br"\ud83d", br"\uZZZZ", b"\xff\\"] {
            let (text, _) = unescape(broken, &[1]);
            assert!(!text.is_empty());
        }
    }

    #[test]
    fn shares_sum_to_the_whole() {
        assert_eq!(apportion(7, &[1, 2, 3]), [2, 2, 3]);
        assert_eq!(apportion(5, &[0, 0]).iter().sum::<i32>(), 5);
        assert!(apportion(5, &[]).is_empty());
    }

    #[test]
    fn text_parts_of_a_body_are_found_in_order() {
        let body = json!({"messages": [
            {"role": "system", "content": "be"},
            {"role": "user", "content": [{"type": "text", "text": "brief"}, {"type": "image_url"}]},
            {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        ], "tools": [{"type": "function", "function": {"name": "g", "description": "d", "parameters": {"a": 1}}}]});
        assert_eq!(body_texts(&body), ["be", "brief", "f", "{}", "g", "d", "{\"a\":1}"]);
        assert_eq!(body_texts(&body["messages"]), ["be", "brief", "f", "{}"]);
        let responses = json!({"instructions": "be", "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a"}], "type": "message"},
            {"type": "function_call_output", "output": "o"},
        ]});
        assert_eq!(body_texts(&responses), ["be", "a", "o"]);
        let anthropic = json!({"system": [{"type": "text", "text": "s"}], "messages": [{"role": "user", "content": [
            {"type": "tool_use", "name": "n", "input": {"x": 1}}, {"type": "tool_result", "content": "r"},
        ]}]});
        assert_eq!(body_texts(&anthropic), ["s", "n", "{\"x\":1}", "r"]);
        assert_eq!(body_texts(&json!({"input": ["a", "b"]})), ["a", "b"]);
        assert_eq!(body_texts(&json!({"query": {"text": "q"}, "passages": [{"text": "p"}]})), ["q", "p"]);
        assert_eq!(body_texts(&json!({"inputs": "i"})), ["i"]);
        assert!(
            body_texts(&json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}))
                .is_empty()
        );
    }

    #[test]
    fn tokens_that_are_given_as_numbers_are_counted_as_such() {
        assert_eq!(given_tokens(&json!({"input": [1, 2, 3]})), 3);
        assert_eq!(given_tokens(&json!({"prompt": [[1, 2], [3]]})), 3);
        assert_eq!(given_tokens(&json!({"input": ["a"]})) + given_tokens(&json!({"input": []})), 0);
    }
}
