//! Trainings: which networks, on what, by which rules.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conditions::{Conditions, conditions};
use super::data::{data_of, name_of};
use super::networks::{activation, feedback, initialisation, output, time, widths};
use super::parts::{Part, Shown};
use super::prose::{cell, list, math, number, numbers, of, when, word};
use crate::plan::{Plan, Stage};
use crate::tables::frame::Cell;
use crate::words::{capitalised, grouped};

/// Whether networks learn in a stage of this kind.
pub(super) fn is_training(kind: &str) -> bool {
    ["train", "train_batch", "train_recurrent", "meta_learn"].contains(&kind)
}

/// Equations of a stage that are written out one by one; more are a sweep, of which a paper shows the form.
const MOST_EQUATIONS: usize = 12;

/// A stage that trains, in paragraphs.
pub(super) fn described(plan: &Plan, stage: &Stage) -> Vec<Part> {
    let runs = conditions(plan, stage);
    let mut learning = vec![counted(stage, &runs)];
    learning.extend(match stage.kind {
        "meta_learn" => episodes(plan, &runs),
        _ => samples(plan, stage.kind, &runs),
    });
    let (rules, shown) = rules(plan, stage.kind, &runs);
    learning.extend(rules);
    let mut parts =
        vec![Part::Paragraph("Networks", networks(stage.kind, &runs)), Part::Paragraph("Learning", learning.join(" "))];
    if !shown.is_empty() {
        parts.push(Part::Equations(shown));
    }
    parts
}

type Runs = Conditions<(usize, Value)>;

fn networks(kind: &str, runs: &Runs) -> String {
    let said = |property: fn(&Value) -> String| runs.said(|(_, parameters)| property(parameters));
    let layers = |parameters: &Value| widths(&numbers(&parameters["layers"]));
    let mut sentences = Vec::new();
    if kind == "train_recurrent" {
        let hidden = said(|parameters| grouped(parameters["hidden"].as_u64().unwrap_or_default()));
        sentences.push(format!("Networks had {hidden} recurrent hidden units, unrolled for {}.", said(time)));
        sentences.push(format!("The activation function was {}.", said(activation)));
        sentences.push("The readout of the last step was a softmax, and the loss the cross-entropy.".to_owned());
    } else {
        sentences.push(format!(
            "Fully connected networks without biases had the following numbers of units, from the image to the output: {}.",
            said(layers)
        ));
        sentences.push(format!("The activation function was {}.", said(activation)));
        sentences.push(format!("{}.", capitalised(&said(|parameters| output(parameters).to_owned()))));
        if kind != "train_batch" {
            sentences.push(format!("The errors of hidden layers came {}.", said(feedback)));
        }
    }
    sentences.push(format!("Initial weights were {}.", said(|parameters| initialisation(parameters, "init", "std"))));
    let recurrent = runs.spread(|(_, parameters)| parameters["recurrent_init"].is_string());
    if recurrent.iter().any(|(has, _)| *has) {
        let own = said(|parameters| match parameters["recurrent_init"].is_string() {
            true => initialisation(parameters, "recurrent_init", "recurrent_std"),
            false => "as the others".to_owned(),
        });
        sentences.push(format!("Recurrent weights were {own}."));
    }
    sentences.join(" ")
}

/// How many networks, and why so many.
fn counted(stage: &Stage, runs: &Runs) -> String {
    let distinct: BTreeSet<usize> = stage.grid.tasks.iter().copied().collect();
    let mut sentence = match stage.kind {
        "meta_learn" => format!("In stage `{}`, {} of meta-learning were made", stage.name, of(distinct.len(), "run")),
        _ => format!("In stage `{}`, {} learned", stage.name, of(distinct.len(), "network")),
    };
    let seeds = stage.grid.axes.iter().position(|axis| axis == "seed").map(|axis| {
        let seeds: BTreeSet<&Cell> = stage.grid.iter().map(|(_, place)| &place[axis]).collect();
        seeds.into_iter().filter_map(Cell::as_f64).collect::<Vec<_>>()
    });
    match seeds.as_deref() {
        Some([first, .., last]) => {
            let n = seeds.as_ref().map_or(0, Vec::len);
            let within = if last - first + 1.0 == n as f64 {
                format!("{} to {}", number(*first), number(*last))
            } else {
                list(&seeds.iter().flatten().map(|seed| number(*seed)).collect::<Vec<_>>())
            };
            sentence += &format!(", with {n} seeds ({within})");
        }
        Some([only]) => sentence += &format!(", with the seed {}", number(*only)),
        _ => {}
    }
    let axes = runs.axes();
    let axes: Vec<String> = axes.iter().filter(|(_, values)| values.len() > 1).map(|axis| values(axis)).collect();
    let many = runs.rows.len();
    if many > 1 && !axes.is_empty() {
        sentence += &format!(" in each of {} ({})", of(many, "condition"), axes.join("; "));
    }
    sentence += ".";
    if seeds.is_some_and(|seeds| seeds.len() > 1) {
        sentence +=
            " Runs of the same seed share what is drawn at random, whatever their rule, so that conditions are paired.";
    }
    sentence
}

