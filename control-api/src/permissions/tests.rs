//! The matrix, cell by cell, against what `docs/control-api.md` promises; then the rules as behaviours.

use media_model::{ConsultId, Role};

use super::{
    About, Act, BreakGlass, BreakGlassReason, CloseError, GlassState, Ground, Person, Reason, Relation,
    Scope, Scopes, Subject, TenantRole, Verdict, may, table,
};
use crate::ids::{BreakGlassId, PersonId};

const DOCUMENT: &str = include_str!("../../../docs/control-api.md");
const ROLES: [Role; 6] =
    [Role::Patient, Role::Provider, Role::Nurse, Role::Interpreter, Role::Guardian, Role::Observer];
const COLUMNS: [&str; 12] = [
    "patient",
    "provider",
    "nurse",
    "interpreter",
    "guardian",
    "observer",
    "clinician",
    "admin",
    "auditor",
    "broken glass",
    "API client",
    "shell",
];
const MINUTE_MS: i64 = 60_000;

const ASKING: PersonId = PersonId::from_bytes([1; 16]);
const PATIENT: PersonId = PersonId::from_bytes([2; 16]);
const ANOTHER: PersonId = PersonId::from_bytes([3; 16]);
const CONSULT: ConsultId = ConsultId::from_bytes([4; 16]);
const GLASS: BreakGlassId = BreakGlassId::from_bytes([5; 16]);

/// What the document promises for each act, in the order of [`COLUMNS`].
fn promised() -> Vec<(Act, Vec<&'static str>)> {
    let mut rows = Vec::new();
    let mut is_in_table = false;
    for line in DOCUMENT.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if cells[0] == "act" {
            assert_eq!(cells[1..], COLUMNS);
            is_in_table = true;
        } else if !line.starts_with('|') {
            is_in_table = false;
        } else if is_in_table && !cells[0].starts_with('-') {
            let act = cells[0].trim_matches('`').parse().expect("an act that the code knows");
            rows.push((act, cells[1..].to_vec()));
        }
    }
    rows
}

fn nobody() -> Person {
    Person { id: ASKING, standing: None, tenant_role: None, mfa: true }
}

fn clinician() -> Person {
    Person { standing: Some(Role::Provider), ..nobody() }
}

fn relation(act: Act, role: Option<Role>) -> Relation {
    match table::row(act).about {
        About::Visit => Relation::to_visit(CONSULT, Some(PATIENT), role),
        About::Patient => Relation::to_patient(PATIENT, role),
        About::Tenant => Relation::to_tenant().of(ANOTHER),
    }
}

fn glass() -> BreakGlass {
    BreakGlass::open(GLASS, &Subject::Person(clinician()), PATIENT, 0)
        .expect("a clinician with a second factor")
}

/// The person who wears one column's hat, and how they stand to what the act is about.
fn wearing(column: &str, act: Act) -> (Person, Relation) {
    match column {
        "clinician" => (clinician(), relation(act, None)),
        "admin" => (Person { tenant_role: Some(TenantRole::Admin), ..nobody() }, relation(act, None)),
        "auditor" => (Person { tenant_role: Some(TenantRole::Auditor), ..nobody() }, relation(act, None)),
        "broken glass" => (clinician(), relation(act, None).under(&glass(), MINUTE_MS)),
        role => {
            let role = ROLES.into_iter().find(|known| known.as_str() == role);
            (nobody(), relation(act, Some(role.expect("a role"))))
        }
    }
}

fn is_granted(person: Person, act: Act, relation: Relation) -> bool {
    matches!(may(&Subject::Person(person), act, &relation), Verdict::Granted(_))
}

/// What the code does in one cell of a person, in the document's words.
fn person_cell(column: &str, act: Act) -> &'static str {
    let (person, relation) = wearing(column, act);
    let with_mfa = is_granted(person, act, relation);
    let without = is_granted(Person { mfa: false, ..person }, act, relation);
    let on_oneself = is_granted(person, act, relation.of(person.id));
    match (with_mfa, without, on_oneself) {
        (true, true, true) => "yes",
        (true, false, true) => "MFA",
        (true, false, false) => "others",
        (false, false, false) => "–",
        odd => panic!("{act} for {column}: {odd:?}"),
    }
}

