//! Instructions a packet, counted by callgrind and held against `instructions.toml`: a regression shows on a noisy machine.
//!
//! `instructions check` fails when a figure is worse by more than [`TOLERANCE`]; `instructions write` renews the table.
//! Both run this program again under valgrind (`instructions run`, with a name for one case only, as
//! `callgrind_annotate` wants it). Valgrind shows the program a CPU without AVX-512, so
//! the cipher takes another way than it would without valgrind: figures are for comparing one state of the code with
//! another, on machines of about the same kind.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path, process::Command};

use media_benches::{
    Case, PAYLOAD_BYTES,
    crowd::{self, Crowd},
    forward::{BURSTS, Consult, FAN_OUTS, Forward},
    srtp::{Bare, Direction, Srtp},
    traffic::Traffic,
};
use media_engine::transport::srtp::Profile;

/// What a figure may be worse by: hash tables have random keys.
const TOLERANCE: f64 = 0.03;
const WARM_UP_RUNS: usize = 10;
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");
const TABLE_HEAD: &str = "# Instructions a sent packet (SRTP: a packet), engine and floor; `make bench-instructions` holds new figures against\n\
                          # these, `instructions write` renews them.\n";

type Table = BTreeMap<String, f64>;

fn main() {
    match env::args().nth(1).as_deref() {
        Some("run") => run(),
        Some("write") => write(&count()),
        Some("check") => check(&count()),
        _ => {
            eprintln!("usage: instructions check|write");
            std::process::exit(2);
        }
    }
}

/// As callgrind calls [`measured_by_callgrind`].
const MEASURED: &str = "instructions::measured_by_callgrind";

/// The function whose calls are counted, one dump a call.
#[inline(never)]
fn measured_by_callgrind(case: &mut dyn Case) {
    case.run();
}

/// Runs every case; each line tells the case whose dump comes next, and how many units it stands for.
fn run() {
    let only = env::args().nth(2);
    let each = |name: &str, case: &mut dyn Case| {
        if only.as_ref().is_some_and(|only| only != name) {
            return;
        }
        // Until caches and lists have taken their memory.
        for _ in 0..WARM_UP_RUNS {
            case.prepare();
            case.run();
        }
        case.prepare();
        measured_by_callgrind(case);
        println!("{name} {}", case.units());
    };
    for (verb, direction) in [("open", Direction::Open), ("seal", Direction::Seal)] {
        for bytes in PAYLOAD_BYTES {
            let (name, profile) = (format!("srtp/{verb}/{bytes}"), Profile::AeadAes128Gcm);
            each(&format!("{name}/floor"), &mut Bare::new(direction, profile, bytes));
            each(&name, &mut Srtp::new(direction, profile, bytes));
        }
    }
    for fan_out in FAN_OUTS {
        let mut consult = Consult::new(fan_out);
        for bytes in PAYLOAD_BYTES {
            for burst in BURSTS {
                let name = format!("forward/1-to-{fan_out}/{bytes}/burst-{burst}");
                each(&format!("{name}/floor"), &mut Forward::floor(fan_out, bytes, burst));
                each(&name, &mut Forward::new(&mut consult, bytes, burst));
            }
        }
    }
    each("traffic/floor", &mut Traffic::floor());
    each("traffic", &mut Traffic::new());
    let consults = crowd::CONSULTS[0];
    each(&format!("crowd/{consults}/floor"), &mut Crowd::floor(consults));
    each(&format!("crowd/{consults}"), &mut Crowd::new(consults));
}

/// This program under valgrind: cases by name with instructions a unit.
fn count() -> Table {
    let folder = env::temp_dir().join(format!("instructions-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for dumps");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .args(["--toggle-collect", "--dump-after"].map(|option| format!("{option}={MEASURED}")))
        .arg(format!("--callgrind-out-file={}", folder.join("dump").display()))
        .arg(env::current_exe().expect("this program"))
        .arg("run")
        .output()
        .expect("valgrind, which `make bench-instructions` installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases = String::from_utf8(output.stdout).expect("text");
    let mut table = Table::new();
    for (number, line) in (1..).zip(cases.lines()) {
        let (name, units) = line.split_once(' ').expect("a name and a count");
        let units: f64 = units.parse().expect("a count");
        table.insert(name.to_owned(), (instructions(&folder.join(format!("dump.{number}"))) / units).round());
    }
    fs::remove_dir_all(&folder).expect("the dumps are gone");
    table
}

fn instructions(dump: &Path) -> f64 {
    let text = fs::read_to_string(dump).expect("a dump for each case");
    let total = text.lines().find_map(|line| line.strip_prefix("summary: ")).expect("its summary");
    total.trim().parse().expect("a count")
}

fn write(table: &Table) {
    let mut text = String::from(TABLE_HEAD);
    for (name, count) in table {
        writeln!(text, "\"{name}\" = {count}").expect("a string takes everything");
    }
    fs::write(TABLE, text).expect("the table is written");
    show(table, table);
}

fn show(table: &Table, before: &Table) {
    println!("{:<34} {:>9} {:>9} {:>9} {:>6}", "instructions a packet", "before", "now", "floor", "ratio");
    for (name, now) in table.iter().filter(|(name, _)| !name.ends_with("/floor")) {
        let earlier = before.get(name).copied().unwrap_or(f64::NAN);
        let floor = table.get(&format!("{name}/floor")).copied().unwrap_or(f64::NAN);
        println!("{name:<34} {earlier:>9} {now:>9} {floor:>9} {:>6.2}", now / floor);
    }
}

fn check(table: &Table) {
    let text = fs::read_to_string(TABLE).expect("the table");
    let before: Table = toml::from_str(&text).expect("names and counts");
    show(table, &before);
    let is_worse = |name: &String, now: f64| before.get(name).is_none_or(|b| now > b * (1.0 + TOLERANCE));
    let worse: Vec<_> = table.iter().filter(|(name, now)| is_worse(name, **now)).map(|(n, _)| n).collect();
    if !worse.is_empty() {
        eprintln!("worse by more than {} %, or new: {worse:?}", TOLERANCE * 100.0);
        std::process::exit(1);
    }
}
