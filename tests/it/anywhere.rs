//! The program away from its sources: in an empty folder, with the pipelines that it carries and data sets that it was given.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use ojaflow::flow::{Project, Request};

use crate::common::{ojaflow, root, text};

/// The program in a folder, with a home of its own.
fn in_folder(folder: &Path, home: &Path) -> Command {
    let mut command = ojaflow();
    command.current_dir(folder).env("XDG_DATA_HOME", home);
    command
}

fn fine(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

fn refused(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{}", text(&output.stdout));
    text(&output.stderr).to_owned()
}

/// Serves a folder to one client after the other until the test ends.
fn serve(folder: &'static Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut asked).unwrap();
            while reader.read_line(&mut String::new()).unwrap() > 2 {}
            let path = asked.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
            let (status, body) = match fs::read(folder.join(&path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    format!("http://{address}")
}

#[test]
fn pipelines_that_come_with_the_program_run_in_an_empty_folder() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |args: &[&str]| in_folder(folder.path(), home.path()).args(args).output().unwrap();
    let listed = fine(&run(&["pipeline"]));
    assert!(listed.contains("\nfig4 ") && listed.contains("\nlocal_rules "), "{listed}");
    let without = refused(&run(&["pipeline", "smoke"]), 2);
    assert!(without.contains("ojaflow:/smoke.toml:") && without.contains("pip install ojaflow-data"), "{without}");

    let taken = fine(&run(&["data", "fetch", root().join("data").to_str().unwrap()]));
    assert!(taken.contains("mnist: 60000 training") && taken.contains("fashion_mnist: 60000 training"), "{taken}");
    assert!(home.path().join("ojaflow/data/mnist/dataset.toml").is_file());
    fine(&run(&["pipeline", "smoke", "--set", "matrix.seed.count=1"]));
    // With its own name beside the coefficients and terms that the program carries.
    let planned = fine(&run(&["plan", "pathways", "--set", "matrix.seed.count=1"]));
    assert!(planned.contains("tasks:"), "{planned}");
    // Its archive holds the pipeline as a project does.
    fine(&run(&["pipeline", "smoke", "--set", "matrix.seed.count=1", "--as", "one"]));
    fine(&run(&["archive", "one", "-o", home.path().join("one.tar.zst").to_str().unwrap()]));
    let again = fine(&run(&["reproduce", home.path().join("one.tar.zst").to_str().unwrap(), "--to", "accuracy"]));
    assert!(again.contains("0 different"), "{again}");
    let published = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(published.collect::<Vec<_>>(), ["outputs"], "nothing else is left behind");
}

#[test]
fn the_same_pipeline_has_the_same_keys_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Project { pipelines: folder.path().join("pipelines"), ..Project::at(root()) };
    for name in ["fig1", "pathways", "all"] {
        let keys = |project: &Project| {
            let plan = project.plan(&Request::new(name), None).unwrap().level.plan;
            plan.tasks.iter().map(|task| task.key.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(keys(&elsewhere), keys(&Project::at(root())), "{name}");
    }
}

#[test]
fn own_pipelines_and_coefficients_stand_before_those_of_the_program() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fine(&in_folder(folder.path(), home.path()).args(["new", "fig4", "--from", "smoke"]).output().unwrap());
    let listed = fine(&in_folder(folder.path(), home.path()).arg("pipeline").output().unwrap());
    let (own, carried) = listed.split_once("with the program:").unwrap();
    assert!(own.contains("\nfig4 ") && !carried.contains("\nfig4 "), "{listed}");

    let coefficients = folder.path().join("pipelines/coefficients");
    fs::create_dir(&coefficients).unwrap();
    let table = fs::read_to_string(root().join("pipelines/coefficients/tune.toml")).unwrap();
    fs::write(coefficients.join("mine.toml"), table.replace("pipeline = \"tune\"", "pipeline = \"mine\"")).unwrap();
    let project = Project { pipelines: folder.path().join("pipelines"), ..Project::at(root()) };
    let plan = project.plan(&Request::new("fig1"), None).unwrap().level.plan;
    let sources: Vec<_> = plan.main().sources.iter().map(|source| source.path.display().to_string()).collect();
    assert_eq!(sources, ["coefficients/mine.toml"]);
}

#[test]
fn a_project_is_laid_out_and_runs() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fine(&in_folder(folder.path(), home.path()).args(["init", "mine"]).output().unwrap());
    let mine = folder.path().join("mine");
    let schema = fs::read_to_string(root().join("pipelines/schema.json")).unwrap();
    assert!(fs::read_to_string(mine.join("pipelines/schema.json")).unwrap() == schema, "the same schema");
    let run =
        |args: &[&str]| in_folder(&mine, home.path()).env("OJAFLOW_DATA", root().join("data")).args(args).output();
    let done = fine(&run(&["pipeline", "first", "--set", "matrix.seed.count=2"]).unwrap());
    assert!(done.contains("M1   undecided"), "{done}");
    // Nothing that is there is written over.
    let again = refused(&in_folder(folder.path(), home.path()).args(["init", "mine"]).output().unwrap(), 2);
    assert!(again.contains("is there already"), "{again}");
}

#[test]
fn a_new_pipeline_is_a_copy_under_its_own_name() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = |args: &[&str]| {
        in_folder(folder.path(), home.path()).env("OJAFLOW_DATA", root().join("data")).args(args).output().unwrap()
    };
    for pipeline in ojaflow::plan::names(&root().join("pipelines")) {
        let name = format!("my_{pipeline}");
        fine(&run(&["new", &name, "--from", &pipeline]));
        let text = fs::read_to_string(folder.path().join(format!("pipelines/{name}.toml"))).unwrap();
        assert!(text.starts_with(&format!("#:schema schema.json\n# Begun as a copy of {pipeline}.\n#")), "{text}");
        let original = fs::read_to_string(root().join(format!("pipelines/{pipeline}.toml"))).unwrap();
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(comments(&text), comments(&original) + 1, "{pipeline}: comments stay");
        let read: toml::Table = text.parse().unwrap();
        assert_eq!((read["pipeline"]["name"].as_str(), read["pipeline"].get("figure")), (Some(name.as_str()), None));
    }
    fine(&run(&["plan", "my_fig1"]));
    assert!(refused(&run(&["new", "my_fig1", "--from", "fig1"]), 2).contains("is there already"));
    assert!(refused(&run(&["new", "a/b", "--from", "fig1"]), 2).contains("cannot name a pipeline"));
    assert!(refused(&run(&["new", "mine", "--from", "fig11"]), 2).contains("Did you mean `fig1`?"));
}

#[cfg(feature = "remote")]
#[test]
fn data_sets_come_from_a_web_server_if_their_checksums_hold() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let fetch = |source: &str| in_folder(folder.path(), home.path()).args(["data", "fetch", source]).output().unwrap();
    let served = serve(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data")));
    // The files of one set, in the place itself.
    assert!(fine(&fetch(&format!("{served}/mnist/"))).starts_with("mnist: 60000"));
    let listed = fine(&in_folder(folder.path(), home.path()).arg("data").output().unwrap());
    assert_eq!(listed.matches("checksum holds").count(), 4, "{listed}");
    assert!(refused(&fetch(&format!("{served}/nothing")), 1).contains("has neither MNIST nor Fashion-MNIST"));
    assert!(refused(&fetch("http://127.0.0.1:1/"), 1).contains("Connection refused"));
}

#[test]
fn a_set_with_other_checksums_is_not_taken_for_mnist() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tiny = crate::common::tiny_data().join("tiny");
    let said = in_folder(folder.path(), home.path()).args(["data", "fetch"]).arg(&tiny).output().unwrap();
    assert!(refused(&said, 1).contains("another set in"), "{}", text(&said.stderr));
    assert!(!home.path().join("ojaflow").exists());
}