/// What the code does for an API client, in the document's words.
fn client_cell(act: Act) -> String {
    let relation = relation(act, None);
    let verdict = |scopes| may(&Subject::Client(scopes), act, &relation);
    let alone = |scope: &&Scope| matches!(verdict(Scopes::from_iter([**scope])), Verdict::Granted(_));
    let asks_for_person =
        |scope: &&Scope| verdict(Scopes::from_iter([**scope])) == Verdict::Refused(Reason::PersonNeeded);
    let granting: Vec<&Scope> = Scope::ALL.iter().filter(alone).collect();
    let asking: Vec<&Scope> = Scope::ALL.iter().filter(asks_for_person).collect();
    match (granting[..].first(), asking[..].first()) {
        (Some(scope), None) if granting.len() == 1 => format!("`{scope}`"),
        (None, Some(scope)) if asking.len() == 1 => format!("`{scope}` for a person"),
        (None, None) => {
            assert_eq!(verdict(Scopes::all()), Verdict::Refused(Reason::NotForClients), "{act}");
            "–".to_owned()
        }
        odd => panic!("{act}: {odd:?}"),
    }
}

#[test]
fn the_document_promises_every_act_once_and_in_order() {
    let acts: Vec<Act> = promised().into_iter().map(|(act, _)| act).collect();
    assert_eq!(acts, Act::ALL);
}

#[test]
fn every_cell_is_what_the_document_promises() {
    let mut findings = Vec::new();
    for (act, cells) in promised() {
        for (column, expected) in COLUMNS.into_iter().zip(cells) {
            let found = match column {
                "API client" => client_cell(act),
                "shell" => {
                    let verdict = may(&Subject::Shell, act, &relation(act, None));
                    if matches!(verdict, Verdict::Granted(_)) { "yes" } else { "–" }.to_owned()
                }
                // A broken glass is a clinician's: what being one grants by itself is not its doing.
                "broken glass" if person_cell("clinician", act) != "–" => "–".to_owned(),
                person => person_cell(person, act).to_owned(),
            };
            if found != expected {
                findings.push(format!("{act} for {column}: {found}, promised {expected}"));
            }
        }
    }
    assert_eq!(findings, Vec::<String>::new());
}

#[test]
fn every_reason_is_documented() {
    for reason in Reason::ALL {
        assert!(DOCUMENT.contains(&format!("| `{reason}` |")), "{reason}");
    }
}

#[test]
fn a_back_end_may_for_a_person_what_both_may() {
    for (act, cells) in promised() {
        for (column, role) in COLUMNS.into_iter().zip(ROLES) {
            let (person, relation) = wearing(column, act);
            let asserted = |scopes| may(&Subject::Asserted { scopes, person }, act, &relation);
            let is_promised = person_cell(column, act) == "yes" && cells[10] != "–";
            let expected = is_promised.then_some(Verdict::Granted(Ground::Role(role)));
            let found = asserted(Scopes::all());
            assert_eq!(expected.is_some(), matches!(found, Verdict::Granted(_)), "{act} for {column}");
            assert!(expected.is_none_or(|expected| expected == found), "{act} for {column}: {found:?}");
            assert!(matches!(asserted(Scopes::NONE), Verdict::Refused(_)), "{act} for {column}");
        }
    }
}

#[test]
fn a_visit_s_token_opens_its_visit_s_chat_as_the_role_may_and_nothing_else() {
    for (act, cells) in promised() {
        for (cell, role) in cells.into_iter().zip(ROLES) {
            let visitor = |consult| Subject::Visitor { person: ASKING, consult, role };
            let here = may(&visitor(CONSULT), act, &relation(act, None));
            let is_of_chat = matches!(act, Act::ReadChat | Act::WriteChat);
            assert_eq!(matches!(here, Verdict::Granted(_)), cell == "yes" && is_of_chat, "{act} as {role:?}");
            assert_eq!(super::is_for_visitors(act), is_of_chat, "{act}");
            if table::row(act).about == About::Visit && !is_of_chat {
                assert_eq!(here, Verdict::Refused(Reason::NotByVisit), "{act} as {role:?}");
            }
            let elsewhere = may(&visitor(ConsultId::from_bytes([9; 16])), act, &relation(act, Some(role)));
            assert_eq!(elsewhere, Verdict::Refused(Reason::OtherVisit), "{act} as {role:?}");
        }
    }
}

