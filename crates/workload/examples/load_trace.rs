//! Loads a trace and says how long that took: `cargo run --release -p loadgen-workload --example
//! load_trace -- traces/mooncake_conversation.jsonl [TOKENIZER.json]`.

use std::path::PathBuf;
use std::time::Instant;

use loadgen_core::Seed;
use loadgen_tokens::{Tokenizer, TokenizerSource};
use loadgen_workload::{Dataset, Origin, TraceConfig, WorkloadConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("name a trace")?);
    let source =
        arguments.next().map_or(TokenizerSource::Builtin, |path| TokenizerSource::File(PathBuf::from(path)));

    let start = Instant::now();
    let tokenizer = Tokenizer::load(&source)?;
    println!("tokenizer {:?}", start.elapsed());
    let config = WorkloadConfig::Trace(TraceConfig::mooncake(path));
    let origin = Origin { seed: Seed(42), is_given: true };
    let dataset = Dataset::load(&config, &tokenizer, origin, &["model".into()])?;
    println!("loaded {} rows {:?}", dataset.turns(), start.elapsed());
    let source = dataset.timetable(0)?.source;
    println!("ordered {:?}", start.elapsed());

    let mut pieces = 0;
    for ordinal in 0..dataset.len() {
        let turn = source.session(ordinal).and_then(|mut session| session.next_turn(None));
        if let Some(loadgen_core::Prompt::Messages(messages)) = turn.map(|turn| turn.prompt) {
            pieces += messages.iter().map(|message| message.text.pieces().len()).sum::<usize>();
        }
    }
    println!("all first turns, {pieces} pieces {:?}", start.elapsed());
    Ok(())
}
