#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn axis(path: &str, values: &[Value]) -> Axis {
    Axis { path: path.to_owned(), values: values.to_vec() }
}

fn folders(variations: &[Variation]) -> Vec<&str> {
    variations.iter().map(|variation| variation.folder.as_str()).collect()
}

/// As AIPerf ran `concurrency: [1, 2]` with `datasets.default.prompts.osl: [4, 8]`.
#[test]
fn axes_are_sorted_by_path_and_the_last_varies_fastest() {
    let axes = vec![
        axis("phases.profiling.concurrency", &[json!(1), json!(2)]),
        axis("datasets.default.prompts.osl", &[json!(4), json!(8)]),
    ];
    let variations = expand(axes, Pairing::Grid).unwrap();
    assert_eq!(
        folders(&variations),
        ["osl_4__concurrency_1", "osl_4__concurrency_2", "osl_8__concurrency_1", "osl_8__concurrency_2"]
    );
    assert_eq!(variations[1].label, "datasets.default.prompts.osl=4, phases.profiling.concurrency=2");
    assert_eq!(variations[3].index, 3);
    assert_eq!(variations[2].values["datasets.default.prompts.osl"], json!(8));
}

#[test]
fn zipped_axes_go_together() {
    let axes =
        |second: &[Value]| vec![axis("b.concurrency", &[json!(1), json!(2)]), axis("a.isl.mean", second)];
    let variations = expand(axes(&[json!(10), json!(20)]), Pairing::Zip).unwrap();
    assert_eq!(folders(&variations), ["mean_10__concurrency_1", "mean_20__concurrency_2"]);
    let error = expand(axes(&[json!(10)]), Pairing::Zip).unwrap_err().to_string();
    assert!(error.contains("a.isl.mean has 1") && error.contains("b.concurrency has 2"), "{error}");
}

#[test]
fn a_value_listed_twice_runs_twice_in_two_folders() {
    let variations = expand(vec![axis("x.concurrency", &[json!(1), json!(1)])], Pairing::Grid).unwrap();
    assert_eq!(folders(&variations), ["concurrency_1", "concurrency_1__2"]);
}

#[test]
fn no_point_takes_a_folder_that_belongs_to_all() {
    let named = |folder: &str| Variation {
        index: 0,
        label: folder.to_owned(),
        folder: folder.to_owned(),
        values: Map::new(),
    };
    let names = ["logs", "sweep_aggregate", "aggregate", "experiment.json", "mine"].map(named);
    assert_eq!(
        folders(&with_own_folders(names.into())),
        ["logs__2", "sweep_aggregate__2", "aggregate__2", "experiment.json__2", "mine"]
    );
}

#[test]
fn floats_keep_their_fraction_in_names() {
    let variations =
        expand(vec![axis("phases.profiling.rate", &[json!(20.0), json!(0.5)])], Pairing::Grid).unwrap();
    assert_eq!(folders(&variations), ["rate_20.0", "rate_0.5"]);
    assert_eq!(variations[0].label, "phases.profiling.rate=20.0");
}

#[test]
fn an_axis_needs_values_and_comes_once() {
    assert_eq!(expand(vec![axis("x", &[])], Pairing::Grid), Err(SweepError::Empty { path: "x".to_owned() }));
    let twice = vec![axis("x", &[json!(1)]), axis("x", &[json!(2)])];
    assert_eq!(expand(twice, Pairing::Zip), Err(SweepError::Twice { path: "x".to_owned() }));
}

#[test]
fn paths_that_end_alike_show_in_full() {
    let axes = vec![
        axis("datasets.main.prompts.isl.mean", &[json!(1), json!(2)]),
        axis("datasets.main.prompts.osl.mean", &[json!(3)]),
        axis("phases.profiling.concurrency", &[json!(4)]),
    ];
    let shown = shown_names(&expand(axes, Pairing::Grid).unwrap());
    let shown: Vec<&str> = shown.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(shown, ["datasets.main.prompts.isl.mean", "datasets.main.prompts.osl.mean", "concurrency"]);
}

#[test]
fn a_scenario_is_named_by_its_name() {
    let variation = Variation::named(3, "short/burst", Map::new());
    assert_eq!((variation.label.as_str(), variation.folder.as_str()), ("short/burst", "shortburst"));
    assert_eq!(Variation::named(3, "..", Map::new()).folder, "scenario_3");
}

proptest! {
    /// The order of a grid is that of counting: the digits are the places in the sorted axes' values.
    #[test]
    fn a_grid_counts_upwards(lengths in prop::collection::vec(1_usize..4, 1..4), backwards in any::<bool>()) {
        let mut axes: Vec<Axis> = lengths
            .iter()
            .enumerate()
            .map(|(number, length)| {
                let values: Vec<Value> = (0..*length).map(|value| json!(value)).collect();
                axis(&format!("axis{number}"), &values)
            })
            .collect();
        if backwards {
            axes.reverse();
        }
        let variations = expand(axes, Pairing::Grid).unwrap();
        prop_assert_eq!(variations.len(), lengths.iter().product::<usize>());
        for (index, variation) in variations.iter().enumerate() {
            prop_assert_eq!(variation.index, index);
            let place = variation.values.values().zip(&lengths).fold(0, |place, (value, length)| {
                place * length + usize::try_from(value.as_u64().unwrap()).unwrap()
            });
            prop_assert_eq!(place, index);
        }
    }

    #[test]
    fn no_two_variations_share_a_folder(values in prop::collection::vec("[a-c/:]{0,3}", 1..8)) {
        let values: Vec<Value> = values.into_iter().map(Value::from).collect();
        let variations = expand(vec![axis("x.y", &values)], Pairing::Grid).unwrap();
        let mut folders = folders(&variations);
        folders.sort_unstable();
        let all = folders.len();
        folders.dedup();
        prop_assert_eq!(folders.len(), all);
    }
}
