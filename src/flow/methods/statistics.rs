//! What is measured, and what is made of many runs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conditions::{conditions, has_cells};
use super::prose::{counts, list, number, numbers, when, word};
use crate::plan::{Pipeline, Plan};
use crate::words::grouped;

/// A sentence for each stage that looks at networks.
pub(super) fn measurements(plan: &Plan, pipeline: &Pipeline) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for stage in &pipeline.stages {
        let Some(what) = measured(stage.kind) else { continue };
        let runs = conditions(plan, stage);
        let where_ = runs.said(|(_, parameters)| place(parameters));
        let sentence = if where_.is_empty() { format!("{what}.") } else { format!("{what}: {where_}.") };
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

/// What a kind of stage measures.
fn measured(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "activations" => "Activations were recorded",
        "explained_variance" => {
            "Recorded activations were decomposed into principal components (covariance with divisor N − 1)"
        }
        "activation_norms" => {
            "Norms, means and standard deviations of activations, and the participation ratio of their covariance, were measured"
        }
        "reconstruction_error" => {
            "The reconstruction error of each hidden layer, the mean squared distance of its input from what the transposed weights make \
             of its output, was measured"
        }
        "reconstructions" => "Images were reconstructed by multiplying activations back through the transposed weights",
        "weight_diagnostics" => {
            "The distance of weights from orthonormal rows, the angle between feedback weights and the transposed forward weights, and \
             the angle between the errors that arrive and the gradient were measured"
        }
        "receptive_fields" => {
            "The incoming weights of the first layer's neurons, and the share of the variance of their activations that the class of an \
             image explains, were taken"
        }
        _ => return None,
    })
}

/// Layers, images and steps of a measurement.
fn place(parameters: &Value) -> String {
    let mut parts = Vec::new();
    let layers = numbers(&parameters["layers"]);
    match layers.as_slice() {
        [] => {}
        [only] => parts.push(format!("layer {only}")),
        layers => parts.push(format!("layers {}", counts(layers))),
    }
    let split = if parameters["split"] == "tuning" { "images of the tuning split" } else { "test images" };
    match &parameters["samples"] {
        Value::Number(samples) => {
            parts.push(format!("on the first {} {split}", grouped(samples.as_u64().unwrap_or_default())));
        }
        Value::String(_) => parts.push(format!("on the first of the {split} of each class")),
        _ => {}
    }
    let times = numbers(&parameters["time_steps"]);
    if !times.is_empty() {
        parts.push(format!("time steps {}", counts(&times)));
    }
    let at = numbers(&parameters["steps"]);
    if !at.is_empty() {
        parts.push(when(&at));
    }
    parts.join(", ")
}

/// Intervals, paired differences, verdicts.
pub(super) fn statistics(plan: &Plan, pipeline: &Pipeline) -> Vec<String> {
    let of_kind = |kind: &'static str| {
        let stages = pipeline.stages.iter().filter(move |stage| stage.kind == kind);
        let tasks = stages.flat_map(|stage| stage.grid.tasks.iter().copied());
        tasks.map(|task| plan.tasks[task].work.parameters()).collect::<Vec<_>>()
    };
    let bootstraps = of_kind("bootstrap");
    let mut sentences: Vec<String> = Vec::new();
    let once = |sentences: &mut Vec<String>, sentence: String| {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    };
    for bootstrap in &bootstraps {
        let percent = 100.0 * bootstrap["level"].as_f64().unwrap_or_default();
        let sentence = format!(
            "Means are over runs ({}); intervals are {} % percentile bootstrap intervals from {} resamples of the runs.",
            word(&bootstrap["over"]),
            number((percent * 1e6).round() / 1e6),
            grouped(bootstrap["resamples"].as_u64().unwrap_or_default())
        );
        once(&mut sentences, sentence);
    }
    let mut differences: Vec<String> = Vec::new();
    let mut ratios: Vec<String> = Vec::new();
    for bootstrap in &bootstraps {
        let (difference, ratio) = (&bootstrap["statistic"]["difference"], &bootstrap["statistic"]["ratio"]);
        if difference.is_object() {
            let said = format!(
                "{} minus {} ({})",
                word(&difference["of"]),
                word(&difference["minus"]),
                word(&difference["column"])
            );
            once(&mut differences, said);
        }
        if ratio.is_object() {
            let said = format!("{} over {} ({})", word(&ratio["of"]), word(&ratio["over"]), word(&ratio["column"]));
            once(&mut ratios, said);
        }
    }
    if !differences.is_empty() {
        sentences.push(format!(
            "Differences were taken between runs of the same seed and then resampled, that is paired: {}.",
            differences.join("; ")
        ));
    }
    if !ratios.is_empty() {
        sentences.push(format!("Ratios of means were taken over the same seeds: {}.", ratios.join("; ")));
    }
    let failed: Vec<String> = {
        let values = bootstraps.iter().filter_map(|bootstrap| bootstrap["when_diverged"].as_f64());
        let mut failed: Vec<String> = Vec::new();
        values.for_each(|value| once(&mut failed, number(value)));
        failed
    };
    if !failed.is_empty() {
        sentences.push(format!(
            "A run that had diverged counted as {} from then on where accuracies are compared.",
            list(&failed)
        ));
    }
    sentences.extend(of_kind("claims").first().map(|claims| verdicts(claims, has_cells(pipeline))));
    sentences
}

fn verdicts(claims: &Value, has_cells: bool) -> String {
    let conditions = claims["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let names: BTreeSet<&str> = conditions.iter().filter_map(|condition| condition["claim"].as_str()).collect();
    let looks = numbers(&claims["looks"]["at"]);
    let level = number((100.0 * claims["looks"]["level"].as_f64().unwrap_or_default() * 1e6).round() / 1e6);
    let looked = match looks.as_slice() {
        [] => format!("once, at a two-sided level of {level} %"),
        looks => {
            let looks: Vec<String> = looks.iter().map(|&look| grouped(look)).collect();
            format!("at {} runs, at a two-sided level of {level} % over all looks (Pocock's bounds)", list(&looks))
        }
    };
    let tuning = if has_cells { ", and contain the variance that the choice of coefficients adds" } else { "" };
    format!(
        "{} judged {looked}: a claim holds if the whole interval lies on its side of the bound, and is refuted if \
         it lies on the other. These intervals take the wider of Student's t and Hall's correction for skewness{tuning}.",
        match names.len() {
            1 => "A claim with its bound was".to_owned(),
            n => format!("{n} claims, each with its bound, were"),
        }
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_measurement_says_where_it_was_taken() {
        let said = place(&json!({ "layers": [1, 2], "split": "test", "samples": 1000, "steps": [0, 5000] }));
        assert_eq!(said, "layers 1 and 2, on the first 1,000 test images, after 0 and 5,000 samples");
        assert_eq!(place(&json!({})), "", "what reads another measurement");
    }

    #[test]
    fn a_verdict_says_how_often_was_looked() {
        let claims =
            json!({ "conditions": [{ "claim": "C1" }, { "claim": "C1" }], "looks": { "at": [], "level": 0.02 } });
        let once = "A claim with its bound was judged once, at a two-sided level of 2 %: ";
        assert!(verdicts(&claims, false).starts_with(once) && verdicts(&claims, false).ends_with("for skewness."));
        let claims = json!({ "conditions": [{ "claim": "C1" }], "looks": { "at": [20, 40], "level": 0.02 } });
        assert!(
            verdicts(&claims, true).contains("at 20 and 40 runs") && verdicts(&claims, true).contains("the variance")
        );
    }
}
