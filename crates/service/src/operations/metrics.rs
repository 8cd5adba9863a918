//! The figures of one scrape.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Figures as they stand, in the order in which they were added.
///
/// Names are written without the prefix and, for counters, without `_total`: both are put in front and behind. The unit
/// is part of the name, as in `unacked_bytes`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

/// What tells the values of one metric apart.
type Labels = Vec<(&'static str, String)>;

impl Metrics {
    /// None yet; all names begin with `prefix`, as in `weir_agent`.
    pub fn new(prefix: &str) -> Self {
        Self { registry: Registry::with_prefix(prefix) }
    }

    /// Adds a value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.registry.register(name, without_stop(help), gauge);
    }

    /// Adds one value for each of some labels that goes up and down. No values = the metric has none now.
    pub fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.registry.register(name, without_stop(help), family);
    }

    /// Adds a count since the start of the process.
    pub fn counter(&mut self, name: &str, help: &str, count: u64) {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        self.registry.register(name, without_stop(help), counter);
    }

    /// Adds one count since the start of the process for each of some labels.
    pub fn counters(&mut self, name: &str, help: &str, counts: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, count) in counts {
            family.get_or_create(&labels).inc_by(count);
        }
        self.registry.register(name, without_stop(help), family);
    }

    /// As `OpenMetrics` text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string fails only where a metric's own encoding does, and these are the library's.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The library ends each help with a full stop.
fn without_stop(help: &str) -> &str {
    help.strip_suffix('.').unwrap_or(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_with_prefix_help_and_labels() {
        let mut metrics = Metrics::new("weir_test");
        metrics.counter("batches", "Batches so far.", 3);
        metrics.gauges("age_seconds", "How old.", [(vec![("kind", "Pod \"x\"".to_owned())], 0.25)]);
        metrics.gauges("none", "Nothing now.", []);
        let text = metrics.to_text();
        assert_eq!(
            text,
            "# HELP weir_test_batches Batches so far.\n\
             # TYPE weir_test_batches counter\n\
             weir_test_batches_total 3\n\
             # HELP weir_test_age_seconds How old.\n\
             # TYPE weir_test_age_seconds gauge\n\
             weir_test_age_seconds{kind=\"Pod \\\"x\\\"\"} 0.25\n\
             # EOF\n"
        );
    }
}
