//! What the program publishes, looked at from Python: replays, decompositions, intervals and queries computed again by
//! numpy and DuckDB, and the tables opened with the tools that people use. `tests/reference/README.md` says what is shown.
//!
//! The tests have an environment of their own, made here from pinned requirements. A machine on which it cannot be made
//! fails: a check that is skipped is no check.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch};
use ojaflow::flow::{Plan, Project, Request};
use ojaflow::plan;
use ojaflow::science::seed::{Purpose, Stream, stream};
use ojaflow::tables::cells::{Category, CellType, Float32List, Text, UInt8List};
use ojaflow::tables::frame::Cell;
use ojaflow::tables::parquet::{TableWriter, column_type};
use ojaflow::tables::sql::Query;
use ojaflow::tables::{Column, ColumnType, TableSchema};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn python_agrees() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let outputs = folder.path().join("outputs");
    let python = Python::prepared();
    // The networks that the replays are about.
    for name in
        ["replay", "rules", "divergence", "recurrent", "in_time", "measurements", "batches", "equations", "pathways"]
    {
        publish(folder.path(), &format!("{ROOT}/tests/reference/pipelines/{name}.toml"), &[]);
    }
    // What ships, with fewer runs.
    publish(folder.path(), "smoke", &[]);
    publish(folder.path(), "fig1", &["matrix.seed.count=2"]);
    publish(folder.path(), "fig4", &["matrix.seed.count=2", "stages.activations.samples=1000"]);
    make_up_queries(&outputs.join(".queries"));
    make_up_ties(&outputs.join(".queries/ties"));
    run_tests(python.tests(&format!("{ROOT}/tests/reference")).env("OJAFLOW_TEST_OUTPUTS", &outputs));
}

/// The package of `python/`, on this program, from its sources; `tests/wheel.sh` runs the same tests on the wheel.
#[test]
fn python_package() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let sources = format!("{ROOT}/python/src");
    let mut tests = Python::prepared().tests(&format!("{ROOT}/python/tests"));
    // Where there is nothing, so that nothing of the checkout is found by accident.
    tests.current_dir(folder.path()).arg("--basetemp").arg(folder.path().join("tests"));
    for name in ["OJAFLOW_PIPELINES", "OJAFLOW_OUTPUTS"] {
        tests.env_remove(name);
    }
    tests.env("OJAFLOW_PROGRAM", env!("CARGO_BIN_EXE_ojaflow")).env("OJAFLOW_DATA", format!("{ROOT}/data"));
    run_tests(tests.env("PYTHONPATH", sources));
}

