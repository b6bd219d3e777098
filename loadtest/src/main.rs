//! `consilium-loadtest`: puts load on a node and says what came back. See `docs/load-testing.md`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use consilium_loadtest::{
    awake,
    capacity::{Table, Wanted},
    compare::Comparison,
    report::Report,
    run::{self, RunOptions, Stop},
    scenario::{Profile, Scenario},
    target::Target,
    usage,
};
use huge_pages::HugePages;
use tokio::task::LocalSet;

/// Puts load on a Consilium node, or on what others run, and measures what comes back.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a scenario once; ends with 1 where it was not good enough.
    Run(Options),
    /// Adds consults step by step until p99 delay or loss is not good enough, and names the last good step.
    Ramp(Options),
    /// Holds a report against an earlier one; ends with 1 where something became worse.
    Compare(Compare),
    /// Says what so many consults need: nodes, cores, memory, bandwidth.
    Plan(Plan),
    /// Keeps a core awake; `run --keep-awake` begins and ends it.
    #[command(name = awake::COMMAND, hide = true)]
    Spin {
        /// Its number.
        core: usize,
    },
}

#[derive(Args)]
struct Compare {
    /// The earlier report, JSON of `run`.
    first: PathBuf,
    /// The later one.
    second: PathBuf,
    /// How much more is no change, in percent.
    #[arg(long, default_value_t = 10.0)]
    tolerance: f64,
}

#[derive(Args)]
struct Plan {
    /// How many consults at one time; without it 100, 1,000, 10,000 and 100,000.
    #[arg(long)]
    consults: Option<u32>,
    /// People in each.
    #[arg(long, default_value_t = 3)]
    participants: u32,
    /// What they send.
    #[arg(long, value_enum, default_value = "full")]
    profile: Profile,
    /// How long a consult lasts, in minutes.
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Cores of a node.
    #[arg(long, default_value_t = 8)]
    cores: u32,
}

#[derive(Args)]
struct Options {
    /// The scenario, a TOML file.
    scenario: PathBuf,
    /// `http://ADDRESS:PORT` of a node, `floor:ADDRESS:PORT`, or `janus:ws://ADDRESS:PORT`.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    target: String,
    /// A file whose first line is an API key of the node.
    #[arg(long)]
    api_key_file: Option<PathBuf>,
    /// Instead of the scenario's number of consults; for `ramp`, where it begins.
    #[arg(long)]
    consults: Option<u32>,
    /// Instead of the scenario's number of people in a consult.
    #[arg(long)]
    participants: Option<u32>,
    /// Instead of the scenario's measuring window, in seconds.
    #[arg(long)]
    duration: Option<f64>,
    /// The server's process on this machine, to measure its processor time and memory.
    #[arg(long)]
    server_pid: Option<u32>,
    /// How the server is restarted, for scenarios that do: run by `sh -c`.
    #[arg(long)]
    restart_command: Option<String>,
    /// Cores for the harness, such as 1 or 1,2: a media thread on each.
    #[arg(long, value_delimiter = ',')]
    cores: Vec<usize>,
    /// Keeps the cores of server and harness from halting while the window lasts: in a virtual machine the host gives halted
    /// cores away, and what it then takes to have them back looks like the server's delay.
    #[arg(long)]
    keep_awake: bool,
    /// Writes the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes the report as a page for people; for `ramp`, its last good step's.
    #[arg(long)]
    html: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("consilium-loadtest: {error}");
            ExitCode::from(2)
        }
    }
}

type Failure = Box<dyn std::error::Error>;

fn execute(command: Command) -> Result<bool, Failure> {
    let (options, is_ramp) = match command {
        Command::Run(options) => (options, false),
        Command::Ramp(options) => (options, true),
        Command::Compare(compare) => return compare.execute(),
        Command::Plan(plan) => return Ok(plan.execute()),
        Command::Spin { core } => return Ok(awake::spin(core).map(|()| true)?),
    };
    let scenario = options.scenario()?;
    let key = options.api_key_file.as_ref().map(std::fs::read_to_string).transpose()?;
    let target = Target::parse(&options.target, key)?;
    usage::raise_file_limit();
    if !options.cores.is_empty() {
        usage::pin(&options.cores)?;
    }
    let run_options = RunOptions {
        cores: options.cores.clone(),
        server_pid: options.server_pid,
        restart_command: options.restart_command.clone(),
        keep_awake: options.keep_awake,
        progress: true,
        stop: Stop::default(),
    };
    // Without a thread for it, it is done without.
    let _huge_pages = HugePages::begin().ok();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let everything = async {
        tokio::task::spawn_local(stop_at_interrupt(run_options.stop.clone()));
        if is_ramp {
            return ramp(&scenario, &target, &run_options, &options).await;
        }
        let report = run::run(&scenario, &target, &run_options).await?;
        println!("{report}");
        options.write_json(&report)?;
        options.write_page(&report)?;
        Ok(report.is_good())
    };
    LocalSet::new().block_on(&runtime, everything)
}

/// Ctrl-C ends the run with a report of what there was; once more ends it at once.
async fn stop_at_interrupt(stop: Stop) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if stop.is_asked() {
            std::process::exit(130);
        }
        eprintln!("\ncoming to an end; once more ends it at once");
        stop.ask();
    }
}

async fn ramp(
    scenario: &Scenario,
    target: &Target,
    run_options: &RunOptions,
    options: &Options,
) -> Result<bool, Failure> {
    let tell = |report: &Report| println!("{}", report.line());
    let (reports, good) = run::ramp(scenario, target, run_options, tell).await?;
    println!("good enough up to {good} consults");
    options.write_json(&serde_json::json!({ "good_consults": good, "steps": reports }))?;
    if let Some(report) = reports.iter().rfind(|report| report.is_good()).or(reports.last()) {
        options.write_page(report)?;
    }
    Ok(good > 0)
}

impl Compare {
    fn execute(&self) -> Result<bool, Failure> {
        let read = |path: &PathBuf| -> Result<Report, Failure> {
            let text = std::fs::read_to_string(path)?;
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
        };
        let comparison = Comparison::new(&read(&self.first)?, &read(&self.second)?, self.tolerance);
        println!("{comparison}");
        Ok(comparison.is_good())
    }
}

impl Plan {
    fn execute(&self) -> bool {
        let wanted = Wanted {
            consults: 0.0,
            participants: f64::from(self.participants),
            profile: self.profile,
            minutes: self.minutes.max(0.1),
            cores_per_node: f64::from(self.cores.max(1)),
        };
        let consults = match self.consults {
            Some(consults) => vec![f64::from(consults)],
            None => vec![100.0, 1_000.0, 10_000.0, 100_000.0],
        };
        println!("{}", Table { wanted, consults });
        true
    }
}

impl Options {
    /// The scenario with what the command line changes.
    fn scenario(&self) -> Result<Scenario, Failure> {
        let mut scenario = Scenario::load(&self.scenario)?;
        scenario.consults.count = self.consults.unwrap_or(scenario.consults.count);
        scenario.consults.participants = self.participants.unwrap_or(scenario.consults.participants);
        scenario.run.measure_s = self.duration.unwrap_or(scenario.run.measure_s);
        scenario.check()?;
        Ok(scenario)
    }

    fn write_page(&self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.html {
            let name = self.scenario.file_stem().unwrap_or_default().to_string_lossy();
            std::fs::write(path, report.page(&format!("Load test: {name}"), &self.target))?;
        }
        Ok(())
    }

    fn write_json(&self, value: &impl serde::Serialize) -> Result<(), Failure> {
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_vec_pretty(value)?)?;
        }
        Ok(())
    }
}
