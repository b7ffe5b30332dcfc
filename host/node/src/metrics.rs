//! Figures for monitoring, in OpenMetrics text.

use crate::calls::Calls;
use pointsman_sandbox::Workers;
use pointsman_session::runtime::{FAILURES, Runtime, STEP_BUCKETS_US};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

pub(crate) struct Figures {
    pub runtime: Runtime,
    pub calls: Calls,
    pub workers: Workers,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let c = self.runtime.counters();
        let mut counter = |name: &str, help: &str, value: u64| {
            let metric = ConstCounter::new(value);
            let encoder = out.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(encoder)
        };
        let routes = self.calls.routes();
        for (name, help, value) in [
            ("sessions_started", "Sessions started", &c.started),
            ("sessions_done", "Sessions that reached their end", &c.done),
            ("sessions_terminated", "Sessions that somebody ended", &c.terminated),
            (
                "session_starts_refused",
                "Sessions that were refused for a limit",
                &c.starts_refused,
            ),
            ("events", "Events handled", &c.events),
            (
                "events_refused",
                "Events refused because a session's queue was full",
                &c.queue_full,
            ),
            (
                "commands_refused",
                "Commands that nobody carries out",
                &c.commands_refused,
            ),
            ("step_nanoseconds", "Time that strategies ran", &c.step_ns),
            ("routes_used", "Routes that the switch has taken over", &routes.used),
            (
                "routes_unconfirmed",
                "Routes that the switch was told and did not confirm",
                &routes.unconfirmed,
            ),
        ] {
            counter(name, help, value.load(Relaxed))?;
        }
        counter(
            "lane_handovers",
            "Steps that outlived their slice and lost their worker",
            self.workers.handovers(),
        )?;
        for code in FAILURES {
            let name = format!("sessions_failed_{}", code.as_str().replace('-', "_"));
            counter(&name, "Sessions that broke this limit", c.failed(code))?;
        }
        let mut sum = 0;
        for (bound, bucket) in STEP_BUCKETS_US.iter().zip(&c.step_buckets) {
            sum += bucket.load(Relaxed);
            let name = format!("steps_within_{bound}us");
            counter(&name, "Steps that took at most so long", sum)?;
        }
        let mut gauge = |name: &str, help: &str, value: i64| {
            let metric = ConstGauge::new(value);
            let encoder = out.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(encoder)
        };
        gauge("sessions_live", "Sessions that live now", c.live.load(Relaxed) as i64)?;
        gauge(
            "calls_waiting",
            "Calls that have not left yet",
            self.calls.waiting() as i64,
        )
    }
}

/// The text of all figures.
pub(crate) fn text(registry: &Registry) -> String {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => text,
        Err(_) => "# the figures could not be written\n".into(),
    }
}
