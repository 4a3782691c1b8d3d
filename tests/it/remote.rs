//! Results that travel by way of an S3 server, `tests/s3/server.py`: it honours conditional puts and checks every signature.
//!
//! A machine on which the server cannot be made fails: a check that is skipped is no check.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Fixture, RACE, SMALL, SMALL_TASKS, root, text};
use crate::python::Python;

/// One server for all tests, each in a prefix of its own. It ends with the process of the tests, when nobody talks to it.
struct Server {
    port: u16,
    key: String,
    secret: String,
    line: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let python = Python::with("s3", "tests/s3/requirements.txt");
        let mut command = Command::new(python.0);
        command.arg("-B").arg(root().join("tests/s3/server.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut from = BufReader::new(child.stdout.take().unwrap());
        let mut hello = String::new();
        from.read_line(&mut hello).unwrap();
        let [port, key, secret] = hello.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{hello:?}") };
        Server {
            port: port.parse().unwrap(),
            key: key.to_owned(),
            secret: secret.to_owned(),
            line: Mutex::new((child.stdin.take().unwrap(), from)),
            _child: child,
        }
    })
}

impl Server {
    /// What the server says of its objects.
    fn ask(&self, words: &str) -> String {
        let mut line = self.line.lock().unwrap();
        writeln!(line.0, "{words}").unwrap();
        let mut answer = String::new();
        line.1.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    fn objects(&self, prefix: &str) -> usize {
        self.ask(&format!("list {prefix}/")).parse().unwrap()
    }
}

/// `ojaflow` in a project, with the way to the server.
fn at_port(fixture: &Fixture, port: u16, args: &[&str]) -> Command {
    let mut command = fixture.command(args);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AWS_") || name.to_lowercase().ends_with("_proxy")) {
            command.env_remove(name);
        }
    }
    let server = server();
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    command.env("AWS_ACCESS_KEY_ID", &server.key).env("AWS_SECRET_ACCESS_KEY", &server.secret);
    command
}

fn run(fixture: &Fixture, args: &[&str]) -> Output {
    at_port(fixture, server().port, args).output().unwrap()
}

