//! AIPerf's other input files: requests of text and media, and ready bodies.
//!
//! Each becomes the rows that a trace has. What a file says for several requests together (a conversation's
//! system message, which rows belong together) goes with them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use loadgen_core::{Role, Seed};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::content::{Asked, Content, Fields};
use super::fault::LineFault;
use super::line::Input;
use super::read::{FileFacts, read_lines};
use super::sessions::{Row, SessionKey};
use super::value::{Object, compact, string};
use crate::config::{Batches, TraceConfig, TraceFormat};
use crate::corpus::escape;
use crate::draw::{Purpose, PythonRandom};
use crate::error::WorkloadError;
use crate::media::file::MediaFiles;

/// What was read.
pub(super) struct Loaded {
    pub(super) facts: FileFacts,
    pub(super) rows: Vec<(Row, SessionKey)>,
    /// Conversations' own system messages, JSON-escaped.
    pub(super) systems: HashMap<SessionKey, Bytes>,
}

/// Reads a file, or a folder, that is no trace.
pub(super) fn load(config: &TraceConfig, seed: Seed) -> Result<Loaded, WorkloadError> {
    match config.format {
        TraceFormat::Mooncake => unreachable!("traces have a reader of their own"),
        TraceFormat::SingleTurn => single_turns(config),
        TraceFormat::MultiTurn => multi_turns(config),
        TraceFormat::RandomPool => random_pool(config, seed),
        TraceFormat::RawPayload => raw_payloads(config),
        TraceFormat::InputsJson => inputs_json(config),
    }
}

fn row(index: usize, line: u64, input: Input) -> Row {
    Row {
        index: index as i64,
        line,
        timestamp_ms: None,
        delay_ms: None,
        input,
        output_length: None,
        extra: None,
    }
}

fn asked_row(config: &TraceConfig, index: usize, line: u64, asked: Asked) -> Result<Row, LineFault> {
    let input = asked.content.input(asked.role, config.common.ranks)?;
    Ok(Row {
        timestamp_ms: asked.timestamp_ms,
        delay_ms: asked.delay_ms,
        output_length: asked.output_length,
        extra: asked.extra,
        ..row(index, line, input)
    })
}

fn single_turns(config: &TraceConfig) -> Result<Loaded, WorkloadError> {
    let mut files = MediaFiles::default();
    let mut rows = Vec::new();
    let facts = read_lines(&config.path, |line, text| {
        let fields = Fields::of(text)?;
        fields.check_type("single_turn")?;
        let session = fields.session_id()?.map_or(SessionKey::Own, SessionKey::Given);
        let asked = Asked::of(&fields, &mut files)?;
        rows.push((asked_row(config, rows.len(), line, asked)?, session));
        Ok(())
    })?;
    Ok(Loaded { facts, rows, systems: HashMap::new() })
}

fn multi_turns(config: &TraceConfig) -> Result<Loaded, WorkloadError> {
    let mut files = MediaFiles::default();
    // Conversations in the order in which they first appear, and their turns with their lines.
    let mut order: Vec<SessionKey> = Vec::new();
    let mut turns: HashMap<SessionKey, Vec<(u64, Asked)>> = HashMap::new();
    let facts = read_lines(&config.path, |line, text| {
        let fields = Fields::of(text)?;
        fields.check_type("multi_turn")?;
        let session = match fields.session_id()? {
            Some(name) => SessionKey::Given(name),
            None => SessionKey::Together(line),
        };
        let raw = fields.get("turns").ok_or(LineFault::Missing { field: "turns" })?;
        let list: Vec<&RawValue> = serde_json::from_str(raw.get())
            .ok()
            .filter(|list: &Vec<&RawValue>| !list.is_empty())
            .ok_or_else(|| super::value::mismatch("turns", "a list, not empty, of turns", raw))?;
        let mut read = |turn: &RawValue| Asked::of(&Fields::of(turn.get())?, &mut files);
        let asked: Vec<(u64, Asked)> = list
            .into_iter()
            .enumerate()
            .map(|(turn, raw)| match read(raw) {
                Ok(asked) => Ok((line, asked)),
                Err(fault) => Err(LineFault::Turn { turn, fault: Box::new(fault) }),
            })
            .collect::<Result<_, _>>()?;
        let known = turns.entry(session.clone()).or_insert_with(|| {
            order.push(session);
            Vec::new()
        });
        known.extend(asked);
        Ok(())
    })?;
    let mut rows = Vec::new();
    let mut systems = HashMap::new();
    for session in order {
        let mut turns = turns.remove(&session).unwrap_or_default();
        if config.hoists_system
            && let Some(system) = leading_system(&turns)
        {
            turns.remove(0);
            systems.insert(session.clone(), Bytes::from(escape(&system)));
        }
        for (line, asked) in turns {
            let in_file = |fault| WorkloadError::Line { path: config.path.clone(), line, fault };
            rows.push((asked_row(config, rows.len(), line, asked).map_err(in_file)?, session.clone()));
        }
    }
    Ok(Loaded { facts, rows, systems })
}

