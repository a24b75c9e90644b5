//! Whole files: AIPerf's own, and what is wrong with others.
