//! House rules that a machine can hold us to. `docs/ARCHITECTURE.md` says why; a rule worth having is a test.

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/modules.rs"]
mod modules;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/sources.rs"]
mod sources;
#[path = "tidy/words.rs"]
mod words;

use sources::Source;

/// Fails with every finding, not only the first.
fn report(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

#[test]
fn files_and_functions_can_be_read_in_one_sitting() {
    report("at most 500 lines a file and 70 a function", shape::too_long(&Source::all()));
}

#[test]
fn the_allow_list_only_shrinks() {
    report("an exception that is no longer needed has to go", shape::stale_exceptions(&Source::all()));
}

#[test]
fn every_file_says_what_it_is_for() {
    report("a Rust file begins with a //! line", shape::without_introduction(&Source::all()));
}

#[test]
fn imports_go_down_only() {
    report("a crate depends on lower floors only", floors::upward_dependencies());
}

#[test]
fn lower_floors_are_sans_io() {
    report("no clock, thread, lock, socket or unseeded randomness", floors::impurities(&Source::all()));
}

#[test]
fn the_rtc_crates_stay_behind_their_borders() {
    report(
        "rtc crates are named in transport/ and sdp/ only",
        floors::rtc_outside_its_border(&Source::all()),
    );
}

#[test]
fn nothing_that_is_delivered_plants_faults() {
    report("planted-faults is for its own test only", floors::planted_faults_in_a_release());
}

#[test]
fn sql_stays_in_the_store() {
    report("no SQL outside control-api/src/store/", floors::sql_outside_the_store(&Source::all()));
}

#[test]
fn modules_of_a_crate_form_no_circle() {
    report("modules import each other in one direction", modules::circles(&Source::all()));
}

#[test]
fn rfcs_are_cited_in_one_form() {
    report("RFC 8445 §7.3", words::odd_citations(&Source::all()));
}

#[test]
fn every_test_asserts_something() {
    report("a test without an assertion cannot fail", words::tests_without_assertion(&Source::all()));
}

#[test]
fn outside_bytes_are_never_trusted() {
    report("no unwrap, expect or indexing on what came from outside", words::trusting(&Source::all()));
}

#[test]
fn the_repository_speaks_of_the_product_alone() {
    report("no machine's paths, no registry's host", words::foreign_words());
}

#[test]
fn the_safeguards_name_code_and_tests_that_are_there() {
    report("docs/hipaa.md names what is not there", documents::unfounded_safeguards());
}

#[test]
fn the_runbook_knows_every_name() {
    report("docs/runbook.md has a row for it", documents::missing_from_runbook());
}
