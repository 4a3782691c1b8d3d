//! The command line, without logic.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What a plasticity rule does to a deep network: reproducible pipelines from training to figure.
#[derive(Debug, Parser)]
#[command(name = "ojaflow", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub roots: Roots,
}

#[derive(Debug, Args)]
pub(crate) struct Roots {
    /// Where results are published, and kept in `.store`
    #[arg(long, global = true, env = "OJAFLOW_OUTPUTS", default_value = "outputs", value_name = "DIR")]
    pub outputs: PathBuf,
    /// Where data sets are; if left out `data`, here or beside the folder of the pipeline's file
    #[arg(long, global = true, env = "OJAFLOW_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where pipelines are looked up by name; if left out `pipelines`, or the folder of the pipeline's file
    #[arg(long, global = true, env = "OJAFLOW_PIPELINES", value_name = "DIR")]
    pub pipelines: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline; without a name, list them
    Pipeline(PipelineArgs),
    /// Lay out a project in a folder, with a pipeline to run and to change
    Init(InitArgs),
    /// Begin a pipeline as a copy of another
    New(NewArgs),
    /// Show what would run and what is cached
    Plan(PlanArgs),
    /// Do a share of a pipeline: one worker of many, on one machine or on a cluster
    Work(WorkArgs),
    /// Write a file that has an engine start the workers: Slurm, HyperQueue or Snakemake
    Export(ExportArgs),
    /// Show how far the workers and runs of a pipeline are, from the store alone
    Status(StatusArgs),
    /// List the data sets and check them, or import one
    Data(DataArgs),
    /// Look after the kept results
    Store(StoreArgs),
    /// Put a published run into one file that anyone can check and run again
    Archive(ArchiveArgs),
    /// Check an archive: offline, every byte, without unpacking it
    Verify(VerifyArgs),
    /// Run an archive again in a scratch folder and compare table by table
    Reproduce(ReproduceArgs),
    /// What changed between two published runs, archives or pipelines
    Diff(DiffArgs),
    /// Write one page on published runs: figures, claims, equations, provenance
    Report(ReportArgs),
    /// List the terms of learning rules, or the rules that a pipeline runs
    Rules(RulesArgs),
    /// Print the JSON Schema of pipeline files
    Schema,
    /// Explain what can be written in a pipeline file, or describe the methods of a pipeline
    Explain(ExplainArgs),
    /// Print the script that completes commands in a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write manual pages into a folder
    Man {
        /// The folder, which is made if need be
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A kind of stage, `pipeline` or `claims`; the list of all topics if left out
    pub topic: Option<String>,
    /// How the page is written
    #[arg(long, value_enum, default_value_t)]
    pub format: PageFormat,
    /// Write all pages as Markdown into this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["topic", "methods"])]
    pub write: Option<PathBuf>,
    /// Describe the methods of a pipeline, as for a paper
    #[arg(long, value_name = "NAME", conflicts_with = "topic")]
    pub methods: Option<String>,
    /// The methods in LaTeX
    #[arg(long, requires = "methods")]
    pub latex: bool,
    /// Override one value of the TOML: `matrix.seed.count=3`; repeats
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "methods")]
    pub set: Vec<String>,
}

/// How a page of the reference is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageFormat {
    /// For a terminal.
    #[default]
    Text,
    /// As it stands in `docs/reference`.
    Markdown,
}

/// Shells that can be told what could come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// For `~/.bashrc`: `source <(ojaflow completions bash)`
    Bash,
    /// For `~/.zshrc`, after `compinit`: `source <(ojaflow completions zsh)`
    Zsh,
    /// For `~/.config/fish/completions/ojaflow.fish`: what is printed
    Fish,
}

#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline's name, or the path of its file
    pub name: Option<String>,
    #[command(flatten)]
    pub request: RequestArgs,
    /// Run anew although results are there: one stage, or all
    #[arg(long, value_name = "STAGE", num_args = 0..=1, default_missing_value = "")]
    pub force: Option<String>,
    #[command(flatten)]
    pub run: RunArgs,
    /// Show the plan and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Say at the end what each stage took
    #[arg(long)]
    pub timings: bool,
    /// Print one machine-readable record on stdout, and nothing else there
    #[arg(long)]
    pub json: bool,
}

