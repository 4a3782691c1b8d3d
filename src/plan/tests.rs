//! The pieces of planning, with fake kinds: what is compared are tasks, keys, tables and faults, not recordings.

use std::collections::BTreeMap;
use std::path::Path;

use super::order::report_once;
use super::{Components, Plan, Request, Share, build};
use crate::error::Error;
use crate::spec::node::{Fault, Node, Span};
use crate::tables::frame::Cell;
use crate::task::fake::Fakes;

const STAGES: &str = r#"
[stages.number]
kind = "number"
[stages.double]
kind = "double"
of   = "number"
[stages.total]
kind = "total"
of   = "double"
"#;

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, format!("[pipeline]\nname = \"{name}\"\ntitle = \"{name}\"\n{text}")).unwrap();
    file.display().to_string()
}

fn planned(text: &str, request: impl Fn(Request) -> Request) -> Result<Plan, Error> {
    // A pipeline without a section of its own begins with its keys.
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "fake", text);
    build(&Fakes::default(), folder.path(), &request(Request::new(file)))
}

fn plan(text: &str) -> Plan {
    planned(text, |request| request).unwrap_or_else(|error| panic!("{error}"))
}

fn faults(text: &str) -> Vec<Fault> {
    match planned(text, |request| request) {
        Err(Error::Spec(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

fn labels(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| &*task.label).collect()
}

#[test]
fn a_stage_has_a_task_for_each_combination_of_the_axes_that_reach_it() {
    let plan = plan(&format!("[matrix]\nvalue = [1, 2]\nplus = [0, 1, 2]\n{STAGES}"));
    let count = |stage: &str| plan.tasks.iter().filter(|task| &*task.stage == stage).count();
    assert_eq!((count("number"), count("double"), count("total")), (2, 6, 1));
    let double = plan.main().stages.iter().find(|stage| stage.name == "double").unwrap();
    assert_eq!(double.grid.axes, ["value", "plus"]);
    assert_eq!(*double.grid.coordinates(1), [Cell::Integer(1), Cell::Integer(1)]);
}

#[test]
fn each_task_reads_the_matching_task_and_a_gathering_one_all_of_them() {
    let plan = plan(&format!("[matrix]\nvalue = [5, 7]\n{STAGES}"));
    let place = |label: &str| labels(&plan).iter().position(|other| *other == label).unwrap();
    let double = &plan.tasks[place("double value=7")];
    assert_eq!(double.inputs.iter().map(|input| input.task).collect::<Vec<_>>(), [place("number value=7")]);
    let total = &plan.tasks[place("total")];
    let parts: Vec<usize> = total.gathered[0].parts.iter().map(|part| part.task).collect();
    assert_eq!(parts, [place("double value=5"), place("double value=7")]);
    assert_eq!(plan.material(total).inputs.len(), 2);
}

#[test]
fn equal_tasks_are_one_task_whatever_the_stages_are_called() {
    let twice = format!("{STAGES}[stages.again]\nkind = \"number\"\nvalue = 0\n");
    let plan = plan(&twice);
    assert_eq!(labels(&plan), ["number", "double", "total"], "`again` is `number`, with the default written out");
    assert_eq!(plan.main().stages.len(), 4);
}

#[test]
fn a_key_covers_parameters_and_the_keys_of_inputs_and_no_name() {
    let key = |text: &str, stage: &str| {
        let plan = plan(text);
        plan.tasks.iter().find(|task| &*task.stage == stage).unwrap().key.clone()
    };
    let changed = STAGES.replace("kind = \"number\"", "kind = \"number\"\nvalue = 3");
    assert_ne!(key(STAGES, "number"), key(&changed, "number"));
    assert_ne!(key(STAGES, "total"), key(&changed, "total"), "it reads what reads it");
    let renamed = STAGES.replace("number]", "digits]").replace("of   = \"number\"", "of = \"digits\"");
    assert_eq!(key(STAGES, "double"), key(&renamed, "double"));
}

#[test]
fn stages_are_planned_after_what_they_read_wherever_they_stand() {
    let backwards = "[stages.total]\nkind = \"total\"\nof = \"double\"\n[stages.double]\nkind = \"double\"\nof = \"number\"\n[stages.number]\nkind = \"number\"\n";
    let plan = plan(backwards);
    assert_eq!(labels(&plan), ["number", "double", "total"]);
    for (index, task) in plan.tasks.iter().enumerate() {
        assert!(task.dependencies().all(|dependency| dependency < index));
    }
}

#[test]
fn stages_that_wait_for_each_other_are_named() {
    let circle = "[stages.a]\nkind = \"double\"\nof = \"b\"\n[stages.b]\nkind = \"double\"\nof = \"a\"\n";
    assert_eq!(faults(circle)[0].message, "these stages wait for each other: `a`, `b`");
}

#[test]
fn a_reference_to_nothing_is_answered_with_what_there_is() {
    let found = faults(&STAGES.replace("of   = \"number\"", "of = \"numbr\""));
    assert_eq!(
        found[0].message,
        "stage `double` reads stage `numbr`; did you mean `number`? There are: `number`, `total`"
    );
    let found = faults(&STAGES.replace("of   = \"double\"", "of = \"doubled\""));
    assert!(found[0].message.contains("reads table `doubled`, which no stage makes"), "{}", found[0].message);
}

#[test]
fn a_table_is_found_under_the_longest_name_of_a_stage() {
    let text = "[stages.a]\nkind = \"number\"\nvalue = 1\n[stages.a_b]\nkind = \"number\"\nvalue = 2\n\
                [stages.total]\nkind = \"total\"\nof = \"a_b_numbers\"\n";
    let plan = plan(text);
    let total = plan.tasks.iter().find(|task| &*task.stage == "total").unwrap();
    assert_eq!(&*plan.tasks[total.gathered[0].parts.tasks()[0]].stage, "a_b");
}

#[test]
fn an_axis_that_sets_nothing_is_refused_and_one_of_bundles_sets_what_it_names() {
    let found = faults(&format!("[matrix]\nvolume = [1]\n{STAGES}"));
    assert!(found[0].message.starts_with("the axis `volume` sets nothing"), "{}", found[0].message);
    let bundles = format!("[matrix.size.small]\nnumber.value = 1\n[matrix.size.large]\nnumber.value = 100\n{STAGES}");
    let plan = plan(&bundles);
    assert_eq!(plan.tasks[1].work.parameters()["value"], 100);
    let found = faults(&bundles.replace("number.value = 1\n", "digits.value = 1\n"));
    assert!(found[0].message.contains("sets parameters of stage `digits`"), "{}", found[0].message);
}

#[test]
fn a_fault_of_one_value_is_reported_once_and_does_not_hide_those_of_other_stages() {
    let text = format!("{STAGES}[stages.other]\nkind = \"number\"\nvalue = -5\n")
        .replace("\"number\"\n[", "\"number\"\nvalue = -1\n[");
    let messages: Vec<String> = faults(&text).into_iter().map(|fault| fault.message).collect();
    assert_eq!(messages, ["-1 is less than nothing", "-5 is less than nothing"]);
    let every_value = format!("[matrix]\nvalue = [-1, -2]\n{STAGES}");
    assert_eq!(faults(&every_value).len(), 2, "each wrong value once, and not again for what reads it");
}

#[test]
fn files_carry_axes_and_folders_are_joined_through_the_register() {
    let plan = plan(&format!("[matrix]\nvalue = [1, 2]\n{STAGES}"));
    let table = |name: &str| plan.main().tables.iter().find(|table| table.name == name).unwrap();
    let numbers = table("number_numbers");
    assert_eq!(numbers.schema.column_names().collect::<Vec<_>>(), ["value", "number"]);
    let second: Vec<&Cell> = numbers.parts.iter().nth(1).unwrap().axes().collect();
    assert_eq!((numbers.n_axes, second), (1, vec![&Cell::Integer(2)]));
    let doubled = table("double");
    assert_eq!(doubled.schema.column_names().collect::<Vec<_>>(), ["doubled"]);
    assert_eq!(doubled.register.as_deref(), Some("number_numbers"));
    assert!(plan.main().tables.iter().all(|table| !table.name.ends_with("stream")), "what passes is not published");
}

#[test]
fn what_is_not_kept_is_neither_published_nor_gathered() {
    let unkept = STAGES.replace("kind = \"double\"", "kind = \"double\"\nkeep = false");
    let found = faults(&unkept);
    assert_eq!(found[0].message, "table `double` is not kept, so it cannot be gathered");
    let plan = plan(&unkept.replace("[stages.total]\nkind = \"total\"\nof   = \"double\"\n", ""));
    assert!(plan.main().tables.iter().all(|table| table.stage != "double"));
    assert!(!plan.tasks[1].leaves_a_result());
}

#[test]
fn a_stage_publishes_what_it_names_and_keeps_the_rest() {
    let naming = |list: &str| STAGES.replace("kind = \"double\"", &format!("kind = \"double\"\npublish = {list}"));
    let whole = plan(STAGES);
    let named = plan(&naming("[\"double\"]"));
    let tables = |plan: &Plan| plan.main().tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>();
    assert_eq!(tables(&whole), tables(&named));
    let without = naming("[]");
    assert_eq!(faults(&without)[0].message, "table `double` is not published, so it cannot be gathered");
    let plan = plan(&without.replace("[stages.total]\nkind = \"total\"\nof   = \"double\"\n", ""));
    assert!(plan.main().tables.iter().all(|table| table.stage != "double"));
    assert!(plan.tasks[1].leaves_a_result(), "it is in the store all the same");
    let keys = |plan: &Plan| plan.tasks.iter().take(2).map(|task| task.key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys(&plan), keys(&whole), "what is published changes no result");

    assert!(faults(&naming("[\"doubel\"]"))[0].message.contains("makes no table `doubel`; did you mean `double`?"));
    assert!(faults(&naming("\"double\""))[0].message.contains("`publish` is a list of tables"));
    let register_left_out = STAGES.replace("kind = \"number\"", "kind = \"number\"\npublish = []");
    assert!(faults(&register_left_out)[0].message.contains("`numbers` is published always"));
}

#[test]
fn a_part_of_a_plan_is_what_its_last_stage_needs() {
    let plan = planned(STAGES, |mut request| {
        request.to = Some("double".to_owned());
        request
    })
    .unwrap();
    let stages: Vec<&str> = plan.main().stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, ["number", "double"]);
    assert!(plan.main().tables.iter().all(|table| table.stage != "total"));
    assert!(plan.main().name.starts_with("fake~"), "a part never replaces the whole");
    let refused = planned(STAGES, |mut request| {
        request.to = Some("treble".to_owned());
        request
    });
    assert!(refused.unwrap_err().to_string().contains("`--to treble`: there is no such stage"));
}

#[test]
fn pipelines_compose_into_one_plan_in_which_equal_tasks_are_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", STAGES);
    write(folder.path(), "two", &STAGES.replace("[stages.total]", "[stages.sum]"));
    let all = folder.path().join("all.toml");
    let both = "include = [\"one\", \"two\"]\n[pipeline]\nname = \"all\"\ntitle = \"all\"\n";
    std::fs::write(&all, both).unwrap();
    let request = Request::new(all.display().to_string());
    let plan = build(&Fakes::default(), folder.path(), &request).unwrap();
    let names: Vec<&str> = plan.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "all"]);
    assert_eq!(plan.tasks.len(), 3, "the sum is the same task under another name");
    // Two that are not the same cannot be published under one name.
    std::fs::write(&all, both.replace("\"two\"", "{ pipeline = \"two\", as = \"one\" }")).unwrap();
    let refused = build(&Fakes::default(), folder.path(), &request).unwrap_err().to_string();
    assert!(refused.contains("one.toml and") && refused.contains("both published as `one`"), "{refused}");
    // A pipeline that includes itself is named with the way that leads back.
    std::fs::write(&all, both.replace("\"two\"", "\"all\"")).unwrap();
    let refused = build(&Fakes::default(), folder.path(), &request).unwrap_err().to_string();
    assert!(refused.contains("includes itself"), "{refused}");
}

