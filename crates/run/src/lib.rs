//! One run, from a resolved plan to a finished result folder.
