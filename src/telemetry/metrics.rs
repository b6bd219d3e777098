//! `/metrics` in Prometheus' text format. Every metric has a row in `docs/runbook.md`.

use control_api::{ControlApi, SignInCounts};
use media_engine::{Counters as MediaCounters, DropReason};
use media_io::{IoCounters, Load, MediaNode};
use prometheus::{
    Counter, CounterVec, Encoder as _, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, proto::MetricFamily,
};
use signaling::Signaling;

use crate::spool::Spool;

const CPU_TIME: &str = "process_cpu_seconds_total";

/// Renders the counters of the whole process.
#[derive(Debug)]
pub struct Metrics {
    process: Registry,
}

impl Metrics {
    /// With `process_cpu_seconds_total`, `process_resident_memory_bytes` and the rest of the process's own.
    pub fn new() -> Result<Self, prometheus::Error> {
        let process = Registry::new();
        process.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self { process })
    }

    /// One scrape: the sum over all shards, and what signaling counts.
    pub fn render(
        &self,
        media: &MediaNode,
        signaling: &Signaling,
        api: &ControlApi,
        spool: &Spool,
        refused_connections: u64,
    ) -> Result<String, prometheus::Error> {
        let page = Registry::new();
        add_media(&page, &media.counters())?;
        add_loads(&page, &media.loads())?;
        add_io(&page, &media.io_counters())?;
        let help = "Media threads that failed and began again.";
        total(&page, "consilium_shard_restarts_total", help, media.restarts())?;
        add_signaling(&page, signaling)?;
        let help = "Audit entries that wait in the node's spool for the audit log.";
        gauge(&page, "consilium_audit_spool_entries", help, spool.waiting() as u64)?;
        let help = "Audit entries that the audit log can never take, set aside on the node.";
        gauge(&page, "consilium_audit_spool_set_aside", help, spool.set_aside() as u64)?;
        let help = "Records of the spool that were not there when the node started.";
        gauge(&page, "consilium_audit_spool_missing", help, spool.missing())?;
        let help = "Connections that were closed at once because their address had too many.";
        total(&page, "consilium_connections_refused_total", help, refused_connections)?;
        let help = "Whether the token of the master keys did not answer when it was asked last.";
        gauge(&page, "consilium_master_keys_away", help, api.master_keys_are_away().into())?;
        add_rate_limits(&page, api)?;
        add_sign_ins(&page, api.sign_in_counts())?;
        add_cpu_time(&page)?;
        add_tasks(&page)?;
        let mut families: Vec<MetricFamily> = page.gather();
        let process = self.process.gather().into_iter();
        families.extend(process.filter(|family| family.name() != CPU_TIME));
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

/// In hundredths of a second: the collector's own counts whole ones, too coarse to tell what a packet costs.
fn add_cpu_time(page: &Registry) -> Result<(), prometheus::Error> {
    let stat = procfs::process::Process::myself().and_then(|process| process.stat());
    let stat = stat.map_err(|error| prometheus::Error::Msg(error.to_string()))?;
    let counter = Counter::new(CPU_TIME, "User and system CPU time of the process, in seconds.")?;
    counter.inc_by((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64);
    page.register(Box::new(counter))
}

/// What a leaked connection or timer leaves behind. Nothing where no runtime is, such as in a test.
fn add_tasks(page: &Registry) -> Result<(), prometheus::Error> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Ok(()) };
    let help = "Tasks of the async runtime that are alive.";
    gauge(page, "consilium_tasks_alive", help, runtime.metrics().num_alive_tasks() as u64)
}