/// Values of an axis that are listed.
const MOST_VALUES: usize = 24;

fn values((name, values): &(&str, Vec<&Cell>)) -> String {
    let values: Vec<String> = values.iter().map(|value| cell(value)).collect();
    match values.as_slice() {
        [first, .., last] if values.len() > MOST_VALUES => {
            format!("{}: {} values, {first} to {last}", name.replace('_', " "), values.len())
        }
        values => format!("{}: {}", name.replace('_', " "), values.join(", ")),
    }
}

/// Online and in batches.
fn samples(plan: &Plan, kind: &str, runs: &Runs) -> Vec<String> {
    let said = |property: fn(&Value) -> String| runs.said(|(_, parameters)| property(parameters));
    let data = runs.said(|(task, _)| name_of(&data_of(plan, *task)));
    let samples = said(|parameters| grouped(parameters["samples"].as_u64().unwrap_or_default()));
    let mut sentences = vec![match kind {
        "train_batch" => format!(
            "Each learned from {samples} training images of {data}, each seen once in an order drawn from the seed, in batches of \
             {}.",
            said(|parameters| word(&parameters["batch_size"]))
        ),
        "train_recurrent" => format!(
            "Each learned online, by backpropagation through time and one update per sample, from {samples} training images of {data}, \
             each seen once in an order drawn from the seed."
        ),
        _ => format!(
            "Each learned online, one update per sample, from {samples} training images of {data}, each seen once in an order drawn \
             from the seed."
        ),
    }];
    if kind == "train_batch" {
        sentences.push(format!("Updates were made by {}.", said(optimiser)));
        let normalised = runs.spread(|(_, parameters)| normalisation(parameters));
        if normalised.iter().any(|(how, _)| how.is_some()) {
            let said = said(|parameters| normalisation(parameters).unwrap_or_else(|| "not normalised".to_owned()));
            sentences.push(format!("Hidden layers were {said}."));
        }
    }
    let held_out = said(|parameters| match parameters["evaluate_on"].as_str() {
        Some("tuning") => "the tuning split".to_owned(),
        _ => "the test set".to_owned(),
    });
    let schedule = said(|parameters| when(&numbers(&parameters["schedule"])));
    sentences.push(format!("Accuracy was measured on {held_out} {schedule}."));
    if kind == "train_recurrent" {
        let has = |parameters: &Value| !numbers(&parameters["hidden_norms"]).is_empty();
        if runs.rows.iter().any(|(_, (_, parameters))| has(parameters)) {
            let norms = said(|parameters| when(&numbers(&parameters["hidden_norms"])));
            sentences
                .push(format!("Norms of the hidden states were measured on the first 1,000 held-out images {norms}."));
        }
    }
    sentences
}

fn optimiser(parameters: &Value) -> String {
    let optimizer = &parameters["optimizer"];
    let of = |name: &str| number(optimizer[name].as_f64().unwrap_or_default());
    match optimizer["name"].as_str().unwrap_or_default() {
        "sgd" => "plain gradient descent".to_owned(),
        "momentum" => format!("momentum {}", of("momentum")),
        "adam" => {
            let constants = format!("{}, {} and {}", of("beta1"), of("beta2"), of("epsilon"));
            format!("Adam with {} = {constants}", math("β₁, β₂ and ε", r"\beta_1, \beta_2 \text{ and } \varepsilon"))
        }
        other => format!("`{other}`"),
    }
}

fn normalisation(parameters: &Value) -> Option<String> {
    if parameters["layer_norm"] == true {
        return Some("normalised over their units".to_owned());
    }
    let [momentum, epsilon] = parameters["batch_norm"].as_array().map(|pair| [word(&pair[0]), word(&pair[1])])?;
    Some(format!(
        "normalised over the batch, with {momentum} of each batch in the running statistics and {epsilon} added to variances"
    ))
}

