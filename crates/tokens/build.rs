//! Lays out the builtin vocabulary as the tables that go into the binary, so that it costs nothing to
//! start and only the pages that are touched are ever loaded. `data/README.md` says what comes in.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};

// What only the reading side needs is unused here.
#[allow(dead_code)]
#[path = "src/builtin/layout.rs"]
mod layout;

const VOCABULARY: &str = "data/o200k_base.bin";
const CHARACTERS: &str = "data/characters.txt";

fn main() -> Result<(), Box<dyn Error>> {
    for input in [VOCABULARY, CHARACTERS, "src/builtin/layout.rs", "build.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    write_vocabulary(&std::fs::read(VOCABULARY)?, &out)?;
    write_characters(&std::fs::read_to_string(CHARACTERS)?, &out)
}

/// `bytes`: the tokens' bytes, one after the other. `starts`: where each begins, and where the last one
/// ends. `slots`: the hash table. Numbers are 32 bits, the lowest byte first, on any target.
fn write_vocabulary(vocabulary: &[u8], out: &Path) -> Result<(), Box<dyn Error>> {
    let mut bytes = Vec::with_capacity(vocabulary.len());
    let mut starts = Vec::with_capacity(layout::TOKENS + 1);
    let mut slots = vec![layout::EMPTY; layout::SLOTS];
    let mut rest = vocabulary;
    while let Some((length, after)) = rest.split_first() {
        let token;
        (token, rest) = after.split_at_checked(usize::from(*length)).ok_or("the vocabulary is cut short")?;
        let id = u32::try_from(starts.len())?;
        let hash = layout::hash(token);
        let mut slot = layout::first_slot(hash);
        while slots[slot] != layout::EMPTY {
            slot = (slot + 1) % layout::SLOTS;
        }
        slots[slot] = layout::entry(hash, id);
        starts.push(u32::try_from(bytes.len())?);
        bytes.extend_from_slice(token);
    }
    if starts.len() != layout::TOKENS {
        return Err(format!("the vocabulary has {} tokens, not {}", starts.len(), layout::TOKENS).into());
    }
    starts.push(u32::try_from(bytes.len())?);
    std::fs::write(out.join("bytes"), bytes)?;
    std::fs::write(out.join("starts"), little_endian(&starts))?;
    std::fs::write(out.join("slots"), little_endian(&slots))?;
    Ok(())
}

fn little_endian(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// `classes`: the class of each character, in distinct blocks. `blocks`: which of them is whose.
fn write_characters(characters: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let end = char::MAX as usize + 1;
    let mut of_character = vec![b'.'; end];
    for line in characters.lines() {
        let (code, class) = line.split_once(' ').ok_or("a line is a code point and a class")?;
        // Each run goes on to the next one's start, so the rest is overwritten again and again.
        let start = usize::from_str_radix(code, 16)?;
        let class = *class.as_bytes().first().ok_or("a class is a letter")?;
        of_character.get_mut(start..).ok_or("no such character")?.fill(class);
    }
    let mut blocks = Vec::with_capacity(end / layout::BLOCK);
    let mut classes = Vec::new();
    let mut known: HashMap<&[u8], u8> = HashMap::new();
    for block in of_character.chunks(layout::BLOCK) {
        let index = if let Some(index) = known.get(block) {
            *index
        } else {
            let index = u8::try_from(known.len())?;
            known.insert(block, index);
            classes.extend_from_slice(block);
            index
        };
        blocks.push(index);
    }
    std::fs::write(out.join("blocks"), blocks)?;
    std::fs::write(out.join("classes"), classes)?;
    Ok(())
}