#[test]
fn a_provider_sees_only_patients_with_whom_an_appointment_exists() {
    let provider = Subject::Person(clinician());
    for act in [Act::ReadPerson, Act::BookAppointment, Act::ReadConsents] {
        let stranger = may(&provider, act, &Relation::to_patient(PATIENT, None));
        assert_eq!(stranger, Verdict::Refused(Reason::NotConcerned), "{act}");
        let theirs = may(&provider, act, &Relation::to_patient(PATIENT, Some(Role::Provider)));
        assert_eq!(theirs, Verdict::Granted(Ground::Role(Role::Provider)), "{act}");
    }
    let notes = may(&provider, Act::ReadNotes, &Relation::to_visit(CONSULT, Some(PATIENT), None));
    assert_eq!(notes, Verdict::Refused(Reason::NotConcerned));
}

#[test]
fn an_admin_reads_no_notes_no_reasons_no_chat_and_no_audit() {
    let admin = Subject::Person(Person { tenant_role: Some(TenantRole::Admin), ..clinician() });
    for act in [Act::ReadNotes, Act::ReadReason, Act::ReadChat, Act::SeeAudit, Act::Join] {
        assert_eq!(may(&admin, act, &relation(act, None)), Verdict::Refused(Reason::RoleForbids), "{act}");
    }
}

#[test]
fn the_chat_is_written_in_by_the_roles_that_signaling_lets_write() {
    for role in Role::ALL {
        let visitor = Subject::Visitor { person: ASKING, consult: CONSULT, role };
        let verdict = may(&visitor, Act::WriteChat, &Relation::to_visit(CONSULT, Some(PATIENT), Some(role)));
        assert_eq!(matches!(verdict, Verdict::Granted(_)), role.writes_chat(), "{role:?}");
    }
}

#[test]
fn everyone_is_patient_to_their_own_record_and_to_no_other() {
    let person = Subject::Person(nobody());
    let own = may(&person, Act::ReadPerson, &Relation::to_patient(ASKING, None));
    assert_eq!(own, Verdict::Granted(Ground::Role(Role::Patient)));
    let other = may(&person, Act::ReadPerson, &Relation::to_patient(PATIENT, None));
    assert_eq!(other, Verdict::Refused(Reason::NotConcerned));
}

#[test]
fn the_glass_breaks_for_a_clinician_with_mfa_and_for_nobody_else() {
    let open = |subject: Subject| BreakGlass::open(GLASS, &subject, PATIENT, 0).map(|_| ());
    assert_eq!(open(Subject::Person(clinician())), Ok(()));
    assert_eq!(open(Subject::Person(Person { mfa: false, ..clinician() })), Err(Reason::MfaNeeded));
    assert_eq!(open(Subject::Person(nobody())), Err(Reason::NotConcerned));
    assert_eq!(open(Subject::Person(Person { id: PATIENT, ..clinician() })), Err(Reason::NotOnOneself));
    assert_eq!(open(Subject::Client(Scopes::all())), Err(Reason::NotForClients));
    let asserted = Subject::Asserted { scopes: Scopes::all(), person: clinician() };
    assert_eq!(open(asserted), Err(Reason::NotForClients));
    assert_eq!(open(Subject::Shell), Err(Reason::NotFromShell));
}

#[test]
fn a_broken_glass_opens_one_patient_s_door_for_an_hour_to_who_broke_it() {
    let notes = |person: Person, patient, now_ms| {
        let relation = Relation::to_visit(CONSULT, Some(patient), None).under(&glass(), now_ms);
        may(&Subject::Person(person), Act::ReadNotes, &relation)
    };
    let granted = Verdict::Granted(Ground::BreakGlass(GLASS));
    assert_eq!(notes(clinician(), PATIENT, 0), granted);
    assert_eq!(notes(clinician(), PATIENT, 60 * MINUTE_MS - 1), granted);
    let refused = Verdict::Refused(Reason::NotConcerned);
    assert_eq!(notes(clinician(), PATIENT, 60 * MINUTE_MS), refused);
    assert_eq!(notes(clinician(), PATIENT, -1), refused);
    assert_eq!(notes(clinician(), ANOTHER, MINUTE_MS), refused);
    assert_eq!(notes(Person { id: ANOTHER, ..clinician() }, PATIENT, MINUTE_MS), refused);
    let without_mfa = notes(Person { mfa: false, ..clinician() }, PATIENT, MINUTE_MS);
    assert_eq!(without_mfa, Verdict::Refused(Reason::MfaNeeded));
    let asserted = Subject::Asserted { scopes: Scopes::all(), person: clinician() };
    let relation = Relation::to_visit(CONSULT, Some(PATIENT), None).under(&glass(), MINUTE_MS);
    assert_eq!(may(&asserted, Act::ReadNotes, &relation), refused);
}

