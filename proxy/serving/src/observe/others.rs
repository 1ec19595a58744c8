//! Figures that somebody beside the proxy keeps, shown as they are at each scrape.

use std::{fmt, sync::OnceLock};

use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use super::process::Shown as Metric;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name, without prefix and suffix.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// What it is.
    pub value: Value,
}

/// What a figure is.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// It only grows.
    Count(u64),
    /// Seconds, which only grow.
    Seconds(f64),
    /// It is so now.
    Now(i64),
}

/// Who keeps some.
type Keeper = Box<dyn Fn() -> Vec<Figure> + Send + Sync>;

/// Where they come from, once somebody says so.
#[derive(Default)]
pub struct Others(OnceLock<Keeper>);

impl Others {
    /// Shows what `keeper` says from now on. The first stays.
    pub fn show(&self, keeper: impl Fn() -> Vec<Figure> + Send + Sync + 'static) {
        let _first = self.0.set(Box::new(keeper));
    }
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Others")
    }
}

/// The same, as the registry has it.
#[derive(Debug)]
pub(super) struct Shown(pub(super) std::sync::Arc<Others>);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.0.0.get().map(|keeper| keeper()).unwrap_or_default();
        for Figure { name, help, value } in figures {
            let metric: &dyn Metric = match value {
                Value::Count(count) => &ConstCounter::new(count),
                Value::Seconds(seconds) => &ConstCounter::new(seconds),
                Value::Now(value) => &ConstGauge::new(value),
            };
            metric.put(&mut encoder, name, help)?;
        }
        Ok(())
    }
}