fn add_media(page: &Registry, shards: &[MediaCounters]) -> Result<(), prometheus::Error> {
    let sum = |of: fn(&MediaCounters) -> u64| shards.iter().map(of).sum::<u64>();
    labelled(
        page,
        "consilium_rtp_packets_received_total",
        "RTP packets that were authenticated.",
        "kind",
        [("audio", sum(|c| c.rtp_received[0])), ("video", sum(|c| c.rtp_received[1]))],
    )?;
    labelled(
        page,
        "consilium_rtp_packets_forwarded_total",
        "RTP packets sent to subscribers, retransmissions included.",
        "kind",
        [("audio", sum(|c| c.rtp_forwarded[0])), ("video", sum(|c| c.rtp_forwarded[1]))],
    )?;
    let dropped = DropReason::ALL
        .iter()
        .map(|reason| (reason.as_str(), shards.iter().map(|c| c.dropped_for(*reason)).sum()));
    let help = "Datagrams and packets that went no further, by reason.";
    labelled(page, "consilium_packets_dropped_total", help, "reason", dropped)?;
    let totals: [(&str, &str, u64); 7] = [
        (
            "consilium_rtp_packets_retransmitted_total",
            "RTP packets sent again on request.",
            sum(|c| c.retransmitted),
        ),
        ("consilium_media_bytes_received_total", "UDP payload bytes taken in.", sum(|c| c.bytes_received)),
        ("consilium_media_bytes_sent_total", "UDP payload bytes given out.", sum(|c| c.bytes_sent)),
        ("consilium_rtcp_packets_received_total", "RTCP packets taken in.", sum(|c| c.rtcp_received)),
        (
            "consilium_stun_checks_total",
            "Authenticated connectivity checks answered.",
            sum(|c| c.stun_checks),
        ),
        ("consilium_dtls_handshakes_total", "DTLS handshakes finished.", sum(|c| c.handshakes)),
        (
            "consilium_keyframe_requests_total",
            "Key frames asked of publishers.",
            sum(|c| c.keyframe_requests),
        ),
    ];
    for (name, help, value) in totals {
        total(page, name, help, value)?;
    }
    gauge(page, "consilium_transports", "Media transports now.", sum(|c| c.transports))?;
    gauge(page, "consilium_shards", "Media threads.", shards.len() as u64)
}

fn add_loads(page: &Registry, loads: &[Load]) -> Result<(), prometheus::Error> {
    let help = "CPU time of a media thread, in seconds.";
    let cpu = CounterVec::new(Opts::new("consilium_shard_cpu_seconds_total", help), &["shard"])?;
    let help = "Quarters of the video that a media thread withholds because it falls behind.";
    let withheld = IntGaugeVec::new(Opts::new("consilium_video_withheld_quarters", help), &["shard"])?;
    let help = "Datagrams that the kernel dropped because a media thread did not fetch them in time.";
    let drops = IntCounterVec::new(Opts::new("consilium_kernel_drops_total", help), &["shard"])?;
    for (shard, load) in loads.iter().enumerate() {
        let shard = shard.to_string();
        cpu.with_label_values(&[&shard]).inc_by(load.cpu.as_secs_f64());
        withheld.with_label_values(&[&shard]).set(load.video_withheld.into());
        drops.with_label_values(&[&shard]).inc_by(load.kernel_drops);
    }
    page.register(Box::new(cpu))?;
    page.register(Box::new(withheld))?;
    page.register(Box::new(drops))
}

fn add_io(page: &Registry, shards: &[IoCounters]) -> Result<(), prometheus::Error> {
    let mut io = IoCounters::default();
    shards.iter().for_each(|shard| io.add(shard));
    labelled(
        page,
        "consilium_media_system_calls_total",
        "System calls of the media threads: waiting, taking datagrams in, giving them out.",
        "call",
        [("wait", io.waits), ("receive", io.receive_calls), ("send", io.send_calls)],
    )?;
    let help = "Datagrams, or trains of them, given to the kernel.";
    total(page, "consilium_media_messages_sent_total", help, io.messages_sent)?;
    let help = "Datagrams taken in that a queue on their way had marked (ECN CE).";
    total(page, "consilium_media_ecn_marked_total", help, io.ecn_marked)?;
    let help = "Trains of datagrams that the kernel refused; they were sent one by one.";
    total(page, "consilium_media_trains_refused_total", help, io.trains_refused)?;
    gauge(page, "consilium_media_sockets", "Media sockets.", io.sockets)?;
    let help = "Media sockets that take in trains of datagrams (UDP_GRO).";
    gauge(page, "consilium_media_sockets_with_gro", help, io.sockets_with_gro)?;
    let help = "Media sockets that give out trains of datagrams (UDP_SEGMENT).";
    gauge(page, "consilium_media_sockets_with_gso", help, io.sockets_with_gso)
}

