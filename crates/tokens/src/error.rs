//! What can go wrong between a tokenizer's name and its vocabulary.

use std::path::PathBuf;

/// Why there is no tokenizer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The name is neither a path nor known to the hub.
    #[error(
        "{flag} {name:?}: no such tokenizer: {tried}; give --tokenizer a tokenizer.json, a folder that \
         holds one or a name in the hub cache, or use --tokenizer builtin"
    )]
    NotFound {
        /// The flag that carried the name.
        flag: &'static str,
        /// The name.
        name: String,
        /// Where it was looked for, and what came of it.
        tried: String,
    },
    /// A folder without a tokenizer in it.
    #[error(
        "{flag} {}: the folder holds no tokenizer.json (other formats are not read); convert it, or use \
         --tokenizer builtin", path.display()
    )]
    NoTokenizerJson {
        /// The flag that carried the name.
        flag: &'static str,
        /// The folder.
        path: PathBuf,
    },
    /// A file that could not be read.
    #[error("cannot read the tokenizer file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A chat template that cannot be read.
    #[error("the chat template in {} cannot be read: {reason}; leave out --apply-chat-template", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is not a tokenizer.
    #[error("{} is not a tokenizer: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}
