//! Including other pipelines.

use insta::assert_snapshot;

use super::changed;

#[test]
fn include_that_is_no_list() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = "fig1"
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:11: `include` is a list of pipelines: `include = ["fig1", "fig2"]`
       ╭─[pipelines/small.toml:1:11]
     1 │ include = "fig1"
       ·           ──────
     2 │ [pipeline]
       ╰────
    "#);
}

#[test]
fn include_of_an_unknown_pipeline() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = ["fig11"]
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:12: there is no pipeline `fig11`
       ╭─[pipelines/small.toml:1:12]
     1 │ include = ["fig11"]
       ·            ───────
     2 │ [pipeline]
       ╰────
      help: Did you mean `fig1`? There are: `small`, and those of the program, which `ojaflow pipeline` lists.
    "#);
}

#[test]
fn pipeline_that_includes_itself() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = ["small"]
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:12: pipelines/small.toml includes itself: pipelines/small.toml → pipelines/small.toml
       ╭─[pipelines/small.toml:1:12]
     1 │ include = ["small"]
       ·            ───────
     2 │ [pipeline]
       ╰────
    "#);
}

#[test]
fn unknown_key_of_an_include() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = [{ pipeline = "other", name = "b" }]
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:34: unknown key `name`; there are: `pipeline`, `set`, `as`
       ╭─[pipelines/small.toml:1:34]
     1 │ include = [{ pipeline = "other", name = "b" }]
       ·                                  ────
     2 │ [pipeline]
       ╰────
    "#);
}