/// How tasks are run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Tasks side by side; the number of cores if left out
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Go on with what does not depend on a task that failed; the failures are listed at the end
    #[arg(long)]
    pub keep_going: bool,
    /// Commit small results many to a file, where files are dear
    #[arg(long)]
    pub pack: bool,
    /// Seconds of work after which a long training leaves its state in the store, and again after as many; 0 for never
    ///
    /// If it is killed or interrupted, or the power fails, the same command goes on from the last state that it left, and ends
    /// with the same bytes. Who stops it by Ctrl-C loses no more than a tenth of the time. What was left is removed when the
    /// result is there; `store gc` removes what no run is to go on with.
    #[arg(
        long,
        env = "OJAFLOW_CHECKPOINT_SECONDS",
        value_name = "SECONDS",
        default_value = "300",
        value_parser = seconds,
        hide_short_help = true
    )]
    pub checkpoint_seconds: Duration,
    /// Fetch results that are not here from an object store: `s3://bucket/prefix`; nothing is written there
    ///
    /// What is there counts as missing in plans and dry runs, and is found by the run.
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
    /// Append a line of JSON to this file for each thing that happens
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Only what this stage needs
    #[arg(long, value_name = "STAGE")]
    pub to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Override one value of the TOML: `matrix.seed.count=3`; repeats
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The name to publish under
    #[arg(long = "as", value_name = "NAME")]
    pub publish_as: Option<String>,
    /// Memory that planning and tasks may take: `8GB`; what this machine has if left out
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Plan more than a million tasks
    #[arg(long)]
    pub large: bool,
    /// Judge the claims at growing numbers of runs until they are decided
    #[arg(long)]
    pub decide: bool,
    /// The numbers of runs at which claims are judged
    #[arg(long, value_delimiter = ',', value_name = "N,N,…", requires = "decide", default_value = "20,40,80,160")]
    pub looks: Vec<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder; it may be there already, if nothing that is written is
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The name of the new pipeline, and of its file among the pipelines
    pub name: String,
    /// The pipeline to copy, by name or path
    #[arg(long, value_name = "PIPELINE")]
    pub from: String,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The pipeline's name, or the path of its file
    pub name: String,
    #[command(flatten)]
    pub request: RequestArgs,
    /// Name what changed since the pipeline was published
    #[arg(long)]
    pub why: bool,
    /// Plan as if results were not there: those of one stage, or all
    #[arg(long, value_name = "STAGE", num_args = 0..=1, default_missing_value = "")]
    pub force: Option<String>,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// The pipeline's name, or the path of its file
    pub name: String,
    #[command(flatten)]
    pub request: RequestArgs,
    /// Which of how many shares: `3/8`; `auto/8` takes the number that the engine has set
    #[arg(long, value_name = "I/N")]
    pub shard: String,
    #[command(flatten)]
    pub run: RunArgs,
    /// Begin nothing after so long: `25m`, `90s`, `2h`
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Refuse unless the plan has this digest: `ojaflow export` writes it
    #[arg(long, value_name = "DIGEST")]
    pub expect: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The pipeline's name, or the path of its file
    pub name: String,
    /// The engine
    #[arg(long, value_enum)]
    pub to: Engine,
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Shares of the plan, each a job; if left out, so many that one takes 10 to 30 minutes by the plan's costs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub shards: Option<u32>,
    /// Tasks side by side in a job, and cores that it asks for
    #[arg(long, short, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: u32,
    /// The file to write; stdout if left out
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What starts workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A script that submits arrays of jobs: `sh FILE`.
    Slurm,
    /// A job file: `hq job submit-file FILE`.
    #[value(name = "hyperqueue")]
    HyperQueue,
    /// A Snakefile: `snakemake -s FILE`.
    Snakemake,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The pipeline's name, or the path of its file
    pub name: String,
    #[command(flatten)]
    pub request: RequestArgs,
    /// Print one machine-readable record
    #[arg(long)]
    pub json: bool,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table of stages.
    #[default]
    Text,
    /// Every task with its key.
    Json,
    /// Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    /// The name of a published run, or its folder
    pub name: String,
    /// The file to write; `NAME.tar.zst` if left out
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Large tables to put in as well, which running again makes anew
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    pub with: Vec<Part>,
    /// Write what was measured, and on which machine, to this file beside it
    #[arg(long, value_name = "FILE")]
    pub measurements: Option<PathBuf>,
}