#[test]
fn one_pipeline_cannot_be_published_twice_under_one_name_with_other_values() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", STAGES);
    let all = folder.path().join("all.toml");
    let part = |value: u32| format!("{{ pipeline = \"one\", as = \"same\", set = [\"stages.number.value={value}\"] }}");
    let planned = |second: u32| {
        let include =
            format!("include = [{}, {}]\n[pipeline]\nname = \"all\"\ntitle = \"all\"\n", part(1), part(second));
        std::fs::write(&all, include).unwrap();
        build(&Fakes::default(), folder.path(), &Request::new(all.display().to_string()))
    };
    assert_eq!(planned(1).unwrap().pipelines.len(), 2, "the same twice is once");
    let refused = planned(2).unwrap_err().to_string();
    assert!(refused.contains("is published twice as `same`, with different overrides"), "{refused}");
}

#[test]
fn a_result_that_anyone_keeps_is_kept_whoever_asks_for_it_first() {
    let unkept = "[stages.first]\nkind = \"number\"\nkeep = false\n[stages.second]\nkind = \"number\"\n";
    let plan = plan(unkept);
    assert_eq!(plan.tasks.len(), 1);
    assert!(plan.tasks[0].leaves_a_result());
}

#[test]
fn what_its_stage_does_not_keep_is_read_in_passing() {
    let text = STAGES.replace("kind = \"number\"", "kind = \"number\"\nkeep = false");
    let passing = |plan: &Plan| plan.tasks[1].inputs[0].passing;
    assert!(passing(&plan(&text)));
    assert!(!passing(&plan(STAGES)));
}