/// Meta-learning.
fn episodes(plan: &Plan, runs: &Runs) -> Vec<String> {
    let said = |property: fn(&Value) -> String| runs.said(|(_, parameters)| property(parameters));
    let counted = |name: &'static str| runs.said(move |(_, parameters)| word(&parameters[name]));
    let drawn = said(|parameters| {
        let replaced = if parameters["with_replacement"] == true { "with" } else { "without" };
        let images = if parameters["images"] == "fixed" {
            "the same images of a class in all tasks of a seed"
        } else {
            "new images in every task"
        };
        let part = if parameters["draw_from"] == "tuning" {
            "the tuning split"
        } else {
            "the training images without the tuning split"
        };
        format!("{replaced} replacement, {images}, from {part}")
    });
    let mut sentences = vec![
        format!(
            "The coefficients of the rules were meta-learned over {} episodes. In each, a network with fresh weights learned a task of \
             {} classes of {} online, from {} images a class, and was asked about {} others a class.",
            counted("episodes"),
            counted("classes"),
            runs.said(|(task, _)| name_of(&data_of(plan, *task))),
            counted("training_samples"),
            counted("query_samples")
        ),
        format!("Tasks were drawn {drawn}."),
        format!(
            "After each episode Adam moved the learned coefficients by the exact gradient of the query loss through the whole inner \
             loop, with a learning rate of {}.",
            counted("learning_rate")
        ),
        format!("Learned were {}.", said(|parameters| names(&parameters["learned"]))),
    ];
    if runs.spread(|(_, parameters)| parameters["l1"].as_f64() > Some(0.0)).iter().any(|(has, _)| *has) {
        let penalty = math("λ Σ|θ|", r"\lambda \sum |\theta|");
        let lambda = math("λ", r"\lambda");
        sentences.push(format!("The loss had a penalty {penalty}, {lambda} being {}.", counted("l1")));
    }
    let has = |name: &'static str| {
        runs.spread(move |(_, parameters)| parameters[name].is_number()).iter().any(|(has, _)| *has)
    };
    if has("clip") {
        sentences.push(format!("A gradient longer than {} was shortened to it.", counted("clip")));
    }
    if has("skip_above") {
        let then = match runs.spread(|(_, parameters)| parameters["step_back"] == true).as_slice() {
            [(true, _)] => ", and the coefficients returned to earlier ones",
            _ => "",
        };
        sentences
            .push(format!("An episode whose gradient was longer than {} was skipped{then}.", counted("skip_above")));
    }
    sentences
}

fn names(terms: &Value) -> String {
    let names: Vec<String> = terms.as_object().into_iter().flatten().map(|(name, _)| format!("`{name}`")).collect();
    list(&names)
}

/// What was learned by: each equation with its coefficients, or its form where there are too many.
fn rules(plan: &Plan, kind: &str, runs: &Runs) -> (Vec<String>, Vec<Shown>) {
    let all = runs.spread(|(task, _)| plan.tasks[*task].work.equation().map(|rule| (rule.plain, rule.latex)));
    let all: Vec<Shown> = all
        .into_iter()
        .filter_map(|(rule, place)| {
            let (plain, latex) = rule?;
            let lead = place.unwrap_or_else(|| "all runs".to_owned());
            Some(Shown { lead, plain: plain.lines().map(str::to_owned).collect(), latex })
        })
        .collect();
    if all.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let has_feedback = all.iter().flat_map(|rule| &rule.plain).any(|line| line.contains("B_"));
    let mut sentences = vec![legend(kind, has_feedback)];
    let swept: Vec<(&str, Vec<&Cell>)> =
        runs.axes().into_iter().filter(|(axis, values)| values.len() > 1 && is_coefficient(runs, axis)).collect();
    let shown = if swept.is_empty() && all.len() <= MOST_EQUATIONS {
        all
    } else {
        sentences.push(match swept.is_empty() {
            true => format!("Coefficients were {}.", runs.said(|(_, parameters)| given(&parameters["coefficients"]))),
            false => {
                format!("Coefficients were swept over {}.", swept.iter().map(values).collect::<Vec<_>>().join("; "))
            }
        });
        sentences.push("Each form of the rules stands here once, with coefficients of one condition.".to_owned());
        by_form(all)
    };
    sentences.push(
        match kind {
            "meta_learn" => "Before the first episode, a sample changed the weights by",
            "train_batch" => "A batch changed the weights by",
            _ => "A sample changed the weights by",
        }
        .to_owned(),
    );
    (sentences, shown)
}

/// `gradient` 0.003 and `oja` 0.001
fn given(coefficients: &Value) -> String {
    let terms = coefficients.as_object().into_iter().flatten();
    list(&terms.map(|(term, value)| format!("`{term}` {}", value_of(value))).collect::<Vec<_>>())
}

/// A coefficient: one for all layers, or one each.
fn value_of(coefficient: &Value) -> String {
    match coefficient.as_array() {
        Some(layers) => format!("({})", layers.iter().map(word).collect::<Vec<_>>().join(", ")),
        None => word(coefficient),
    }
}

