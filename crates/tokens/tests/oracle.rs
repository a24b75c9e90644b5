//! The builtin tokenizer against tiktoken's, token for token.
#![allow(clippy::unwrap_used)]

use fancy_regex::Regex;
use loadgen_core::CountTokens;
use loadgen_tokens::Tokenizer;
use proptest::prelude::*;
use tiktoken_rs::o200k_base_singleton;

fn expected(text: &str) -> Vec<u32> {
    let oracle = o200k_base_singleton();
    oracle.encode(text, &oracle.special_tokens()).unwrap().0
}

#[track_caller]
fn same(text: &str) {
    let (found, expected) = (Tokenizer::builtin().encode(text), expected(text));
    assert!(found == expected, "{text:?}: {found:?} instead of {expected:?}");
}

/// Every character is put where the pattern's classes would show it in another place.
#[test]
fn every_character_is_of_its_class() {
    let mut text = String::new();
    for (nth, character) in ('\0'..=char::MAX).enumerate() {
        // As what stands before a word, within one, at its end, and before a contraction.
        for piece in ["", "Aa", "a", " ", "1", ".", "'s", "\n"] {
            text.push(character);
            text.push_str(piece);
        }
        if nth % 4096 == 4095 || character == char::MAX {
            let (found, expected) = (Tokenizer::builtin().encode(&text), expected(&text));
            assert!(found == expected, "near {character:?} ({:x})", u32::from(character));
            text.clear();
        }
    }
}

#[test]
fn the_readers_own_sources_have_their_tokens() {
    for text in [
        include_str!("oracle.rs"),
        include_str!("../src/file.rs"),
        include_str!("../Cargo.toml"),
        include_str!("../data/README.md"),
        include_str!("../data/characters.txt"),
    ] {
        same(text);
    }
}

#[test]
fn long_pieces_have_their_tokens() {
    for unit in ["a", "ab", " ", "\n", "=", "\u{e9}", "\u{4e2d}", "xyzzy", "Zz", "\u{301}", "-+"] {
        for repeats in [1, 2, 23, 24, 47, 48, 49, 63, 99, 100, 101, 500, 3000] {
            same(&unit.repeat(repeats));
            same(&format!("the {} end", unit.repeat(repeats)));
        }
    }
}

#[test]
fn no_text_takes_quadratic_time() {
    // At a second a piece of this length a quadratic merge would be at it for hours.
    let text = "abcdefghij".repeat(200_000);
    assert_eq!(Tokenizer::builtin().token_ends(&text).last(), Some(&text.len()));
}

/// The characters that the pattern is about, and neighbours of them.
fn tricky() -> impl Strategy<Value = String> {
    let unit = prop_oneof![
        "[ \t\r\n\u{a0}\u{2003}\u{85}]{1,6}",
        "[a-zA-Z]{1,12}",
        "'([sStTmMdD\u{17f}]|[rRvV][eE]|[lL]{2}|.)",
        "[0-9\u{663}\u{bd}]{1,7}",
        "[/.,;:!?<>|()\\[\\]{}_=+*&^%$#@~`\"'-]{1,6}",
        "[\u{c0}\u{e9}\u{df}\u{130}\u{1c5}\u{2b0}\u{5d0}\u{4e2d}\u{3042}\u{e01}]{1,5}",
        "[\u{301}\u{308}\u{20d0}\u{fe0f}\u{200d}]{1,3}",
        "[\u{1f600}\u{1f468}\u{1f1e9}\u{0}\u{7f}\u{ad}]{1,3}",
        "<\\|endof(text|prompt|line)?\\|?>?",
        "\\PC{1,8}",
    ];
    prop::collection::vec(unit, 0..24).prop_map(|units| units.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_has_the_same_tokens(text in any::<String>()) {
        prop_assert_eq!(Tokenizer::builtin().encode(&text), expected(&text));
    }

    #[test]
    fn text_made_to_be_hard_has_the_same_tokens(text in tricky()) {
        prop_assert_eq!(Tokenizer::builtin().encode(&text), expected(&text));
    }

    #[test]
    fn long_words_have_the_same_tokens(text in "([a-e]{30,160}|[ -~]{40,80}|\u{4e00}[\u{4e00}-\u{4e20}]{20,60})") {
        prop_assert_eq!(Tokenizer::builtin().encode(&text), expected(&text));
    }

    #[test]
    fn what_is_appended_to_is_kept(text in tricky()) {
        let tokenizer = Tokenizer::builtin();
        let (mut ids, mut ends) = (vec![7], vec![9]);
        tokenizer.encode_into(&text, &mut ids);
        tokenizer.token_ends_into(&text, &mut ends);
        prop_assert_eq!(&ids[1..], tokenizer.encode(&text));
        prop_assert_eq!(&ends[1..], tokenizer.token_ends(&text));
        prop_assert_eq!((ids[0], ends[0]), (7, 9));
    }
}

/// `data/characters.txt` was made from the engine's tables; a newer Unicode would change them.
#[test]
fn the_classes_are_those_of_the_engine() {
    let classes = [
        ('U', r"[\p{Lu}\p{Lt}]"),
        ('l', r"\p{Ll}"),
        ('o', r"[\p{Lm}\p{Lo}]"),
        ('m', r"\p{M}"),
        ('n', r"\p{N}"),
        ('r', r"[\r\n]"),
        ('s', r"[\s&&[^\r\n]]"),
        ('.', r"[^\p{L}\p{M}\p{N}\s]"),
    ];
    let lines: Vec<(u32, char)> = include_str!("../data/characters.txt")
        .lines()
        .map(|line| (u32::from_str_radix(&line[..line.len() - 2], 16).unwrap(), line.chars().last().unwrap()))
        .collect();
    for (class, pattern) in classes {
        let only = Regex::new(&format!("^{pattern}*$")).unwrap();
        let none = Regex::new(&format!("^[^{pattern}]*$")).unwrap();
        let ends = lines[1..].iter().map(|(start, _)| *start).chain([u32::from(char::MAX) + 1]);
        for ((start, of), end) in lines.iter().zip(ends) {
            let run: String = (*start..end).filter_map(char::from_u32).collect();
            let matches = if *of == class { &only } else { &none };
            assert!(matches.is_match(&run).unwrap(), "{start:x} is not {class}");
        }
    }
}
