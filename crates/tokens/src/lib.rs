//! Tokenizers: builtin, files, hub cache; counting.
