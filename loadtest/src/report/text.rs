//! A report as a person reads it in a terminal.

use std::fmt;

use super::{Drift, Quantiles, Refusals, Report, Step, Undisturbed, timeline};
use crate::host::Core;

impl Report {
    /// One line, as the ramp prints it.
    pub fn line(&self) -> String {
        let server = self.server.as_ref().map_or(String::new(), |server| {
            format!(" server {:5.1} % {:6.2} us/packet", server.cpu_percent, server.us_per_packet)
        });
        format!(
            "{:5} consults {:8.0} packets/s p50 {:7.3} p99 {:8.3} ms loss {:.3} %{server} harness {:4.1} %{}{}{}",
            self.consults,
            self.received_per_second,
            self.delay.p50_ms,
            self.delay.p99_ms,
            self.loss_percent,
            self.harness_percent,
            if self.harness_bound { " HARNESS-BOUND" } else { "" },
            self.stolen(),
            if self.is_good() { String::new() } else { format!("  FAILED: {}", self.failures.join(", ")) },
        )
    }

    /// What the host took, where that has to be said.
    fn stolen(&self) -> String {
        let noted = self.host.iter().filter(|core| core.note().is_some());
        let noted =
            noted.map(|core| format!(" HOST TOOK {:.1} % OF CORE {}", core.stolen_percent, core.core));
        noted.collect()
    }

    fn host(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = |core: &Core| {
            let (whose, percent) = (core.whose(), core.stolen_percent);
            format!(
                "{percent:.2} % of core {} ({whose}), at worst {:.0} %",
                core.core, core.stolen_second_percent
            )
        };
        let cores: Vec<String> = self.host.iter().map(core).collect();
        if !cores.is_empty() {
            writeln!(f, "host           took {}", cores.join("; "))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note           {note}"))
    }

    fn server(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(server) = &self.server else { return Ok(()) };
        let mib = server.resident_bytes as f64 / (1 << 20) as f64;
        let kib = server.resident_bytes_per_participant / 1024.0;
        let (percent, us) = (server.cpu_percent, server.us_per_packet);
        writeln!(
            f,
            "server         {percent:.1} % of a core, {us:.3} us a packet, {mib:.1} MiB ({kib:.0} KiB a participant), {} \
             descriptors, {} threads",
            server.descriptors, server.threads
        )?;
        if let Some(per_core) = self.consults_per_core {
            writeln!(
                f,
                "               at this cost a core is full at {per_core:.0} consults; `ramp` finds where it really is"
            )?;
        }
        Ok(())
    }

    fn drifts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drift = |drift: &Drift| match drift.name.as_str() {
            timeline::MEMORY => format!("memory {:+.2} %", drift.percent()),
            name => format!("{name} {:+.1} of {:.0}", drift.growth, drift.mean),
        };
        let drifts: Vec<String> = self.drifts.iter().map(drift).collect();
        match drifts.is_empty() {
            true => Ok(()),
            false => writeln!(f, "held           in the second half of the window: {}", drifts.join(", ")),
        }
    }

    fn faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = serde_json::to_value(&self.counters).unwrap_or_default();
        let shown = counters.as_object().into_iter().flatten().filter(|(_, value)| **value != 0);
        let shown: Vec<String> = shown.map(|(name, value)| format!("{name} {value}")).collect();
        writeln!(f, "counted        {}", shown.join(", "))?;
        for finding in &self.findings {
            writeln!(f, "found          {finding}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "consults       {} ({} participants)", self.consults, self.participants)?;
        writeln!(f, "sent           {:.0} packets/s", self.sent_per_second)?;
        writeln!(
            f,
            "forwarded      {:.0} packets/s, {:.4} % lost, {:.4} % before repair, {:.4} % out of order",
            self.received_per_second,
            self.loss_percent,
            self.loss_before_repair_percent,
            self.out_of_order_percent
        )?;
        writeln!(f, "delay          {}", self.delay)?;
        if let Some(Undisturbed { seconds, server_percent, delay }) = &self.undisturbed {
            writeln!(f, "  undisturbed  {delay}, in {seconds} s at {server_percent:.0} % of a core")?;
        }
        if let Some(delay) = &self.established_delay {
            writeln!(f, "  there before {delay}")?;
        }
        writeln!(f, "join           {}", self.join)?;
        let step = |step: &Step| format!("{} {:.0}/{:.0}", step.name, step.times.p50_ms, step.times.p99_ms);
        let steps: Vec<String> = self.join_steps.iter().map(step).collect();
        if !steps.is_empty() {
            writeln!(f, "  of it p50/p99 {} ms", steps.join(", "))?;
        }
        if let Some(resume) = &self.resume {
            writeln!(f, "resume         {resume}")?;
        }
        if self.refusals != Refusals::default() {
            let Refusals { joins, tried_again, participants } = self.refusals;
            writeln!(
                f,
                "refused        {joins} joins, {tried_again} tried again, {participants} participants for good"
            )?;
        }
        if self.counters.frames > 0 {
            writeln!(f, "first picture  {}", self.first_frame)?;
            let (freezes, frozen_s) = (self.counters.freezes, self.counters.frozen_ms as f64 / 1e3);
            writeln!(
                f,
                "pictures       {} frames, {freezes} freezes, {frozen_s:.1} s frozen",
                self.counters.frames
            )?;
        }
        self.server(f)?;
        let bound = if self.harness_bound { ", which may be what limits: HARNESS-BOUND" } else { "" };
        writeln!(
            f,
            "harness        {:.1} % of a core{bound}; lag {}",
            self.harness_percent, self.harness_lag
        )?;
        writeln!(f, "  hand-over    {}", self.harness_handover)?;
        self.drifts(f)?;
        self.host(f)?;
        if let Some(seconds) = self.recovery_s {
            let all =
                if self.is_recovered { "everybody was back after" } else { "NOT everybody was back after" };
            writeln!(f, "cut            {all} {seconds:.1} s")?;
        }
        self.faults(f)?;
        if self.is_good() {
            return write!(f, "good enough");
        }
        write!(f, "NOT GOOD ENOUGH: {}", self.failures.join(", "))
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, p999_ms, max_ms } = self;
        write!(f, "p50 {p50_ms:.3}  p99 {p99_ms:.3}  p99.9 {p999_ms:.3}  max {max_ms:.3} ms")
    }
}
