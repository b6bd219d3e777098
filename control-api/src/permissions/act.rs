//! Everything that somebody may ask to do.

use crate::named::named;

named! {
    /// An act that the table in `table.rs` has a row for.
    pub enum Act {
        /// See when an appointment is, in which state, and who comes.
        ReadAppointment = "read_appointment",
        /// See why the patient comes.
        ReadReason = "read_reason",
        /// Move an appointment to another time.
        MoveAppointment = "move_appointment",
        /// Say that it will take place.
        ConfirmAppointment = "confirm_appointment",
        /// Call it off.
        CancelAppointment = "cancel_appointment",
        /// Begin the visit.
        StartAppointment = "start_appointment",
        /// End the visit, for everyone.
        EndAppointment = "end_appointment",
        /// Put down that the patient did not come.
        MarkNoShow = "mark_no_show",
        /// End a consult that has no appointment.
        EndConsult = "end_consult",
        /// Come in, or get the ticket with which one comes in oneself.
        Join = "join",
        /// Let somebody in from the waiting room.
        Admit = "admit",
        /// Give somebody else a ticket or a guest link.
        IssueTicket = "issue_ticket",
        /// Take a ticket or guest link back.
        RevokeTicket = "revoke_ticket",
        /// Switch off somebody else's microphone.
        MuteOthers = "mute_others",
        /// Send somebody out.
        Remove = "remove",
        /// Start and stop a recording.
        Record = "record",
        /// Read the visit's chat.
        ReadChat = "read_chat",
        /// Write in it.
        WriteChat = "write_chat",
        /// Read the notes, and the summary that holds them.
        ReadNotes = "read_notes",
        /// Write them.
        WriteNotes = "write_notes",
        /// Make an appointment for a patient.
        BookAppointment = "book_appointment",
        /// See all of a patient's appointments.
        ListAppointments = "list_appointments",
        /// See a person's name and how to reach them.
        ReadPerson = "read_person",
        /// See what a patient agreed to, and when.
        ReadConsents = "read_consents",
        /// Put down that a patient agreed, or no longer does.
        RecordConsent = "record_consent",
        /// Make a person unreadable for good.
        ErasePerson = "erase_person",
        /// Look at a patient whom one has no appointment with.
        OpenBreakGlass = "open_break_glass",
        /// Open a consult without an appointment.
        CreateConsult = "create_consult",
        /// Add people and change them.
        ManagePeople = "manage_people",
        /// Make somebody an admin or an auditor, or no longer one.
        GrantRole = "grant_role",
        /// Make, change and revoke API clients.
        ManageClients = "manage_clients",
        /// See webhooks and what they could not deliver.
        SeeWebhooks = "see_webhooks",
        /// Say where webhooks go.
        ManageWebhooks = "manage_webhooks",
        /// Change the tenant's settings.
        ManageTenant = "manage_tenant",
        /// Make a tenant.
        CreateTenant = "create_tenant",
        /// Read the audit log.
        SeeAudit = "see_audit",
        /// Take the audit log out of the house.
        ExportAudit = "export_audit",
        /// See who broke which glass, and why.
        SeeBreakGlass = "see_break_glass",
        /// Close one that has been looked into.
        CloseBreakGlass = "close_break_glass",
        /// Keep what retention would drop, and let it go again.
        HoldRecords = "hold_records",
        /// Rotate keys.
        RotateKeys = "rotate_keys",
    }
}

/// What an act is about, and so which facts decide whether somebody is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// One appointment, or its consult: the role there decides.
    Visit,
    /// One patient: the role in any appointment of theirs decides.
    Patient,
    /// The tenant as a whole.
    Tenant,
}
