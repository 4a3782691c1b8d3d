//! A query reads nothing but tables of its pipeline, and writes nothing.

use std::collections::BTreeMap;
use std::fs;

use arrow::array::{ArrayRef, RecordBatch};
use ojaflow::tables::cells::{Category, Cells};
use ojaflow::tables::sql::Query;

use crate::common::{self, Fixture};

/// Attempts to read or write something else, by whatever means SQL knows. `{}` is the folder of the files that are at stake.
const ESCAPES: &[&str] = &[
    "SELECT * FROM read_csv('{}/secret.csv')",
    "SELECT * FROM READ_CSV('{}/secret.csv')",
    "SELECT * FROM read_csv_auto('{}/secret.csv')",
    "SELECT * FROM \"read_csv\"('{}/secret.csv')",
    "SELECT * FROM read_parquet('{}/secret.parquet')",
    "SELECT * FROM read_parquet(['{}/secret.parquet'])",
    "SELECT * FROM read_json('{}/secret.json')",
    "SELECT * FROM read_ndjson('{}/secret.json')",
    "SELECT * FROM read_ipc('{}/secret.ipc')",
    "SELECT * FROM read_text('{}/secret.csv')",
    "SELECT * FROM read_blob('{}/secret.csv')",
    "SELECT * FROM scan_csv('{}/secret.csv')",
    "SELECT * FROM glob('{}/*')",
    "SELECT * FROM read_csv('file://{}/secret.csv')",
    "SELECT * FROM read_csv('http://localhost:1/secret.csv')",
    "SELECT * FROM '{}/secret.csv'",
    "SELECT * FROM \"{}/secret.csv\"",
    "SELECT * FROM `{}/secret.csv`",
    "SELECT * FROM '{}/secret.parquet'",
    "SELECT * FROM \"{}/secret.parquet\"",
    "SELECT * FROM \"secret.csv\"",
    "SELECT * FROM t JOIN read_csv('{}/secret.csv') AS s ON t.rule = s.rule",
    "SELECT * FROM t, read_csv('{}/secret.csv') AS s",
    "SELECT * FROM t CROSS JOIN \"{}/secret.csv\"",
    "SELECT * FROM t WHERE rule IN (SELECT rule FROM read_csv('{}/secret.csv'))",
    "SELECT (SELECT COUNT(*) FROM read_csv('{}/secret.csv')) AS n FROM t",
    "SELECT * FROM t UNION ALL SELECT * FROM read_csv('{}/secret.csv')",
    "WITH s AS (SELECT * FROM read_csv('{}/secret.csv')) SELECT * FROM s",
    "WITH read_csv AS (SELECT rule FROM t) SELECT * FROM read_csv('{}/secret.csv')",
    "WITH read_parquet AS (SELECT rule FROM t) SELECT * FROM read_parquet('{}/secret.parquet')",
    "WITH \"{}/secret.csv\" AS (SELECT rule FROM t) SELECT * FROM read_csv('{}/secret.csv')",
    "SELECT * FROM TABLE(read_csv('{}/secret.csv'))",
    "SELECT * FROM TABLE('{}/secret.csv')",
    "TABLE \"{}/secret.csv\"",
    "SELECT * FROM LATERAL read_csv('{}/secret.csv')",
    "SELECT * FROM t, LATERAL (SELECT * FROM read_csv('{}/secret.csv')) AS s",
    "SELECT * FROM (VALUES (1)) AS v, read_csv('{}/secret.csv')",
    "COPY t TO '{}/made.csv'",
    "COPY (SELECT * FROM t) TO '{}/made.parquet'",
    "COPY t FROM '{}/secret.csv'",
    "CREATE TABLE made AS SELECT * FROM t",
    "CREATE EXTERNAL TABLE made (a INT) STORED AS CSV LOCATION '{}/secret.csv'",
    "CREATE VIEW made AS SELECT * FROM t",
    "DROP TABLE t",
    "DELETE FROM t",
    "TRUNCATE TABLE t",
    "INSERT INTO t VALUES ('x')",
    "UPDATE t SET rule = 'x'",
    "ATTACH '{}/made.db' AS made",
    "EXPORT DATABASE '{}/made'",
    "INSTALL httpfs",
    "LOAD '{}/extension.so'",
    "PRAGMA database_list",
    "SHOW TABLES",
    "EXPLAIN SELECT * FROM t",
    "SELECT * INTO made FROM t",
    "SELECT * INTO OUTFILE '{}/made.csv' FROM t",
    "SELECT * FROM t; COPY t TO '{}/made.csv'",
    "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
    "WITH made AS (INSERT INTO t VALUES ('x') RETURNING *) SELECT * FROM made",
    "SELECT pg_read_file('{}/secret.csv') AS s FROM t",
    "SELECT load_file('{}/secret.csv') AS s FROM t",
    "SELECT getenv('HOME') AS s FROM t",
    "SELECT system('touch {}/made') AS s FROM t",
];