fn succeeds(fixture: &Fixture, args: &[&str]) -> String {
    let output = run(fixture, args);
    assert!(output.status.success(), "{args:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What a command says that has to fail with this status.
fn fails(mut command: Command, status: i32) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{command:?}\n{said}");
    said
}

/// Runs the pipeline and gives its record.
fn record(fixture: &Fixture, options: &[&str]) -> Value {
    let args: Vec<&str> = ["pipeline", "small", "--json"].iter().chain(options).copied().collect();
    serde_json::from_str(&succeeds(fixture, &args)).unwrap()
}

/// A line that is cut after so many bytes to the server, or from it, and stays cut.
struct Cut {
    port: u16,
    passed: Arc<AtomicI64>,
}

impl Cut {
    fn after(bytes: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicI64::new(bytes));
        let passed = Arc::new(AtomicI64::new(0));
        let (counted, server) = (passed.clone(), server().port);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if left.load(Ordering::Relaxed) <= 0 {
                    continue;
                }
                let Ok(to) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                for (mut from, mut to) in [(client.try_clone().unwrap(), to.try_clone().unwrap()), (to, client)] {
                    let (left, passed) = (left.clone(), counted.clone());
                    thread::spawn(move || {
                        let mut buffer = [0; 1 << 14];
                        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
                            if left.fetch_sub(bytes as i64, Ordering::Relaxed) < bytes as i64 {
                                break;
                            }
                            passed.fetch_add(bytes as i64, Ordering::Relaxed);
                            if to.write_all(&buffer[..bytes]).is_err() {
                                break;
                            }
                        }
                        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        Self { port, passed }
    }
}

#[test]
fn what_is_pushed_and_pulled_into_an_empty_store_leaves_nothing_to_run() {
    let here = Fixture::new().pipeline(SMALL).run();
    let remote = "s3://results/whole";
    let sent = succeeds(&here, &["store", "push", remote, "small"]);
    assert!(
        sent.starts_with(&format!("{SMALL_TASKS} results (")) && sent.contains("sent to s3://results/whole"),
        "{sent}"
    );
    let objects = server().objects("whole");
    let again = succeeds(&here, &["store", "push", &format!("{remote}/")]);
    assert!(again.starts_with("0 results (0 B)") && again.contains("12 were there already"), "{again}");
    assert_eq!(server().objects("whole"), objects);

    let there = Fixture::new().pipeline(SMALL);
    let fetched = succeeds(&there, &["store", "pull", remote, "small"]);
    assert!(fetched.starts_with("12 results (") && fetched.contains("fetched from"), "{fetched}");
    // Nothing is published yet, and nothing is lost.
    let swept = there.stdout(&["store", "gc"]);
    assert!(swept.starts_with("0 results (0 B) removed, 12 kept"), "{swept}");
    let there = there.run().hits_all().verified();
    assert_eq!(here.digests("small"), there.digests("small"));
    let again = succeeds(&there, &["store", "pull", remote]);
    assert!(again.starts_with("0 results (0 B)") && again.contains("12 were there already"), "{again}");

    // Without a name: everything, whoever made it.
    let all = Fixture::new().pipeline(SMALL);
    assert!(succeeds(&all, &["store", "pull", remote]).starts_with("12 results ("));
    all.run().hits_all().verified();
}

#[test]
fn a_run_reads_from_a_remote_as_from_a_second_store() {
    let here = Fixture::new().pipeline(SMALL).run();
    let remote = "s3://results/second";
    succeeds(&here, &["store", "push", remote]);
    let objects = server().objects("second");
    let there = Fixture::new().pipeline(SMALL);
    let run = record(&there, &["--remote", remote]);
    assert_eq!((&run["tasks_run"], &run["tasks_cached"]), (&0.into(), &SMALL_TASKS.into()), "{run}");
    assert_eq!(here.digests("small"), there.digests("small"));
    // What is not there is made here, and stays here.
    let more = there.edit("count = 2", "count = 3");
    let run = record(&more, &["--remote", remote]);
    assert_eq!((&run["tasks_run"], &run["tasks_cached"]), (&7.into(), &9.into()), "{run}");
    assert_eq!(server().objects("second"), objects, "nothing is written there");
    more.assert_verified();
}

#[test]
fn workers_read_from_a_remote_too_and_what_lies_in_packs_travels() {
    let here = Fixture::new().pipeline(SMALL);
    succeeds(&here, &["pipeline", "small", "--pack"]);
    let remote = "s3://results/packed";
    let sent = succeeds(&here, &["store", "push", remote, "small"]);
    assert!(sent.starts_with(&format!("{SMALL_TASKS} results (")), "{sent}");
    let there = Fixture::new().pipeline(SMALL);
    let worked = succeeds(&there, &["work", "small", "--shard", "1/2", "--pack", "--remote", remote]);
    assert!(worked.starts_with("share 1 of 2: 0 tasks run"), "{worked}");
    let standing: Value = serde_json::from_str(&succeeds(&there, &["status", "small", "--json"])).unwrap();
    assert_eq!((&standing["done"], &standing["left"]), (&9.into(), &3.into()), "{standing}");
    let run = record(&there, &["--remote", remote]);
    assert_eq!(run["tasks_run"], 0, "{run}");
    assert_eq!(here.digests("small"), there.digests("small"));
    there.assert_verified();
}

#[test]
fn what_was_set_is_what_travels() {
    let here = Fixture::new().pipeline(SMALL).run();
    let remote = "s3://results/set";
    let one_seed = ["--set", "matrix.seed.count=1"];
    let sent = succeeds(&here, &[&["store", "push", remote, "small"], &one_seed[..]].concat());
    // The bootstrap over one seed was not made here, nor what is judged by it.
    assert!(sent.starts_with("5 results (") && sent.contains("3 of the plan are not in this store"), "{sent}");
    let there = Fixture::new().pipeline(SMALL);
    let fetched = succeeds(&there, &[&["store", "pull", remote, "small"], &one_seed[..]].concat());
    assert!(fetched.starts_with("5 results ("), "{fetched}");
    let astray = fails(at_port(&here, server().port, &["store", "push", remote, "--set", "matrix.seed.count=1"]), 2);
    assert!(astray.contains("say which pipeline"), "{astray}");
}

#[test]
fn the_levels_of_a_plan_are_found_one_after_the_other() {
    let here = Fixture::new().pipeline(RACE);
    let made = record(&here, &[]);
    let remote = "s3://results/levels";
    succeeds(&here, &["store", "push", remote, "small"]);
    let there = Fixture::new().pipeline(RACE);
    let run = record(&there, &["--remote", remote]);
    assert_eq!(run["tasks_run"], 0, "{run}");
    let pulled = Fixture::new().pipeline(RACE);
    succeeds(&pulled, &["store", "pull", remote, "small"]);
    let run = record(&pulled, &[]);
    assert_eq!(run["tasks_run"], 0, "{run}");
    assert!(made["tasks_run"].as_u64() > Some(10));
    assert_eq!(here.digests("small"), pulled.digests("small"));
}

fn race(rounds: usize) {
    let (folder, prefix) = (Fixture::new(), format!("races-{rounds}"));
    let remote = format!("s3://results/{prefix}");
    let said = succeeds(&folder, &["store", "check", &remote, "--rounds", &rounds.to_string()]);
    assert!(said.starts_with(&format!("{remote} is fit for results")), "{said}");
    let raced = format!("in each of {rounds} races of 16 writers one won, and its bytes stood");
    assert!(said.contains(&raced), "{said}");
    assert_eq!(server().objects(&prefix), 0, "no probe stays");
}

#[test]
fn of_writers_who_race_one_wins_each_time() {
    race(20);
}

/// A server in Python takes half a minute for it, or more.
#[test]
#[ignore = "a minute: races"]
fn of_writers_who_race_two_hundred_times_one_wins_each_time() {
    race(200);
}

#[test]
fn a_bucket_in_which_two_win_is_refused() {
    let folder = Fixture::new();
    let said = fails(at_port(&folder, server().port, &["store", "check", "s3://careless/x"]), 1);
    assert!(said.contains("s3://careless/x is not fit for results: in round 1, "), "{said}");
    assert!(said.contains("of 16 writers were told they had won") && said.contains("If-None-Match"), "{said}");
}

#[test]
fn after_a_cut_line_the_same_command_goes_on() {
    // A file of more than one part, and smaller ones.
    let large = SMALL.replace("[784, 12, 10]", "[784, 1000, 10]");
    let here = Fixture::new().pipeline(&large).run();
    let largest = std::fs::metadata(here.stored("weights.parquet")).unwrap().len();
    assert!(largest > 5 << 20, "{largest}");
    let push = ["store", "push", "s3://results/cut", "small"];
    for bytes in [2_000, 400_000, 7_000_000, 12_000_000] {
        let line = Cut::after(bytes);
        let started = Instant::now();
        let said = fails(at_port(&here, line.port, &push), 1);
        assert!(said.contains("cannot ") && said.contains("s3://results/cut"), "{said}");
        assert!(said.contains(&format!("http://127.0.0.1:{} cannot be reached", line.port)), "{said}");
        assert!(said.contains("The same command given again goes on where this one stopped."), "{said}");
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }
    let before = server().objects("cut");
    assert!(before > 0, "something arrived");
    let line = Cut::after(i64::MAX);
    let sent = at_port(&here, line.port, &push).output().unwrap();
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let all: u64 = here.files().iter().map(|file| std::fs::metadata(here.outputs().join(file)).unwrap().len()).sum();
    assert!((line.passed.load(Ordering::Relaxed) as u64) < all, "what was there is not sent again");
    assert!(server().objects("cut") > before);

    let there = Fixture::new().pipeline(&large);
    let pull = ["store", "pull", "s3://results/cut", "small"];
    for bytes in [2_000, 3_000_000, 12_000_000] {
        let line = Cut::after(bytes);
        let said = fails(at_port(&there, line.port, &pull), 1);
        assert!(said.contains("The same command given again goes on where this one stopped."), "{said}");
        there.assert_verified();
    }
    succeeds(&there, &pull);
    there.run().hits_all().verified();
}

#[test]
fn a_flipped_bit_there_is_named_and_the_others_travel() {
    let here = Fixture::new().pipeline(SMALL).run();
    let remote = "s3://results/flipped";
    succeeds(&here, &["store", "push", remote]);
    let name = server().ask("flip flipped/objects/");
    let digest = name.rsplit('/').next().unwrap();
    let there = Fixture::new().pipeline(SMALL);
    let said = fails(at_port(&there, server().port, &["store", "pull", remote, "small"]), 1);
    assert!(said.contains("11 results ("), "{said}");
    assert!(said.contains(&format!("s3://results/{name} is damaged: its digest is ")), "{said}");
    assert!(said.contains(&format!(" where {digest} was committed")), "{said}");
    assert!(said.contains("1 results on s3://results/flipped are damaged and were not taken"), "{said}");
    assert!(said.contains("\n  it is of results/"), "{said}");
    assert!(said.contains("then push again from a store that has them"), "{said}");
    there.assert_verified();
    // A run says so, and makes what is damaged.
    let other = Fixture::new().pipeline(SMALL);
    let output = run(&other, &["pipeline", "small", "--remote", remote]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains(&format!("{name} is damaged")), "{said}");
    assert!(text(&output.stdout).contains("1 tasks run, 11 from the store"), "{}", text(&output.stdout));
    // What the message says helps.
    assert_eq!(here.digests("small"), there.run().digests("small"));
}

#[test]
fn whoever_is_refused_or_finds_nobody_is_told_why_and_what_to_do_within_seconds() {
    let folder = Fixture::new().pipeline(SMALL);
    let port = server().port;
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let told = |change: Option<(&str, &str)>, url: &str, words: &[&str]| {
        for args in [&["store", "push", url][..], &["store", "pull", url, "small"], &["store", "check", url]] {
            let mut command = at_port(&folder, port, args);
            command.envs(change);
            let started = Instant::now();
            let said = fails(command, 1);
            assert!(started.elapsed() < Duration::from_secs(15), "{:?}: {said}", started.elapsed());
            assert!(words.iter().all(|word| said.contains(word)) && said.contains(url), "{said}");
            assert!(said.lines().count() >= 2, "with what to do: {said}");
        }
    };
    let credentials = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    told(
        Some(("AWS_ACCESS_KEY_ID", "AKIAnobody")),
        "s3://results/refused",
        &["the credentials are refused (InvalidAccessKeyId", credentials],
    );
    told(
        Some(("AWS_SECRET_ACCESS_KEY", "wrong")),
        "s3://results/refused",
        &["the credentials are refused (SignatureDoesNotMatch", credentials],
    );
    told(None, "s3://nobodys/x", &["there is no such bucket", "Create it"]);
    let nobody = format!("http://127.0.0.1:{unused}");
    told(
        Some(("AWS_ENDPOINT_URL", &nobody)),
        "s3://results/x",
        &[&format!("{nobody} cannot be reached"), "refused", "is AWS_ENDPOINT_URL right?"],
    );
    assert!(!folder.outputs().exists(), "nothing was noted for the sake of what cannot come");
    let refused = fails(at_port(&folder, port, &["pipeline", "small", "--remote", "s3://nobodys/x"]), 1);
    assert!(refused.contains("there is no such bucket"), "{refused}");
    let wrong = fails(at_port(&folder, port, &["store", "push", "results/x"]), 2);
    assert!(wrong.contains("`results/x` is no place for results") && wrong.contains("`s3://bucket/prefix`"), "{wrong}");
}
