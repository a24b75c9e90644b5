//! An OpenAI-compatible server with a performance model, a prefix cache, faults and a truth log.