#[test]
fn a_query_reads_nothing_but_tables_and_writes_nothing() {
    let secret = "the secret";
    let fixture = Fixture::new();
    let folder = fixture.path("at stake");
    fs::create_dir(&folder).unwrap();
    for name in ["secret.csv", "secret.json", "secret.parquet", "secret.ipc"] {
        fs::write(folder.join(name), format!("rule\n{secret}\n")).unwrap();
    }
    let files = || -> BTreeMap<_, _> {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    let before = files();
    let rules: ArrayRef = <Option<Category> as Cells>::collect([Some("bp")].into_iter());
    let table = RecordBatch::try_from_iter_with_nullable([("rule", rules, true)]).unwrap();
    assert!(ESCAPES.len() >= 47);
    for escape in ESCAPES {
        let query = escape.replace("{}", folder.to_str().unwrap());
        // Another table than `t` is none of the pipeline's, and refused by the planner.
        let found = Query::parse(&query).and_then(|query| {
            let strange: Vec<_> = query.tables.iter().filter(|name| *name != "t").collect();
            if strange.is_empty() { query.run(&[("t", table.clone())]) } else { Err(format!("no table {strange:?}")) }
        });
        let message = found.expect_err(&query);
        assert!(!message.contains(secret), "{query}: {message}");
        assert_eq!(files(), before, "{query}");
    }
    // The same queries where Polars alone would stand between them and the files.
    for escape in ESCAPES {
        let query = escape.replace("{}", folder.to_str().unwrap());
        let mut context = polars::sql::SQLContext::new();
        if let Ok(result) = context.execute(&query).and_then(|plan| plan.collect()) {
            assert!(!format!("{result:?}").contains(secret), "{query}");
        }
        assert_eq!(files(), before, "{query}");
    }
}

#[test]
fn the_planner_says_where_a_query_leaves_the_tables() {
    let plan = |query: &str| {
        let text = format!(
            "[pipeline]\nname = \"small\"\ntitle = \"t\"\n[stages.data]\nkind = \"load\"\ndataset = \"tiny\"\n\
             [stages.query]\nkind = \"sql\"\nquery = \"\"\"{query}\"\"\"\n"
        );
        let output = Fixture::new().pipeline(&text).output(&["plan", "small"]);
        (output.status.code(), common::text(&output.stderr))
    };
    let (status, message) = plan("SELECT label FROM read_csv('data.csv')");
    assert_eq!(status, Some(2), "{message}");
    insta::assert_snapshot!(message, @r#"
     × pipelines/small.toml:9:30: the query: `read_csv` is called as a function, but a query reads nothing but tables, by their names
      ╭─[pipelines/small.toml:9:30]
    8 │ kind = "sql"
    9 │ query = """SELECT label FROM read_csv('data.csv')"""
      ·                              ────────
      ╰────
    "#);
    let (status, message) = plan("SELECT label FROM '/etc/passwd'");
    assert_eq!(status, Some(2), "{message}");
    insta::assert_snapshot!(message, @r#"
     × pipelines/small.toml:9:30: `query` reads table `'/etc/passwd'`, which no stage makes; the stages are: `data`
      ╭─[pipelines/small.toml:9:30]
    8 │ kind = "sql"
    9 │ query = """SELECT label FROM '/etc/passwd'"""
      ·                              ─────────────
      ╰────
     help: A table is called after the stage that makes it: `<stage>`, or `<stage>_<table>` where it makes several.
    "#);
    // A table of the query's own may have any name, and reads what it says.
    let (status, message) = plan("WITH read_csv AS (SELECT label FROM data) SELECT label FROM read_csv LIMIT 3");
    assert_eq!((status, message.as_str()), (Some(0), ""));
}
