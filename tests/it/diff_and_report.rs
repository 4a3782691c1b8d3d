//! What changed between two runs, and the page on published runs.

use std::fs;

use crate::common::{Fixture, SMALL, text};
use ojaflow::tables::frame::Frame;
use ojaflow::tables::parquet;

/// A run, and another with twice the rate of plain backpropagation.
fn two_runs() -> Fixture {
    let fixture = Fixture::new().pipeline(SMALL).run();
    fixture.stdout(&["pipeline", "small", "--set", "rules.bp.gradient=0.02", "--as", "faster"]);
    fixture
}

/// The accuracies of a run's evaluations, by rule, seed and step.
fn accuracies(fixture: &Fixture, name: &str) -> Vec<f64> {
    let folder = fixture.outputs().join(name);
    let manifest = ojaflow::publish::manifest::Manifest::read(&folder).unwrap().unwrap();
    let table = manifest.tables.iter().find(|table| table.name == "train_evaluations").unwrap();
    let bytes = fs::read(folder.join(&table.path)).unwrap();
    let frame = Frame::new("evaluations", parquet::read(bytes.into(), &table.schema).unwrap().to_batch().unwrap());
    frame.numbers("accuracy").unwrap().into_iter().map(Option::unwrap).collect()
}

#[test]
fn a_changed_coefficient_is_followed_to_the_numbers() {
    let fixture = two_runs();
    let found = fixture.stdout(&["diff", "small", "faster"]);
    assert!(found.contains("rules.bp.gradient: 0.01 → 0.02"), "{found}");
    assert!(
        found.contains("train 2 of 4 tasks, the first: rule=bp seed=0: coefficients.gradient: 0.01 → 0.02"),
        "{found}"
    );
    assert!(found.contains("activations 2 of 4 tasks, the first: rule=bp seed=0: other inputs"), "{found}");
    assert!(found.contains("train_weights: 2 of 4 parts have other bytes"), "{found}");
    assert!(!found.contains("bp_oja"), "that rule did not change: {found}");
    // The same samples were seen, in runs that have other names.
    let mut lines = found.lines().skip_while(|line| !line.contains("train_samples:"));
    assert!(lines.nth(1).unwrap().contains("the same values"), "{found}");
    // The numbers by other means.
    let (before, after) = (accuracies(&fixture, "small"), accuracies(&fixture, "faster"));
    let deviations = || before.iter().zip(&after).filter(|(a, b)| a != b);
    let largest = deviations().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let relative = deviations().map(|(a, b)| (a - b).abs() / a.max(*b)).fold(0.0, f64::max);
    assert!(largest > 0.0, "twice the rate learns otherwise");
    let expected =
        format!("accuracy: {} of 12 rows, by up to {largest:.4e} ({relative:.2e} relative)", deviations().count());
    assert!(found.contains(&expected), "expected `{expected}` in {found}");
}

#[test]
fn runs_archives_and_pipelines_are_compared_with_each_other() {
    let fixture = two_runs();
    fixture.stdout(&["archive", "small", "-o", "one.tar.zst"]);
    fixture.stdout(&["archive", "faster", "-o", "two.tar.zst"]);
    let body = |text: String| text.lines().skip(2).collect::<Vec<_>>().join("\n");
    let published = body(fixture.stdout(&["diff", "small", "faster"]));
    let archives = body(fixture.stdout(&["diff", "one.tar.zst", "two.tar.zst"]));
    // An archive leaves the images and the large tables out; what it holds is compared alike.
    assert_eq!(published, archives);
    assert_eq!(published, body(fixture.stdout(&["diff", "outputs/small", "two.tar.zst"])));
    let planned = body(fixture.stdout(&["diff", "pipelines/small.toml", "faster"]));
    assert!(planned.contains("rules.bp.gradient: 0.01 → 0.02") && !planned.contains("\ntables"), "{planned}");
    assert_eq!(body(fixture.stdout(&["diff", "small", "one.tar.zst"])), "\nno difference");
    // A damaged archive is not looked into.
    let mut bytes = fs::read(fixture.path("one.tar.zst")).unwrap();
    bytes[100] ^= 1;
    fs::write(fixture.path("one.tar.zst"), bytes).unwrap();
    assert_eq!(fixture.output(&["diff", "small", "one.tar.zst"]).status.code(), Some(1));
    let unknown = fixture.output(&["diff", "small", "absent"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("absent"));
}

#[test]
fn rows_and_stages_that_only_one_has_are_counted() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    fixture.stdout(&["pipeline", "small", "--set", "matrix.seed.count=3", "--as", "more"]);
    let found = fixture.stdout(&["diff", "small", "more"]);
    assert!(found.contains("train: 2 tasks only in B"), "{found}");
    let evaluations: Vec<&str> =
        found.lines().skip_while(|line| !line.contains("train_evaluations:")).take(3).collect();
    assert!(evaluations[1].contains("6 rows only in B"), "{evaluations:?}");
    assert!(!evaluations[2].starts_with("      "), "no value of a common row changed: {evaluations:?}");
    fixture.stdout(&["pipeline", "small", "--to", "train", "--as", "part"]);
    assert!(fixture.stdout(&["diff", "small", "part"]).contains("accuracy: only in A"));
}

