//! Makes `data/o200k_base.bin` and `data/characters.txt`, from which `build.rs` makes the builtin
//! tokenizer's tables. `data/README.md` says what they hold.
//!
//!     cargo run -p loadgen-tokens --example build_vocabulary -- crates/tokens/data

use std::fmt::Write;
use std::path::PathBuf;

use fancy_regex::Regex;

/// The classes that o200k_base's pattern for words tells apart, and the letter of each in the file.
const CLASSES: [(char, &str); 7] = [
    ('U', r"^[\p{Lu}\p{Lt}]$"),
    ('l', r"^\p{Ll}$"),
    ('o', r"^[\p{Lm}\p{Lo}]$"),
    ('m', r"^\p{M}$"),
    ('n', r"^\p{N}$"),
    ('r', r"^[\r\n]$"),
    ('s', r"^\s$"),
];

fn main() {
    let folder: PathBuf = std::env::args_os().nth(1).expect("usage: build_vocabulary FOLDER").into();
    std::fs::write(folder.join("o200k_base.bin"), vocabulary()).expect("the folder can be written to");
    std::fs::write(folder.join("characters.txt"), characters()).expect("the folder can be written to");
}

/// Every token in the order of its rank: a byte with its length, then its bytes.
fn vocabulary() -> Vec<u8> {
    let vocabulary = tiktoken_rs::o200k_base_singleton();
    let mut out = Vec::new();
    for rank in 0..199_998 {
        let bytes = vocabulary.decode_bytes(&[rank]).expect("ranks are dense");
        out.push(u8::try_from(bytes.len()).expect("the longest token has 128 bytes"));
        out.extend_from_slice(&bytes);
    }
    out
}

/// A line for each run of characters of one class: the first one's code point in hex and the class, `.`
/// for all the others.
fn characters() -> String {
    let classes =
        CLASSES.map(|(class, pattern)| (class, Regex::new(pattern).expect("the pattern is well-formed")));
    let mut out = String::new();
    let mut before = None;
    for code in 0..=0x0010_FFFF_u32 {
        // Surrogates are no characters: they go with their neighbours.
        let Some(character) = char::from_u32(code) else { continue };
        let mut buffer = [0; 4];
        let text = &*character.encode_utf8(&mut buffer);
        let found = classes.iter().find(|(_, pattern)| pattern.is_match(text).expect("it is one character"));
        let class = found.map_or('.', |(class, _)| *class);
        if before != Some(class) {
            writeln!(out, "{code:x} {class}").expect("writing to a string");
            before = Some(class);
        }
    }
    out
}