#[test]
fn a_bundle_that_leaves_a_stage_as_it_is_counts_as_a_value_of_it() {
    let bundles = format!("[matrix.size.small]\nnumber.value = 1\n[matrix.size.late]\ndouble.plus = 3\n{STAGES}");
    let plan = plan(&bundles);
    let values = |stage: &str, parameter: &str| -> Vec<i64> {
        let tasks = plan.tasks.iter().filter(|task| &*task.stage == stage);
        tasks.map(|task| task.work.parameters()[parameter].as_i64().unwrap()).collect()
    };
    assert_eq!((values("number", "value"), values("double", "plus")), (vec![1, 0], vec![0, 3]));
}

#[test]
fn an_axis_is_not_blamed_where_a_kind_is_unknown() {
    let found = faults("[matrix]\nvolume = [1]\n[stages.sound]\nkind = \"loudspeaker\"\n");
    let messages: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(messages, ["unknown kind `loudspeaker`; there are: `number`, `double`, `total`, `race`"]);
}

#[test]
fn faults_that_say_the_same_are_one_and_eight_different_ones_are_enough() {
    let same = format!(
        "[matrix]\nvalue = [1, 2]\n{}",
        STAGES.replace("of   = \"number\"", "of = \"number\"\nplus = \"much\"")
    );
    assert_eq!(faults(&same).len(), 1, "the axis does not change what is wrong");
    let many = format!("[matrix]\nvalue = {{ first = -20, count = 12 }}\n{STAGES}");
    assert_eq!(faults(&many).len(), 8);
}