/// A pipeline with a figure, beside [`SMALL`].
fn with_a_figure() -> Fixture {
    let figure = "\n[stages.curves]\nkind = \"sql\"\nquery = \"SELECT 'accuracy' AS panel, rule AS series, step AS x, mean, \
                  ci_low, ci_high, n_runs, n_diverged FROM accuracy\"\n\n[stages.drawn]\nkind = \"figure\"\nof = \"curves\"\n\
                  caption = \"Steps < 100 & more\"\npanels = [{ panel = \"accuracy\", title = \"Accuracy\" }]\n\
                  series = [{ series = \"bp\", label = \"BP\" }, { series = \"bp_oja\", label = \"BP+Oja\" }]\n\n[[claims]]";
    Fixture::new().pipeline(&SMALL.replacen("\n[[claims]]", figure, 1)).run()
}

#[test]
fn the_page_holds_everything_and_fetches_nothing() {
    let fixture = with_a_figure();
    fixture.stdout(&["pipeline", "small", "--set", "rules.bp.gradient=0.02", "--as", "faster"]);
    fixture.stdout(&["report", "-o", "page.html"]);
    let page = fs::read_to_string(fixture.path("page.html")).unwrap();
    for expected in
        ["<html lang=\"en\">", "<meta name=\"viewport\"", "prefers-color-scheme: dark", "Content-Security-Policy"]
    {
        assert!(page.contains(expected), "{expected}");
    }
    // Both runs with figure, claim and verdict, equations, parameters, seeds, keys, digests and schemas.
    let manifest = ojaflow::publish::manifest::Manifest::read(&fixture.outputs().join("faster")).unwrap().unwrap();
    assert_eq!(page.matches("<svg").count(), 2);
    assert_eq!(page.matches("accuracy is a share").count(), 2 + 2, "as a claim, and in the pipeline's text");
    assert!(page.contains(">holds</span>"));
    for text in [
        "ΔW_{ℓ-1,ℓ} = -0.02 e_ℓ y_{ℓ-1}ᵀ",
        "rules.bp.gradient=0.02",
        "Steps &lt; 100 &amp; more",
        &manifest.fingerprint,
    ] {
        assert!(page.contains(text), "{text}");
    }
    for task in manifest.stages.iter().flat_map(|stage| &stage.tasks) {
        assert!(page.contains(task.key.as_str()));
    }
    for table in &manifest.tables {
        assert!(page.contains(table.digest.as_deref().unwrap_or(&table.path)), "{}", table.name);
        for column in &table.schema.columns {
            assert!(page.contains(&*column.description.replace('<', "&lt;")), "{}.{}", table.name, column.name);
        }
    }
    // Nothing that runs, nothing from elsewhere.
    let tags =
        ["<script", "<iframe", "<link", "<object", "<embed", "<img", "javascript:", " onload=", " onclick=", "@import"];
    for tag in tags {
        assert!(!page.contains(tag), "{tag}");
    }
    for (at, _) in page.match_indices("url(") {
        let target = &page[at + 4..at + 9];
        assert!(target == "data:" || target.starts_with('#'), "url({target}");
    }
    for (at, _) in page.match_indices("href=\"") {
        assert!(page[at + 6..].starts_with('#'), "{}", &page[at..at + 30]);
    }
    // Every identifier once, although both figures were drawn by the same hand.
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let n = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), n);
    for (at, _) in page.match_indices("aria-labelledby=\"") {
        let label = page[at + 17..].split('"').next().unwrap();
        assert!(ids.contains(&label), "{label}");
    }
    assert_eq!(
        page.matches("@font-face").count(),
        fs::read_to_string(fixture.outputs().join("small/drawn.svg")).unwrap().matches("@font-face").count()
    );
}

#[test]
fn the_page_is_about_what_was_asked_for() {
    let fixture = with_a_figure();
    fixture.stdout(&["pipeline", "small", "--to", "train", "--as", "part"]);
    fixture.stdout(&["report", "part", "-o", "part.html"]);
    let page = fs::read_to_string(fixture.path("part.html")).unwrap();
    assert!(page.contains("train_weights") && !page.contains("<svg") && !page.contains(">holds</span>"));
    assert_eq!(fixture.output(&["report", "absent"]).status.code(), Some(2));
    assert_eq!(fixture.output(&["report", "--outputs", "nowhere"]).status.code(), Some(2));
    // A figure that someone has touched is not shown as if it were the run's.
    let figure = fixture.outputs().join("small/drawn.svg");
    let drawing = fs::read_to_string(&figure).unwrap();
    fs::write(&figure, drawing.replacen("BP+Oja", "BP-Oja", 1)).unwrap();
    let output = fixture.output(&["report", "small"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("drawn.svg"));
    assert!(!fixture.path("report.html").exists());
}
