//! All of one patient's appointments, for whoever may see them together.

use super::{
    ControlApi,
    appointments::{Booked, booked},
    by, facts,
};
use crate::{
    audit::{Action, Entry},
    auth::Caller,
    ids::{AppointmentId, PersonId},
    permissions::Act,
    problem::Problem,
    store,
};

/// Which of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which {
    /// Earlier than this one.
    pub after: Option<AppointmentId>,
    pub rows_max: i64,
}

impl ControlApi {
    /// Some of a patient's appointments, the latest first; that they were read is on disk before they are told.
    pub(crate) async fn appointments_of(
        &self,
        caller: Caller,
        patient: PersonId,
        which: Which,
    ) -> Result<Vec<Booked>, Problem> {
        let mut tx = self.store.read(caller.tenant).await?;
        let relation = facts::to_patient(&mut tx, &caller, patient).await?;
        let (mut tx, ground) = self.permit_on(tx, &caller, Act::ListAppointments, &relation).await?;
        if !store::people::is_known(&mut tx, patient).await? {
            return Err(Problem::NotFound);
        }
        let after = match which.after {
            None => None,
            Some(id) => {
                let after = store::appointments::find(&mut tx, id).await?;
                Some(after.filter(|after| after.patient == patient).ok_or(Problem::NotFound)?)
            }
        };
        let rows = store::appointments::of_patient(&mut tx, patient, after.as_ref(), which.rows_max).await?;
        let mut listed = Vec::with_capacity(rows.len());
        for appointment in rows {
            let people = store::appointments::people(&mut tx, appointment.id).await?;
            listed.push(booked(appointment, people));
        }
        // Its connection is free before the entry waits for one.
        drop(tx);
        let (patient, break_glass) = (Some(patient), ground.break_glass());
        let entry = Entry { patient, break_glass, ..by(&caller, Action::Asked(Act::ListAppointments)) };
        self.note_read(caller.tenant, &entry).await?;
        Ok(listed)
    }
}