/// No number of the READMEs' tables of speed was typed: they are what `benches/tables` writes from the newest kept run.
#[test]
fn tables_of_speed_are_those_of_the_kept_run() {
    let script = format!("{ROOT}/benches/peers/tables.py");
    let with = |python| Command::new(python).args(["-B", &script, "--check"]).output().ok();
    let output = ["python3", "python"].into_iter().find_map(with).expect("Python is on the PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the program in `folder`, with `outputs` in it.
fn publish(folder: &Path, pipeline: &str, overrides: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ojaflow"));
    command.current_dir(folder).env_clear().args(["pipeline", pipeline, "--quiet", "--outputs", "outputs"]);
    command.args(["--data", &format!("{ROOT}/data"), "--pipelines", &format!("{ROOT}/pipelines")]);
    for change in overrides {
        command.args(["--set", change]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{pipeline}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

// ------------------------------------------------------------------------------------------------- the environment

/// An interpreter with exactly the packages that a file requires.
pub struct Python(pub PathBuf);

impl Python {
    fn prepared() -> Self {
        Self::with("python", "tests/reference/requirements.txt")
    }

    /// Made where cargo keeps what tests leave behind, in a folder of this name, and made anew only when the requirements
    /// change.
    pub fn with(name: &str, requirements: &str) -> Self {
        let requirements = format!("{ROOT}/{requirements}");
        let wanted = fs::read_to_string(&requirements).unwrap();
        let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(home).unwrap();
        // Two test runs at once make one environment.
        let lock = File::create(home.join(format!("{name}.lock"))).unwrap();
        lock.lock().unwrap();
        let environment = home.join(name);
        let interpreter = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        // Written last, so an environment that was interrupted half-way is none.
        let stamp = environment.join("installed-requirements.txt");
        if fs::read_to_string(&stamp).ok().as_deref() == Some(wanted.as_str()) && succeeds(&interpreter, &["--version"])
        {
            return Self(interpreter);
        }
        let _ = fs::remove_dir_all(&environment);
        let path = environment.to_str().unwrap();
        let made = ["python3", "python"].iter().any(|python| {
            succeeds(Path::new(python), &["-c", "import sys; assert sys.version_info >= (3, 11)"])
                && succeeds(Path::new(python), &["-m", "venv", path])
        });
        assert!(
            made,
            "this test needs Python 3.11 or later with `venv` (Debian: `apt install python3 python3-venv`), on the PATH \
             as python3 or python"
        );
        let install =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r"];
        let installed = Command::new(&interpreter).args(install).arg(&requirements).output().unwrap();
        assert!(
            installed.status.success(),
            "pip could not install {requirements}; it needs a package index or a cache of it:\n{}",
            String::from_utf8_lossy(&installed.stderr)
        );
        fs::write(&stamp, wanted).unwrap();
        Self(interpreter)
    }

    /// pytest on a folder of tests.
    fn tests(&self, folder: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "--tb=short", "--durations=5", folder]);
        // The matrices are small: threads would cost more than they give, and cargo runs other tests beside this one.
        command.env("OPENBLAS_NUM_THREADS", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

fn run_tests(tests: &mut Command) {
    let output = tests.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!report.contains(" skipped"), "a check that is skipped is no check:\n{report}");
    println!("{report}");
}

fn succeeds(program: &Path, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

// ------------------------------------------------------------------------------------------------- made-up tables

/// Rows of a made-up table: enough that conditions on several columns meet some.
const N_ROWS: u32 = 600;

/// For every query of every pipeline that ships, whatever it takes to run in full: tables of the right columns, filled at
/// random, and what our SQL makes of them. The other side is test_sql.py.
fn make_up_queries(folder: &Path) {
    let pipelines = Path::new(ROOT).join("pipelines");
    for name in plan::names(&pipelines) {
        let plan = Project::at(ROOT).plan(&Request::new(&name), None).unwrap().level.plan;
        for stage in plan.main().stages.iter().filter(|stage| stage.kind == "sql") {
            let folder = folder.join(&name).join(&stage.name);
            fs::create_dir_all(folder.join("tables")).unwrap();
            make_up_query(&plan, stage.grid.tasks[0], &folder);
        }
    }
}

/// Queries that leave ties or name no order, and the same with their whole order written out, as DuckDB has to be told.
const TIES: &[(&str, &str, &str)] = &[
    ("no_order", "SELECT step, rule, x FROM t", "SELECT step, rule, x FROM t ORDER BY ALL NULLS FIRST"),
    (
        "ties",
        "SELECT rule, step, x FROM t ORDER BY step DESC",
        "SELECT rule, step, x FROM t ORDER BY step DESC NULLS FIRST, rule NULLS FIRST, x NULLS FIRST",
    ),
    (
        "ties_and_limit",
        "SELECT rule, x FROM t ORDER BY step DESC LIMIT 17 OFFSET 3",
        "SELECT rule, x FROM t ORDER BY step DESC NULLS FIRST, rule NULLS FIRST, x NULLS FIRST LIMIT 17 OFFSET 3",
    ),
    (
        "limit",
        "SELECT x, rule FROM t LIMIT 9",
        "SELECT x, rule FROM t ORDER BY x NULLS FIRST, rule NULLS FIRST LIMIT 9",
    ),
    (
        "group_and_limit",
        "SELECT step, COUNT(*) AS n, SUM(x) AS s FROM t GROUP BY step ORDER BY n LIMIT 4",
        "SELECT step, COUNT(*) AS n, SUM(x) AS s FROM t GROUP BY step ORDER BY n, step NULLS FIRST LIMIT 4",
    ),
    (
        "within_a_table",
        "WITH q AS (SELECT rule, step, x FROM t ORDER BY step LIMIT 50) SELECT rule, AVG(x) AS m FROM q GROUP BY rule",
        "WITH q AS (SELECT rule, step, x FROM t ORDER BY step, rule NULLS FIRST, x NULLS FIRST LIMIT 50) \
         SELECT rule, AVG(x) AS m FROM q GROUP BY rule ORDER BY rule NULLS FIRST",
    ),
    (
        "first_and_last",
        "SELECT rule, FIRST(x) AS f, LAST(step) AS l FROM t GROUP BY rule",
        "SELECT rule, FIRST(x ORDER BY step NULLS FIRST, x NULLS FIRST) AS f, \
         LAST(step ORDER BY step NULLS FIRST, x NULLS FIRST) AS l FROM t GROUP BY rule ORDER BY rule NULLS FIRST",
    ),
    (
        "one_of_each",
        "SELECT DISTINCT ON (step) step, rule, x FROM t ORDER BY step",
        "SELECT DISTINCT ON (step) step, rule, x FROM t ORDER BY step, rule NULLS FIRST, x NULLS FIRST",
    ),
    (
        "window",
        "SELECT step, rule, x, ROW_NUMBER() OVER (PARTITION BY step ORDER BY rule) AS n FROM t WHERE rule IS NOT NULL",
        "SELECT step, rule, x, ROW_NUMBER() OVER (PARTITION BY step ORDER BY rule, x NULLS FIRST) AS n FROM t \
         WHERE rule IS NOT NULL ORDER BY ALL NULLS FIRST",
    ),
];

/// [`TIES`] over a table in which almost everything ties.
fn make_up_ties(folder: &Path) {
    let columns = [("rule", ColumnType::Category), ("step", ColumnType::Int64), ("x", ColumnType::Float64)];
    let columns = columns.map(|(name, kind)| Column { nullable: name != "step", ..Column::new(name, kind, "", "") });
    let schema = TableSchema::new("ties", 1, columns.to_vec(), &[]);
    let mut random = stream(u64::from(N_ROWS), Purpose::Task, 1);
    let pool = Pool { texts: ["bp", "oja", "both"].map(str::to_owned).to_vec(), numbers: vec![0.0, 1.0, 2.0, 3.5] };
    let cells = schema.columns.iter().map(|column| pool.column(column, &mut random)).collect();
    let table = RecordBatch::try_new(schema.to_arrow(), cells).unwrap();
    for (name, ours, theirs) in TIES {
        let folder = folder.join(name);
        fs::create_dir_all(folder.join("tables")).unwrap();
        write(&folder.join("tables/t.parquet"), &schema, &table);
        write_result(&folder, &Query::parse(ours).unwrap().run(&[("t", table.clone())]).unwrap());
        fs::write(folder.join("query.sql"), theirs).unwrap();
    }
}

fn make_up_query(plan: &Plan, task: usize, folder: &Path) {
    let task = &plan.tasks[task];
    let parameters = task.work.parameters();
    let text = parameters["query"].as_str().unwrap();
    let query = Query::parse(text).unwrap();
    let mut random = stream(u64::from(N_ROWS), Purpose::Task, 0);
    let pool = Pool::new(plan, text);
    let mut tables = Vec::new();
    for input in &task.gathered {
        let columns: Vec<ArrayRef> =
            input.schema.columns.iter().map(|column| pool.column(column, &mut random)).collect();
        let batch = RecordBatch::try_new(input.schema.to_arrow(), columns).unwrap();
        write(&folder.join(format!("tables/{}.parquet", input.name)), &input.schema, &batch);
        tables.push((input.name.as_str(), batch));
    }
    write_result(folder, &query.run(&tables).unwrap());
    fs::write(folder.join("query.sql"), text).unwrap();
}

fn write_result(folder: &Path, result: &RecordBatch) {
    let found = result.schema();
    let columns = found.fields().iter().map(|field| Column {
        name: field.name().clone().into(),
        nullable: true,
        ..Column::new("", column_type(field.data_type()).unwrap(), "", "")
    });
    let schema = TableSchema::new("sql", 1, columns.collect(), &[]);
    write(&folder.join("result.parquet"), &schema, result);
}

fn write(path: &Path, schema: &TableSchema, batch: &RecordBatch) {
    let mut writer = TableWriter::new(File::create(path).unwrap(), schema.clone(), "made up").unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

/// What made-up cells are drawn from: what the query compares with, what the pipeline's axes hold, and little else, so
/// that rows meet in joins and conditions.
struct Pool {
    texts: Vec<String>,
    numbers: Vec<f64>,
}

impl Pool {
    fn new(plan: &Plan, query: &str) -> Self {
        let mut texts = BTreeSet::from(["other".to_owned()]);
        for (_, cells) in &plan.main().axes {
            texts.extend(cells.iter().filter_map(|cell| match cell {
                Cell::Text(text) => Some(text.to_string()),
                _ => None,
            }));
        }
        // Every second piece between quotes is a literal.
        texts.extend(query.split('\'').skip(1).step_by(2).map(str::to_owned));
        let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'));
        // And the next larger number, so that `>` meets something too.
        let literals = words.filter_map(|word| word.parse::<f64>().ok()).flat_map(|number| [number, number + 1.0]);
        Self { texts: texts.into_iter().collect(), numbers: [0.0, 1.0, 2.0, 3.0].into_iter().chain(literals).collect() }
    }

    fn column(&self, column: &Column, random: &mut Stream) -> ArrayRef {
        let mut cells = |make: &mut dyn FnMut(&mut Stream) -> f64| -> Vec<Option<f64>> {
            (0..N_ROWS)
                .map(|_| if column.nullable && random.below(10) == 0 { None } else { Some(make(random)) })
                .collect()
        };
        let whole: Vec<f64> = self.numbers.iter().copied().filter(|number| number.fract() == 0.0).collect();
        let pick = |pool: &[f64], random: &mut Stream| pool[random.below(pool.len() as u32) as usize];
        match column.kind {
            ColumnType::Int32 => {
                let cells = cells(&mut |random| pick(&whole, random));
                Arc::new(cells.into_iter().map(|cell| cell.map(|x| x as i32)).collect::<Int32Array>())
            }
            ColumnType::Int64 => {
                let cells = cells(&mut |random| pick(&whole, random));
                Arc::new(cells.into_iter().map(|cell| cell.map(|x| x as i64)).collect::<Int64Array>())
            }
            ColumnType::Float64 => {
                let mut make = |random: &mut Stream| match random.below(3) {
                    0 => pick(&self.numbers, random),
                    _ => random.uniform_f64(),
                };
                Arc::new(cells(&mut make).into_iter().collect::<Float64Array>())
            }
            ColumnType::Category | ColumnType::Text => {
                let cells = cells(&mut |random| f64::from(random.below(self.texts.len() as u32)));
                let texts = cells.iter().map(|cell| cell.map(|index| self.texts[index as usize].as_str()));
                if column.kind == ColumnType::Category { Category::collect(texts) } else { Text::collect(texts) }
            }
            ColumnType::Boolean => {
                let cells = cells(&mut |random| f64::from(random.below(2)));
                Arc::new(arrow::array::BooleanArray::from_iter(cells.into_iter().map(|cell| cell.map(|x| x == 1.0))))
            }
            ColumnType::Float32List => {
                let values: Vec<f32> = (0..2 * N_ROWS).map(|_| pick(&whole, random) as f32).collect();
                Float32List::collect_all(values.chunks(2))
            }
            ColumnType::UInt8List => {
                let values: Vec<u8> = (0..2 * N_ROWS).map(|_| random.below(256) as u8).collect();
                UInt8List::collect_all(values.chunks(2))
            }
        }
    }
}