#[test]
fn tasks_are_counted_before_they_are_planned() {
    let stages = |count: &str| {
        let axis = |name: &str| format!("{name} = {{ first = 0, count = {count} }}\n");
        format!("[matrix]\n{}{}{STAGES}", axis("value"), axis("plus"))
    };
    let [fault] = &faults(&stages("1000000"))[..] else { panic!("one fault is enough") };
    assert_eq!(
        fault.message,
        "this plan has 1,000,001,000,001 tasks (`double` 1,000,000,000,000, `number` 1,000,000, `total` 1); \
         planning them takes about 1000 TB of memory"
    );
    assert_eq!(fault.span.as_ref().map(Span::text), Some("1000000"), "the number that makes the axis long");
    assert!(fault.help.as_ref().unwrap().contains("planned only with `--large`"));
    // Who asks for it gets it, as far as there is memory.
    let little = planned(&stages("2000"), |request| Request { large: true, memory: Some(1_000_000), ..request });
    let Err(Error::Spec(found)) = little else { panic!("{little:?}") };
    assert!(found[0].message.starts_with("this plan has 4,002,001 tasks"), "{}", found[0].message);
    assert!(found[0].help.as_ref().unwrap().ends_with("1.0 MB may be taken, `--memory` allows more."));
    assert_eq!(plan(&stages("20")).tasks.len(), 20 + 400 + 1, "counted as planned");
}

#[test]
fn two_references_that_stand_for_one_word_make_one_fault() {
    let document = Node::parse("words", "one = 1\nother = 1\n").unwrap();
    let at = |key: &str, message: &str| Fault::at(&document.as_table().unwrap().get(key).unwrap().span, message);
    let mut found = Vec::new();
    for fault in [at("one", "no table"), at("one", "no runs either"), at("other", "no table")] {
        report_once(&mut found, fault);
    }
    let messages: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(messages, ["no table", "no table"]);
}

#[test]
fn a_table_is_not_looked_for_in_a_stage_whose_name_only_begins_the_same() {
    let found = faults("[stages.a]\nkind = \"number\"\n[stages.total]\nkind = \"total\"\nof = \"anumbers\"\n");
    assert!(found[0].message.contains("reads table `anumbers`, which no stage makes"), "{}", found[0].message);
}

#[test]
fn an_axis_that_is_a_column_already_is_not_added_but_the_key_covers_it() {
    let named = |one: &str, two: &str| {
        let bundles = format!("[matrix.number.{one}]\nnumber.value = 1\n[matrix.number.{two}]\nnumber.value = 2\n");
        plan(&format!("{bundles}{}", STAGES.replace("of   = \"double\"", "of = \"number_numbers\"")))
    };
    let plan = named("one", "two");
    let numbers = plan.main().tables.iter().find(|table| table.name == "number_numbers").unwrap();
    assert_eq!(numbers.schema.column_names().collect::<Vec<_>>(), ["number"]);
    let second: Vec<(&str, &Cell)> = numbers.parts.iter().nth(1).unwrap().own_axes().collect();
    assert_eq!(second, [("number", &Cell::Text("two".into()))]);
    let total = |plan: &Plan| plan.tasks.iter().find(|task| &*task.stage == "total").unwrap().key.clone();
    assert_ne!(total(&plan), total(&named("one", "zwei")), "who gathers the table sees the axis' values");
}

