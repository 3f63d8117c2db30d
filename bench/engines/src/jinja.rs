//! minijinja: another language, and the fastest engine of templates in this one that we know.

use std::hint::black_box;

use minijinja::{Environment, Value, context};

use crate::engine::{Engine, Outcome, Work};
use crate::inputs::Inputs;

pub(crate) struct MiniJinja<'a> {
    inputs: &'a Inputs,
    environment: Environment<'a>,
    users: Vec<Value>,
    campaign: Value,
}

impl<'a> MiniJinja<'a> {
    pub(crate) fn new(inputs: &'a Inputs) -> Outcome<Self> {
        let users: Result<_, _> = inputs
            .users
            .iter()
            .map(|user| serde_json::from_str(user))
            .collect();
        Ok(Self {
            inputs,
            environment: environment(inputs)?,
            users: users?,
            campaign: serde_json::from_str(&inputs.campaign)?,
        })
    }

    fn render(&self, user: Value) -> Outcome<String> {
        let campaign = self.campaign.clone();
        let template = self.environment.get_template("card")?;
        Ok(template.render(context! { user, campaign })?)
    }
}

fn environment(inputs: &Inputs) -> Outcome<Environment<'_>> {
    let mut environment = Environment::new();
    environment.add_template("card", &inputs.jinja)?;
    Ok(environment)
}

impl Engine for MiniJinja<'_> {
    fn name(&self) -> &'static str {
        "minijinja"
    }

    fn does(&self, _: Work) -> bool {
        true
    }

    fn work(&mut self, work: Work, user: usize) -> Outcome {
        match work {
            Work::Render => {
                black_box(self.render(self.users[user].clone())?);
            }
            Work::FromBytes => {
                black_box(self.output(user)?);
            }
            Work::Compile => {
                black_box(environment(self.inputs)?);
            }
        }
        Ok(())
    }

    fn output(&mut self, user: usize) -> Outcome<String> {
        self.render(serde_json::from_str(&self.inputs.users[user])?)
    }
}