/// The system message that a conversation begins with, if something else follows it.
fn leading_system(turns: &[(u64, Asked)]) -> Option<String> {
    let [(_, first), (_, second), ..] = turns else { return None };
    first.system_text().filter(|_| second.role != Role::System)
}

/// One pool's entries: their lines, and what they hold.
type Pool = Vec<(u64, Content)>;

fn random_pool(config: &TraceConfig, seed: Seed) -> Result<Loaded, WorkloadError> {
    let mut files = MediaFiles::default();
    let paths = files_of(&config.path, None)?;
    let is_folder = config.path.is_dir();
    let mut pools: Vec<Pool> = Vec::new();
    let mut facts = Vec::new();
    for path in &paths {
        let name = if is_folder { stem(path) } else { String::new() };
        let mut pool = Pool::new();
        facts.push(read_lines(path, |line, text| {
            let fields = Fields::of(text)?;
            fields.check_type("random_pool")?;
            pool.push((line, Content::of(&fields, &name, &mut files)?));
            Ok(())
        })?);
        if !pool.is_empty() {
            pools.push(pool);
        }
    }
    let facts = together(&config.path, facts);
    if pools.is_empty() {
        return Err(WorkloadError::Empty { path: facts.path, left_out: 0 });
    }
    let mut random = PythonRandom::derive(seed, Purpose::RandomPool.name());
    let contents = if is_batched(config.batches, &pools) {
        batched(config, &pools, &mut random)?
    } else {
        merged(config, &pools, &mut random)
    };
    let rows = contents.into_iter().map(|(index, line, content)| {
        let input = content.input(Role::User, config.common.ranks);
        let input = input.map_err(|fault| WorkloadError::Line { path: config.path.clone(), line, fault })?;
        Ok((row(index, line, input), SessionKey::Own))
    });
    Ok(Loaded { facts, rows: rows.collect::<Result<_, WorkloadError>>()?, systems: HashMap::new() })
}

/// An entry of each pool, put together. Pools are drawn from one after the other, as AIPerf does.
fn merged(config: &TraceConfig, pools: &[Pool], random: &mut PythonRandom) -> Vec<(usize, u64, Content)> {
    let drawn: Vec<Vec<usize>> =
        pools.iter().map(|pool| (0..config.entries).map(|_| random.choice(pool.len())).collect()).collect();
    (0..config.entries as usize)
        .map(|conversation| {
            let mut content = Content::default();
            for (pool, drawn) in pools.iter().zip(&drawn) {
                content.extend(&pool[drawn[conversation]].1);
            }
            (drawn[0][conversation], pools[0][drawn[0][conversation]].0, content)
        })
        .collect()
}

fn is_batched(batches: Batches, pools: &[Pool]) -> bool {
    let any = |has: fn(&Content) -> bool| pools.iter().flatten().any(|(_, content)| has(content));
    (batches.text != 1 && any(|content| !content.texts.is_empty()))
        || (batches.image != 1 && any(|content| !content.images.is_empty()))
        || (batches.audio != 1 && any(|content| !content.audios.is_empty()))
}

/// So many of each kind, drawn from all entries together.
fn batched(
    config: &TraceConfig,
    pools: &[Pool],
    random: &mut PythonRandom,
) -> Result<Vec<(usize, u64, Content)>, WorkloadError> {
    let refused = |reason: &str| WorkloadError::File { path: config.path.clone(), reason: reason.to_owned() };
    if pools.len() > 1 || pools.iter().flatten().any(|(_, content)| content.is_named) {
        return Err(refused(
            "several pools, or entries with names, cannot be drawn in batches: leave out --prompt-batch-size, \
             --image-batch-size and --audio-batch-size",
        ));
    }
    let all = || pools.iter().flatten().map(|(_, content)| content);
    let texts: Vec<&String> =
        all().flat_map(|content| &content.texts).flat_map(|(_, contents)| contents).collect();
    let images: Vec<_> = all().flat_map(|content| &content.images).collect();
    let audios: Vec<_> = all().flat_map(|content| &content.audios).collect();
    let count = |of: usize, batch: u32| if of > 0 { batch } else { 0 };
    let Batches { text, image, audio } = config.batches;
    let (text, image, audio) =
        (count(texts.len(), text), count(images.len(), image), count(audios.len(), audio));
    if text == 0 && image == 0 && audio == 0 {
        return Err(refused("the batch sizes leave requests without any content: one must be above 0"));
    }
    let mut contents = Vec::with_capacity(config.entries as usize);
    for _ in 0..config.entries {
        let images = (0..image).map(|_| images[random.choice(images.len())].clone()).collect();
        let drawn: Vec<String> = (0..text).map(|_| texts[random.choice(texts.len())].clone()).collect();
        let texts = if drawn.is_empty() { Vec::new() } else { vec![(String::new(), drawn)] };
        let audios = (0..audio).map(|_| audios[random.choice(audios.len())].clone()).collect();
        contents.push((0, 1, Content { texts, images, audios, ..Content::default() }));
    }
    Ok(contents)
}