/// Whether an axis sets a coefficient of a term: then its values are a sweep, not conditions.
fn is_coefficient(runs: &Runs, axis: &str) -> bool {
    runs.rows.iter().any(|(_, (_, parameters))| parameters["coefficients"].get(axis).is_some())
        || ["rate", "learning_rate"].contains(&axis)
}

/// Rules that differ in their numbers alone, once each.
fn by_form(all: Vec<Shown>) -> Vec<Shown> {
    let mut forms: Vec<(String, Shown, usize)> = Vec::new();
    for rule in all {
        let form = form_of(&rule.plain.join("\n"));
        match forms.iter_mut().find(|(known, ..)| *known == form) {
            Some((_, _, number)) => *number += 1,
            None => forms.push((form, rule, 1)),
        }
    }
    let lead = |rule: Shown, number: usize| match number {
        1 => rule,
        n => Shown { lead: format!("{n} choices of coefficients, for example"), ..rule },
    };
    forms.into_iter().map(|(_, rule, number)| lead(rule, number)).collect()
}

/// An equation without its numbers.
fn form_of(equation: &str) -> String {
    let mut form = String::new();
    let (mut earlier, mut before) = (' ', ' ');
    for c in equation.chars() {
        // Digits of names (`y_0`, `ℓ-1`) belong to the form.
        let of_name =
            before.is_alphabetic() || matches!(before, '_' | '^' | '{') || before == '-' && earlier.is_alphabetic();
        let goes_on = before == '#' && (c.is_ascii_digit() || c == '.');
        if goes_on {
            continue;
        }
        let shown = if c.is_ascii_digit() && !of_name { '#' } else { c };
        form.push(shown);
        (earlier, before) = (before, shown);
    }
    form
}

/// The symbols of the equations.
fn legend(kind: &str, has_feedback: bool) -> String {
    if kind == "train_recurrent" {
        return format!(
            "In what follows, {} is the image at time t, {} are the hidden states and {} their activations, {} the derivatives of the loss \
             with respect to {}, and {} is the answer.",
            math("x_t", r"\mathbf{x}_t"),
            math(
                "z_t = W_h σ(z_{t-1}) + W_x x_t",
                r"\mathbf{z}_t = \mathbf{W}_h \sigma(\mathbf{z}_{t-1}) + \mathbf{W}_x \mathbf{x}_t"
            ),
            math("σ(z_t)", r"\sigma(\mathbf{z}_t)"),
            math("e_t", r"\mathbf{e}_t"),
            math("z_t", r"\mathbf{z}_t"),
            math("p = softmax(W_o σ(z_T))", r"\mathbf{p} = \mathrm{softmax}(\mathbf{W}_o \sigma(\mathbf{z}_T))"),
        );
    }
    let feedback = match has_feedback {
        true => format!("; {} are feedback weights", math("B_{ℓ,ℓ-1}", r"\mathbf{B}_{\ell,\ell-1}")),
        false => String::new(),
    };
    let batch = match kind {
        "train_batch" => format!("; {} is the mean over a batch", math("⟨ ⟩", r"\langle\,\rangle")),
        _ => String::new(),
    };
    format!(
        "In what follows, {} are the activations of layer {} ({} is the image), and {} the errors, which stand for the derivatives of the \
         loss with respect to {}{feedback}{batch}.",
        math(
            "y_ℓ = σ(z_ℓ), z_ℓ = W_{ℓ-1,ℓ} y_{ℓ-1}",
            r"\mathbf{y}_\ell = \sigma(\mathbf{z}_\ell), \mathbf{z}_\ell = \mathbf{W}_{\ell-1,\ell} \mathbf{y}_{\ell-1}"
        ),
        math("ℓ", r"\ell"),
        math("y_0", r"\mathbf{y}_0"),
        math("e_ℓ", r"\mathbf{e}_\ell"),
        math("z_ℓ", r"\mathbf{z}_\ell"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_differ_in_numbers_alone_have_one_form() {
        let rule =
            |a: &str, b: &str| format!("ΔW_{{ℓ-1,ℓ}} = -{a} e_ℓ y_{{ℓ-1}}ᵀ + {b} y_ℓ (y_{{ℓ-1}} - W_{{ℓ-1,ℓ}}ᵀ y_ℓ)ᵀ");
        assert_eq!(form_of(&rule("0.01", "0.00003")), form_of(&rule("3", "0.1")));
        assert_ne!(form_of(&rule("0.01", "1")), form_of("ΔW_{ℓ-1,ℓ} = -0.01 e_ℓ y_{ℓ-1}ᵀ"));
        assert_ne!(form_of("0.1 y_0"), form_of("0.1 y_1"), "a digit of a name is no coefficient");
    }
}