#[test]
fn what_a_role_grants_is_not_put_down_to_a_broken_glass() {
    let relation = Relation::to_visit(CONSULT, Some(PATIENT), Some(Role::Nurse)).under(&glass(), MINUTE_MS);
    let verdict = may(&Subject::Person(clinician()), Act::ReadNotes, &relation);
    assert_eq!(verdict, Verdict::Granted(Ground::Role(Role::Nurse)));
}

#[test]
fn a_broken_glass_is_closed_once_by_an_auditor_who_did_not_break_it() {
    let auditor = Person { id: ANOTHER, tenant_role: Some(TenantRole::Auditor), ..nobody() };
    let mut broken = glass();
    let own = Subject::Person(Person { id: ASKING, ..auditor });
    assert_eq!(broken.close(&own, MINUTE_MS), Err(CloseError::Refused(Reason::NotOnOneself)));
    let colleague = Subject::Person(Person { id: ANOTHER, ..clinician() });
    assert_eq!(broken.close(&colleague, MINUTE_MS), Err(CloseError::Refused(Reason::RoleForbids)));
    assert!(broken.is_open(MINUTE_MS));
    assert_eq!(broken.close(&Subject::Person(auditor), MINUTE_MS), Ok(()));
    assert!(!broken.is_open(MINUTE_MS));
    assert_eq!(broken.close(&Subject::Person(auditor), MINUTE_MS), Err(CloseError::Closed));
    assert_eq!(broken.closed, Some((MINUTE_MS, ANOTHER)));
    let states = [0, 60 * MINUTE_MS].map(|now_ms| glass().state(now_ms));
    assert_eq!(states, [GlassState::Open, GlassState::RunOut]);
    assert_eq!(broken.state(0), GlassState::Closed);
}

#[test]
fn a_reason_says_something_and_is_never_printed() {
    for bad in ["", "         .          ", "because", "bad\u{7}character in it", &"x".repeat(501)] {
        assert!(BreakGlassReason::parse(bad).is_none(), "{bad}");
    }
    let reason = BreakGlassReason::parse(" unconscious, allergies unknown ").expect("a reason");
    assert_eq!(reason.text().reveal(), "unconscious, allergies unknown");
    assert!(!format!("{reason:?}").contains("allergies"));
}

#[test]
fn consults_without_an_appointment_are_the_tenant_s_to_disable() {
    let back_end = Subject::Client(Scopes::from_iter([Scope::ConsultsCreate]));
    let verdict = |on| may(&back_end, Act::CreateConsult, &Relation::to_tenant().with_direct_consults(on));
    assert_eq!(verdict(true), Verdict::Granted(Ground::Scope(Scope::ConsultsCreate)));
    assert_eq!(verdict(false), Verdict::Refused(Reason::DirectConsultsDisabled));
}

#[test]
fn facts_about_something_else_open_nothing() {
    let provider = Subject::Person(clinician());
    let visit = Relation::to_visit(CONSULT, Some(PATIENT), Some(Role::Provider));
    let wrong = [
        (Act::ReadPerson, visit),
        (Act::ReadNotes, Relation::to_patient(PATIENT, Some(Role::Provider))),
        (Act::SeeAudit, visit),
    ];
    for (act, relation) in wrong {
        for subject in [provider, Subject::Client(Scopes::all()), Subject::Shell] {
            assert_eq!(may(&subject, act, &relation), Verdict::Refused(Reason::FactsDoNotFit), "{act}");
        }
    }
}
