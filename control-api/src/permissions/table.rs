//! Who may do what: the one table. `docs/control-api.md` shows it to people, and a test reads it there and walks every
//! cell, so that the two cannot drift apart.

use media_model::Role;

use super::{About, Act, Scope};

/// What one kind of person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// It is refused.
    No,
    /// It is granted.
    Yes,
    /// It is granted to somebody who signed in with a second factor.
    Mfa,
    /// Likewise, and never about oneself or one's own doing.
    Others,
}

/// What an API client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientCell {
    /// Nothing, whatever it was made for.
    Never,
    /// It, on its own account, if it was made for that.
    Alone(Scope),
    /// It, but only for a person whom it names, and who may do it as well.
    ForPerson(Scope),
}

/// Who may do one act.
#[derive(Debug)]
pub(super) struct Row {
    act: Act,
    pub about: About,
    roles: [Cell; 6],
    pub clinician: Cell,
    pub admin: Cell,
    pub auditor: Cell,
    pub break_glass: Cell,
    pub client: ClientCell,
    pub shell: Cell,
}

impl Row {
    /// What a role in the appointment may do.
    pub const fn role(&self, role: Role) -> Cell {
        let [patient, provider, nurse, interpreter, guardian, observer] = self.roles;
        match role {
            Role::Patient => patient,
            Role::Provider => provider,
            Role::Nurse => nurse,
            Role::Interpreter => interpreter,
            Role::Guardian => guardian,
            Role::Observer => observer,
        }
    }
}

/// The row of an act.
pub(super) const fn row(act: Act) -> &'static Row {
    &TABLE[act as usize]
}

use About::{Patient, Tenant, Visit};
use Act::*;
use Cell::{Mfa as M, No as x, Others as O, Yes as Y};
use ClientCell::{Alone, ForPerson, Never};
use Scope::*;

