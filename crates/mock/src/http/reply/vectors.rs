//! Embeddings and rankings: as many as there are items, made up from the request's number.

use super::{Endpoint, Reply, Value, json};

/// Length of a vector.
const DIMENSIONS: u32 = 8;

pub(super) fn whole(reply: &Reply) -> Value {
    let items = reply.asked.items;
    // The best passage first, each with its place in the request.
    let ranked = |score: &str| -> Vec<Value> {
        let places = (0..items).map(|place| (place, (place + first(reply, items)) % items.max(1)));
        places.map(|(rank, index)| json!({"index": index, score: 1.0 / f64::from(rank + 1)})).collect()
    };
    match reply.asked.endpoint {
        Endpoint::NimRanking => json!({"rankings": ranked("logit")}),
        Endpoint::CohereRerank => {
            json!({"id": format!("rerank-{}", reply.asked.number), "results": ranked("relevance_score")})
        }
        Endpoint::TeiRerank => ranked("score").into(),
        _ => embeddings(reply),
    }
}

/// Which item is the best.
fn first(reply: &Reply, items: u32) -> u32 {
    (reply.asked.number % u64::from(items.max(1))) as u32
}

fn embeddings(reply: &Reply) -> Value {
    let data: Vec<Value> = (0..reply.asked.items)
        .map(|index| {
            let vector: Vec<f64> =
                (0..DIMENSIONS).map(|axis| 1.0 / f64::from(1 + (index + axis) % DIMENSIONS)).collect();
            json!({"object": "embedding", "index": index, "embedding": vector})
        })
        .collect();
    let prompt = reply.asked.prompt_tokens;
    json!({
        "object": "list", "data": data, "model": reply.asked.model,
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
    })
}