fn add_rate_limits(page: &Registry, api: &ControlApi) -> Result<(), prometheus::Error> {
    use std::sync::atomic::Ordering::Relaxed;
    let limited = api.rate_limited();
    let by = [
        ("address", limited.by_address.load(Relaxed)),
        ("client", limited.by_client.load(Relaxed)),
        ("failure", api.failures_limited()),
    ];
    let help = "Requests of the control API that were refused for coming too fast.";
    labelled(page, "consilium_api_rate_limited_total", help, "by", by)
}

fn add_sign_ins(page: &Registry, counts: &SignInCounts) -> Result<(), prometheus::Error> {
    let help = "People who signed in, and who did not, by why.";
    labelled(page, "consilium_sign_ins_total", help, "outcome", counts.by_outcome())
}

fn add_signaling(page: &Registry, signaling: &Signaling) -> Result<(), prometheus::Error> {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let read = |counter: &AtomicU64| counter.load(Relaxed);
    let (counters, now) = (signaling.counters(), signaling.headcount());
    gauge(page, "consilium_consults", "Consults with somebody in them.", now.consults)?;
    gauge(page, "consilium_participants", "People admitted and present.", now.participants)?;
    gauge(page, "consilium_waiting", "People in waiting rooms.", now.waiting)?;
    let totals: [(&str, &str, u64); 10] = [
        ("consilium_signaling_connections_total", "WebSockets accepted.", read(&counters.connections)),
        (
            "consilium_signaling_messages_received_total",
            "Messages from clients.",
            read(&counters.messages_received),
        ),
        ("consilium_signaling_messages_sent_total", "Messages to clients.", read(&counters.messages_sent)),
        ("consilium_chat_lines_total", "Chat lines passed on.", read(&counters.chat_lines)),
        (
            "consilium_signaling_slow_readers_total",
            "Connections closed for not reading.",
            read(&counters.slow_readers),
        ),
        (
            "consilium_signaling_replaced_total",
            "Connections that gave way to a newer one of the same person.",
            read(&counters.replaced),
        ),
        (
            "consilium_signaling_origins_refused_total",
            "Requests refused by their Origin.",
            read(&counters.origins_refused),
        ),
        (
            "consilium_shard_overloaded_total",
            "Commands that a full shard refused.",
            read(&counters.shard_overloaded),
        ),
        (
            "consilium_journal_lost_total",
            "Audit entries that could not be kept.",
            read(&counters.journal_lost),
        ),
        (
            "consilium_ticket_log_lost_total",
            "What the node could not write down about tickets.",
            signaling.ticket_log_lost(),
        ),
    ];
    for (name, help, value) in totals {
        total(page, name, help, value)?;
    }
    let refused = counters.requests_refused();
    let help = "HTTP requests of signaling that were refused, by code.";
    labelled(page, "consilium_signaling_requests_refused_total", help, "code", refused)?;
    let errors = counters.errors().map(|(code, count)| (code.as_str(), count));
    labelled(page, "consilium_signaling_errors_total", "Errors told to clients, by code.", "code", errors)
}

fn total(page: &Registry, name: &str, help: &str, value: u64) -> Result<(), prometheus::Error> {
    let counter = IntCounter::new(name, help)?;
    counter.inc_by(value);
    page.register(Box::new(counter))
}

fn gauge(page: &Registry, name: &str, help: &str, value: u64) -> Result<(), prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    page.register(Box::new(gauge))
}

fn labelled<'a>(
    page: &Registry,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'a str, u64)>,
) -> Result<(), prometheus::Error> {
    let family = IntCounterVec::new(Opts::new(name, help), &[label])?;
    for (value, count) in values {
        family.with_label_values(&[value]).inc_by(count);
    }
    page.register(Box::new(family))
}
