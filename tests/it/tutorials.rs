//! The tutorials of `docs/tutorials`, carried out: every command in an `sh` block, and every change of a pipeline that a `toml`
//! block describes, in the order in which a reader comes to them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{ojaflow, root, text};

/// A reader who follows a tutorial.
struct Reader {
    /// Removed with the reader.
    _home: tempfile::TempDir,
    /// Where the last `cd` led.
    folder: PathBuf,
}

/// A fenced block: the words behind the fence, and what is inside.
struct Block {
    language: String,
    /// `title="less_data.toml"` and the like.
    options: Vec<(String, String)>,
    text: String,
}

fn blocks(tutorial: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join("docs/tutorials").join(tutorial)).unwrap();
    let mut blocks = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, from)) = rest.split_once("\n```") {
        let (head, body) = from.split_once('\n').unwrap();
        let (text, behind) = body.split_once("\n```\n").expect("a block ends");
        let (language, options) = head.split_once(' ').unwrap_or((head, ""));
        let quoted: Vec<&str> = options.split('"').collect();
        let options =
            quoted.chunks_exact(2).map(|pair| (pair[0].trim().trim_end_matches('=').to_owned(), pair[1].to_owned()));
        let mut options: Vec<_> = options.collect();
        if head.ends_with("no-test") {
            options.push(("no-test".to_owned(), String::new()));
        }
        blocks.push(Block { language: language.to_owned(), options, text: text.to_owned() });
        rest = behind;
    }
    blocks
}

impl Block {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(option, _)| option == name).map(|(_, value)| value.as_str())
    }
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().to_owned();
        Self { _home: home, folder }
    }

    /// Follows a tutorial to its end; `fewer` is what makes its long commands short. What the commands printed.
    fn follow(&mut self, tutorial: &str, fewer: impl Fn(&str) -> Vec<String>) -> Vec<String> {
        let mut said = Vec::new();
        for block in blocks(tutorial) {
            match block.language.as_str() {
                "sh" if block.option("no-test").is_none() => {
                    for line in block.text.lines() {
                        said.push(self.command(line, &fewer(line)));
                    }
                }
                "toml" => self.edit(&block),
                _ => {}
            }
        }
        said
    }

    fn command(&mut self, line: &str, more: &[String]) -> String {
        if let Some(folder) = line.strip_prefix("cd ") {
            self.folder = self.folder.join(folder);
            return String::new();
        }
        let words = words(line);
        let arguments = words.strip_prefix(&["ojaflow".to_owned()]).expect("a tutorial's commands are ours");
        let mut command = ojaflow();
        command.current_dir(&self.folder).env("OJAFLOW_DATA", root().join("data")).args(arguments).args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Puts a block where the tutorial says: under a table's head, or in the place of a table.
    fn edit(&self, block: &Block) {
        let file = self.folder.join("pipelines").join(block.option("title").expect("a change names its file"));
        let old = fs::read_to_string(&file).unwrap();
        let new = match (block.option("under"), block.option("replace")) {
            (Some(head), None) => {
                let (before, after) = old.split_once(&format!("\n{head}\n")).expect("the head is there");
                format!("{before}\n{head}\n{}\n{after}", block.text)
            }
            (None, Some(head)) => {
                let (before, after) = old.split_once(&format!("\n{head}")).expect("the table is there");
                let behind = after.find("\n[").map_or("", |end| &after[end..]);
                format!("{before}\n{}\n{behind}", block.text)
            }
            _ => panic!("a change is under a head or in the place of a table"),
        };
        fs::write(&file, new).unwrap();
    }
}

/// The words of a command line, with single quotes as a shell has them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (number, part) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        let mut pieces = part.split(' ');
        words.last_mut().unwrap().push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}

fn nothing(_: &str) -> Vec<String> {
    Vec::new()
}

#[test]
fn a_figure_is_reproduced() {
    let mut reader = Reader::new();
    // The whole figure takes a minute: the test's is as small as the first look, under the name of the whole.
    let fewer = |line: &str| match line {
        "ojaflow pipeline fig4" => ["--set", "matrix.seed.count=3", "--as", "fig4"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    };
    let said = reader.follow("1_reproduce_a_figure.md", fewer);
    assert!(said[0].contains("C6   undecided"), "{}", said[0]);
    assert!(said[1].contains("0 tasks run"), "what was computed is not computed again: {}", said[1]);
    assert!(said.last().unwrap().ends_with(" identical, 0 within tolerance, 0 with the same values, 0 different\n"));
    assert!(reader.folder.join("report.html").is_file());
}

#[test]
fn a_question_is_asked() {
    let mut reader = Reader::new();
    let said = reader.follow("2_your_own_question.md", nothing);
    let [.., planned, run, _, checked, _, diff] = &said[..] else { panic!("{said:?}") };
    // Ten trainings of 1,000 digits with softplus, and the images.
    assert!(planned.contains("11 cached"), "{planned}");
    assert!(run.contains("activation = tanh, samples = 500"), "each part of the claim is judged: {run}");
    assert!(checked.contains("moves W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1})"), "{checked}");
    assert!(diff.contains("mine"), "{diff}");
}

#[test]
fn a_claim_is_judged() {
    let mut reader = Reader::new();
    let fewer = |line: &str| match line.starts_with("ojaflow pipeline fig1") {
        true => vec!["--dry-run".to_owned()],
        false => Vec::new(),
    };
    let said = reader.follow("3_judge_a_claim.md", fewer);
    let tutorial = fs::read_to_string(root().join("docs/tutorials/3_judge_a_claim.md")).unwrap();
    // The lines that the tutorial shows are those that the command prints.
    for line in &blocks("3_judge_a_claim.md")
        .iter()
        .find(|block| block.language == "text")
        .unwrap()
        .text
        .lines()
        .collect::<Vec<_>>()
    {
        assert!(said[2].contains(line), "{line}\n{}", said[2]);
    }
    assert!(said[3].contains("M1   refuted") && said[3].contains("decided at 20 of 5, 10, 20, 40 runs"), "{}", said[3]);
    assert!(
        said[3].contains("-0.09577 [-0.1939, -0.03689]") && tutorial.contains("−0.096 [−0.194, −0.037]"),
        "{}",
        said[3]
    );
}

#[test]
fn every_page_is_followed_and_leads_to_pages_that_are_there() {
    let folder = root().join("docs/tutorials");
    let mut pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let names: Vec<_> = pages.iter().map(|page| page.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["1_reproduce_a_figure.md", "2_your_own_question.md", "3_judge_a_claim.md"]);
    for page in &pages {
        for link in
            fs::read_to_string(page).unwrap().split("](").skip(1).map(|link| link.split(')').next().unwrap().to_owned())
        {
            assert!(folder.join(&link).exists() || Path::new(&link).is_absolute(), "{}: {link}", page.display());
        }
    }
}