#[test]
fn the_column_of_an_axis_may_be_empty_only_where_the_axis_does_not_apply_somewhere() {
    let nullable = |matrix: &str| {
        let plan = plan(&format!("[matrix]\n{matrix}\n{STAGES}"));
        let numbers = plan.main().tables.iter().find(|table| table.name == "number_numbers").unwrap();
        numbers.schema.column("value").unwrap().nullable
    };
    assert!(!nullable("value = [1, 2]"));
    assert!(nullable("combinations = [{ value = [1], plus = [1] }, { plus = [0] }]"));
}

#[test]
fn a_part_of_a_pipeline_that_includes_others_is_that_part_alone() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", STAGES);
    let all = folder.path().join("all.toml");
    std::fs::write(&all, format!("include = [\"one\"]\n[pipeline]\nname = \"all\"\ntitle = \"all\"\n{STAGES}"))
        .unwrap();
    let request = Request { to: Some("double".to_owned()), ..Request::new(all.display().to_string()) };
    let part = build(&Fakes::default(), folder.path(), &request).unwrap();
    assert_eq!((part.pipelines.len(), part.main().includes.len()), (1, 0));
}

/// What goes together, by label, each component in the order of the plan.
fn components(plan: &Plan) -> Vec<Vec<&str>> {
    let components = Components::new(plan);
    let mut found = vec![Vec::new(); components.len()];
    for (task, component) in components.tasks() {
        found[component].push(&*plan.tasks[task].label);
    }
    found
}

#[test]
fn what_is_handed_on_goes_together_and_what_is_gathered_is_left() {
    let passing = STAGES.replace("of   = \"number\"", "of   = \"number\"\npassing = true");
    let two = plan(&format!("[matrix]\nvalue = [1, 2]\n{passing}"));
    let expected = [["number value=1", "double value=1"], ["number value=2", "double value=2"]];
    assert_eq!(components(&two), expected);
    // As the only one that reads a kept result does; what several read is nobody's.
    assert_eq!(components(&plan(&format!("[matrix]\nvalue = [1, 2]\n{STAGES}"))), expected);
    let fan = plan(&format!("[matrix]\nplus = [1, 2]\n{STAGES}"));
    assert_eq!(components(&fan), [["number"], ["double plus=1"], ["double plus=2"]]);
    let shared = Components::new(&fan).left_to_others();
    assert_eq!(shared[..3], [false, true, true], "who needs what many read waits for it");
    assert!(!shared[3], "what is gathered is in no share");
}

#[test]
fn every_component_is_in_one_share_and_stays_there_when_a_sweep_grows() {
    let sweep = |n: usize| {
        let values: Vec<String> = (0..n).map(|value| value.to_string()).collect();
        plan(&format!("[matrix]\nvalue = [{}]\n{STAGES}", values.join(", ")))
    };
    let shares = |plan: &Plan, of: u32| {
        let components = Components::new(plan);
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        for number in 1..=of {
            for task in components.share(plan, Share::new(number, of).unwrap()) {
                assert_eq!(found.insert(plan.tasks[task].label.to_string(), number), None, "in one share");
            }
        }
        assert_eq!(found.len(), components.tasks().count(), "in some share");
        found
    };
    let (small, large) = (shares(&sweep(50), 7), shares(&sweep(300), 7));
    assert!(small.iter().all(|(label, share)| large[label] == *share));
    let sizes: Vec<usize> = (1..=7).map(|number| large.values().filter(|share| **share == number).count()).collect();
    // 300 components of 2 tasks; five standard deviations of a fair draw.
    assert!(sizes.iter().all(|size| size.abs_diff(600 / 7) < 62), "{sizes:?}");
    assert_eq!([Share::new(0, 3), Share::new(4, 3), Share::new(1, 0)], [None; 3]);
}

#[test]
fn the_digest_of_a_plan_is_that_of_its_keys() {
    let digest = |text: &str| plan(text).digest();
    let base = digest(STAGES);
    assert_eq!(base, digest(&STAGES.replace("number]", "number] # a comment")));
    assert_ne!(base, digest(&STAGES.replace("kind = \"double\"", "kind = \"double\"\nplus = 1")));
}