fn raw_payloads(config: &TraceConfig) -> Result<Loaded, WorkloadError> {
    let is_folder = config.path.is_dir();
    let mut rows = Vec::new();
    let mut facts = Vec::new();
    for (file, path) in files_of(&config.path, Some("jsonl"))?.iter().enumerate() {
        facts.push(read_lines(path, |line, text| {
            let fields = Fields::of(text)?;
            let messages = fields.get("messages").ok_or(LineFault::Missing { field: "messages" })?;
            if !messages.get().starts_with('[') {
                return Err(super::value::mismatch("messages", "a list", messages));
            }
            let session = if is_folder { SessionKey::Together(file as u64) } else { SessionKey::Own };
            let body = Input::Payload(compact(text).into());
            rows.push((row(rows.len(), line, body), session));
            Ok(())
        })?);
    }
    Ok(Loaded { facts: together(&config.path, facts), rows, systems: HashMap::new() })
}

fn inputs_json(config: &TraceConfig) -> Result<Loaded, WorkloadError> {
    let path = &config.path;
    let fault = |reason: String| WorkloadError::File { path: path.clone(), reason };
    let text =
        std::fs::read_to_string(path).map_err(|source| WorkloadError::Read { path: path.clone(), source })?;
    let object = |raw: &str, what: &str| {
        let fields: Result<HashMap<String, Box<RawValue>>, _> = serde_json::from_str(raw);
        fields.map_err(|error| fault(format!("{what} must be a JSON object: {error}")))
    };
    let file = object(&text, "the file")?;
    let data = file.get("data").ok_or_else(|| fault("data is missing: a list of sessions".to_owned()))?;
    let sessions: Vec<&RawValue> =
        serde_json::from_str(data.get()).map_err(|_| fault("data must be a list of sessions".to_owned()))?;
    let mut rows = Vec::new();
    let mut names = HashSet::new();
    for (number, session) in sessions.iter().enumerate() {
        let at = format!("data[{number}]");
        let fields = object(session.get(), &at)?;
        let field = |name: &str| {
            fields.get(name).ok_or_else(|| fault(format!("{at} has no {name}, which every session needs")))
        };
        let name = string("session_id", field("session_id")?)
            .map_err(|error| fault(format!("{at}.{error}")))?
            .into_owned();
        if !names.insert(name.clone()) {
            return Err(fault(format!("{at}: session_id {name:?} was used before; give each its own")));
        }
        let name: Arc<str> = name.into();
        let payloads = field("payloads")?;
        let payloads: Vec<&RawValue> = serde_json::from_str(payloads.get())
            .map_err(|_| fault(format!("{at}.payloads must be a list of request bodies")))?;
        for (turn, payload) in payloads.iter().enumerate() {
            serde_json::from_str::<Object>(payload.get())
                .map_err(|_| fault(format!("{at}.payloads[{turn}] must be a JSON object")))?;
            let body = Input::Payload(compact(payload.get()).into());
            rows.push((row(rows.len(), 1, body), SessionKey::Given(name.clone())));
        }
    }
    let facts = FileFacts {
        path: path.clone(),
        sha256: format!("{:x}", Sha256::digest(&text)),
        rows: rows.len() as u64,
        rows_left_out: 0,
    };
    Ok(Loaded { facts, rows, systems: HashMap::new() })
}

/// A file alone, or the files of a folder in the order of their names.
fn files_of(path: &Path, extension: Option<&str>) -> Result<Vec<PathBuf>, WorkloadError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |source| WorkloadError::Read { path: path.to_owned(), source };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(unreadable)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter(|path| extension.is_none_or(|wanted| path.extension().is_some_and(|own| own == wanted)))
        .collect();
    paths.sort();
    Ok(paths)
}

/// What there is to say about files read as one.
fn together(path: &Path, mut facts: Vec<FileFacts>) -> FileFacts {
    if facts.len() == 1 && !path.is_dir() {
        return facts.remove(0);
    }
    let mut hash = Sha256::new();
    for file in &facts {
        hash.update(&file.sha256);
    }
    FileFacts {
        path: path.to_owned(),
        sha256: format!("{:x}", hash.finalize()),
        rows: facts.iter().map(|facts| facts.rows).sum(),
        rows_left_out: 0,
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
