//! A figure: ours and another's, round by round, and whether ours is good enough.

use std::time::Duration;

use serde_json::json;

/// What one side did in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Operations a second, or microseconds an operation: what the figure is about.
    pub(crate) value: f64,
    /// Processor time of this process an operation, in microseconds.
    pub(crate) cpu_us: f64,
}

impl Round {
    pub(crate) fn rate(operations: u64, took: Duration, cpu: Duration) -> Self {
        let operations = operations as f64;
        Round { value: operations / took.as_secs_f64(), cpu_us: cpu.as_secs_f64() * 1e6 / operations }
    }

    /// The same of what is judged by its microseconds an operation.
    pub(crate) fn each(operations: u64, took: Duration, cpu: Duration) -> Self {
        let rate = Round::rate(operations, took, cpu);
        Round { value: 1e6 / rate.value, ..rate }
    }
}

pub(crate) enum Target {
    /// Ours over the other's: more is better.
    AtLeast(f64),
    /// Ours over the other's: less is better.
    AtMost(f64),
    /// Ours alone.
    Below(f64),
    /// Ours alone: more is better.
    Over(f64),
}

pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ours: Vec<Round>,
    pub(crate) other: Vec<Round>,
    pub(crate) target: Target,
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Figure {
    fn ours(&self) -> f64 {
        median(&self.ours, |round| round.value)
    }

    fn other(&self) -> f64 {
        median(&self.other, |round| round.value)
    }

    fn ratio(&self) -> f64 {
        self.ours() / self.other()
    }

    pub(crate) fn is_ok(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.ratio() >= least,
            Target::AtMost(most) => self.ratio() <= most,
            Target::Below(most) => self.ours() < most,
            Target::Over(least) => self.ours() >= least,
        }
    }

    pub(crate) fn line(&self, as_json: bool) -> String {
        let target = match self.target {
            Target::AtLeast(least) => format!(">={least}"),
            Target::AtMost(most) => format!("<={most}"),
            Target::Below(most) => format!("<{most}{}", self.unit),
            Target::Over(least) => format!(">={least}"),
        };
        let verdict = if self.is_ok() { "ok" } else { "short" };
        let cpu = |rounds: &[Round]| median(rounds, |round| round.cpu_us);
        if as_json {
            return json!({
                "name": self.name, "unit": self.unit, "ours": self.ours(), "other": self.other(),
                "ratio": self.ratio(), "target": target, "verdict": verdict,
                "cpuMicroseconds": { "ours": cpu(&self.ours), "other": cpu(&self.other) },
            })
            .to_string();
        }
        let shown =
            |value: f64| if value.is_nan() { "-".to_owned() } else { format!("{value:.*}", digits(value)) };
        format!(
            "{:<34} {:>10} {:>10} {:>6} {:>8} {verdict:<6} {}, cpu us {} {}",
            self.name,
            shown(self.ours()),
            shown(self.other()),
            shown(self.ratio()),
            target,
            self.unit,
            shown(cpu(&self.ours)),
            shown(cpu(&self.other)),
        )
    }
}

fn digits(value: f64) -> usize {
    if value >= 100.0 { 0 } else { 2 }
}
