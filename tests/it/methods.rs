//! The methods of every shipped pipeline: they can be written, and their numbers are those of the plan.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ojaflow::flow::{Plan, Project, Request, equations, methods};
use ojaflow::stages::coefficients::{Coefficients, FOLDER};
use serde_json::Value;

use crate::common::{ojaflow, root, text};

struct Described {
    name: String,
    plan: Plan,
    text: String,
    latex: String,
}

/// Every shipped pipeline with stages of its own.
static ALL: LazyLock<Vec<Described>> = LazyLock::new(|| {
    let nowhere = tempfile::tempdir().unwrap();
    let project = Project::at(root()).with_outputs(nowhere.path());
    let names = ojaflow::plan::names(&root().join("pipelines")).into_iter();
    names
        .map(|name| {
            let plan = project.plan(&Request::new(&name), None).unwrap().level.plan;
            let methods = methods(&project, &plan).unwrap();
            Described { name, plan, text: methods.text(), latex: methods.latex() }
        })
        .filter(|described| !described.plan.main().stages.is_empty() && described.plan.pipelines.len() == 1)
        .collect()
});

fn described(name: &str) -> &'static Described {
    ALL.iter().find(|described| described.name == name).unwrap_or_else(|| panic!("{name} is shipped"))
}

/// `5,000`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let chunks: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
    chunks.join(",")
}

#[test]
fn every_number_of_a_training_stands_in_the_methods() {
    for Described { name, plan, text, .. } in ALL.iter() {
        for task in plan.tasks.iter().filter(|task| task.kind.starts_with("train") || task.kind == "meta_learn") {
            let parameters = task.work.parameters();
            let mut expected = Vec::new();
            let layers: Vec<String> =
                parameters["layers"].as_array().into_iter().flatten().map(ToString::to_string).collect();
            if !layers.is_empty() {
                expected.push(layers.join("–"));
            }
            for count in ["samples", "hidden", "time_steps", "image_steps", "batch_size", "episodes", "classes"] {
                expected.extend(parameters[count].as_u64().map(grouped));
            }
            for number in ["learning_rate", "beta", "std", "clip"] {
                let value = parameters[number].as_f64();
                expected
                    .extend(value.map(|value| if value >= 1000.0 { grouped(value as u64) } else { value.to_string() }));
            }
            for number in expected {
                assert!(text.contains(&number), "{name}: {number} of {} is missing in\n{text}", task.label);
            }
        }
    }
}

#[test]
fn equations_are_those_that_run() {
    for Described { name, plan, text, latex } in ALL.iter() {
        let all = equations(plan, plan.main());
        // Of a sweep the form of the rules is shown.
        if all.is_empty() || all.len() > 12 || name.starts_with("tune") {
            continue;
        }
        for equation in all {
            for line in equation.plain.lines() {
                assert!(text.contains(line), "{name}: {line} is missing in\n{text}");
            }
            for line in &equation.latex {
                assert!(latex.contains(line), "{name}: {line} is missing in\n{latex}");
            }
        }
    }
}

#[test]
fn seeds_intervals_and_looks_are_those_of_the_plan() {
    for Described { name, plan, text, .. } in ALL.iter() {
        let main = plan.main();
        let seeds: BTreeSet<String> = main
            .stages
            .iter()
            .filter(|stage| stage.kind.starts_with("train") || stage.kind == "meta_learn")
            .filter_map(|stage| {
                let axis = stage.grid.axes.iter().position(|axis| axis == "seed")?;
                let seeds: BTreeSet<_> = stage.grid.iter().map(|(_, place)| place[axis].clone()).collect();
                (seeds.len() > 1).then(|| format!("with {} seeds", seeds.len()))
            })
            .collect();
        for said in seeds {
            assert!(text.contains(&said), "{name}: {said}\n{text}");
        }
        for task in &plan.tasks {
            let parameters = task.work.parameters();
            if task.kind == "bootstrap" {
                let level = 100.0 * parameters["level"].as_f64().unwrap();
                assert!(text.contains(&format!("{level} % percentile bootstrap intervals")), "{name}\n{text}");
                let resamples = grouped(parameters["resamples"].as_u64().unwrap());
                assert!(text.contains(&format!("from {resamples} resamples")), "{name}\n{text}");
                if let Some(difference) = parameters["statistic"]["difference"].as_object() {
                    let number = |value: &Value| value.as_f64().expect("a word or a number").to_string();
                    let word = |value: &Value| value.as_str().map_or_else(|| number(value), str::to_owned);
                    let said = format!("{} minus {}", word(&difference["of"]), word(&difference["minus"]));
                    assert!(text.contains(&said), "{name}: {said}\n{text}");
                }
            }
            if task.kind == "claims" {
                let level = 100.0 * parameters["looks"]["level"].as_f64().unwrap();
                assert!(text.contains(&format!("two-sided level of {level} %")), "{name}\n{text}");
            }
        }
    }
}

#[test]
fn tuned_coefficients_are_said_with_their_race() {
    let tables = Coefficients::load(&root().join("pipelines").join(FOLDER)).unwrap();
    let Described { text, .. } = described("fig1");
    let (_, table) = tables.tables.iter().find(|(_, table)| table.pipeline == "tune").unwrap();
    let trainings = grouped(table.coefficients[0].trainings);
    assert!(
        text.contains(&format!("`tune` found them, with {trainings} trainings for each rule and network on MNIST.")),
        "{text}"
    );
    for said in [
        "on the tuning split",
        "averaged over the evaluations every 250 samples from 4,000 to 5,000",
        "from 1,000 on",
        "0.00178",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let Described { text, .. } = described("smoke");
    assert!(!text.contains("Choice of coefficients"), "its coefficients are written: {text}");
}

#[test]
fn what_is_written_for_latex_has_no_sign_of_its_own_in_words() {
    for Described { name, latex, .. } in ALL.iter() {
        let mut depth = 0_i64;
        let mut before = ' ';
        for c in latex.chars() {
            match c {
                '{' if before != '\\' => depth += 1,
                '}' if before != '\\' => depth -= 1,
                '%' | '&' | '#' => assert_eq!(before, '\\', "{name}: a bare {c} in\n{latex}"),
                'ℓ' | 'Δ' | 'σ' | '⟦' | '⟧' | '–' | '“' => panic!("{name}: {c} in\n{latex}"),
                _ => {}
            }
            before = c;
        }
        assert_eq!(depth, 0, "{name}: braces\n{latex}");
        assert!(latex.matches('$').count().is_multiple_of(2), "{name}\n{latex}");
    }
}

#[test]
fn the_command_prints_both() {
    let said = |arguments: &[&str]| {
        let output =
            ojaflow().current_dir(root()).args(["explain", "--methods", "smoke"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(said(&[]).contains("784–40–30–10"));
    assert!(said(&["--latex"]).contains("784--40--30--10"));
    assert!(said(&["--set", "matrix.seed.count=7"]).contains("with 7 seeds (0 to 6)"));
}
