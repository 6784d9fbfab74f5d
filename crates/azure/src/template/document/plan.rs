//! What a template comes to: resources in their order, and outputs.
//!
//! A plan is data that can be stored: a deployment that is interrupted goes on from it and needs the
//! template no more. Its bodies and outputs are a template's values in which only `reference` and
//! `list*` are left, with ids and api-versions; `body` and `outputs` finish them with what the cloud
//! has answered, or say what must be asked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{names::NoNames, outputs::Output};
use crate::{
    error::Result,
    template::{
        codes,
        context::{self, Context},
        evaluate::{Scope, Stand, Tally, finished},
        runtime::{Need, Runtime},
        source::Place,
    },
    time::Timestamp,
};

/// A template expanded for one deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub resources: Vec<Planned>,
    pub outputs: Vec<Output>,
    pub parameters: Vec<Shown>,
}

/// A resource to be deployed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Planned {
    pub id: String,
    pub resource_type: String,
    pub name: String,
    /// Its symbolic name, where the template gives one.
    pub symbol: Option<String>,
    pub api_version: String,
    /// Where it stands in the template.
    pub place: Place,
    pub(super) body: Value,
    /// Places in the plan of what must be done before.
    pub waits_for: Vec<usize>,
}

/// A parameter as a deployment shows it; a secret has no value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    pub name: String,
    pub kind: String,
    pub value: Option<Value>,
}

/// What became of a plan's expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum Finished {
    Done(Value),
    /// The cloud must be asked this first; there may be more to ask afterwards.
    Waiting(Vec<Need>),
}

impl Planned {
    /// The body of the request that deploys it.
    pub fn body(&self, runtime: &dyn Runtime) -> Result<Finished> {
        let finished = finish(&self.body, runtime).map_err(|error| {
            let Place { line, column } = self.place;
            codes::EXPRESSION_FAILED.with([
                &self.id,
                &line.to_string(),
                &column.to_string(),
                &error.message(),
            ])
        })?;
        Ok(match finished {
            Finished::Done(Value::Object(mut members)) => {
                for name in ["type", "name", "apiVersion"] {
                    members.shift_remove(name);
                }
                Finished::Done(Value::Object(members))
            }
            other => other,
        })
    }

    /// The body as it stands, with its expressions.
    pub fn unfinished(&self) -> &Value {
        &self.body
    }

    pub fn is_deployment(&self) -> bool {
        self.resource_type.eq_ignore_ascii_case(super::resources::DEPLOYMENTS)
    }
}

impl Plan {
    /// `{"name": {"type": .., "value": ..}}`, the secrets among them without a value.
    pub fn outputs(&self, runtime: &dyn Runtime) -> Result<Finished> {
        let mut outputs = Map::new();
        let mut needs = Vec::new();
        for output in &self.outputs {
            let finished = finish(&output.value, runtime)
                .map_err(|error| codes::OUTPUT_FAILED.with([error.message()]))?;
            match finished {
                Finished::Waiting(more) => needs.extend(more),
                Finished::Done(value) => {
                    output.judged(&value)?;
                    let shown = match output.is_secure {
                        true => json!({ "type": output.kind }),
                        false => json!({ "type": output.kind, "value": value }),
                    };
                    outputs.insert(output.name.clone(), shown);
                }
            }
        }
        Ok(if needs.is_empty() { Finished::Done(Value::Object(outputs)) } else { Finished::Waiting(needs) })
    }

    /// The parameters as a deployment shows them.
    pub fn shown_parameters(&self) -> Value {
        let shown = |it: &Shown| match &it.value {
            Some(value) => (it.name.clone(), json!({ "type": it.kind, "value": value })),
            None => (it.name.clone(), json!({ "type": it.kind })),
        };
        Value::Object(self.parameters.iter().map(shown).collect())
    }
}

/// Evaluates what is left, with what the cloud has answered.
fn finish(value: &Value, runtime: &dyn Runtime) -> Result<Finished> {
    let nowhere = Context {
        place: context::Place::Tenant,
        deployment: Value::Null,
        deployer: Value::Null,
        tenant: Value::Null,
        subscription: Value::Null,
        group: Value::Null,
        management_group: Value::Null,
        environment: Value::Null,
        providers: Value::Null,
        now: Timestamp::default(),
        chance: crate::ids::Guid::default(),
    };
    let tally = Tally::default();
    let scope = Scope {
        context: &nowhere,
        names: &NoNames,
        runtime,
        stand: Stand::Late,
        loops: Vec::new(),
        lambdas: Vec::new(),
        tally: &tally,
        // A template within keeps its own loops, and finds them when it is deployed.
        has_inner_loops: true,
    };
    let (value, is_whole) = finished(&scope, value)?;
    let mut needs = tally.needs.into_inner();
    needs.sort();
    needs.dedup();
    Ok(if needs.is_empty() || is_whole { Finished::Done(value) } else { Finished::Waiting(needs) })
}