/// In the order of [`Act::ALL`]. Roles are patient, provider, nurse, interpreter, guardian, observer; then come a clinician
/// of the tenant whoever the patient is, its admin, its auditor, and a clinician who broke the glass for this patient.
#[rustfmt::skip]
const TABLE: [Row; Act::ALL.len()] = [
    //   act                 about    [pat prov nur int gua obs]  clin adm aud glass  client                        shell
    line(ReadAppointment,    Visit,   [Y,  Y,   Y,  Y,  Y,  Y],  [x,  Y,  x,  M],    Alone(AppointmentsRead),      x),
    line(ReadReason,         Visit,   [Y,  Y,   Y,  x,  Y,  x],  [x,  x,  x,  M],    Alone(NotesRead),             x),
    line(MoveAppointment,    Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  Y,  x,  x],    Alone(AppointmentsWrite),     x),
    line(ConfirmAppointment, Visit,   [Y,  Y,   Y,  x,  Y,  x],  [x,  Y,  x,  x],    Alone(AppointmentsWrite),     x),
    line(CancelAppointment,  Visit,   [Y,  Y,   Y,  x,  Y,  x],  [x,  Y,  x,  x],    Alone(AppointmentsWrite),     x),
    line(StartAppointment,   Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  x],    Alone(AppointmentsWrite),     x),
    line(EndAppointment,     Visit,   [x,  Y,   x,  x,  x,  x],  [x,  x,  x,  x],    Alone(AppointmentsWrite),     x),
    line(MarkNoShow,         Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  Y,  x,  x],    Alone(AppointmentsWrite),     x),
    line(EndConsult,         Visit,   [x,  Y,   x,  x,  x,  x],  [x,  x,  x,  x],    Alone(ConsultsWrite),         x),
    line(Join,               Visit,   [Y,  Y,   Y,  Y,  Y,  Y],  [x,  x,  x,  M],    ForPerson(TicketsWrite),      x),
    line(Admit,              Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  x],    ForPerson(ConsultsWrite),     x),
    line(IssueTicket,        Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  x],    Alone(TicketsWrite),          x),
    line(RevokeTicket,       Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  x],    Alone(TicketsWrite),          x),
    line(MuteOthers,         Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  x],    ForPerson(ConsultsWrite),     x),
    line(Remove,             Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  x],    ForPerson(ConsultsWrite),     x),
    line(Record,             Visit,   [x,  Y,   x,  x,  x,  x],  [x,  x,  x,  x],    ForPerson(ConsultsWrite),     x),
    line(ReadChat,           Visit,   [Y,  Y,   Y,  Y,  Y,  Y],  [x,  x,  x,  M],    Alone(ChatRead),              x),
    line(WriteChat,          Visit,   [Y,  Y,   Y,  Y,  Y,  x],  [x,  x,  x,  x],    ForPerson(ChatWrite),         x),
    line(ReadNotes,          Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  M],    Alone(NotesRead),             x),
    line(WriteNotes,         Visit,   [x,  Y,   Y,  x,  x,  x],  [x,  x,  x,  x],    ForPerson(NotesWrite),        x),
    line(BookAppointment,    Patient, [x,  Y,   Y,  x,  x,  x],  [x,  Y,  x,  x],    Alone(AppointmentsWrite),     x),
    line(ListAppointments,   Patient, [Y,  Y,   Y,  x,  Y,  x],  [x,  Y,  x,  M],    Alone(AppointmentsRead),      x),
    line(ReadPerson,         Patient, [Y,  Y,   Y,  x,  Y,  x],  [x,  Y,  x,  M],    Alone(PeopleRead),            x),
    line(ReadConsents,       Patient, [Y,  Y,   Y,  x,  Y,  x],  [x,  Y,  x,  M],    Alone(ConsentsRead),          x),
    line(RecordConsent,      Patient, [Y,  Y,   Y,  x,  Y,  x],  [x,  x,  x,  x],    Alone(ConsentsWrite),         x),
    line(ErasePerson,        Patient, [x,  x,   x,  x,  x,  x],  [x,  M,  x,  x],    Alone(PeopleErase),           x),
    line(OpenBreakGlass,     Patient, [x,  x,   x,  x,  x,  x],  [O,  x,  x,  x],    Never,                        x),
    line(CreateConsult,      Tenant,  [x,  x,   x,  x,  x,  x],  [Y,  x,  x,  x],    Alone(ConsultsCreate),        x),
    line(ManagePeople,       Tenant,  [x,  x,   x,  x,  x,  x],  [x,  Y,  x,  x],    Alone(PeopleWrite),           x),
    line(GrantRole,          Tenant,  [x,  x,   x,  x,  x,  x],  [x,  O,  x,  x],    Never,                        Y),
    line(ManageClients,      Tenant,  [x,  x,   x,  x,  x,  x],  [x,  M,  x,  x],    Never,                        Y),
    line(SeeWebhooks,        Tenant,  [x,  x,   x,  x,  x,  x],  [x,  Y,  x,  x],    Alone(WebhooksRead),          x),
    line(ManageWebhooks,     Tenant,  [x,  x,   x,  x,  x,  x],  [x,  Y,  x,  x],    Alone(WebhooksWrite),         x),
    line(ManageTenant,       Tenant,  [x,  x,   x,  x,  x,  x],  [x,  M,  x,  x],    Never,                        Y),
    line(CreateTenant,       Tenant,  [x,  x,   x,  x,  x,  x],  [x,  x,  x,  x],    Never,                        Y),
    line(SeeAudit,           Tenant,  [x,  x,   x,  x,  x,  x],  [x,  x,  Y,  x],    Alone(AuditRead),             Y),
    line(ExportAudit,        Tenant,  [x,  x,   x,  x,  x,  x],  [x,  x,  M,  x],    Alone(AuditExport),           Y),
    line(SeeBreakGlass,      Tenant,  [x,  x,   x,  x,  x,  x],  [x,  x,  Y,  x],    Alone(AuditRead),             x),
    line(CloseBreakGlass,    Tenant,  [x,  x,   x,  x,  x,  x],  [x,  x,  O,  x],    Never,                        x),
    line(HoldRecords,        Tenant,  [x,  x,   x,  x,  x,  x],  [x,  x,  M,  x],    Never,                        Y),
    line(RotateKeys,         Tenant,  [x,  x,   x,  x,  x,  x],  [x,  x,  x,  x],    Never,                        Y),
];

/// What a token of a visit opens, for roles that may: what the page in the visit does. Whoever may give out tickets gets such a token,
/// and nothing that takes another scope must come of it.
pub(super) const BY_VISIT: [Act; 2] = [ReadChat, WriteChat];

const fn line(
    act: Act,
    about: About,
    roles: [Cell; 6],
    [clinician, admin, auditor, break_glass]: [Cell; 4],
    client: ClientCell,
    shell: Cell,
) -> Row {
    Row { act, about, roles, clinician, admin, auditor, break_glass, client, shell }
}

const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(TABLE[i].act as usize == i, "a row stands in its act's place");
        i += 1;
    }
};