/// Large tables that an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Weights,
    Activations,
    /// The pixels of the data sets.
    Images,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The archive
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// The archive
    pub file: PathBuf,
    /// Only what this stage needs
    #[arg(long, value_name = "STAGE")]
    pub to: Option<String>,
    /// Run in this folder, which must be empty or new, and keep it
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Write what was measured, and on which machine, to this file beside it
    #[arg(long, value_name = "FILE")]
    pub measurements: Option<PathBuf>,
    /// Tasks side by side; the number of cores if left out
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A published run (name or folder), an archive, or a pipeline (name or file)
    pub a: String,
    /// The other one
    pub b: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Published runs, by name or folder; all that there are if left out
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The page to write; a name that ends with `.md` gives the claims alone, in Markdown, with figures in `figures/` beside it
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,
    /// Write the table of verdicts into this Markdown file, between its comments `claims` and `end of claims`
    #[arg(long, value_name = "FILE")]
    pub table_in: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    pub action: Option<RulesAction>,
    /// The pipeline's name, or the path of its file
    pub name: Option<String>,
    /// Equations in LaTeX
    #[arg(long)]
    pub latex: bool,
    /// Override one value of the TOML: `rules.bp.gradient=0.02`; repeats
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "name")]
    pub set: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesAction {
    /// Begin a file with a term of your own, for pipelines to include
    New {
        /// The name of the term, and of its file among the pipelines' terms
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub action: Option<DataAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// Take over any IDX data set of 28×28 images from a folder
    Import {
        folder: PathBuf,
        /// The name that pipelines will use
        #[arg(long = "as", value_name = "NAME")]
        name: String,
    },
    /// Get MNIST and Fashion-MNIST from a folder or a URL, for all projects of this user
    ///
    /// Looked for are the four files of a set, by the names that its publisher gave them: in the place itself, and in `mnist` and
    /// `fashion_mnist` below it. Only what has the right checksums is taken. It goes into the user's data folder, where every
    /// project finds it, or into the folder of `--data`.
    Fetch {
        /// A folder, or `https://…`
        #[arg(value_name = "FOLDER_OR_URL")]
        source: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    pub action: Option<StoreAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreAction {
    /// What is kept, and for whom
    Ls,
    /// What takes the disk, and for whom
    ///
    /// Alone: results that no other pipeline refers to, which `gc` frees once the published folder is removed. Shared: results
    /// that others refer to as well. Published: what the folder itself takes beside the files that it holds together with the
    /// store.
    Du,
    /// Read every result again and compare it with its digest
    Verify {
        /// Read all that is published as well, and make anew what is damaged there; DIR as everywhere
        #[arg(long = "outputs", value_name = "DIR", num_args = 0..=1)]
        #[expect(clippy::option_option, reason = "left out, given, and given with a folder are three requests")]
        published: Option<Option<PathBuf>>,
        // The option of all commands has this name too, and would take the place of the one above: this one, which nobody
        // types, stands where it would go, and hands on what was said before the command.
        #[arg(id = "outputs", long = "outputs-root", hide = true)]
        root: Option<PathBuf>,
    },
    /// Put small results together, many to a file
    Pack,
    /// Send results to an object store, from where other machines pull them
    ///
    /// Credentials and the endpoint come from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and
    /// the like. What is there already is not sent again; interrupted, the same command goes on.
    Push {
        /// Where to: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///…`
        #[arg(value_name = "REMOTE")]
        remote: String,
        /// A pipeline, whose results are sent; all results of the store if left out
        name: Option<String>,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Fetch results from an object store, each checked against its digest
    ///
    /// What is here already is not fetched again; interrupted, the same command goes on. What came is kept for the pipeline
    /// until it has been run, as what an unfinished run made.
    Pull {
        /// Where from: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///…`
        #[arg(value_name = "REMOTE")]
        remote: String,
        /// A pipeline, whose results are fetched; all that there are if left out
        name: Option<String>,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Try whether an object store is fit: whether of many writers of one object exactly one wins
    Check {
        /// The place that `push` would write to
        #[arg(value_name = "REMOTE")]
        remote: String,
        /// How often writers race
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rounds: u32,
    },
    /// Remove what no published pipeline and no run, in flight or unfinished, refers to
    ///
    /// A run that was interrupted or failed is unfinished: what it made is kept, until the same command is given again and
    /// finishes, or for 30 days.
    Gc {
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
        /// Give unfinished runs up as well, and what they made
        #[arg(long)]
        unfinished: bool,
    },
}

/// A time in seconds, and parts of them.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
